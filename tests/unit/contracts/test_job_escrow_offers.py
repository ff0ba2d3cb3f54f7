"""What the escrow accepts as an offer, and what its owner may set."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.unit.contracts.job_escrow_cases import (
    BOND,
    LATE_PENALTY,
    MAX_AMOUNT,
    MAX_BOUND_TIME,
    PRICE,
    commitment_of,
)
from tests.unit.contracts.suite import (
    DAY,
    FUNDED,
    HOUR,
    INPUT_ROOT,
    LATE_PENALTY_BPS,
    MAX_UINT256,
    MINIMUM_BOND_BPS,
    MODEL_ID,
    ZERO_ADDRESS,
    Suite,
    actor,
    deploy,
    deploy_suite,
    events_of,
    now,
)


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
