# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Harness of the trace modules
@author Proofmill
@license Apache-2.0
@notice For tests only.
"""

from contracts.modules import form_steps
from contracts.modules import leaf_codec
from contracts.modules import merkle_tree
from contracts.modules import phi_table
from contracts.modules import sigma_table
from contracts.modules import step_evidence
from contracts.modules import trace_geometry


@pure
@external
def output_grid(_descriptor: Bytes[992], _part: uint256, _length: uint256) -> trace_geometry.Grid:
    return trace_geometry._output_grid(_descriptor, _part, _length)


@pure
@external
def input_grid(_descriptor: Bytes[992], _input: uint256, _length: uint256) -> trace_geometry.Grid:
    return trace_geometry._input_grid(_descriptor, _input, _length)


@pure
@external
def place_of(
    _descriptor: Bytes[992], _part: uint256, _length: uint256, _row: uint256, _section: uint256, _leaf: uint256
) -> (uint256, uint256, uint256, uint256):
    """
    @notice Index, depth, integers and bytes of a leaf.
    """
    grid: trace_geometry.Grid = trace_geometry._output_grid(_descriptor, _part, _length)
    index: uint256 = 0
    depth: uint256 = 0
    index, depth = trace_geometry._locate(grid, _part, _row, _section, _leaf)
    count: uint256 = trace_geometry._leaf_count(grid, _row, _leaf)
    return index, depth, count, trace_geometry._size(grid.codec, count)


@pure
@external
def root_of_hashes(_hashes: DynArray[bytes32, 1024], _level: uint256, _depth: uint256) -> bytes32:
    return merkle_tree._root_of_hashes(_hashes, _level, _depth)


@pure
@external
def root_of_path(_node: bytes32, _index: uint256, _path: DynArray[bytes32, 48]) -> bytes32:
    return merkle_tree._root_of_path(_node, _index, _path)


@pure
@external
def rounding_shift(_x: int256, _shift: int256) -> int256:
    return step_evidence._rounding_shift(_x, _shift)


@pure
@external
def integer(_leaf: Bytes[2112], _index: uint256) -> int256:
    return leaf_codec._integer(_leaf, _index)


@pure
@external
def field(_leaf: Bytes[2112], _index: uint256) -> int256:
    return leaf_codec._field(_leaf, _index)


@pure
@external
def digits(_leaf: Bytes[2112], _start: uint256, _width: uint256, _index: uint256) -> int256:
    return leaf_codec._digits(_leaf, _start, _width, _index)


@pure
@external
def value_grid(
    _kind: uint256, _rows: uint256, _width: uint256, _group: uint256, _length: uint256, _causal: bool
) -> trace_geometry.Grid:
    return trace_geometry._value_grid(_kind, _rows, _width, _group, _length, _causal)


@pure
@external
def input_witness_grid(_descriptor: Bytes[992], _length: uint256) -> trace_geometry.Grid:
    return trace_geometry._input_witness_grid(_descriptor, _length)


@pure
@external
def input_columns_grid(_descriptor: Bytes[992], _length: uint256) -> trace_geometry.Grid:
    return trace_geometry._input_columns_grid(_descriptor, _length)


@pure
@external
def check_opening(
    _root: bytes32,
    _descriptor: Bytes[992],
    _part: uint256,
    _length: uint256,
    _row: uint256,
    _section: uint256,
    _leaf: uint256,
    _leaf_hash: bytes32,
    _path: DynArray[bytes32, 48],
) -> uint256:
    grid: trace_geometry.Grid = trace_geometry._output_grid(_descriptor, _part, _length)
    return trace_geometry._check_opening(_root, grid, _part, _row, _section, _leaf, _leaf_hash, _path)


@pure
@external
def check_table_leaf(
    _descriptor: Bytes[992], _row: uint256, _leaf: uint256, _leaf_hash: bytes32, _path: DynArray[bytes32, 48]
):
    step_evidence._check_table_leaf(_descriptor, _row, _leaf, _leaf_hash, _path)


@pure
@external
def is_malformed(_codec: uint256, _count: uint256, _leaf: Bytes[16448]) -> bool:
    return form_steps._is_malformed(_codec, _count, _leaf)


@pure
@external
def reversed_place(_index: uint256) -> uint256:
    return leaf_codec._reversed_place(_index)


@pure
@external
def bits(_value: uint256) -> uint256:
    return merkle_tree._bits(_value)


@pure
@external
def bit_length(_x: int256) -> int256:
    return step_evidence._bit_length(_x)


@pure
@external
def saturate(_x: int256) -> int256:
    return step_evidence._saturate(_x)


@pure
@external
def is_shift(_shift: int256) -> bool:
    return step_evidence._is_shift(_shift)


@pure
@external
def phi(_x: int256) -> int256:
    return phi_table._value(_x)


@pure
@external
def sigma(_x: int256) -> int256:
    return sigma_table._value(_x)
