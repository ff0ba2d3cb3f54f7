# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Evidence for a step of attention
@author Proofmill
@license Apache-2.0
@dev Stateless. What scores, softmax and mix have in common: their constants, and what must be seen of a leaf before it
     is read. A leaf of the accused output that is not as long as it must be is a violation, a leaf of an input that is
     not is no evidence.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import leaf_codec
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

MAX_OPENINGS: constant(uint256) = 5

# Constants: heads, key_heads, head_size, causal, and of scores:
MULTIPLIER: constant(uint256) = trace_geometry.CONSTANTS + 4


# What is asked of whom; the descriptor has been compared with the context.
struct Case:
    context: IStepVerifier.Context
    step: IStepVerifier.Step
    descriptor: Bytes[992]
    kind: uint256  # scores, softmax or mix
    heads: uint256
    key_heads: uint256
    head_size: uint256
    causal: bool


# An opened leaf. No leaf of attention is longer than `data` can be; of a longer one the hash and the size are enough.
struct Leaf:
    hash: bytes32  # in its tree
    size: uint256
    data: Bytes[leaf_codec.SMALL_LEAF]
    path: DynArray[bytes32, step_evidence.MAX_DEPTH]


# ------------------------------------------------------------------ what there is
@pure
@internal
def _case(
    _context: IStepVerifier.Context, _step: IStepVerifier.Step, _descriptor: Bytes[992]
) -> Case:
    return Case(
        context=_context,
        step=_step,
        descriptor=_descriptor,
        kind=trace_geometry._word(_descriptor, trace_geometry.KIND),
        heads=trace_geometry._word(_descriptor, trace_geometry.CONSTANTS),
        key_heads=trace_geometry._word(_descriptor, trace_geometry.CONSTANTS + 1),
        head_size=trace_geometry._word(_descriptor, trace_geometry.CONSTANTS + 2),
        causal=trace_geometry._is_causal(_descriptor),
    )


@pure
@internal
def _key_head(_case: Case, _head: uint256) -> uint256:
    """
    @dev Which key and value head a query head reads. Exact: the program's kinds make sure that key heads are shared
         evenly.
    """
    return _head // (_case.heads // _case.key_heads)


@pure
@internal
def _visible(_case: Case) -> uint256:
    """
    @dev How many keys the row sees. The caller has seen that there is such a row.
    """
    if _case.causal:
        return _case.step.row + 1
    return _case.context.length


@pure
@internal
def _output_grid(_case: Case, _part: uint256) -> trace_geometry.Grid:
    """
    @dev Values, or the witness that softmax and mix have. `trace_geometry._output_grid` says the same, but for all
         kinds there are, and would make the contract too large.
    """
    length: uint256 = _case.context.length
    if _part == trace_geometry.VALUES:
        return trace_geometry._value_grid(
            trace_geometry._word(_case.descriptor, trace_geometry.OUTPUT),
            0,  # as many rows as the sequence
            trace_geometry._word(_case.descriptor, trace_geometry.OUTPUT + 2),
            0,  # no group
            length,
            _case.causal,
        )
    if _case.kind == trace_geometry.SOFTMAX:
        return trace_geometry._softmax_witness(_case.heads, length, _case.causal)
    return trace_geometry.Grid(
        codec=trace_geometry.FIELDS,
        rows=length,
        sections=_case.heads,
        base=0,
        chunk=_case.head_size,
        step=_case.head_size,
        block=trace_geometry.KEY_BLOCK,
        length=length,
        causal=_case.causal,
    )


# ------------------------------------------------------------------ leaves
@pure
@internal
def _check_opened(_opened: uint256, _asked: uint256):
    """
    @dev Further ones are not looked at.
    """
    assert _opened >= _asked, "attention: leaf is not opened"


@pure
@internal
def _is_whole(
    _root: bytes32,
    _grid: trace_geometry.Grid,
    _part: uint256,
    _row: uint256,
    _section: uint256,
    _index: uint256,
    _leaf: Leaf,
) -> bool:
    """
    @dev Reverts unless it is the leaf with element `_index` of a value. Whether it is as long as it must be.
    """
    count: uint256 = step_evidence._check_element(
        _root, _grid, _part, _row, _section, _index, _leaf.hash, _leaf.path
    )
    return _leaf.size == trace_geometry._size(_grid.codec, count)


@pure
@internal
def _is_output(_case: Case, _part: uint256, _section: uint256, _index: uint256, _leaf: Leaf) -> bool:
    """
    @dev `_is_whole` of the accused row: false is a violation.
    """
    return self._is_whole(
        _case.context.output_root,
        self._output_grid(_case, _part),
        _part,
        _case.step.row,
        _section,
        _index,
        _leaf,
    )


@pure
@internal
def _check_input(
    _root: bytes32,
    _grid: trace_geometry.Grid,
    _part: uint256,
    _row: uint256,
    _section: uint256,
    _index: uint256,
    _leaf: Leaf,
):
    whole: bool = self._is_whole(_root, _grid, _part, _row, _section, _index, _leaf)
    assert whole, "attention: input of other length"


@pure
@internal
def _operand_exponent(_case: Case, _input: uint256, _row: uint256, _section: uint256, _leaf: Leaf) -> int256:
    """
    @dev Of one group of an operand, which is one leaf. Its digits begin with byte 32.
    """
    root: bytes32 = _case.context.first_root
    if _input == 1:
        root = _case.context.second_root
    grid: trace_geometry.Grid = trace_geometry._input_grid(_case.descriptor, _input, _case.context.length)
    self._check_input(root, grid, trace_geometry.VALUES, _row, _section, 0, _leaf)
    return leaf_codec._field(_leaf.data, 0)
