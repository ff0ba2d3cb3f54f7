# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Forms of the leaves of operators that look at a whole row
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 3. A leaf is malformed if it holds bytes that no numbers become. As `form_steps`, but word by
     word: handing on a leaf with room for a row of 8,192 operands costs every step of a contract 30,000 gas.
"""

from contracts.modules import form_steps
from contracts.modules import leaf_codec
from contracts.modules import trace_geometry

MAX_DIGIT_WORDS: constant(uint256) = 16  # of the high digits of a leaf of 512 keys


@pure
@internal
def _is_formed(_codec: uint256, _count: uint256, _leaf: Bytes[leaf_codec.SMALL_LEAF]) -> bool:
    """
    @dev Whether a leaf of the right length, no row of an operand, is what so many integers become.
    """
    if _codec == trace_geometry.FIELDS:
        used: uint256 = _count % 4  # of the four fields in the last word
        return used == 0 or extract32(_leaf, len(_leaf) - 32, output_type=uint256) << (64 * used) == 0
    if _codec == trace_geometry.REVERSED_DIGITS:
        width: uint256 = len(_leaf) // 2
        for word: uint256 in range(width // 32, bound=MAX_DIGIT_WORDS):
            high: uint256 = extract32(_leaf, 32 * word, output_type=uint256)
            low: uint256 = extract32(_leaf, width + 32 * word, output_type=uint256)
            if self._stray(high, low) != 0 or self._behind(high, low, _count - 32 * word, True) != 0:
                return False
    return True  # every four bytes are an integer


@pure
@internal
def _is_header(_header: uint256) -> bool:
    """
    @dev Whether the last 16 bytes of the first word of an operand's row hold nothing.
    """
    return _header << 128 == 0


@pure
@internal
def _stray(_high: uint256, _low: uint256) -> uint256:
    """
    @dev A bit for each of 32 digits with hi = -128 and lo < 0, which is no number of 16 bits. In any order of lanes.
    """
    flipped: uint256 = _high ^ form_steps.SIGN_BITS  # zero in the bytes where hi = -128
    # The sum stays within each byte: at most 0x7f + 0x7f.
    others: uint256 = unsafe_add(flipped & form_steps.BELOW_SIGN_BITS, form_steps.BELOW_SIGN_BITS) | flipped
    return ~others & _low & form_steps.SIGN_BITS


@pure
@internal
def _behind(_high: uint256, _low: uint256, _used: uint256, _are_reversed: bool) -> uint256:
    """
    @dev Bits set in a word of high digits or its word of low ones behind the first `_used` of 32 places.
    """
    if _used >= 32:
        return 0
    return (_high | _low) & form_steps._free_bytes(_used, _are_reversed)
