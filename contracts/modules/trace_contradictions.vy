# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Contradictions between a trace and its claim
@author Proofmill
@license Apache-2.0
@dev Stateless. Steps judge whether a trace follows from its first value. This module judges what no step sees: whether
     the first value is what was asked, the last one what was answered, and whether an answer has the tokens that it may
     have. Evidence that is not sound reverts; sound evidence that shows no contradiction gives false.

     A generation of P prompt rows and N tokens is traced over P + N - 1 rows:

        value 0    prompt 0 … P-1 │ tokens 0 … N-2
                   (2)            │ (3)
        value n    ignored  … P-2 │ token 0 at row P-1 … token N-1 at row P+N-2    (4)
"""

from contracts.interfaces import IOpVerifier
from contracts.interfaces import ITraceReader
from contracts.modules import trace_geometry
from contracts.modules import trace_openings

# Kinds of claims.
MAP: constant(uint256) = 1
GENERATION: constant(uint256) = 2

# What contradicts.
INPUT: constant(uint256) = 1
PROMPT: constant(uint256) = 2
CONTINUATION: constant(uint256) = 3
OUTPUT: constant(uint256) = 4
TOO_LONG: constant(uint256) = 5
STOPPED_EARLY: constant(uint256) = 6
RAN_ON: constant(uint256) = 7
NO_TOKEN: constant(uint256) = 8

# Word of a choice's descriptor that says how many tokens there are: the width of its input.
LOGITS: constant(uint256) = trace_geometry.FIRST_INPUT + 3


@pure
@internal
def _contradicts(
    _trace: IOpVerifier.Trace,
    _expectation: ITraceReader.Expectation,
    _contradiction: ITraceReader.Contradiction,
) -> bool:
    """
    @dev Whether the claim is false whatever the program computes.
    """
    what: uint256 = _contradiction.what
    if what == OUTPUT:
        return self._is_other_output(_trace, _expectation, _contradiction)
    if what == INPUT:
        assert _expectation.kind == MAP, "contradiction: only of a map"
        self._check_root(_trace, 0, _contradiction)
        return _contradiction.root != _expectation.prompt_root

    assert _expectation.kind == GENERATION, "contradiction: of a generation"
    rows: uint256 = _expectation.answer_rows
    if what == PROMPT:
        return self._is_other_prompt(_trace, _expectation, _contradiction)
    if what == CONTINUATION:
        return self._is_other_continuation(_trace, _expectation, _contradiction)
    if what == TOO_LONG:
        return rows > _expectation.maximum_new_tokens
    if what == STOPPED_EARLY:
        if rows >= _expectation.maximum_new_tokens:
            return False
        if rows == 0:
            return True  # no last token could have been the stop token
        self._check_token(_expectation, rows - 1, _contradiction)
        return _contradiction.token != _expectation.stop_token
    if what == NO_TOKEN:
        return self._is_no_token(_trace, _expectation, _contradiction)
    assert what == RAN_ON, "contradiction: unknown"
    assert _contradiction.row < max(rows, 1) - 1, "contradiction: last token"
    self._check_token(_expectation, _contradiction.row, _contradiction)
    return _contradiction.token == _expectation.stop_token


@pure
@internal
def _is_other_prompt(
    _trace: IOpVerifier.Trace,
    _expectation: ITraceReader.Expectation,
    _contradiction: ITraceReader.Contradiction,
) -> bool:
    """
    @dev A leaf of value 0 and the one at the same place of the prompt, which is laid out as a value of its own.
    """
    self._check_traced(_trace, 0, _contradiction.row, _contradiction)
    trace_geometry._check_opening(
        _expectation.prompt_root,
        self._grid(_contradiction, _expectation.prompt_rows),
        trace_geometry.VALUES,
        _contradiction.row,
        _contradiction.section,
        _contradiction.leaf,
        _contradiction.claimed,
        _contradiction.claimed_path,
    )
    return _contradiction.traced != _contradiction.claimed


@pure
@internal
def _is_other_continuation(
    _trace: IOpVerifier.Trace,
    _expectation: ITraceReader.Expectation,
    _contradiction: ITraceReader.Contradiction,
) -> bool:
    """
    @dev A token of the answer, not the last, and the id that value 0 goes on with.
    """
    row: uint256 = _expectation.prompt_rows + _contradiction.row
    self._check_traced(_trace, 0, row, _contradiction)
    self._check_claimed(_expectation, self._tokens(), _contradiction.row, _contradiction)
    return _contradiction.traced != _contradiction.claimed


@pure
@internal
def _is_other_output(
    _trace: IOpVerifier.Trace,
    _expectation: ITraceReader.Expectation,
    _contradiction: ITraceReader.Contradiction,
) -> bool:
    """
    @dev An answer of another shape than the program's, or a leaf of the last value that is not the answer's.
    """
    trace_openings._check_descriptor(
        _trace, _trace.operators, _contradiction.descriptor, _contradiction.descriptor_path
    )
    grid: trace_geometry.Grid = self._grid(_contradiction, _trace.length)
    row: uint256 = _contradiction.row
    if _expectation.kind == GENERATION:
        kind: uint256 = trace_geometry._word(_contradiction.descriptor, trace_geometry.OUTPUT)
        if kind != trace_geometry.CHOICE or grid.rows != _trace.length:
            return True  # a program that chooses no tokens has continued nothing
        row += _expectation.prompt_rows - 1
    elif _expectation.answer_rows != grid.rows:
        return True
    self._check_traced(_trace, _trace.operators, row, _contradiction)
    self._check_claimed(_expectation, grid, _contradiction.row, _contradiction)
    return _contradiction.traced != _contradiction.claimed


@pure
@internal
def _is_no_token(
    _trace: IOpVerifier.Trace,
    _expectation: ITraceReader.Expectation,
    _contradiction: ITraceReader.Contradiction,
) -> bool:
    """
    @dev A token of the answer, also the last, and how many the program chooses among. A leaf of other than four bytes is
         none either, but no honest trace ends with it: OUTPUT, or the form of the last value, shows that.
    """
    trace_openings._check_descriptor(
        _trace, _trace.operators, _contradiction.descriptor, _contradiction.descriptor_path
    )
    kind: uint256 = trace_geometry._word(_contradiction.descriptor, trace_geometry.OUTPUT)
    assert kind == trace_geometry.CHOICE, "contradiction: no vocabulary"
    vocabulary: uint256 = trace_geometry._word(_contradiction.descriptor, LOGITS)
    self._check_token(_expectation, _contradiction.row, _contradiction)
    return _contradiction.token >= vocabulary


# ------------------------------------------------------------------ openings
@pure
@internal
def _grid(_contradiction: ITraceReader.Contradiction, _length: uint256) -> trace_geometry.Grid:
    """
    @dev The values that the descriptor speaks of. The caller opens the descriptor.
    """
    return trace_geometry._output_grid(_contradiction.descriptor, trace_geometry.VALUES, _length)


@pure
@internal
def _tokens() -> trace_geometry.Grid:
    """
    @dev One id in a row, as tokens and choices are laid out. How many rows does not matter to an answer's leaf.
    """
    return trace_geometry._value_grid(trace_geometry.CHOICE, 1, 1, 0, 1, False)


@pure
@internal
def _check_root(_trace: IOpVerifier.Trace, _number: uint256, _contradiction: ITraceReader.Contradiction):
    trace_openings._check_value(_trace, _number, _contradiction.root, _contradiction.root_path)


@pure
@internal
def _check_traced(
    _trace: IOpVerifier.Trace,
    _number: uint256,
    _row: uint256,
    _contradiction: ITraceReader.Contradiction,
):
    """
    @dev Reverts unless value `_number` of the trace holds the leaf hash `traced` in this row.
    """
    trace_openings._check_descriptor(
        _trace, _number, _contradiction.descriptor, _contradiction.descriptor_path
    )
    self._check_root(_trace, _number, _contradiction)
    trace_geometry._check_opening(
        _contradiction.root,
        self._grid(_contradiction, _trace.length),
        trace_geometry.VALUES,
        _row,
        _contradiction.section,
        _contradiction.leaf,
        _contradiction.traced,
        _contradiction.traced_path,
    )


@pure
@internal
def _check_claimed(
    _expectation: ITraceReader.Expectation,
    _grid: trace_geometry.Grid,
    _row: uint256,
    _contradiction: ITraceReader.Contradiction,
):
    """
    @dev Reverts unless the answer holds the leaf hash `claimed` in this row.
    """
    trace_openings._check_answer_leaf(
        _expectation.answer_rows,
        _expectation.answer_root,
        _grid,
        _row,
        _contradiction.section,
        _contradiction.leaf,
        _contradiction.claimed,
        _contradiction.claimed_path,
    )


@pure
@internal
def _check_token(
    _expectation: ITraceReader.Expectation, _row: uint256, _contradiction: ITraceReader.Contradiction
):
    """
    @dev Reverts unless token `_row` of the answer is `token`.
    """
    assert _contradiction.token >> 32 == 0, "contradiction: no token"
    leaf: Bytes[4] = slice(convert(_contradiction.token, bytes32), 28, 4)
    assert keccak256(keccak256(leaf)) == _contradiction.claimed, "contradiction: another token"
    self._check_claimed(_expectation, self._tokens(), _row, _contradiction)
