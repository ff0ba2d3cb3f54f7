"""The steps of a job, from cancel to reject, each with its success and its refusals."""

from __future__ import annotations

import boa
import pytest

from tests.unit.contracts.job_escrow_cases import (
    BOND,
    PRICE,
    STAKED,
    commitment_of,
    events_of_staking,
)
from tests.unit.contracts.suite import (
    COMPLETED,
    DAY,
    DELIVERABLE,
    FUNDED,
    HOUR,
    MILL,
    REASON,
    REJECTED,
    SUBMITTED,
    ZERO_WORD,
    Suite,
    actor,
    events_of,
    now,
    travel_to,
)


# ------------------------------------------------------------------ cancel
def test_cancel__refunds_and_rejects(suite: Suite) -> None:
    escrow, requester = suite.escrow, suite.requester
    before = suite.mill.balanceOf(requester)
    job = suite.post()
    escrow.cancel(job.id, job.terms, sender=requester)
    assert events_of(escrow) == [
        ("JobRejected", {"jobId": job.id, "rejector": requester, "reason": ZERO_WORD}),
        ("Refunded", {"jobId": job.id, "client": requester, "amount": PRICE}),
    ]
    assert (escrow.state(job.id), escrow.commitment(job.id)) == (REJECTED, ZERO_WORD)
    assert (suite.mill.balanceOf(requester), escrow.escrowed()) == (before, 0)


def test_cancel__by_anyone_else__reverts(suite: Suite) -> None:
    job = suite.post()
    for caller in (suite.stranger, suite.worker, suite.admin, suite.committee.address):
        with boa.reverts("escrow: not the requester"):
            suite.escrow.cancel(job.id, job.terms, sender=caller)


def test_cancel__after_a_claim__reverts(suite: Suite) -> None:
    job = suite.claimed()
    with boa.reverts("escrow: a worker is on it"):
        suite.escrow.cancel(job.id, job.terms, sender=suite.requester)


def test_cancel__unknown_or_settled__reverts(suite: Suite) -> None:
    job = suite.post()
    with boa.reverts("escrow: nothing to cancel"):
        suite.escrow.cancel(job.id + 1, job.terms, sender=suite.requester)
    suite.escrow.cancel(job.id, job.terms, sender=suite.requester)
    with boa.reverts("escrow: nothing to cancel"):
        suite.escrow.cancel(job.id, job.terms, sender=suite.requester)


# ------------------------------------------------------------------ claim
def test_claim__commits_the_bond_and_starts_the_submit_window(suite: Suite) -> None:
    escrow, worker = suite.escrow, suite.worker
    job = suite.post()
    escrow.claim(job.id, job.terms, sender=worker)
    assert events_of(escrow) == [("ProviderSet", {"jobId": job.id, "provider": worker})]
    assert (escrow.state(job.id), escrow.provider(job.id)) == (FUNDED, worker)
    assert escrow.deadline(job.id) == now() + 2 * HOUR
    assert suite.staking.committed_to(escrow.address, worker) == BOND


def test_claim__until_the_last_second(suite: Suite) -> None:
    job = suite.post()
    travel_to(job.claim_deadline + 1)
    with boa.reverts("escrow: claim deadline passed"):
        suite.escrow.claim(job.id, job.terms, sender=suite.worker)
    travel_to(job.claim_deadline)
    suite.escrow.claim(job.id, job.terms, sender=suite.worker)
    assert suite.escrow.provider(job.id) == suite.worker


def test_claim__named_provider__is_the_only_one(suite: Suite) -> None:
    other = actor("other worker")
    suite.stake(other, STAKED)
    job = suite.post(provider=suite.worker)
    with boa.reverts("escrow: not the named provider"):
        suite.escrow.claim(job.id, job.terms, sender=other)
    suite.escrow.claim(job.id, job.terms, sender=suite.worker)
    assert suite.escrow.provider(job.id) == suite.worker


def test_claim__twice__reverts(suite: Suite) -> None:
    job = suite.claimed()
    with boa.reverts("escrow: already claimed"):
        suite.escrow.claim(job.id, job.terms, sender=suite.worker)


def test_claim__unknown_or_settled__reverts(suite: Suite) -> None:
    job = suite.post()
    with boa.reverts("escrow: not open to a claim"):
        suite.escrow.claim(job.id + 1, job.terms, sender=suite.worker)
    suite.escrow.cancel(job.id, job.terms, sender=suite.requester)
    with boa.reverts("escrow: not open to a claim"):
        suite.escrow.claim(job.id, job.terms, sender=suite.worker)


def test_claim__without_enough_stake__reverts(suite: Suite) -> None:
    job = suite.post(bond=STAKED + 1)
    with boa.reverts("stake: too little to commit"):
        suite.escrow.claim(job.id, job.terms, sender=suite.worker)
    with boa.reverts("stake: too little to commit"):
        suite.escrow.claim(job.id, job.terms, sender=suite.stranger)


def test_claim__when_the_escrow_is_no_longer_a_verifier__reverts(suite: Suite) -> None:
    job = suite.post()
    suite.staking.set_verifier(suite.escrow.address, False, sender=suite.admin)
    with boa.reverts("verifiers: not authorised"):
        suite.escrow.claim(job.id, job.terms, sender=suite.worker)


# ------------------------------------------------------------------ submit
def test_submit__replaces_the_commitment_and_starts_the_evaluation_window(suite: Suite) -> None:
    escrow = suite.escrow
    job = suite.claimed()
    escrow.submit(job.id, job.terms, DELIVERABLE, sender=suite.worker)
    submitted = {"jobId": job.id, "provider": suite.worker, "deliverable": DELIVERABLE}
    assert events_of(escrow) == [("JobSubmitted", submitted)]
    assert (escrow.state(job.id), escrow.deadline(job.id)) == (SUBMITTED, now() + 3 * HOUR)
    assert escrow.commitment(job.id) == commitment_of(job, DELIVERABLE)


def test_submit__until_the_last_second(suite: Suite) -> None:
    job = suite.claimed()
    travel_to(suite.escrow.deadline(job.id) + 1)
    with boa.reverts("escrow: submit deadline passed"):
        suite.escrow.submit(job.id, job.terms, DELIVERABLE, sender=suite.worker)
    travel_to(suite.escrow.deadline(job.id))
    suite.escrow.submit(job.id, job.terms, DELIVERABLE, sender=suite.worker)
    assert suite.escrow.state(job.id) == SUBMITTED


def test_submit__by_anyone_else__reverts(suite: Suite) -> None:
    job = suite.claimed()
    for caller in (suite.stranger, suite.requester, suite.admin, suite.committee.address):
        with boa.reverts("escrow: not the provider"):
            suite.escrow.submit(job.id, job.terms, DELIVERABLE, sender=caller)


def test_submit__before_a_claim__reverts_even_for_the_zero_address(suite: Suite) -> None:
    job = suite.post()
    with boa.reverts("escrow: not the provider"):
        suite.escrow.submit(job.id, job.terms, DELIVERABLE, sender=suite.worker)


def test_submit__empty_deliverable__reverts(suite: Suite) -> None:
    job = suite.claimed()
    with boa.reverts("escrow: no deliverable"):
        suite.escrow.submit(job.id, job.terms, ZERO_WORD, sender=suite.worker)


def test_submit__twice_or_unknown__reverts(suite: Suite) -> None:
    job = suite.submitted()
    for job_id in (job.id, job.id + 1):
        with boa.reverts("escrow: not open to an answer"):
            suite.escrow.submit(job_id, job.terms, DELIVERABLE, sender=suite.worker)


# ------------------------------------------------------------------ complete
def test_complete__pays_the_worker_and_frees_the_bond(suite: Suite, evaluator: str) -> None:
    escrow, worker = suite.escrow, suite.worker
    job = suite.submitted()
    before = suite.mill.balanceOf(worker)
    escrow.complete(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)
    assert events_of(escrow) == [
        ("JobCompleted", {"jobId": job.id, "evaluator": evaluator, "reason": REASON}),
        ("PaymentReleased", {"jobId": job.id, "provider": worker, "amount": PRICE}),
    ]
    assert suite.mill.balanceOf(worker) == before + PRICE
    assert (suite.staking.committed(worker), suite.staking.active(worker)) == (0, STAKED)
    assert (escrow.escrowed(), suite.mill.balanceOf(escrow.address)) == (0, 0)


# ------------------------------------------------------------------ reject
@pytest.mark.parametrize(
    ("bond", "compensation"),
    [(250 * MILL, 100 * MILL), (200 * MILL, 100 * MILL), (150 * MILL, 75 * MILL), (100 * MILL, 50 * MILL)],
)
def test_reject__refunds_and_slashes_the_whole_bond(
    suite: Suite, evaluator: str, bond: int, compensation: int
) -> None:
    escrow, requester, worker = suite.escrow, suite.requester, suite.worker
    before, supply = suite.mill.balanceOf(requester), suite.mill.totalSupply()
    job = suite.submitted(bond=bond)
    escrow.reject(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)
    assert events_of(escrow) == [
        ("JobRejected", {"jobId": job.id, "rejector": evaluator, "reason": REASON}),
        (
            "Compensated",
            {"jobId": job.id, "requester": requester, "provider": worker, "amount": compensation},
        ),
        ("Refunded", {"jobId": job.id, "client": requester, "amount": PRICE}),
    ]
    slashed = [fields for name, fields in events_of_staking(suite) if name == "Slashed"]
    assert [(entry["reason"], entry["burned"]) for entry in slashed] == [(REASON, bond - compensation)]
    assert suite.mill.balanceOf(requester) == before + compensation
    assert suite.mill.totalSupply() == supply - (bond - compensation)
    assert (suite.staking.committed(worker), suite.staking.active(worker)) == (0, STAKED - bond)
    assert escrow.escrowed() == 0


def test_reject__requester_is_the_worker__lying_to_oneself_costs_half_the_bond(
    suite: Suite, evaluator: str
) -> None:
    """The cheapest bond against the highest compensation: one person on both sides still loses half, rounded up."""
    suite.escrow.set_minimum_bond_bps(1_000, sender=suite.admin)
    bond = 10 * MILL + 1
    before, supply = suite.mill.balanceOf(suite.requester), suite.mill.totalSupply()
    job = suite.submitted(bond=bond)
    suite.escrow.reject(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)
    assert suite.mill.balanceOf(suite.requester) == before + 5 * MILL
    assert suite.mill.totalSupply() == supply - (5 * MILL + 1)


def test_reject__after_another_verifier_slashed_the_bond__still_refunds(
    suite: Suite, evaluator: str, verifier: str
) -> None:
    before = suite.mill.balanceOf(suite.requester)
    job = suite.submitted()
    suite.staking.slash(suite.worker, 0, STAKED, suite.stranger, 0, REASON, sender=verifier)
    suite.escrow.reject(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)
    assert suite.mill.balanceOf(suite.requester) == before
    assert suite.staking.committed(suite.worker) == 0


@pytest.mark.parametrize("outcome", ["complete", "reject"])
def test_judge__by_anyone_else__reverts(suite: Suite, outcome: str) -> None:
    job = suite.submitted()
    for caller in (suite.stranger, suite.requester, suite.worker, suite.admin, suite.relayer):
        with boa.reverts("escrow: not the evaluator"):
            getattr(suite.escrow, outcome)(job.id, job.terms, DELIVERABLE, REASON, sender=caller)


@pytest.mark.parametrize("outcome", ["complete", "reject"])
def test_judge__after_the_deadline__reverts_and_until_it_works(
    suite: Suite, evaluator: str, outcome: str
) -> None:
    job = suite.submitted()
    deadline = suite.escrow.deadline(job.id)
    travel_to(deadline + 1)
    with boa.reverts("escrow: evaluation too late"):
        getattr(suite.escrow, outcome)(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)
    travel_to(deadline)
    getattr(suite.escrow, outcome)(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)
    assert suite.escrow.state(job.id) in (COMPLETED, REJECTED)


@pytest.mark.parametrize("outcome", ["complete", "reject"])
def test_judge__not_submitted__reverts(suite: Suite, evaluator: str, outcome: str) -> None:
    for job in (suite.post(), suite.claimed()):
        with boa.reverts("escrow: not submitted"):
            getattr(suite.escrow, outcome)(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)


@pytest.mark.parametrize("second", ["complete", "reject"])
@pytest.mark.parametrize("first", ["complete", "reject"])
def test_judge__double_settlement__reverts(suite: Suite, evaluator: str, first: str, second: str) -> None:
    job = suite.submitted()
    suite.post()  # money of somebody else that a second settlement could take
    getattr(suite.escrow, first)(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)
    with boa.reverts("escrow: not submitted"):
        getattr(suite.escrow, second)(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)
    travel_to(now() + 90 * DAY)
    with boa.reverts("escrow: nothing to refund"):
        suite.escrow.claimRefund(job.id, job.terms, DELIVERABLE)


def test_judge__evaluator_replaced_after_the_post__the_old_one_decides(suite: Suite, evaluator: str) -> None:
    job = suite.submitted()
    successor = actor("successor")
    suite.escrow.set_evaluator(successor, sender=suite.admin)
    with boa.reverts("escrow: not the evaluator"):
        suite.escrow.complete(job.id, job.terms, DELIVERABLE, REASON, sender=successor)
    suite.escrow.complete(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)
    assert suite.escrow.state(job.id) == COMPLETED


@pytest.mark.parametrize("outcome", ["complete", "reject"])
def test_judge__escrow_removed_as_verifier__open_work_still_ends(
    suite: Suite, evaluator: str, outcome: str
) -> None:
    job = suite.submitted()
    suite.staking.set_verifier(suite.escrow.address, False, sender=suite.admin)
    getattr(suite.escrow, outcome)(job.id, job.terms, DELIVERABLE, REASON, sender=evaluator)
    lost = BOND if outcome == "reject" else 0
    assert (suite.staking.committed(suite.worker), suite.staking.active(suite.worker)) == (0, STAKED - lost)
