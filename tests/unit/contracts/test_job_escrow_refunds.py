"""The refund map, row by row, and one person in every role."""

from __future__ import annotations

import boa
import pytest
from eth_utils import keccak

from tests.unit.contracts.job_escrow_cases import (
    BOND,
    LATE_PENALTY,
    PRICE,
    STAKED,
    events_of_staking,
)
from tests.unit.contracts.suite import (
    COMPLETED,
    DAY,
    DELIVERABLE,
    EXPIRED,
    MILL,
    REJECTED,
    ZERO_WORD,
    Suite,
    actor,
    events_of,
    now,
    travel_to,
)


# ------------------------------------------------------------------ the refund map, row by row
def test_claim_refund__nobody_claimed__refunds(suite: Suite) -> None:
    escrow, requester = suite.escrow, suite.requester
    before = suite.mill.balanceOf(requester)
    job = suite.post()
    travel_to(job.claim_deadline)
    with boa.reverts("escrow: deadline not passed"):
        escrow.claimRefund(job.id, job.terms, ZERO_WORD, sender=suite.stranger)
    travel_to(job.claim_deadline + 1)
    escrow.claimRefund(job.id, job.terms, ZERO_WORD, sender=suite.stranger)
    assert events_of(escrow) == [
        ("JobExpired", {"jobId": job.id}),
        ("Refunded", {"jobId": job.id, "client": requester, "amount": PRICE}),
    ]
    assert (suite.mill.balanceOf(requester), suite.mill.balanceOf(suite.stranger)) == (before, 0)


def test_claim_refund__never_submitted__refunds_with_half_of_the_late_penalty(suite: Suite) -> None:
    escrow, requester, worker = suite.escrow, suite.requester, suite.worker
    before, supply = suite.mill.balanceOf(requester), suite.mill.totalSupply()
    job = suite.claimed()
    travel_to(escrow.deadline(job.id))
    with boa.reverts("escrow: deadline not passed"):
        escrow.claimRefund(job.id, job.terms, ZERO_WORD, sender=suite.stranger)
    travel_to(escrow.deadline(job.id) + 1)
    escrow.claimRefund(job.id, job.terms, ZERO_WORD, sender=suite.stranger)
    assert events_of(escrow) == [
        ("JobExpired", {"jobId": job.id}),
        (
            "Compensated",
            {"jobId": job.id, "requester": requester, "provider": worker, "amount": LATE_PENALTY // 2},
        ),
        ("Refunded", {"jobId": job.id, "client": requester, "amount": PRICE}),
    ]
    reasons = [fields["reason"] for name, fields in events_of_staking(suite) if name == "Slashed"]
    assert reasons == [keccak(text="late submission")]
    assert suite.mill.balanceOf(requester) == before + LATE_PENALTY // 2
    assert suite.mill.totalSupply() == supply - LATE_PENALTY // 2
    assert suite.staking.active(worker) == STAKED - LATE_PENALTY
    assert suite.staking.committed(worker) == 0


def test_claim_refund__never_submitted_and_no_late_penalty__frees_the_bond(suite: Suite) -> None:
    suite.escrow.set_late_penalty_bps(0, sender=suite.admin)
    job = suite.claimed()
    travel_to(suite.escrow.deadline(job.id) + 1)
    suite.escrow.claimRefund(job.id, job.terms, ZERO_WORD)
    assert (suite.staking.committed(suite.worker), suite.staking.active(suite.worker)) == (0, STAKED)
    assert [name for name, _ in events_of(suite.escrow)] == ["JobExpired", "Refunded"]


def test_claim_refund__never_judged__refunds_and_frees_the_bond(suite: Suite) -> None:
    escrow, requester, worker = suite.escrow, suite.requester, suite.worker
    before = suite.mill.balanceOf(requester)
    job = suite.submitted()
    travel_to(escrow.deadline(job.id))
    with boa.reverts("escrow: deadline not passed"):
        escrow.claimRefund(job.id, job.terms, DELIVERABLE, sender=suite.stranger)
    travel_to(escrow.deadline(job.id) + 1)
    escrow.claimRefund(job.id, job.terms, DELIVERABLE, sender=suite.stranger)
    assert [name for name, _ in events_of(escrow)] == ["JobExpired", "Refunded"]
    assert suite.mill.balanceOf(requester) == before
    assert (suite.staking.committed(worker), suite.staking.active(worker)) == (0, STAKED)


@pytest.mark.parametrize("build", ["post", "claimed", "submitted"])
def test_claim_refund__settled__keeps_state_and_provider_and_clears_the_rest(
    suite: Suite, build: str
) -> None:
    escrow = suite.escrow
    job = getattr(suite, build)()
    provider = escrow.provider(job.id)
    travel_to(now() + 90 * DAY)
    escrow.claimRefund(job.id, job.terms, DELIVERABLE)
    assert (escrow.state(job.id), escrow.provider(job.id)) == (EXPIRED, provider)
    assert (escrow.deadline(job.id), escrow.commitment(job.id)) == (0, ZERO_WORD)
    with boa.reverts("escrow: nothing to refund"):
        escrow.claimRefund(job.id, job.terms, DELIVERABLE)


def test_claim_refund__unknown_job__reverts(suite: Suite) -> None:
    job = suite.post()
    with boa.reverts("escrow: nothing to refund"):
        suite.escrow.claimRefund(job.id + 1, job.terms, ZERO_WORD)


def test_claim_refund__owner_changed_everything__the_job_keeps_its_terms(suite: Suite) -> None:
    """Neither the evaluator, nor the settings, nor the removal of the verifier reach a job that exists."""
    before = suite.mill.balanceOf(suite.requester)
    job = suite.claimed()
    suite.escrow.set_evaluator(actor("successor"), sender=suite.admin)
    suite.escrow.set_late_penalty_bps(5_000, sender=suite.admin)
    suite.escrow.set_minimum_bond_bps(100_000, sender=suite.admin)
    suite.staking.set_verifier(suite.escrow.address, False, sender=suite.admin)
    travel_to(suite.escrow.deadline(job.id) + 1)
    suite.escrow.claimRefund(job.id, job.terms, ZERO_WORD, sender=suite.stranger)
    assert suite.mill.balanceOf(suite.requester) == before + LATE_PENALTY // 2


# ------------------------------------------------------------------ one person in every role
@pytest.mark.parametrize("ending", ["cancelled", "late", "silent", "completed", "rejected"])
def test_requester_is_worker_and_relayer__whatever_the_ending__gains_nothing(
    suite: Suite, ending: str
) -> None:
    person = suite.worker
    suite.fund(person, 1_000 * MILL)

    def wealth() -> int:
        return int(suite.mill.balanceOf(person) + suite.staking.slashable(person))

    before = wealth()
    if ending == "cancelled":
        job = suite.post(requester=person)
        suite.escrow.cancel(job.id, job.terms, sender=person)
    elif ending == "late":
        job = suite.claimed(requester=person)
    else:
        job = suite.submitted(requester=person)
    if ending in ("late", "silent"):
        travel_to(suite.escrow.deadline(job.id) + 1)
        suite.escrow.claimRefund(job.id, job.terms, DELIVERABLE, sender=person)
    elif ending in ("completed", "rejected"):
        suite.relayer = person
        suite.transmit([job], COMPLETED if ending == "completed" else REJECTED)
    lost = {"rejected": BOND // 2, "late": LATE_PENALTY // 2}
    assert wealth() == before - lost.get(ending, 0)
    assert (suite.escrow.escrowed(), suite.staking.committed(person)) == (0, 0)


def test_late_penalty__paid_to_oneself__leaving_without_thawing_costs_as_much_as_it_frees(
    suite: Suite,
) -> None:
    """Half of what leaves this way is burned, and what backs open work stays where it is."""
    worker, alias = suite.worker, actor("another address of the worker")
    suite.fund(alias, STAKED)
    open_work = suite.claimed(price=50 * MILL, bond=200 * MILL)
    start, before = now(), suite.mill.balanceOf(alias)
    for _ in range(5):
        available = suite.staking.available(worker)
        job = suite.claimed(requester=alias, price=available, bond=available, submit_window=1)
        travel_to(now() + 2)
        suite.escrow.claimRefund(job.id, job.terms, ZERO_WORD)
    left = 800 * MILL * 9**5 // 10**5
    assert suite.staking.available(worker) == left
    assert suite.mill.balanceOf(alias) == before + (800 * MILL - left) // 2
    assert now() - start == 10  # seconds, not a thaw period
    assert suite.staking.committed_to(suite.escrow.address, worker) == open_work.bond
    assert suite.staking.active(worker) == open_work.bond + left
