# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Schedule, rates and price of a job
@author Proofmill
@license Apache-2.0
@dev Stateless: the packed words in the terms and the formulas over them. Bits are counted from the low end:

         schedule  0 posted_at 40 | 40 ramp 24 | 64 claim_deadline 40 | 104 submit_window 24 |
                   128 evaluation_window 24 | 152 challenge_window 24 | 176 dispute_window 24
         rates     0 protocol_fee_bps 16 | 16 evaluator_fee_bps 16 | 32 late_penalty_bps 16 |
                   48 cancellation_bps 16 | 64 reporter_bps 16 | 80 tier 8 | 88 flags 8 | 96 ceiling_in_stake 96
"""

from contracts.interfaces import IJobEscrow


FULL_BPS: constant(uint256) = 10_000  # one whole, in basis points
MAX_AMOUNT: constant(uint256) = 2**96 - 1  # of a price and of a bond: no product below overflows
REOPENS: constant(uint256) = 1  # the only flag

MASK_8: constant(uint256) = 2**8 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_24: constant(uint256) = 2**24 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_96: constant(uint256) = 2**96 - 1

RAMP_SHIFT: constant(uint256) = 40
CLAIM_DEADLINE_SHIFT: constant(uint256) = 64
SUBMIT_WINDOW_SHIFT: constant(uint256) = 104
EVALUATION_WINDOW_SHIFT: constant(uint256) = 128
CHALLENGE_WINDOW_SHIFT: constant(uint256) = 152
DISPUTE_WINDOW_SHIFT: constant(uint256) = 176

EVALUATOR_FEE_SHIFT: constant(uint256) = 16
LATE_PENALTY_SHIFT: constant(uint256) = 32
CANCELLATION_SHIFT: constant(uint256) = 48
REPORTER_SHIFT: constant(uint256) = 64
TIER_SHIFT: constant(uint256) = 80
FLAGS_SHIFT: constant(uint256) = 88
CEILING_IN_STAKE_SHIFT: constant(uint256) = 96


# ------------------------------------------------------------------ packing
@pure
@internal
def _pack_schedule(
    _posted_at: uint256,
    _ramp: uint256,
    _claim_deadline: uint256,
    _submit_window: uint256,
    _evaluation_window: uint256,
    _challenge_window: uint256,
    _dispute_window: uint256,
) -> uint256:
    # All fields of one width at once: one that is too wide shows in the union.
    windows: uint256 = _ramp | _submit_window | _evaluation_window | _challenge_window | _dispute_window
    assert windows <= MASK_24 and _posted_at | _claim_deadline <= MASK_40, "terms: schedule out of range"
    return (
        _posted_at
        | _ramp << RAMP_SHIFT
        | _claim_deadline << CLAIM_DEADLINE_SHIFT
        | _submit_window << SUBMIT_WINDOW_SHIFT
        | _evaluation_window << EVALUATION_WINDOW_SHIFT
        | _challenge_window << CHALLENGE_WINDOW_SHIFT
        | _dispute_window << DISPUTE_WINDOW_SHIFT
    )


@pure
@internal
def _pack_rates(
    _protocol_fee_bps: uint256,
    _evaluator_fee_bps: uint256,
    _late_penalty_bps: uint256,
    _cancellation_bps: uint256,
    _reporter_bps: uint256,
    _tier: uint256,
    _reopens: bool,
    _ceiling_in_stake: uint256,
) -> uint256:
    shares: uint256 = _protocol_fee_bps | _evaluator_fee_bps | _late_penalty_bps | _cancellation_bps | _reporter_bps
    assert shares <= MASK_16 and _ceiling_in_stake <= MASK_96, "terms: rates out of range"
    assert _tier <= MASK_8, "terms: tier out of range"
    return (
        _protocol_fee_bps
        | _evaluator_fee_bps << EVALUATOR_FEE_SHIFT
        | _late_penalty_bps << LATE_PENALTY_SHIFT
        | _cancellation_bps << CANCELLATION_SHIFT
        | _reporter_bps << REPORTER_SHIFT
        | _tier << TIER_SHIFT
        | convert(_reopens, uint256) << FLAGS_SHIFT
        | _ceiling_in_stake << CEILING_IN_STAKE_SHIFT
    )


# ------------------------------------------------------------------ formulas
@pure
@internal
def _price_at(_terms: IJobEscrow.JobTerms, _time: uint256) -> uint256:
    """
    @dev The price rises in a line from floor to ceiling. Rounds down, in favour of the requester.
    """
    ramp: uint256 = _terms.schedule >> RAMP_SHIFT & MASK_24
    posted_at: uint256 = _terms.schedule & MASK_40
    if ramp == 0 or _time >= posted_at + ramp:
        return _terms.price_ceiling
    # A moment before the posting has the floor; no claim is that early.
    elapsed: uint256 = max(_time, posted_at) - posted_at
    return _terms.price_floor + (_terms.price_ceiling - _terms.price_floor) * elapsed // ramp


@pure
@internal
def _fees(_rates: uint256, _amount: uint256, _is_attested: bool) -> (uint256, uint256):
    """
    @dev The protocol's and the evaluator's share of what a worker is paid. Both round down, in favour of the worker.
    """
    protocol_fee: uint256 = _amount * (_rates & MASK_16) // FULL_BPS
    if not _is_attested:
        return protocol_fee, 0
    return protocol_fee, _amount * (_rates >> EVALUATOR_FEE_SHIFT & MASK_16) // FULL_BPS


@pure
@internal
def _cancellation_fee(_rates: uint256, _price: uint256) -> uint256:
    """
    @dev What a request that cannot be served still costs. Rounds down, in favour of the requester.
    """
    return _price * (_rates >> CANCELLATION_SHIFT & MASK_16) // FULL_BPS


@pure
@internal
def _late_penalty(_terms: IJobEscrow.JobTerms) -> uint256:
    """
    @dev The part of the bond that a worker who never submits loses. Rounds down, in favour of the worker.
    """
    return _terms.bond * (_terms.rates >> LATE_PENALTY_SHIFT & MASK_16) // FULL_BPS


@pure
@internal
def _compensation_cap(_terms: IJobEscrow.JobTerms, _price: uint256) -> uint256:
    """
    @dev The price in stake tokens, at the bond rate of the day of posting: no injury is worth more. Rounds down, in
         favour of those whose stake it is.
    """
    return (_terms.rates >> CEILING_IN_STAKE_SHIFT & MASK_96) * _price // _terms.price_ceiling
