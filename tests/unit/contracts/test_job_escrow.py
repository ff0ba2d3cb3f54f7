"""JobEscrow: each step of a job, each way it ends, and who may take it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth.exceptions import Revert
from eth_abi import encode
from eth_utils import keccak

from tests.unit.contracts.suite import (
    COMPLETED,
    DAY,
    DELIVERABLE,
    EXPIRED,
    FUNDED,
    HOUR,
    INPUT_ROOT,
    LATE_PENALTY_BPS,
    MAX_UINT256,
    MILL,
    MINIMUM_BOND_BPS,
    MODEL_ID,
    REASON,
    REJECTED,
    SUBMITTED,
    ZERO_ADDRESS,
    ZERO_WORD,
    Job,
    Suite,
    actor,
    deploy,
    deploy_suite,
    events_of,
    now,
    travel_to,
)

PRICE, BOND, LATE_PENALTY = 100 * MILL, 150 * MILL, 10 * MILL
STAKED = 1_000 * MILL
MAX_AMOUNT = 2**128 - 1
MAX_BOUND_TIME = 302_400
TERMS_TYPE = "(address,address,address,bytes32,bytes32,uint256,uint256,uint256,uint256,uint256,uint256)"


def commitment_of(job: Job, deliverable: bytes | None = None) -> bytes:
    terms_hash = keccak(encode([TERMS_TYPE], [job.terms]))
    return terms_hash if deliverable is None else keccak(terms_hash + deliverable)


@pytest.fixture
def evaluator(suite: Suite) -> str:
    """An evaluator whose calls a test makes itself, for the jobs posted from now on."""
    address = actor("evaluator")
    suite.escrow.set_evaluator(address, sender=suite.admin)
    return address


# ------------------------------------------------------------------ construction
def test_constructor__hands_over_to_the_admin(suite: Suite) -> None:
    escrow = suite.escrow
    assert (escrow.owner(), escrow.pending_owner()) == (suite.admin, ZERO_ADDRESS)
    assert (escrow.payment_token(), escrow.staking()) == (suite.mill.address, suite.staking.address)
    assert (escrow.minimum_bond_bps(), escrow.late_penalty_bps()) == (MINIMUM_BOND_BPS, LATE_PENALTY_BPS)
    assert (escrow.job_count(), escrow.escrowed()) == (0, 0)


@pytest.mark.parametrize(
    ("position", "value", "reason"),
    [
        (0, ZERO_ADDRESS, "escrow: no payment token"),
        (1, ZERO_ADDRESS, "escrow: no staking"),
        (2, ZERO_ADDRESS, "escrow: no admin"),
        (3, 999, "policy: bond ratio too low"),
        (3, 100_001, "policy: bond ratio too high"),
        (4, 5_001, "policy: late penalty too high"),
    ],
)
def test_constructor__bad_argument__reverts(suite: Suite, position: int, value: Any, reason: str) -> None:
    arguments: list[Any] = [suite.mill.address, suite.staking.address, suite.admin, 10_000, 1_000]
    arguments[position] = value
    with boa.reverts(reason):
        deploy("JobEscrow.vy", *arguments)


# ------------------------------------------------------------------ post
def test_post__escrows_the_price_and_snapshots_the_terms(suite: Suite) -> None:
    escrow, requester = suite.escrow, suite.requester
    before = suite.mill.balanceOf(requester)
    job = suite.post()
    terms = (
        requester,
        ZERO_ADDRESS,
        suite.committee.address,
        MODEL_ID,
        INPUT_ROOT,
        PRICE,
        BOND,
        LATE_PENALTY,
        now() + DAY,
        2 * HOUR,
        3 * HOUR,
    )
    assert job.terms == terms
    assert (job.id, escrow.job_count()) == (1, 1)
    assert (escrow.state(1), escrow.provider(1), escrow.deadline(1)) == (FUNDED, ZERO_ADDRESS, now() + DAY)
    assert escrow.commitment(1) == escrow.terms_hash(terms) == commitment_of(job)
    assert escrow.escrowed() == suite.mill.balanceOf(escrow.address) == PRICE
    assert suite.mill.balanceOf(requester) == before - PRICE


def test_post__logs_the_erc_8183_events_and_the_terms(suite: Suite) -> None:
    named = actor("named")
    suite.escrow.post(suite.offer(provider=named), sender=suite.requester)
    logged = events_of(suite.escrow)
    assert [name for name, _ in logged] == ["JobCreated", "JobFunded", "JobPosted"]
    assert logged[0][1] == {
        "jobId": 1,
        "client": suite.requester,
        "provider": named,
        "evaluator": suite.committee.address,
        "expiredAt": now() + DAY + 5 * HOUR,
        "hook": ZERO_ADDRESS,
    }
    assert logged[1][1] == {"jobId": 1, "client": suite.requester, "amount": PRICE}
    posted = logged[2][1]
    assert (posted["jobId"], posted["requester"], posted["model_id"]) == (1, suite.requester, MODEL_ID)
    assert suite.escrow.terms_hash(tuple(posted["terms"])) == suite.escrow.commitment(1)


def test_post__numbers_jobs_in_order(suite: Suite) -> None:
    assert [suite.post().id for _ in range(3)] == [1, 2, 3]


def test_post__before_an_evaluator_is_set__reverts(suite: Suite) -> None:
    escrow = deploy(
        "JobEscrow.vy", suite.mill.address, suite.staking.address, suite.admin, MINIMUM_BOND_BPS, 0
    )
    with boa.reverts("policy: no evaluator"):
        escrow.post(suite.offer(), sender=suite.requester)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": 0}, "policy: no price"),
        ({"price": MAX_AMOUNT + 1}, "policy: price too large"),
        ({"price": MAX_UINT256, "bond": MAX_UINT256}, "policy: price too large"),
        ({"bond": MAX_AMOUNT + 1}, "policy: bond too large"),
        ({"bond": PRICE - 1}, "policy: bond too small"),
        ({"bond": 0}, "policy: bond too small"),
        ({"claim_deadline": 0}, "policy: claim deadline passed"),
        ({"claim_deadline": MAX_UINT256}, "policy: claim deadline too far"),
        ({"submit_window": 0}, "policy: no submit window"),
        ({"evaluation_window": 0}, "policy: no evaluation window"),
        ({"submit_window": MAX_BOUND_TIME + 1}, "policy: submit window too long"),
        ({"submit_window": MAX_UINT256}, "policy: submit window too long"),
        ({"submit_window": MAX_BOUND_TIME}, "policy: windows too long"),
        ({"evaluation_window": MAX_UINT256}, "policy: windows too long"),
    ],
)
def test_post__offer_out_of_bounds__reverts(suite: Suite, changes: dict[str, int], reason: str) -> None:
    with boa.reverts(reason):
        suite.post(**changes)


def test_post__claim_deadline__is_later_than_now_and_within_thirty_days(suite: Suite) -> None:
    with boa.reverts("policy: claim deadline passed"):
        suite.post(claim_deadline=now())
    with boa.reverts("policy: claim deadline too far"):
        suite.post(claim_deadline=now() + 30 * DAY + 1)
    assert suite.post(claim_deadline=now() + 1).claim_deadline == now() + 1
    assert suite.post(claim_deadline=now() + 30 * DAY).claim_deadline == now() + 30 * DAY


def test_post__smallest_and_largest_values__are_accepted(suite: Suite) -> None:
    smallest = suite.post(price=1, bond=1, submit_window=1, evaluation_window=1)
    assert (smallest.price, smallest.bond, smallest.late_penalty) == (1, 1, 0)
    longest = suite.post(submit_window=MAX_BOUND_TIME - 1, evaluation_window=1)
    assert longest.submit_window + longest.evaluation_window == MAX_BOUND_TIME


def test_post__bond_ratio__is_exact_to_the_base_unit(suite: Suite) -> None:
    suite.escrow.set_minimum_bond_bps(12_345, sender=suite.admin)
    least = -(-(7 * 12_345) // 10_000)
    with boa.reverts("policy: bond too small"):
        suite.post(price=7, bond=least - 1)
    assert suite.post(price=7, bond=least).bond == least


def test_post__late_penalty__rounds_down_and_never_exceeds_the_bond(suite: Suite) -> None:
    assert suite.post(price=19, bond=19).late_penalty == 1
    suite.escrow.set_minimum_bond_bps(1_000, sender=suite.admin)
    suite.escrow.set_late_penalty_bps(5_000, sender=suite.admin)
    assert suite.post(price=1_000, bond=100).late_penalty == 100


def test_post__without_allowance__reverts(suite: Suite, stranger: str) -> None:
    with boa.reverts("erc20: insufficient allowance"):
        suite.post(requester=stranger)


def test_post__fee_on_transfer_token__reverts() -> None:
    suite = deploy_suite(payment="MockFeeToken")
    with boa.reverts("token: amount not received"):
        suite.post()


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


def events_of_staking(suite: Suite) -> list[tuple[str, dict[str, Any]]]:
    """What staking logged inside the escrow's latest call."""
    return [
        (type(event).__name__, event._asdict())
        for event in suite.escrow.get_logs()
        if str(event.address) == str(suite.staking.address)
    ]


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


# ------------------------------------------------------------------ forged terms
FORGERIES: list[dict[str, Any]] = [
    {"requester": "0x" + "66" * 20},
    {"provider": "0x" + "66" * 20},
    {"evaluator": "0x" + "66" * 20},
    {"model_id": INPUT_ROOT},
    {"input_root": MODEL_ID},
    {"price": PRICE + 1},
    {"bond": BOND - 1},
    {"late_penalty": 0},
    {"claim_deadline": 1},
    {"submit_window": 1},
    {"evaluation_window": 1},
]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: next(iter(forgery)))
def test_terms__any_field_forged__every_call_reverts(
    suite: Suite, evaluator: str, forgery: dict[str, Any]
) -> None:
    escrow = suite.escrow
    posted, claimed, submitted = suite.post(), suite.claimed(), suite.submitted()
    calls: list[tuple[Job, str, str, Callable[[Any], None]]] = [
        (
            posted,
            "escrow: other terms",
            "cancel",
            lambda t: escrow.cancel(posted.id, t, sender=suite.requester),
        ),
        (posted, "escrow: other terms", "claim", lambda t: escrow.claim(posted.id, t, sender=suite.worker)),
        (
            claimed,
            "escrow: other terms",
            "submit",
            lambda t: escrow.submit(claimed.id, t, DELIVERABLE, sender=suite.worker),
        ),
        (
            submitted,
            "escrow: other terms or answer",
            "complete",
            lambda t: escrow.complete(submitted.id, t, DELIVERABLE, REASON, sender=evaluator),
        ),
        (
            submitted,
            "escrow: other terms or answer",
            "reject",
            lambda t: escrow.reject(submitted.id, t, DELIVERABLE, REASON, sender=evaluator),
        ),
        (posted, "escrow: other terms", "refund", lambda t: escrow.claimRefund(posted.id, t, ZERO_WORD)),
        (
            submitted,
            "escrow: other terms or answer",
            "refund",
            lambda t: escrow.claimRefund(submitted.id, t, DELIVERABLE),
        ),
    ]
    for job, reason, _name, call in calls:
        with boa.reverts(reason):
            call(job.replace(**forgery))


@pytest.mark.parametrize("field", range(3))
def test_terms__dirty_bits_above_an_address__revert(suite: Suite, field: int) -> None:
    """Terms have one encoding: what the hash covers is what the contract acts on."""
    job = suite.post()
    clean = suite.escrow.claim.prepare_calldata(job.id, job.terms)
    position = 4 + 32 * (1 + field)
    dirty = clean[:position] + b"\1" + clean[position + 1 :]
    with pytest.raises(Revert, match=r"^b''$"):
        boa.env.raw_call(suite.escrow.address, sender=suite.worker, data=dirty)
    boa.env.raw_call(suite.escrow.address, sender=suite.worker, data=clean)
    assert suite.escrow.provider(job.id) == suite.worker


@pytest.mark.parametrize("call", ["complete", "reject", "claimRefund"])
def test_deliverable__other_than_submitted__reverts(suite: Suite, evaluator: str, call: str) -> None:
    job = suite.submitted()
    arguments = (job.id, job.terms, INPUT_ROOT) + (() if call == "claimRefund" else (REASON,))
    with boa.reverts("escrow: other terms or answer"):
        getattr(suite.escrow, call)(*arguments, sender=evaluator)


def test_terms__of_another_job__revert(suite: Suite) -> None:
    first, second = suite.post(), suite.post(price=2 * PRICE, bond=2 * BOND)
    with boa.reverts("escrow: other terms"):
        suite.escrow.cancel(first.id, second.terms, sender=suite.requester)


# ------------------------------------------------------------------ odd payment tokens
def test_token_that_returns_nothing__works_from_post_to_payment() -> None:
    suite = deploy_suite(payment="MockSilentToken")
    job = suite.submitted()
    suite.transmit([job])
    assert suite.payment.balanceOf(suite.worker) == PRICE
    assert suite.escrow.escrowed() == 0


def test_token_that_answers_false__reverts() -> None:
    suite = deploy_suite(payment="MockFickleToken")
    job = suite.post()
    suite.payment.set_failing(True)
    with boa.reverts("token: pull failed"):
        suite.post()
    with boa.reverts("token: push failed"):
        suite.escrow.cancel(job.id, job.terms, sender=suite.requester)
    assert suite.escrow.state(job.id) == FUNDED


def test_reentrant_token__cannot_enter_any_function_during_a_refund() -> None:
    """The calls are open to anyone and legitimate by themselves: only the lock stops them here."""
    suite = deploy_suite(payment="MockReentrantToken")
    escrow, token = suite.escrow, suite.payment
    first, second = suite.post(), suite.post()
    travel_to(second.claim_deadline + 1)
    nested = escrow.claimRefund.prepare_calldata(second.id, second.terms, ZERO_WORD)
    token.arm(escrow.address, nested)
    escrow.claimRefund(first.id, first.terms, ZERO_WORD)
    assert (token.attempts(), token.successes()) == (1, 0)
    assert (escrow.state(first.id), escrow.state(second.id)) == (EXPIRED, FUNDED)

    boa.env.raw_call(escrow.address, data=nested)
    assert escrow.state(second.id) == EXPIRED


@pytest.mark.parametrize("moment", ["post", "cancel", "complete", "reject", "expire"])
@pytest.mark.parametrize("view", ["escrowed", "job_count"])
def test_reentrant_token__cannot_even_read_half_done_state(moment: str, view: str) -> None:
    suite = deploy_suite(payment="MockReentrantToken")
    escrow, token = suite.escrow, suite.payment
    judge = actor("evaluator")
    escrow.set_evaluator(judge, sender=suite.admin)
    posted, submitted = suite.post(), suite.submitted()
    offer = suite.offer()
    token.arm(escrow.address, getattr(escrow, view).prepare_calldata())
    if moment == "post":
        escrow.post(offer, sender=suite.requester)
    elif moment == "cancel":
        escrow.cancel(posted.id, posted.terms, sender=suite.requester)
    elif moment == "expire":
        travel_to(posted.claim_deadline + 1)
        escrow.claimRefund(posted.id, posted.terms, ZERO_WORD)
    else:
        getattr(escrow, moment)(submitted.id, submitted.terms, DELIVERABLE, REASON, sender=judge)
    assert (token.attempts(), token.successes()) == (1, 0)


def test_reentrant_token__its_call_succeeds_where_no_lock_is_held() -> None:
    """The mock's own test: an attempt that fails above failed because of the lock."""
    suite = deploy_suite(payment="MockReentrantToken")
    token = suite.payment
    token.arm(suite.staking.address, suite.staking.total_staked.prepare_calldata())
    suite.post()
    assert (token.attempts(), token.successes()) == (1, 1)


# ------------------------------------------------------------------ owner
def test_set_evaluator__applies_to_new_jobs(suite: Suite, admin: str) -> None:
    successor = actor("successor")
    suite.escrow.set_evaluator(successor, sender=admin)
    assert events_of(suite.escrow) == [("EvaluatorSet", {"evaluator": successor})]
    assert suite.escrow.evaluator() == suite.post().evaluator == successor


def test_set_evaluator__zero__reverts(escrow: Any, admin: str) -> None:
    with boa.reverts("policy: zero evaluator"):
        escrow.set_evaluator(ZERO_ADDRESS, sender=admin)


@pytest.mark.parametrize("bps", [1_000, 100_000])
def test_set_minimum_bond_bps__bounds__are_inclusive(escrow: Any, admin: str, bps: int) -> None:
    escrow.set_minimum_bond_bps(bps, sender=admin)
    assert events_of(escrow) == [("BondRatioSet", {"minimum_bond_bps": bps})]
    assert escrow.minimum_bond_bps() == bps


@pytest.mark.parametrize(
    ("bps", "reason"), [(999, "policy: bond ratio too low"), (100_001, "policy: bond ratio too high")]
)
def test_set_minimum_bond_bps__out_of_bounds__reverts(escrow: Any, admin: str, bps: int, reason: str) -> None:
    with boa.reverts(reason):
        escrow.set_minimum_bond_bps(bps, sender=admin)


@pytest.mark.parametrize("bps", [0, 5_000])
def test_set_late_penalty_bps__bounds__are_inclusive(escrow: Any, admin: str, bps: int) -> None:
    escrow.set_late_penalty_bps(bps, sender=admin)
    assert events_of(escrow) == [("LatePenaltySet", {"late_penalty_bps": bps})]
    assert escrow.late_penalty_bps() == bps


def test_set_late_penalty_bps__too_high__reverts(escrow: Any, admin: str) -> None:
    with boa.reverts("policy: late penalty too high"):
        escrow.set_late_penalty_bps(5_001, sender=admin)


def test_settings__only_the_owner(suite: Suite) -> None:
    for caller in (suite.stranger, suite.requester, suite.worker, suite.committee.address):
        with boa.reverts("ownable: caller is not the owner"):
            suite.escrow.set_evaluator(caller, sender=caller)
        with boa.reverts("ownable: caller is not the owner"):
            suite.escrow.set_minimum_bond_bps(10_000, sender=caller)
        with boa.reverts("ownable: caller is not the owner"):
            suite.escrow.set_late_penalty_bps(0, sender=caller)
