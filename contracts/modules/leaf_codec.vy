# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Numbers in the leaves of a trace
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 3. The caller has seen that the leaf is as long as its codec says; an index outside it
     reverts. Leaves of at most 2,112 bytes; rows of operands have a reader of their own where they are used.
"""

SMALL_LEAF: constant(uint256) = 2112  # the longest leaf but for whole rows of operands and weights


@pure
@internal
def _integer(_leaf: Bytes[SMALL_LEAF], _index: uint256) -> int256:
    """
    @dev Signed, 32 bits, big-endian.
    """
    word: bytes4 = convert(slice(_leaf, 4 * _index, 4), bytes4)
    return convert(convert(word, int32), int256)


@pure
@internal
def _field(_leaf: Bytes[SMALL_LEAF], _index: uint256) -> int256:
    """
    @dev Signed, 64 bits, big-endian.
    """
    word: bytes8 = convert(slice(_leaf, 8 * _index, 8), bytes8)
    return convert(convert(word, int64), int256)


@pure
@internal
def _signed_byte(_leaf: Bytes[SMALL_LEAF], _at: uint256) -> int256:
    byte: bytes1 = convert(slice(_leaf, _at, 1), bytes1)
    return convert(convert(byte, int8), int256)


@pure
@internal
def _digits(_leaf: Bytes[SMALL_LEAF], _start: uint256, _width: uint256, _index: uint256) -> int256:
    """
    @dev 256 · hi + lo, of digits that start at a byte and take `_width` bytes, whole words, for each of hi and lo.
    """
    at: uint256 = _start + _index
    return 256 * self._signed_byte(_leaf, at) + self._signed_byte(_leaf, at + _width)


@pure
@internal
def _reversed_place(_index: uint256) -> uint256:
    """
    @dev Where digit `_index` stands when the eight 4-byte lanes of each word are reversed.
    """
    # slither divide-before-multiply: the lane of a digit, then its place
    lane: uint256 = _index % 32 // 4
    return _index - _index % 32 + 28 - 4 * lane + _index % 4
