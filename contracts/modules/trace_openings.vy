# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Values of a trace and rows of an answer
@author Proofmill
@license Apache-2.0
@dev Stateless. What a question and a contradiction have in common: descriptors and values open against the roots of the
     trace, leaves of an answer against the root that is claimed.
"""

from contracts.interfaces import IOpVerifier
from contracts.modules import merkle_tree
from contracts.modules import trace_geometry


@pure
@internal
def _check_descriptor(
    _trace: IOpVerifier.Trace,
    _number: uint256,
    _descriptor: Bytes[992],
    _path: DynArray[bytes32, 16],
):
    """
    @dev Reverts unless leaf `_number` of the program is this: operator `_number`, or the program for 0.
    """
    assert _number <= _trace.operators, "reader: no such operator"
    assert len(_path) == merkle_tree._bits(_trace.operators), "reader: descriptor path length"
    leaf: bytes32 = keccak256(keccak256(_descriptor))
    root: bytes32 = merkle_tree._root_of_path(leaf, _number, _path)
    assert root == _trace.program_root, "reader: descriptor not of trace"


@pure
@internal
def _check_value(
    _trace: IOpVerifier.Trace, _number: uint256, _root: bytes32, _path: DynArray[bytes32, 16]
):
    """
    @dev Reverts unless the trace has this root for value `_number`, of which the caller knows that there is one.
    """
    assert len(_path) == merkle_tree._bits(_trace.operators), "reader: value path length"
    root: bytes32 = merkle_tree._root_of_path(_root, _number, _path)
    assert root == _trace.trace_root, "reader: value not of trace"


@pure
@internal
def _check_answer_leaf(
    _rows: uint256,
    _root: bytes32,
    _grid: trace_geometry.Grid,
    _row: uint256,
    _section: uint256,
    _leaf: uint256,
    _leaf_hash: bytes32,
    _path: DynArray[bytes32, 48],
):
    """
    @dev Reverts unless the answer holds this leaf: its tree is the one over `_rows` rows of the tree over sections of
         the tree over leaves. The grid says how a row looks; how many there are is for the claim to say.
    """
    assert _row < _rows, "reader: no such answer row"
    assert _section < _grid.sections and _leaf < trace_geometry._leaves(_grid), "reader: no such answer leaf"
    leaf_depth: uint256 = merkle_tree._bits(trace_geometry._leaves(_grid) - 1)
    depth: uint256 = leaf_depth + merkle_tree._bits(_grid.sections - 1)
    assert len(_path) == depth + merkle_tree._bits(_rows - 1), "reader: answer path length"
    index: uint256 = _row << depth | _section << leaf_depth | _leaf
    assert merkle_tree._root_of_path(_leaf_hash, index, _path) == _root, "reader: leaf not of answer"
