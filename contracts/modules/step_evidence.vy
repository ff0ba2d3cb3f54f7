# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Evidence for one step
@author Proofmill
@license Apache-2.0
@dev Stateless. What every verifier of steps does first: tie the descriptor and the opened leaves to the roots of the context.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import merkle_tree
from contracts.modules import trace_geometry

# Checks of a step.
FORM: constant(uint256) = 0
WITNESS_FORM: constant(uint256) = 1
SUPPLEMENT_FORM: constant(uint256) = 2
ELEMENT: constant(uint256) = 3
MAXIMUM: constant(uint256) = 4
GREATER: constant(uint256) = 5
COLUMN: constant(uint256) = 6
SUM: constant(uint256) = 7
SQUARE: constant(uint256) = 8
SCALARS: constant(uint256) = 9
RUNNING: constant(uint256) = 10
EXPONENT: constant(uint256) = 11
GREATER_EXPONENT: constant(uint256) = 12
RECIPROCAL: constant(uint256) = 13

MAX_DEPTH: constant(uint256) = 48


@pure
@internal
def _check_descriptor(_context: IStepVerifier.Context, _descriptor: Bytes[992]):
    """
    @dev Reverts unless the descriptor is the one of the context, and the inputs are those that it names.
    """
    assert keccak256(keccak256(_descriptor)) == _context.descriptor_hash, "step: another descriptor"
    first: uint256 = trace_geometry._word(_descriptor, trace_geometry.FIRST_INPUT)
    assert first == _context.first_number, "step: another first input"
    if trace_geometry._word(_descriptor, trace_geometry.INPUT_COUNT) == 2:
        second: uint256 = trace_geometry._word(_descriptor, trace_geometry.SECOND_INPUT)
        assert second == _context.second_number, "step: another second input"


@pure
@internal
def _check_element(
    _root: bytes32,
    _grid: trace_geometry.Grid,
    _part: uint256,
    _row: uint256,
    _section: uint256,
    _index: uint256,
    _leaf_hash: bytes32,
    _path: DynArray[bytes32, MAX_DEPTH],
) -> uint256:
    """
    @dev The leaf that holds element `_index` of a section opens against a value's root. Returns how many integers it holds; the
         element is number `_index` % `_grid.chunk` of them. Reverts for an element that the row does not have.
    """
    assert _row < _grid.rows, "step: no such row"
    assert _index < trace_geometry._count(_grid, _row), "step: no such element"
    return trace_geometry._check_opening(
        _root, _grid, _part, _row, _section, _index // _grid.chunk, _leaf_hash, _path
    )


@pure
@internal
def _check_table_leaf(
    _descriptor: Bytes[992],
    _row: uint256,
    _leaf: uint256,
    _leaf_hash: bytes32,
    _path: DynArray[bytes32, MAX_DEPTH],
):
    """
    @dev A leaf of the operator's table opens against the root in its descriptor. Layouts: 1 matrix, 2 pairs, 3 linear, 4 rotation.
    """
    layout: uint256 = trace_geometry._word(_descriptor, trace_geometry.TABLE_LAYOUT)
    rows: uint256 = trace_geometry._word(_descriptor, trace_geometry.TABLE_ROWS)
    leaves: uint256 = 1
    if layout == 1:
        columns: uint256 = trace_geometry._word(_descriptor, trace_geometry.TABLE_COLUMNS)
        leaves = trace_geometry._blocks(columns, trace_geometry.LEAF_ELEMENTS)
    elif layout == 2:
        rows = trace_geometry._blocks(rows, 16)
    elif layout == 4:
        columns: uint256 = 2 * trace_geometry._word(_descriptor, trace_geometry.TABLE_COLUMNS)
        leaves = trace_geometry._blocks(columns, trace_geometry.LEAF_ELEMENTS)
    assert _row < rows and _leaf < leaves, "step: no such table leaf"
    leaf_depth: uint256 = merkle_tree._bits(leaves - 1)
    assert len(_path) == merkle_tree._bits(rows - 1) + leaf_depth, "step: table path of wrong depth"
    root: bytes32 = convert(trace_geometry._word(_descriptor, trace_geometry.TABLE_ROOT), bytes32)
    index: uint256 = _row << leaf_depth | _leaf
    assert merkle_tree._root_of_path(_leaf_hash, index, _path) == root, "step: table does not open"


# ------------------------------------------------------------------ arithmetic of docs/EXACT.md
@pure
@internal
def _is_shift(_shift: int256) -> bool:
    """
    @dev Whether an honest number can lead to this shift. A step that meets another one has found a violation.
    """
    return _shift >= 0 and _shift <= 62


@pure
@internal
def _rounding_shift(_x: int256, _shift: int256) -> int256:
    """
    @dev rsh: to nearest, halves up. The caller has seen that 0 <= shift <= 62.
    """
    return (_x + ((1 << convert(_shift, uint256)) >> 1)) >> convert(_shift, uint256)


@pure
@internal
def _saturate(_x: int256) -> int256:
    return max(min(_x, 2147483647), -2147483647)


@pure
@internal
def _bit_length(_x: int256) -> int256:
    """
    @dev Of the magnitude.
    """
    return convert(merkle_tree._bits(convert(abs(_x), uint256)), int256)
