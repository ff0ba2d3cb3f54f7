# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Steps of the choice of a token
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 5: the counterpart of `proofmill/exact/trace/checks/selection.py`. A token is the
     lowest one of the greatest value: the logit, or, where the claim draws tokens, logit · inverse temperature + Gumbel
     variate · 2^fraction bits.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import gumbel_table
from contracts.modules import leaf_asks
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

FRACTION_BITS: constant(uint256) = trace_geometry.CONSTANTS  # the only constant
TOKENS: constant(uint256) = trace_geometry.FIRST_INPUT + 3  # width of the logits
MAX_INVERSE_TEMPERATURE: constant(uint256) = 16777216  # 2^24, in Q.16

# SplitMix64.
GAMMA: constant(uint256) = 11400714819323198485  # 0x9E3779B97F4A7C15
FIRST_FACTOR: constant(uint256) = 13787848793156543929  # 0xBF58476D1CE4E5B9
SECOND_FACTOR: constant(uint256) = 10723151780598845931  # 0x94D049BB133111EB
MASK: constant(uint256) = 2**64 - 1


@pure
@internal
def _ask(
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _number: uint256,
    _known: int256[leaf_asks.MAX_ASKS],
) -> leaf_asks.Ask:
    """
    @dev The choice; of `greater` also the logit of token `index`, and that of the token that was chosen.
    """
    is_maximum: bool = _step.check == step_evidence.MAXIMUM
    assert is_maximum or _step.check == step_evidence.GREATER, "choice: no such check"
    if _number == 0:
        return leaf_asks._ask(leaf_asks.VALUES, _step.row, 0, 0)
    chosen: int256 = _known[0]
    if chosen < 0 or chosen >= convert(trace_geometry._word(_descriptor, TOKENS), int256):
        return leaf_asks._ask(leaf_asks.VIOLATION, 0, 0, 0)
    if is_maximum:
        return leaf_asks._ask(leaf_asks.ENOUGH, 0, 0, 0)
    if _number == 1:
        return leaf_asks._ask(leaf_asks.INPUT, _step.row, 0, _step.index)
    return leaf_asks._ask(leaf_asks.INPUT, _step.row, 0, convert(chosen, uint256))


@pure
@internal
def _violates(
    _context: IStepVerifier.Context,
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _known: int256[leaf_asks.MAX_ASKS],
) -> bool:
    if _step.check == step_evidence.MAXIMUM:
        return False  # the token exists
    chosen: uint256 = convert(_known[0], uint256)
    value: int256 = _known[1]
    named: int256 = _known[2]
    if _context.inverse_temperature != 0:
        assert _context.inverse_temperature <= MAX_INVERSE_TEMPERATURE, "choice: no such temperature"
        factor: int256 = convert(_context.inverse_temperature, int256)
        unit: int256 = convert(1 << trace_geometry._word(_descriptor, FRACTION_BITS), int256)
        noise: int256[2] = gumbel_table._variates(
            [
                self._draw(_context.seed, _step.row, _step.index),
                self._draw(_context.seed, _step.row, chosen),
            ]
        )
        value = value * factor + noise[0] * unit
        named = named * factor + noise[1] * unit
    return leaf_asks._precedes(value, _step.index, named, chosen)


@pure
@internal
def _draw(_seed: uint256, _position: uint256, _token: uint256) -> uint256:
    """
    @dev 64 random bits of a token at a position: SplitMix64 of the seed, then of that. Arithmetic modulo 2^64, which
         divides 2^256.
    """
    row: uint256 = self._mix(unsafe_add(_seed, unsafe_mul(unsafe_add(_position, 1), GAMMA)) & MASK)
    return self._mix(unsafe_add(row, unsafe_mul(unsafe_add(_token, 1), GAMMA)) & MASK)


@pure
@internal
def _mix(_state: uint256) -> uint256:
    """
    @dev Of 64 bits; products stay below 2^128.
    """
    z: uint256 = unsafe_mul(_state ^ (_state >> 30), FIRST_FACTOR) & MASK
    z = unsafe_mul(z ^ (z >> 27), SECOND_FACTOR) & MASK
    return z ^ (z >> 31)
