# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Leaves that steps of whole rows ask for
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 5. A step asks for its leaves one after another, because where the next one lies may depend on
     the last: the order is that of `proofmill/exact/trace/checks/rows.py`. Every step of these kinds has a *header*, the row of the
     operand or the witness, but `running`, which sums rows, and most have elements of the input, or of the last sums of a unit mean.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import leaf_codec
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

# Where a leaf lies: a part of the operator's own output, numbered as in `trace_geometry`, or one of these.
INPUT: constant(uint256) = 3
PAIR: constant(uint256) = 4  # gain and offset of a norm, from its table

BLOCK: constant(uint256) = 64  # `trace_geometry.BLOCK`
PAIRS_PER_LEAF: constant(uint256) = 16
MAX_LEAVES: constant(uint256) = 1 << 64  # more than any section has


struct Ask:
    source: uint256
    row: uint256
    section: uint256
    index: uint256  # of an element; of a leaf in a form


@pure
@internal
def _count(_step: IStepVerifier.Step, _kind: uint256) -> uint256:
    """
    @dev How many leaves a step asks for. Reverts for a check that the kind does not have.
    """
    check: uint256 = _step.check
    is_quantise: bool = _kind == trace_geometry.QUANTISE
    if check <= step_evidence.SUPPLEMENT_FORM:
        return 1
    if check == step_evidence.MAXIMUM:
        return 2
    if check == step_evidence.GREATER:
        return 3
    if check == step_evidence.ELEMENT:
        if is_quantise:
            return 2
        if _kind == trace_geometry.UNIT_MEAN:
            return 3
        return 4
    if check == step_evidence.RUNNING and _kind == trace_geometry.UNIT_MEAN:
        if _step.row == 0:
            return 2
        return 3
    if check == step_evidence.SCALARS and not is_quantise:
        return 1
    assert (
        (check == step_evidence.COLUMN and is_quantise)
        or (check == step_evidence.SQUARE and not is_quantise)
        or (check == step_evidence.SUM and _kind == trace_geometry.LAYER_NORM)
    ), "row: no such check"
    return 2


@pure
@internal
def _is_header(_step: IStepVerifier.Step, _kind: uint256, _place: uint256) -> bool:
    """
    @dev Whether the leaf asked for in this place is the row of the operand, or the witness.
    """
    if _step.check <= step_evidence.SUPPLEMENT_FORM or _step.check == step_evidence.RUNNING:
        return False
    if _step.check == step_evidence.COLUMN:
        return _place == 1
    if _step.check == step_evidence.ELEMENT and _kind != trace_geometry.QUANTISE:
        return _place == 1
    return _place == 0


@pure
@internal
# slither cyclomatic-complexity: one branch for each check
def _ask(
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _kind: uint256,
    _length: uint256,
    _place: uint256,
    _named: uint256,
) -> Ask:
    """
    @dev The leaf asked for in this place, below `_count`, after those before it have opened; `_named` is the index of the maximum that
         the header names, once it is known to be in the row.
    """
    if _step.check <= step_evidence.SUPPLEMENT_FORM:  # forms and parts are numbered alike
        return Ask(source=_step.check, row=_step.row, section=_step.section, index=_step.index)
    is_quantise: bool = _kind == trace_geometry.QUANTISE
    if self._is_header(_step, _kind, _place):
        if not is_quantise:
            return Ask(source=trace_geometry.WITNESS, row=_step.row, section=0, index=0)
        if _step.check == step_evidence.COLUMN:
            section: uint256 = self._column(_step, _descriptor) // self._group(_descriptor)
            return Ask(source=trace_geometry.VALUES, row=_step.index, section=section, index=0)
        return Ask(source=trace_geometry.VALUES, row=_step.row, section=_step.section, index=0)

    if _step.check == step_evidence.RUNNING and _place + 1 == self._count(_step, _kind):
        return Ask(source=INPUT, row=_step.row, section=0, index=_step.index)
    if _step.check == step_evidence.COLUMN or _step.check == step_evidence.RUNNING:
        return Ask(source=trace_geometry.SUPPLEMENT, row=_step.row - _place, section=0, index=_step.index)
    if _step.check == step_evidence.ELEMENT:
        if _place == 0:
            return Ask(source=trace_geometry.VALUES, row=_step.row, section=0, index=_step.index)
        if _place == 3:
            return Ask(source=PAIR, row=_step.index // PAIRS_PER_LEAF, section=0, index=_step.index)

    index: uint256 = _step.index
    if _step.check == step_evidence.MAXIMUM or (_step.check == step_evidence.GREATER and _place == 2):
        index = _named
    elif self._is_block(_step):
        index = BLOCK * index  # of a block that the header has
    if is_quantise:
        group: uint256 = self._group(_descriptor)
        assert index < group, "row: no such element"
        return Ask(source=INPUT, row=_step.row, section=0, index=_step.section * group + index)
    if _kind == trace_geometry.UNIT_MEAN:
        last: uint256 = trace_geometry._input_grid(_descriptor, 0, _length).rows - 1
        return Ask(source=trace_geometry.SUPPLEMENT, row=last, section=0, index=index)
    return Ask(source=INPUT, row=_step.row, section=0, index=index)


@pure
@internal
def _is_block(_step: IStepVerifier.Step) -> bool:
    """
    @dev Whether `index` counts blocks.
    """
    return _step.check == step_evidence.SUM or _step.check == step_evidence.SQUARE


@pure
@internal
def _group(_descriptor: Bytes[992]) -> uint256:
    """
    @dev Columns of an operand that share an exponent.
    """
    return trace_geometry._word(_descriptor, trace_geometry.OUTPUT + 3)


@pure
@internal
def _column(_step: IStepVerifier.Step, _descriptor: Bytes[992]) -> uint256:
    """
    @dev The column of the operand that value column `row`, which has been opened, repeats.
    """
    return trace_geometry._word(_descriptor, trace_geometry.FIRST_COLUMN) + _step.row


@pure
@internal
def _open(
    _context: IStepVerifier.Context,
    _descriptor: Bytes[992],
    _is_form: bool,
    _ask: Ask,
    _leaf_hash: bytes32,
    _size: uint256,
    _path: DynArray[bytes32, 48],
) -> (uint256, uint256, bool):
    """
    @dev Codec of the leaf, how many integers it should hold, and whether it has their length. Reverts if it does not open where it is
         asked for, or if it is not the operator's own and of another length.
    """
    if _ask.source == PAIR:
        step_evidence._check_table_leaf(_descriptor, _ask.row, 0, _leaf_hash, _path)
        pairs: uint256 = (
            trace_geometry._word(_descriptor, trace_geometry.TABLE_ROWS) - PAIRS_PER_LEAF * _ask.row
        )
        assert _size == 8 * min(pairs, PAIRS_PER_LEAF), "row: pairs of another length"
        return trace_geometry.INTEGERS, _size // 4, True
    root: bytes32 = _context.output_root
    part: uint256 = _ask.source
    grid: trace_geometry.Grid = empty(trace_geometry.Grid)
    if _ask.source == INPUT:
        root = _context.first_root
        part = trace_geometry.VALUES
        grid = trace_geometry._input_grid(_descriptor, 0, _context.length)
    else:
        grid = trace_geometry._output_grid(_descriptor, part, _context.length)
    index: uint256 = _ask.index
    if _is_form:
        index = min(index, MAX_LEAVES) * grid.chunk  # the first element of the leaf
    count: uint256 = step_evidence._check_element(
        root, grid, part, _ask.row, _ask.section, index, _leaf_hash, _path
    )
    is_sized: bool = _size == trace_geometry._size(grid.codec, count)
    assert is_sized or _ask.source != INPUT, "row: input of another length"
    return grid.codec, count, is_sized


@pure
@internal
def _number(_codec: uint256, _index: uint256, _leaf: Bytes[leaf_codec.SMALL_LEAF]) -> int256:
    """
    @dev Element `_index` of a section, from the leaf that holds it, which is no row of an operand.
    """
    if _codec == trace_geometry.INTEGERS:
        return leaf_codec._integer(_leaf, _index % trace_geometry.LEAF_ELEMENTS)
    if _codec == trace_geometry.FIELDS:
        return leaf_codec._field(_leaf, _index % trace_geometry.LEAF_FIELDS)
    place: uint256 = leaf_codec._reversed_place(_index % trace_geometry.KEY_BLOCK)
    return leaf_codec._digits(_leaf, 0, len(_leaf) // 2, place)
