# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Verifier of activation functions
@author Proofmill
@license Apache-2.0
@notice Recomputes one element of a GELU or of a gated SiLU. Stateless; the tables of both functions are in the bytecode.
@dev `IStepVerifier` with no more openings than these kinds need: the output's leaf, the input's, and that of the second factor. The
     selector is the same.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import form_steps
from contracts.modules import phi_table
from contracts.modules import sigma_table
from contracts.modules import step_evidence
from contracts.modules import trace_geometry
from contracts.modules import value_elements

MAX_LEAF: constant(uint256) = 16448
MAX_DEPTH: constant(uint256) = 48
MAX_OPENINGS: constant(uint256) = 3
ARGUMENT_LIMIT: constant(int256) = 2**27


struct Opening:
    data: Bytes[MAX_LEAF]
    path: DynArray[bytes32, MAX_DEPTH]


@pure
@external
def violates(
    _context: IStepVerifier.Context,
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _openings: DynArray[Opening, MAX_OPENINGS],
) -> bool:
    """
    @notice Whether the step proves a violation.
    @dev Anyone may call. Reverts if the evidence is not sound.
    @param _context What the leaves open against.
    @param _step Which leaf or element.
    @param _descriptor The operator.
    @param _openings Leaves in the order in which docs/DISPUTES.md lists them.
    @return True for a violation.
    """
    step_evidence._check_descriptor(_context, _descriptor)
    kind: uint256 = trace_geometry._word(_descriptor, trace_geometry.KIND)
    assert kind == trace_geometry.GELU or kind == trace_geometry.GATED_SILU, "activation: not such a kind"
    assert len(_openings) != 0, "activation: nothing opened"
    if form_steps._is_form_step(_step.check):
        return form_steps._violates(
            _context, _step, _descriptor, _openings[0].data, _openings[0].path
        )
    assert _step.check == step_evidence.ELEMENT, "activation: no such check"
    row: uint256 = _step.row
    column: uint256 = _step.index
    if not value_elements._is_output_leaf(
        _context,
        _descriptor,
        row,
        column,
        keccak256(keccak256(_openings[0].data)),
        len(_openings[0].data),
        _openings[0].path,
    ):
        return True
    at: uint256 = value_elements._at(column)
    claimed: int256 = value_elements._integer(slice(_openings[0].data, at, 4))

    # For the gated SiLU the gates come first in a row of the input, then as many factors.
    needed: uint256 = 2
    if kind == trace_geometry.GATED_SILU:
        needed = 3
    assert len(_openings) >= needed, "activation: leaf not opened"
    value_elements._check_input_leaf(
        _context,
        _descriptor,
        0,
        row,
        column,
        keccak256(keccak256(_openings[1].data)),
        len(_openings[1].data),
        _openings[1].path,
    )
    x: int256 = self._clamp(value_elements._integer(slice(_openings[1].data, at, 4)))
    if kind == trace_geometry.GELU:
        return claimed != step_evidence._rounding_shift(x * phi_table._value(x), 24)

    second: uint256 = trace_geometry._word(_descriptor, trace_geometry.OUTPUT + 2) + column
    value_elements._check_input_leaf(
        _context,
        _descriptor,
        0,
        row,
        second,
        keccak256(keccak256(_openings[2].data)),
        len(_openings[2].data),
        _openings[2].path,
    )
    factor: int256 = self._clamp(
        value_elements._integer(slice(_openings[2].data, value_elements._at(second), 4))
    )
    silu: int256 = step_evidence._rounding_shift(x * sigma_table._value(x), 24)
    fall: int256 = convert(trace_geometry._word(_descriptor, trace_geometry.CONSTANTS), int256)
    return claimed != step_evidence._saturate(step_evidence._rounding_shift(silu * factor, fall))


@pure
@internal
def _clamp(_x: int256) -> int256:
    """
    @dev To the arguments of the functions, Q.16.
    """
    return max(-ARGUMENT_LIMIT, min(ARGUMENT_LIMIT, _x))
