"""What anyone may do when somebody is late: finalize and claimRefund."""

from __future__ import annotations

from dataclasses import astuple

import boa
import pytest
from eth_utils.crypto import keccak

from tests.models.job_escrow import Answer, Stage, low_bits
from tests.suite.deployment import DAY, DELIVERABLE, HOUR, NOBODY, REASON, events_of, now, travel_to
from tests.unit.contracts.job_escrow.market import BOND, LATE_PENALTY, PRICE, PROTOCOL_FEE, Market

LATE_SUBMISSION = keccak(b"late submission")
NO_APPEAL = keccak(b"condemned without a successful appeal")


# ------------------------------------------------------------------ finalize
@pytest.mark.parametrize("stage", [Stage.SUBMITTED, Stage.CONTESTED])
def test_finalize__nobody_objected_in_time__pays_the_worker(market: Market, stage: Stage) -> None:
    job = market.at(stage)
    market.pass_deadline(job)
    market.escrow.finalize(*job.arguments, sender=market.stranger)
    assert events_of(market.escrow) == [
        ("JobCompleted", {"jobId": 1, "evaluator": NOBODY, "reason": bytes(32)}),
        ("PaymentReleased", {"jobId": 1, "provider": market.worker, "amount": PRICE - PROTOCOL_FEE}),
    ]
    assert (market.escrow.stage(1), market.escrow.closeReason(1), market.escrow.deadline(1)) == (0x23, 2, 0)
    assert market.fees() == (PROTOCOL_FEE, 0)


@pytest.mark.parametrize("stage", [Stage.CONDEMNED, Stage.CONDEMNED_CONTESTED])
def test_finalize__no_successful_appeal__slashes(market: Market, stage: Stage) -> None:
    job = market.at(stage)
    market.pass_deadline(job)
    market.escrow.finalize(*job.arguments, sender=market.stranger)
    amounts = {"jobId": 1, "requester": market.requester, "provider": market.worker, "amount": PRICE}
    assert events_of(market.escrow) == [
        ("JobRejected", {"jobId": 1, "rejector": market.evaluator, "reason": NO_APPEAL}),
        ("Compensated", amounts),
        ("Refunded", {"jobId": 1, "client": market.requester, "amount": PRICE}),
    ]
    assert market.staking.penalty()[1:3] == (BOND, BOND)
    assert market.staking.penalty()[5] == NOBODY
    assert (market.escrow.stage(1), market.escrow.closeReason(1)) == (0x84, 8)


@pytest.mark.parametrize(
    "stage", [Stage.SUBMITTED, Stage.CONTESTED, Stage.CONDEMNED, Stage.CONDEMNED_CONTESTED]
)
def test_finalize__in_the_last_second_of_the_stage__reverts(market: Market, stage: Stage) -> None:
    job = market.at(stage)
    market.reach_deadline(job)
    assert market.escrow.runway(job.id) == 1
    with boa.reverts("escrow: decision still possible"):
        market.escrow.finalize(*job.arguments, sender=market.stranger)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage.state != 2])
def test_finalize__in_another_stage__reverts(market: Market, stage: Stage) -> None:
    job = market.at(stage)
    travel_to(now() + 40 * DAY)
    with boa.reverts("escrow: nothing to finalize"):
        market.escrow.finalize(*job.arguments, sender=market.stranger)


def test_finalize__job_that_silence_refunds__reverts(market: Market) -> None:
    job = market.submitted(is_exact=False)
    market.pass_deadline(job)
    with boa.reverts("escrow: silence refunds"):
        market.escrow.finalize(*job.arguments, sender=market.worker)


def test_finalize__another_answer__reverts(market: Market) -> None:
    job = market.submitted()
    market.pass_deadline(job)
    answer = Answer(market.stranger, job.answer.claimed_at, DELIVERABLE)
    with boa.reverts("escrow: other record"):
        market.escrow.finalize(job.id, astuple(job.terms), astuple(answer), sender=market.stranger)


# ------------------------------------------------------------------ claimRefund
def test_claim_refund__unclaimed(market: Market) -> None:
    job = market.post()
    before = market.balance(market.requester)
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    assert events_of(market.escrow) == [
        ("JobExpired", {"jobId": 1}),
        ("Refunded", {"jobId": 1, "client": market.requester, "amount": PRICE}),
    ]
    assert (market.escrow.stage(1), market.escrow.closeReason(1)) == (0x55, 5)
    assert market.balance(market.requester) - before == PRICE


def test_claim_refund__late_worker(market: Market) -> None:
    job = market.claimed()
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.challenger)
    amount = LATE_PENALTY // 2
    compensated = {"requester": market.requester, "provider": market.worker, "amount": amount}
    assert events_of(market.escrow) == [
        ("JobExpired", {"jobId": 1}),
        ("Compensated", {"jobId": 1} | compensated),
        ("Refunded", {"jobId": 1, "client": market.requester, "amount": PRICE}),
    ]
    told = (market.worker, BOND, LATE_PENALTY, market.requester, PRICE, market.challenger, 1_000)
    assert market.staking.penalty() == (*told, LATE_SUBMISSION)
    assert (market.escrow.stage(1), market.escrow.closeReason(1)) == (0x65, 6)


def test_claim_refund__late_worker_where_there_is_no_penalty__frees_the_bond(market: Market) -> None:
    market.escrow.set_rates(0, 0, 0, 0, sender=market.admin)
    job = market.claimed()
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    assert (market.staking.slashes(), market.staking.committed(market.worker)) == (0, 0)
    assert market.escrow.closeReason(1) == 6


def test_claim_refund__reopens__the_job_waits_as_it_was_posted(market: Market) -> None:
    job = market.claimed(reopens=True)
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    compensated = {"requester": market.requester, "provider": market.worker, "amount": LATE_PENALTY // 2}
    assert events_of(market.escrow) == [
        ("JobReopened", {"jobId": 1, "provider": market.worker}),
        ("Compensated", {"jobId": 1} | compensated),
    ]
    assert (market.escrow.stage(1), market.escrow.commitment(1)) == (Stage.FUNDED, low_bits(job.terms.hash))
    assert market.escrow.deadline(1) == job.terms.of_schedule("claim_deadline")
    assert (market.owed(), market.staking.committed(market.worker)) == (PRICE, 0)


def test_claim_refund__reopened__another_worker_claims_at_the_same_price(market: Market) -> None:
    job = market.claimed(reopens=True)
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    market.staking.set_stake(market.challenger, BOND)
    late = job.claim
    market.take(job, market.challenger)
    assert events_of(market.escrow)[1][1]["price"] == PRICE
    with boa.reverts("escrow: other record"):  # the first claim is no longer the record
        market.escrow.submit(job.id, late, REASON, sender=market.worker)


def test_claim_refund__reopens__only_until_the_claim_deadline(market: Market) -> None:
    for seconds, reason in ((2 * HOUR + 1, 0), (2 * HOUR, 6)):
        job = market.claimed(reopens=True, claim_deadline=now() + seconds)
        market.pass_deadline(job)
        market.escrow.claimRefund(*job.arguments, sender=market.stranger)
        assert market.escrow.closeReason(job.id) == reason


def test_claim_refund__reopened_many_times__each_late_worker_pays_and_the_end_comes(market: Market) -> None:
    job = market.post(reopens=True)
    times = 0
    while market.escrow.stage(1) == Stage.FUNDED and now() <= job.terms.of_schedule("claim_deadline"):
        market.take(job)
        market.pass_deadline(job)
        market.escrow.claimRefund(*job.arguments, sender=market.stranger)
        times += 1
    assert (market.escrow.closeReason(1), market.owed()) == (6, 0)
    assert market.staking.stake_of(market.worker) == 10_000 * 10**18 - times * LATE_PENALTY


def test_claim_refund__nobody_judged__refunds_and_frees_the_bond(market: Market) -> None:
    job = market.submitted(is_exact=False)
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    assert events_of(market.escrow) == [
        ("JobExpired", {"jobId": 1}),
        ("Refunded", {"jobId": 1, "client": market.requester, "amount": PRICE}),
    ]
    assert (market.staking.slashes(), market.staking.committed(market.worker)) == (0, 0)
    assert (market.escrow.stage(1), market.escrow.closeReason(1)) == (0x75, 7)


def test_claim_refund__exact_job_that_was_answered__reverts(market: Market) -> None:
    job = market.submitted()
    market.pass_deadline(job)
    with boa.reverts("escrow: silence pays the worker"):
        market.escrow.claimRefund(*job.arguments, sender=market.requester)


@pytest.mark.parametrize("stage", [Stage.FUNDED, Stage.CLAIMED, Stage.SUBMITTED])
def test_claim_refund__in_the_last_second_of_the_stage__reverts(market: Market, stage: Stage) -> None:
    job = market.at(stage, is_exact=False)
    market.reach_deadline(job)
    with boa.reverts("escrow: deadline not passed"):
        market.escrow.claimRefund(*job.arguments, sender=market.requester)


@pytest.mark.parametrize(
    "stage", [stage for stage in Stage if stage not in (Stage.FUNDED, Stage.CLAIMED, Stage.SUBMITTED)]
)
def test_claim_refund__in_another_stage__reverts(market: Market, stage: Stage) -> None:
    job = market.at(stage)
    travel_to(now() + 40 * DAY)
    with boa.reverts("escrow: nothing to refund"):
        market.escrow.claimRefund(*job.arguments, sender=market.requester)


@pytest.mark.parametrize("stage", [Stage.FUNDED, Stage.CLAIMED, Stage.SUBMITTED])
def test_claim_refund__other_terms_or_answer__reverts(market: Market, stage: Stage) -> None:
    job = market.at(stage, is_exact=False)
    market.pass_deadline(job)
    terms = list(astuple(job.terms))
    terms[0] = market.stranger
    with boa.reverts("escrow: other record"):
        market.escrow.claimRefund(job.id, tuple(terms), astuple(job.answer), sender=market.stranger)
    answer = Answer(market.stranger, job.answer.claimed_at, job.answer.deliverable)
    if stage is Stage.FUNDED:
        market.escrow.claimRefund(job.id, astuple(job.terms), astuple(answer), sender=market.stranger)
        return  # an unclaimed job has no answer to be wrong about
    with boa.reverts("escrow: other record"):
        market.escrow.claimRefund(job.id, astuple(job.terms), astuple(answer), sender=market.stranger)


def test_claim_refund__one_who_plays_every_part__is_told_to_staking_as_it_is(market: Market) -> None:
    """Requester, worker and reporter in one: it is Staking that keeps a fault from being free."""
    market.staking.set_stake(market.requester, BOND)
    job = market.post()
    market.take(job, market.requester)
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.requester)
    told = market.staking.penalty()
    assert (told[0], told[3], told[5]) == (market.requester,) * 3
    assert told[4] <= PRICE
