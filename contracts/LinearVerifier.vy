# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Verifier of linear operators
@author Proofmill
@license Apache-2.0
@notice Recomputes one element of a linear operator's output from a row of its operand and a row of its weights. Anyone may ask.
@dev Stateless; an IStepVerifier with room for three openings. y_j = sat(rsh(c_j Σ q w_j, shift - k) + b_j) of docs/EXACT.md, the leaves
     of docs/TRACE.md sections 3 and 6. It is the step that costs most, so leaves stay where the call put them: each is hashed there
     once, and 384 digits at a time are taken out of it. Whatever else it does is in the same function for that reason.
@custom:security Nothing that an operator can commit to makes a sound step revert, or lets a sum overflow: with 8,192 digits, whatever
     they are, it is below 2^46, and the product with a multiplier of 32 bits below 2^78.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import lane_arithmetic
from contracts.modules import merkle_tree
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

# Openings of an `element` in their order; a `form` has the first alone.
OUTPUT: constant(uint256) = 0
OPERAND: constant(uint256) = 1
CHANNEL: constant(uint256) = 2
MAX_OPENINGS: constant(uint256) = 3  # room that is not used is still memory to pay for

# A row of digits, up to 8,208 by the bound of a leaf, is taken in pieces of twelve words, then of four, then of one.
LONG_BYTES: constant(uint256) = 384
MAX_LONG: constant(uint256) = 22
SHORT_BYTES: constant(uint256) = 128
MAX_SHORT: constant(uint256) = 2
WORD_BYTES: constant(uint256) = 32
MAX_SINGLE: constant(uint256) = 3
MAX_DIGITS: constant(uint256) = 2  # of a weight
HEADER_BYTES: constant(uint256) = 32  # exponent and index before an operand's digits; multiplier and bias after a channel's


@view
@external
# slither cyclomatic-complexity: one check after the other, in one function because arguments that are passed on are copied
def violates(
    _context: IStepVerifier.Context,
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _openings: DynArray[IStepVerifier.Opening, MAX_OPENINGS],
) -> bool:
    """
    @notice Says whether a step proves that a linear operator's output does not follow from its input.
    @dev Anyone may call. Reverts if the evidence is not sound.
    @param _context What the leaves are opened against.
    @param _step Check `form` (row, section, leaf as its index) or `element` (row, element as its index).
    @param _descriptor The operator's.
    @param _openings Leaf of the output; for an element also the operand's row and the channel's weights.
    @return True if the step proves a violation, false if what it recomputes is as it should be.
    """
    assert keccak256(keccak256(_descriptor)) == _context.descriptor_hash, "linear: another descriptor"
    operator: uint256[31] = abi_decode(_descriptor, uint256[31])
    assert operator[trace_geometry.KIND] == trace_geometry.LINEAR, "linear: another kind"
    assert operator[trace_geometry.FIRST_INPUT] == _context.first_number, "linear: another input"

    # The claimed leaf.
    element: uint256 = _step.index
    leaf: uint256 = element
    width: uint256 = operator[trace_geometry.OUTPUT + 2]
    if _step.check == step_evidence.ELEMENT:
        assert element < width, "linear: no such element"
        leaf = element // trace_geometry.LEAF_ELEMENTS
    else:
        assert _step.check == step_evidence.FORM, "linear: no such check"
        assert _step.section == 0, "linear: no such section"
    leaves: uint256 = trace_geometry._blocks(width, trace_geometry.LEAF_ELEMENTS)
    assert leaf < leaves, "linear: no such leaf"
    rows: uint256 = operator[trace_geometry.OUTPUT + 1]
    if rows == 0:
        rows = _context.length
    assert _step.row < rows, "linear: no such row"
    assert len(_openings) > OUTPUT, "linear: output not opened"
    below: uint256 = merkle_tree._bits(leaves - 1)
    depth: uint256 = len(_openings[OUTPUT].path)
    assert self._is_depth(depth, rows, 2 + below), "linear: output path too long"
    root: bytes32 = merkle_tree._root_of_path(
        keccak256(keccak256(_openings[OUTPUT].data)), _step.row << (1 + below) | leaf, _openings[OUTPUT].path
    )
    assert root == _context.output_root, "linear: output does not open"
    count: uint256 = min(trace_geometry.LEAF_ELEMENTS, width - trace_geometry.LEAF_ELEMENTS * leaf)
    if len(_openings[OUTPUT].data) != 4 * count:
        return True
    if _step.check == step_evidence.FORM:
        return False  # any bytes are integers

    # The operand's row: exponent and index, hi, lo.
    columns: uint256 = operator[trace_geometry.FIRST_INPUT + 4]  # K, one group
    sections: uint256 = operator[trace_geometry.FIRST_INPUT + 3] // columns
    rows = operator[trace_geometry.FIRST_INPUT + 2]
    if rows == 0:
        rows = _context.length
    assert _step.row < rows, "linear: no such operand row"
    assert len(_openings) == MAX_OPENINGS, "linear: a leaf is missing"
    below = 0
    if sections != 1:
        below = merkle_tree._bits(sections - 1)
    depth = len(_openings[OPERAND].path)
    assert self._is_depth(depth, rows, 2 + below), "linear: operand path too long"
    root = merkle_tree._root_of_path(
        keccak256(keccak256(_openings[OPERAND].data)), _step.row << (1 + below), _openings[OPERAND].path
    )
    assert root == _context.first_root, "linear: operand does not open"
    padded: uint256 = trace_geometry._padded(columns)
    assert len(_openings[OPERAND].data) == HEADER_BYTES + 2 * padded, "linear: operand of other length"

    # The channel: its weights' digits, multiplier and bias.
    rows = operator[trace_geometry.TABLE_ROWS]
    assert element < rows, "linear: no such channel"
    depth = len(_openings[CHANNEL].path)
    assert self._is_depth(depth, rows, 0), "linear: channel path too long"
    root = merkle_tree._root_of_path(
        keccak256(keccak256(_openings[CHANNEL].data)), element, _openings[CHANNEL].path
    )
    assert convert(root, uint256) == operator[trace_geometry.TABLE_ROOT], "linear: channel does not open"
    digits: uint256 = operator[trace_geometry.TABLE_DIGITS]
    assert len(_openings[CHANNEL].data) == HEADER_BYTES + digits * padded, "linear: channel of other length"

    drop: int256 = convert(operator[trace_geometry.CONSTANTS], int256) - (
        extract32(_openings[OPERAND].data, 0, output_type=int256) >> 192
    )
    if not step_evidence._is_shift(drop):
        return True

    # Σ q w, one digit of the weights after the other: at most 2 · 8192 · 32896 · 128 · 256 < 2^46.
    total: int256 = 0
    for digit: uint256 in range(digits, bound=MAX_DIGITS):
        weights: uint256 = unsafe_mul(digit, padded)
        at: uint256 = 0
        sum: uint256 = 0  # of unsigned numbers, each with its bias
        parts: uint256 = 0
        for i: uint256 in range(padded // LONG_BYTES, bound=MAX_LONG):
            sum = unsafe_add(
                sum,
                lane_arithmetic._dot_long(
                    abi_decode(
                        slice(_openings[OPERAND].data, unsafe_add(at, HEADER_BYTES), LONG_BYTES), uint256[12]
                    ),
                    abi_decode(
                        slice(
                            _openings[OPERAND].data, unsafe_add(unsafe_add(at, padded), HEADER_BYTES), LONG_BYTES
                        ),
                        uint256[12],
                    ),
                    abi_decode(slice(_openings[CHANNEL].data, unsafe_add(at, weights), LONG_BYTES), uint256[12]),
                ),
            )
            parts = unsafe_add(parts, 1)
            at = unsafe_add(at, LONG_BYTES)
        for i: uint256 in range(unsafe_sub(padded, at) // SHORT_BYTES, bound=MAX_SHORT):
            sum = unsafe_add(
                sum,
                lane_arithmetic._dot_short(
                    abi_decode(
                        slice(_openings[OPERAND].data, unsafe_add(at, HEADER_BYTES), SHORT_BYTES), uint256[4]
                    ),
                    abi_decode(
                        slice(
                            _openings[OPERAND].data, unsafe_add(unsafe_add(at, padded), HEADER_BYTES), SHORT_BYTES
                        ),
                        uint256[4],
                    ),
                    abi_decode(slice(_openings[CHANNEL].data, unsafe_add(at, weights), SHORT_BYTES), uint256[4]),
                ),
            )
            parts = unsafe_add(parts, 1)
            at = unsafe_add(at, SHORT_BYTES)
        for i: uint256 in range(unsafe_sub(padded, at) // WORD_BYTES, bound=MAX_SINGLE):
            sum = unsafe_add(
                sum,
                lane_arithmetic._dot_word(
                    extract32(_openings[OPERAND].data, unsafe_add(at, HEADER_BYTES), output_type=uint256),
                    extract32(
                        _openings[OPERAND].data, unsafe_add(unsafe_add(at, padded), HEADER_BYTES), output_type=uint256
                    ),
                    extract32(_openings[CHANNEL].data, unsafe_add(at, weights), output_type=uint256),
                ),
            )
            parts = unsafe_add(parts, 1)
            at = unsafe_add(at, WORD_BYTES)
        total = 256 * total + convert(sum, int256) - convert(parts * lane_arithmetic.LANE_BIAS, int256)

    ending: int256 = extract32(_openings[CHANNEL].data, digits * padded, output_type=int256)
    multiplier: int256 = (ending << 192) >> 224
    bias: int256 = (ending << 224) >> 224
    claimed: bytes4 = convert(slice(_openings[OUTPUT].data, 4 * (element % trace_geometry.LEAF_ELEMENTS), 4), bytes4)
    return convert(convert(claimed, int32), int256) != step_evidence._saturate(
        step_evidence._rounding_shift(total * multiplier, drop) + bias
    )


@pure
@internal
def _is_depth(_depth: uint256, _count: uint256, _below: uint256) -> bool:
    """
    @dev Whether a path is as long as a tree over `_count` >= 1 places deep, and `_below` levels more: 2^(d - 1) < count <= 2^d.
    """
    if _depth < _below:
        return False
    places: uint256 = 1 << unsafe_sub(_depth, _below)
    return places >> 1 < _count and _count <= places
