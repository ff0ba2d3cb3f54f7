# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title The packed words and formulas of a job, one function each
@license Apache-2.0
@dev Tests only.
"""

from contracts.interfaces import IJobEscrow
from contracts.modules import job_terms
from contracts.modules import job_word


@pure
@external
def pack_schedule(
    _posted_at: uint256,
    _ramp: uint256,
    _claim_deadline: uint256,
    _submit_window: uint256,
    _evaluation_window: uint256,
    _challenge_window: uint256,
    _dispute_window: uint256,
) -> uint256:
    return job_terms._pack_schedule(
        _posted_at,
        _ramp,
        _claim_deadline,
        _submit_window,
        _evaluation_window,
        _challenge_window,
        _dispute_window,
    )


@pure
@external
def pack_rates(
    _protocol_fee_bps: uint256,
    _evaluator_fee_bps: uint256,
    _late_penalty_bps: uint256,
    _cancellation_bps: uint256,
    _reporter_bps: uint256,
    _tier: uint256,
    _reopens: bool,
    _ceiling_in_stake: uint256,
) -> uint256:
    return job_terms._pack_rates(
        _protocol_fee_bps,
        _evaluator_fee_bps,
        _late_penalty_bps,
        _cancellation_bps,
        _reporter_bps,
        _tier,
        _reopens,
        _ceiling_in_stake,
    )


@pure
@external
def pack_word(_stage: uint256, _deadline: uint256, _record: bytes32) -> uint256:
    return job_word._pack(_stage, _deadline, _record)


@pure
@external
def price_at(_terms: IJobEscrow.JobTerms, _time: uint256) -> uint256:
    return job_terms._price_at(_terms, _time)


@pure
@external
def fees(_rates: uint256, _amount: uint256, _is_attested: bool) -> (uint256, uint256):
    return job_terms._fees(_rates, _amount, _is_attested)


@pure
@external
def cancellation_fee(_rates: uint256, _price: uint256) -> uint256:
    return job_terms._cancellation_fee(_rates, _price)


@pure
@external
def late_penalty(_terms: IJobEscrow.JobTerms) -> uint256:
    return job_terms._late_penalty(_terms)


@pure
@external
def compensation_cap(_terms: IJobEscrow.JobTerms, _price: uint256) -> uint256:
    return job_terms._compensation_cap(_terms, _price)
