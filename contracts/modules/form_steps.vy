# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Form of leaves
@author Proofmill
@license Apache-2.0
@dev Stateless. The steps `form`, `witness_form` and `supplement_form` of every kind: a leaf of the output is bytes that no encoder
     makes. Whoever calls takes leaves of any length that can be revealed, 16,448 bytes: a leaf too long to be read as
     calldata could never be shown to be false.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import trace_geometry

MAX_LEAF: constant(uint256) = 16448
MAX_DEPTH: constant(uint256) = 48
MAX_WORDS: constant(uint256) = 256  # of hi, and as many of lo: an operand of 8,192 elements
WORD: constant(uint256) = 32

# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
EACH_BYTE: constant(uint256) = max_value(uint256) // 255
SIGN_BITS: constant(uint256) = 128 * EACH_BYTE
BELOW_SIGN_BITS: constant(uint256) = 127 * EACH_BYTE


@pure
@internal
def _is_form_step(_check: uint256) -> bool:
    """
    @dev Whether a step is one of those below; their checks have the numbers of the parts they are about.
    """
    return _check <= trace_geometry.SUPPLEMENT


@pure
@internal
def _violates(
    _context: IStepVerifier.Context,
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _leaf: Bytes[MAX_LEAF],
    _path: DynArray[bytes32, MAX_DEPTH],
) -> bool:
    """
    @dev Whether leaf `_step.index` of a section of the output is malformed. Reverts unless it opens there. The caller has checked
         the descriptor.
    """
    part: uint256 = _step.check
    grid: trace_geometry.Grid = trace_geometry._output_grid(_descriptor, part, _context.length)
    count: uint256 = trace_geometry._check_opening(
        _context.output_root,
        grid,
        part,
        _step.row,
        _step.section,
        _step.index,
        keccak256(keccak256(_leaf)),
        _path,
    )
    return self._is_malformed(grid.codec, count, _leaf)


@pure
@internal
def _is_malformed(_codec: uint256, _count: uint256, _leaf: Bytes[MAX_LEAF]) -> bool:
    """
    @dev Whether these are not the bytes of any `_count` >= 1 integers.
    """
    if len(_leaf) != trace_geometry._size(_codec, _count):
        return True
    if _codec == trace_geometry.INTEGERS:
        return False
    if _codec == trace_geometry.FIELDS:
        used: uint256 = _count % 4  # fields in the last word, 0 for all
        return used != 0 and extract32(_leaf, len(_leaf) - WORD, output_type=uint256) << 64 * used != 0
    if _codec == trace_geometry.OPERAND_ROW:
        header: uint256 = extract32(_leaf, 0, output_type=uint256)
        digits: uint256 = _count - trace_geometry.OPERAND_HEADER
        return header << 128 != 0 or self._are_digits_malformed(_leaf, WORD, digits, False)
    return self._are_digits_malformed(_leaf, 0, _count, _codec == trace_geometry.REVERSED_DIGITS)


@pure
@internal
def _are_digits_malformed(
    _leaf: Bytes[MAX_LEAF], _start: uint256, _count: uint256, _are_reversed: bool
) -> bool:
    """
    @dev Digits from byte `_start` on: bits set behind the last one, or hi = -128 with lo < 0, which is no number of 16 bits.
    """
    words: uint256 = trace_geometry._blocks(_count, WORD)
    free: uint256 = 0  # bytes of the last words that hold no digit
    if _count % WORD != 0:
        free = self._free_bytes(_count % WORD, _are_reversed)
    for i: uint256 in range(words, bound=MAX_WORDS):
        at: uint256 = _start + WORD * i
        high: uint256 = extract32(_leaf, at, output_type=uint256)
        low: uint256 = extract32(_leaf, at + WORD * words, output_type=uint256)
        # Where hi is -128, its byte without the sign bit and with it flipped is 0, and only there nothing reaches the sign bit.
        flipped: uint256 = high ^ SIGN_BITS
        others: uint256 = unsafe_add(flipped & BELOW_SIGN_BITS, BELOW_SIGN_BITS) | flipped
        if low & SIGN_BITS & ~others != 0:
            return True
        if i + 1 == words and (high | low) & free != 0:
            return True
    return False


@pure
@internal
def _free_bytes(_used: uint256, _are_reversed: bool) -> uint256:
    """
    @dev A mask of the bytes of a word that come after its first `_used` digits, 1 to 31.
    """
    if not _are_reversed:
        return max_value(uint256) >> 8 * _used
    mask: uint256 = 0
    for digit: uint256 in range(_used, WORD, bound=WORD):
        # slither divide-before-multiply: the lane of a digit, then its place
        place: uint256 = 28 - 4 * (digit // 4) + digit % 4
        mask |= 255 << 8 * (31 - place)
    return mask
