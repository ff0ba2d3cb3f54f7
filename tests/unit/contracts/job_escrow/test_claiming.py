"""claim and submit."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import boa
import pytest

from tests.models.job_escrow import Answer, Stage, answer_hash, claim_hash, low_bits
from tests.suite.deployment import DELIVERABLE, HOUR, NOBODY, REASON, deploy, events_of, now, travel_to
from tests.unit.contracts.job_escrow.market import BOND, PRICE, Market


# ------------------------------------------------------------------ claim
def test_claim__commits_the_bond_and_fixes_the_price(market: Market, worker: str) -> None:
    job = market.post(price_floor=PRICE // 2, ramp=HOUR)
    travel_to(now() + HOUR // 2)
    price = market.escrow.claim(job.id, astuple(job.terms), worker, sender=worker)
    assert price == PRICE * 3 // 4
    assert events_of(market.escrow) == [
        ("ProviderSet", {"jobId": 1, "provider": worker}),
        ("JobClaimed", {"jobId": 1, "claimed_at": now(), "price": price}),
    ]
    assert market.staking.committed(worker) == BOND
    assert (market.escrow.stage(1), market.escrow.state(1)) == (Stage.CLAIMED, 1)
    assert market.escrow.deadline(1) == now() + 2 * HOUR
    record = claim_hash(job.terms.hash, worker, now(), 3 * HOUR)
    assert market.escrow.commitment(1) == low_bits(record)


def test_claim__by_a_hot_key__binds_the_operator(market: Market, worker: str, hot_key: str) -> None:
    job = market.post(provider=worker)
    market.escrow.claim(job.id, astuple(job.terms), worker, sender=hot_key)
    assert (market.staking.committed(worker), market.staking.committed(hot_key)) == (BOND, 0)


def test_claim__by_a_stranger_for_the_operator__reverts(market: Market, worker: str, stranger: str) -> None:
    job = market.post()
    with boa.reverts("mock: not the operator"):
        market.escrow.claim(job.id, astuple(job.terms), worker, sender=stranger)


def test_claim__operator_that_is_not_named__reverts(market: Market, worker: str, stranger: str) -> None:
    job = market.post(provider=stranger)
    with boa.reverts("escrow: not the named operator"):
        market.escrow.claim(job.id, astuple(job.terms), worker, sender=worker)


def test_claim__without_stake__reverts_and_leaves_the_job_open(market: Market, stranger: str) -> None:
    job = market.post()
    with boa.reverts("mock: too little stake"):
        market.escrow.claim(job.id, astuple(job.terms), stranger, sender=stranger)
    assert market.escrow.stage(job.id) == Stage.FUNDED


def test_claim__deadline_is_inclusive(market: Market) -> None:
    first, second = market.post(), market.post()
    market.reach_deadline(first)
    market.take(first)
    travel_to(now() + 1)
    with boa.reverts("escrow: claim deadline passed"):
        market.take(second)


def test_claim__other_terms__reverts(market: Market, worker: str) -> None:
    job = market.post()
    forged = astuple(job.terms)[:-1] + (job.terms.rates ^ 1,)
    with boa.reverts("escrow: other record"):
        market.escrow.claim(job.id, forged, worker, sender=worker)


@pytest.mark.parametrize("field", range(12))
def test_claim__any_field_of_the_terms_forged__reverts(market: Market, worker: str, field: int) -> None:
    job = market.post()
    terms: list[Any] = list(astuple(job.terms))
    if isinstance(terms[field], str):
        terms[field] = market.stranger
    elif isinstance(terms[field], bytes):
        terms[field] = REASON
    else:
        terms[field] += 1
    with boa.reverts("escrow: other record"):
        market.escrow.claim(job.id, tuple(terms), worker, sender=worker)


def test_claim__paused__reverts(market: Market) -> None:
    job = market.post()
    market.escrow.pause(2, sender=market.admin)
    with boa.reverts("pausable: closed"):
        market.take(job)
    market.escrow.unpause(2, sender=market.admin)
    market.escrow.pause(1, sender=market.admin)
    market.take(job)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.FUNDED])
def test_claim__in_another_stage__reverts(market: Market, stage: Stage) -> None:
    job = market.at(stage)
    with boa.reverts("escrow: not open to a claim"):
        market.take(job)


# ------------------------------------------------------------------ tier
@pytest.fixture
def registry(market: Market) -> Any:
    registry = deploy("mocks/MockTierRegistry.vy")
    market.escrow.set_capability_registry(registry.address, sender=market.admin)
    return registry


def test_claim__tier_until_the_submit_deadline__is_enough(market: Market, registry: Any, worker: str) -> None:
    job = market.post(tier=3)
    registry.set_tier(worker, 3, now() + 2 * HOUR)
    market.take(job)
    assert market.escrow.stage(job.id) == Stage.CLAIMED


@pytest.mark.parametrize(("tier", "lasts"), [(2, 2 * HOUR), (3, 2 * HOUR - 1), (0, 2 * HOUR)])
def test_claim__tier_too_low_or_too_short__reverts(
    market: Market, registry: Any, worker: str, tier: int, lasts: int
) -> None:
    job = market.post(tier=3)
    registry.set_tier(worker, tier, now() + lasts)
    with boa.reverts("escrow: tier too low"):
        market.take(job)


def test_claim__tier_asked_of_no_registry__reverts_and_the_requester_is_refunded(
    market: Market, registry: Any, worker: str
) -> None:
    job = market.post(tier=3)
    market.escrow.set_capability_registry(NOBODY, sender=market.admin)
    with boa.reverts("escrow: no registry to ask"):
        market.take(job)
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    assert market.owed() == 0


def test_claim__no_tier__asks_nobody(market: Market, stranger: str) -> None:
    market.escrow.set_capability_registry(stranger, sender=market.admin)  # has no code: a call would revert
    market.take(market.post())


# ------------------------------------------------------------------ submit
@pytest.mark.parametrize("role", ["worker", "hot_key"])
def test_submit__binds_the_answer(market: Market, role: str) -> None:
    job = market.claimed()
    travel_to(now() + 77)
    market.escrow.submit(job.id, job.claim, DELIVERABLE, sender=getattr(market, role))
    assert events_of(market.escrow) == [
        ("JobSubmitted", {"jobId": 1, "provider": market.worker, "deliverable": DELIVERABLE})
    ]
    assert (market.escrow.stage(1), market.escrow.state(1)) == (Stage.SUBMITTED, 2)
    assert market.escrow.deadline(1) == now() + 3 * HOUR
    answer = Answer(market.worker, now() - 77, DELIVERABLE)
    assert market.escrow.commitment(1) == low_bits(answer_hash(job.terms.hash, answer))


@pytest.mark.parametrize("role", ["requester", "evaluator", "arbiter", "admin", "stranger"])
def test_submit__by_anybody_else__reverts(market: Market, role: str) -> None:
    job = market.claimed()
    with boa.reverts("escrow: not the operator"):
        market.escrow.submit(job.id, job.claim, DELIVERABLE, sender=getattr(market, role))


def test_submit__key_of_another_operator__reverts(market: Market, stranger: str, challenger: str) -> None:
    market.staking.set_hot_key(challenger, stranger, True)
    job = market.claimed()
    with boa.reverts("escrow: not the operator"):
        market.escrow.submit(job.id, job.claim, DELIVERABLE, sender=stranger)
    forged = job.claim._replace(provider=challenger)
    with boa.reverts("escrow: other record"):
        market.escrow.submit(job.id, forged, DELIVERABLE, sender=stranger)


@pytest.mark.parametrize("field", ["terms_hash", "provider", "claimed_at", "evaluation_window"])
def test_submit__any_field_of_the_claim_forged__reverts(market: Market, worker: str, field: str) -> None:
    job = market.claimed()
    forged: Any = {
        "terms_hash": REASON,
        "provider": market.stranger,
        "claimed_at": job.answer.claimed_at + 1,
        "evaluation_window": 3 * HOUR + 1,
    }[field]
    with boa.reverts("escrow: other record"):
        market.escrow.submit(job.id, job.claim._replace(**{field: forged}), DELIVERABLE, sender=worker)


def test_submit__nothing__reverts(market: Market, worker: str) -> None:
    job = market.claimed()
    with boa.reverts("escrow: no deliverable"):
        market.escrow.submit(job.id, job.claim, bytes(32), sender=worker)


def test_submit__deadline_is_inclusive(market: Market, worker: str) -> None:
    first, second = market.claimed(), market.claimed()
    market.reach_deadline(first)
    market.answer(first)
    travel_to(now() + 1)
    with boa.reverts("escrow: submit deadline passed"):
        market.answer(second)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.CLAIMED])
def test_submit__in_another_stage__reverts(market: Market, worker: str, stage: Stage) -> None:
    job = market.at(stage)
    with boa.reverts("escrow: not open to an answer"):
        market.escrow.submit(job.id, job.claim, REASON, sender=worker)


def test_submit__records_of_the_same_shape__do_not_pass_for_each_other(market: Market, worker: str) -> None:
    """A claimed record hashes as an answer whose deliverable is the window would; the stage tells them apart."""
    job = market.claimed()
    window = job.terms.of_schedule("evaluation_window").to_bytes(32, "big")
    answer = (worker, job.answer.claimed_at, window)
    assert market.escrow.commitment(1) == low_bits(answer_hash(job.terms.hash, Answer(*answer)))
    for call in (market.escrow.complete, market.escrow.reject, market.escrow.void):
        with boa.reverts("escrow: not submitted"):
            call(job.id, astuple(job.terms), answer, REASON, sender=market.evaluator)
    market.answer(job, window)  # and now it is one
    with boa.reverts("escrow: not open to an answer"):
        market.escrow.submit(job.id, job.claim, REASON, sender=worker)
