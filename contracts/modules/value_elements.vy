# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Elements of activations, tokens and bytes
@author Proofmill
@license Apache-2.0
@dev Stateless. For steps that read single 32-bit integers: an element of the output, of an input, or of a table. Leaves are given by
     their hash and length, so that calldata of any length is copied once.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

MAX_DEPTH: constant(uint256) = 48


@pure
@internal
def _is_output_leaf(
    _context: IStepVerifier.Context,
    _descriptor: Bytes[992],
    _row: uint256,
    _index: uint256,
    _leaf_hash: bytes32,
    _length: uint256,
    _path: DynArray[bytes32, MAX_DEPTH],
) -> bool:
    """
    @dev Whether the leaf of the output that holds an element is as long as it must be. Reverts unless it opens there.
    """
    grid: trace_geometry.Grid = trace_geometry._output_grid(_descriptor, trace_geometry.VALUES, _context.length)
    count: uint256 = step_evidence._check_element(
        _context.output_root, grid, trace_geometry.VALUES, _row, 0, _index, _leaf_hash, _path
    )
    return _length == 4 * count


@pure
@internal
def _check_input_leaf(
    _context: IStepVerifier.Context,
    _descriptor: Bytes[992],
    _input: uint256,
    _row: uint256,
    _index: uint256,
    _leaf_hash: bytes32,
    _length: uint256,
    _path: DynArray[bytes32, MAX_DEPTH],
):
    """
    @dev Reverts unless the leaf of input 0 or 1 that holds an element opens there and is as long as it must be.
    """
    root: bytes32 = _context.first_root
    if _input == 1:
        root = _context.second_root
    grid: trace_geometry.Grid = trace_geometry._input_grid(_descriptor, _input, _context.length)
    count: uint256 = step_evidence._check_element(
        root, grid, trace_geometry.VALUES, _row, 0, _index, _leaf_hash, _path
    )
    assert _length == 4 * count, "element: input of false length"


@pure
@internal
def _at(_index: uint256) -> uint256:
    """
    @dev The first byte of an element in its leaf.
    """
    return 4 * (_index % trace_geometry.LEAF_ELEMENTS)


@pure
@internal
def _integer(_bytes: Bytes[4]) -> int256:
    """
    @dev Signed, 32 bits, big-endian.
    """
    return convert(convert(convert(_bytes, bytes4), int32), int256)
