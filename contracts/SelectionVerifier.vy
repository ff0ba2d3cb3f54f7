# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Verifier of operators that select
@author Proofmill
@license Apache-2.0
@notice Recomputes one number of a max pool, an average pool or the choice of a token (docs/TRACE.md, section 5) from
     opened leaves.
@dev Stateless: whoever knows the roots may ask. `IStepVerifier` with room for three openings, as every step needs at
     most; the bound is memory that each call pays for.
@custom:security A leaf of the accused operator's own output may be anything that it has committed to: every reading of
     one follows a comparison of its length, a place or token that it names is compared with what there is, and sums of
     its fields fit 256 bits.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import choice_steps
from contracts.modules import form_steps
from contracts.modules import leaf_asks
from contracts.modules import pool_steps
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

INTEGER_BYTES: constant(uint256) = 4
FIELD_BYTES: constant(uint256) = 8


@pure
@external
# slither cyclomatic-complexity: one branch for each kind
def violates(
    _context: IStepVerifier.Context,
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _openings: DynArray[IStepVerifier.Opening, leaf_asks.MAX_ASKS],
) -> bool:
    """
    @notice Says whether the step proves that the operator's output does not follow from its input.
    @dev Anyone may ask. Reverts if the evidence is not sound: a leaf that does not open, a place the operator does not
         have, a check its kind does not have.
    @param _context What was agreed before the step: the roots that leaves are opened against, and how tokens are drawn.
    @param _step The check, and where.
    @param _descriptor The accused operator's leaf of the program.
    @param _openings Leaves with their paths, in the order of docs/DISPUTES.md.
    @return Whether what is committed is false.
    """
    step_evidence._check_descriptor(_context, _descriptor)
    kind: uint256 = trace_geometry._word(_descriptor, trace_geometry.KIND)
    is_maximum: bool = kind == trace_geometry.MAX_POOL
    is_average: bool = kind == trace_geometry.AVERAGE_POOL
    assert is_maximum or is_average or kind == trace_geometry.CHOOSE, "selection: another kind"
    if form_steps._is_form_step(_step.check):
        assert len(_openings) != 0, "selection: no leaf is opened"
        return form_steps._violates(_context, _step, _descriptor, _openings[0].data, _openings[0].path)

    known: int256[leaf_asks.MAX_ASKS] = empty(int256[leaf_asks.MAX_ASKS])
    for number: uint256 in range(leaf_asks.MAX_ASKS):
        ask: leaf_asks.Ask = empty(leaf_asks.Ask)
        if is_maximum:
            ask = pool_steps._ask_of_maximum(_step, _descriptor, number, known)
        elif is_average:
            ask = pool_steps._ask_of_average(_step, _descriptor, number)
        else:
            ask = choice_steps._ask(_step, _descriptor, number, known)
        if ask.source == leaf_asks.VIOLATION:
            return True
        if ask.source == leaf_asks.ENOUGH:
            break

        is_input: bool = ask.source == leaf_asks.INPUT
        root: bytes32 = _context.output_root
        grid: trace_geometry.Grid = empty(trace_geometry.Grid)
        part: uint256 = ask.source  # sources of the output are numbered as its parts
        if is_input:
            root = _context.first_root
            grid = trace_geometry._input_grid(_descriptor, 0, _context.length)
            part = trace_geometry.VALUES
        else:
            grid = trace_geometry._output_grid(_descriptor, part, _context.length)
        assert number < len(_openings), "selection: leaf is not opened"
        count: uint256 = step_evidence._check_element(
            root,
            grid,
            part,
            ask.row,
            ask.section,
            ask.index,
            keccak256(keccak256(_openings[number].data)),
            _openings[number].path,
        )
        if len(_openings[number].data) != trace_geometry._size(grid.codec, count):
            assert not is_input, "selection: input of other length"
            return True
        place: uint256 = ask.index % grid.chunk
        if grid.codec == trace_geometry.FIELDS:
            field: bytes8 = convert(slice(_openings[number].data, FIELD_BYTES * place, FIELD_BYTES), bytes8)
            known[number] = convert(convert(field, int64), int256)
        else:
            integer: bytes4 = convert(
                slice(_openings[number].data, INTEGER_BYTES * place, INTEGER_BYTES), bytes4
            )
            known[number] = convert(convert(integer, int32), int256)

    if is_maximum:
        return pool_steps._violates_maximum(_step, known)
    if is_average:
        return pool_steps._violates_average(_step, _descriptor, known)
    return choice_steps._violates(_context, _step, _descriptor, known)
