"""The owner's settings, their bounds, and that nobody else has them."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.suite.deployment import DAY, NOBODY, deploy, events_of
from tests.unit.contracts.job_escrow.market import Market

ROLES = (
    "evaluator",
    "arbiter",
    "treasury",
    "requester",
    "worker",
    "hot_key",
    "challenger",
    "stranger",
)


@pytest.fixture
def fresh(market: Market) -> Any:
    """An escrow as it is deployed."""
    return deploy("JobEscrow.vy", market.staking.address, market.admin)


def test_constructor__starts_with_nothing_but_defaults(market: Market, fresh: Any) -> None:
    assert (fresh.owner(), fresh.pending_owner(), fresh.staking()) == (
        market.admin,
        NOBODY,
        market.staking.address,
    )
    assert [fresh.evaluator(), fresh.arbiter(), fresh.capability_registry(), fresh.treasury()] == [NOBODY] * 4
    assert (fresh.rates(), fresh.windows()) == ((0, 0, 1_000, 1_000), (3_600, 86_400))
    assert (fresh.job_count(), fresh.closed()) == (0, 0)
    assert (fresh.owed(market.token.address), fresh.bond_rate(market.token.address)) == (0, 0)
    assert fresh.fees(market.token.address, market.evaluator) == (0, 0)


def test_constructor__no_staking_or_admin__reverts(market: Market) -> None:
    with boa.reverts("payments: no staking"):
        deploy("JobEscrow.vy", NOBODY, market.admin)
    with boa.reverts("ownership: no owner"):
        deploy("JobEscrow.vy", market.staking.address, NOBODY)


def test_code__fits(market: Market) -> None:
    """EIP-170."""
    assert len(boa.env.get_code(market.escrow.address)) < 24_576


def test_views__of_a_job_that_never_was__are_empty(fresh: Any) -> None:
    views = (fresh.state, fresh.stage, fresh.deadline, fresh.closeReason, fresh.runway)
    assert [view(1) for view in views] == [0] * 5
    assert fresh.commitment(1) == bytes(32)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("setter", "arguments"),
    [
        ("set_evaluator", (NOBODY,)),
        ("set_arbiter", (NOBODY,)),
        ("set_capability_registry", (NOBODY,)),
        ("set_treasury", (NOBODY,)),
        ("set_payment_token", (NOBODY, 0)),
        ("set_rates", (0, 0, 0, 0)),
        ("set_windows", (600, 3_600)),
        ("set_pauser", (NOBODY,)),
        ("set_unpauser", (NOBODY,)),
        ("transfer_ownership", (NOBODY,)),
    ],
)
def test_setters__by_anybody_else__revert(market: Market, setter: str, arguments: Any, role: str) -> None:
    with boa.reverts("ownership: not the owner"):
        getattr(market.escrow, setter)(*arguments, sender=getattr(market, role))


def test_set_evaluator(market: Market) -> None:
    escrow = market.escrow
    market.post()
    kept = escrow.windows(), escrow.job_count()
    escrow.set_evaluator(market.stranger, sender=market.admin)
    assert events_of(escrow) == [("EvaluatorSet", {"evaluator": market.stranger})]
    assert escrow.evaluator() == market.stranger
    assert (escrow.windows(), escrow.job_count()) == kept
    assert market.post().terms.evaluator == market.stranger
    with boa.reverts("policy: zero evaluator"):
        escrow.set_evaluator(NOBODY, sender=market.admin)


def test_set_arbiter(market: Market) -> None:
    escrow, rates = market.escrow, market.escrow.rates()
    escrow.set_arbiter(market.stranger, sender=market.admin)
    assert events_of(escrow) == [("ArbiterSet", {"arbiter": market.stranger})]
    assert (escrow.arbiter(), escrow.rates()) == (market.stranger, rates)
    assert market.post().terms.arbiter == market.stranger
    escrow.set_arbiter(NOBODY, sender=market.admin)
    with boa.reverts("policy: no arbiter"):
        market.post()


def test_set_capability_registry(market: Market) -> None:
    market.escrow.set_capability_registry(market.stranger, sender=market.admin)
    assert events_of(market.escrow) == [("CapabilityRegistrySet", {"registry": market.stranger})]
    assert market.escrow.capability_registry() == market.stranger


def test_set_treasury(market: Market) -> None:
    market.escrow.set_treasury(market.stranger, sender=market.admin)
    assert events_of(market.escrow) == [("TreasurySet", {"treasury": market.stranger})]
    assert market.escrow.treasury() == market.stranger
    with boa.reverts("payments: no treasury"):
        market.escrow.set_treasury(NOBODY, sender=market.admin)


def test_set_rates(market: Market) -> None:
    escrow = market.escrow
    escrow.set_rates(1_000, 1_000, 5_000, 2_500, sender=market.admin)
    names = ("protocol_fee_bps", "evaluator_fee_bps", "late_penalty_bps", "reporter_bps")
    most = (1_000, 1_000, 5_000, 2_500)
    assert events_of(escrow) == [("RatesSet", dict(zip(names, most, strict=True)))]
    assert (escrow.rates(), escrow.arbiter()) == (most, market.arbiter)
    escrow.set_rates(0, 0, 0, 0, sender=market.admin)
    assert escrow.rates() == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("rates", "reason"),
    [
        ((1_001, 0, 0, 0), "policy: protocol fee too high"),
        ((0, 1_001, 0, 0), "policy: evaluator fee too high"),
        ((0, 0, 5_001, 0), "policy: late penalty too high"),
        ((0, 0, 0, 2_501), "policy: reporter share too high"),
    ],
)
def test_set_rates__above_the_bounds__reverts(market: Market, rates: tuple[int, ...], reason: str) -> None:
    with boa.reverts(reason):
        market.escrow.set_rates(*rates, sender=market.admin)


def test_set_rates__protocol_fee_without_a_treasury__reverts(market: Market, fresh: Any) -> None:
    with boa.reverts("policy: no treasury"):
        fresh.set_rates(1, 0, 0, 0, sender=market.admin)
    fresh.set_rates(0, 1, 0, 0, sender=market.admin)
    fresh.set_treasury(market.treasury, sender=market.admin)
    fresh.set_rates(1, 0, 0, 0, sender=market.admin)


def test_set_windows(market: Market) -> None:
    escrow = market.escrow
    market.post()
    for windows in ((600, 3_600), (DAY, 2 * DAY)):
        escrow.set_windows(*windows, sender=market.admin)
        names = ("challenge_window", "dispute_window")
        assert events_of(escrow) == [("WindowsSet", dict(zip(names, windows, strict=True)))]
        assert (escrow.windows(), escrow.evaluator(), escrow.job_count()) == (windows, market.evaluator, 1)


@pytest.mark.parametrize(
    ("windows", "reason"),
    [
        ((599, 3_600), "policy: challenge too short"),
        ((DAY + 1, 3_600), "policy: challenge too long"),
        ((600, 3_599), "policy: dispute too short"),
        ((600, 2 * DAY + 1), "policy: dispute too long"),
    ],
)
def test_set_windows__out_of_range__reverts(market: Market, windows: tuple[int, int], reason: str) -> None:
    with boa.reverts(reason):
        market.escrow.set_windows(*windows, sender=market.admin)


def test_set_payment_token(market: Market) -> None:
    escrow, token = market.escrow, market.token.address
    job = market.post()
    owed = market.owed()
    for rate in (2**128 - 1, 1, 0):
        escrow.set_payment_token(token, rate, sender=market.admin)
        assert events_of(escrow) == [("PaymentTokenSet", {"token": token, "bond_rate": rate})]
        assert (escrow.bond_rate(token), market.owed()) == (rate, owed)
    market.pass_deadline(job)
    escrow.claimRefund(*job.arguments)  # what is owed is paid in a token that is taken no more
    assert market.owed() == 0


def test_set_payment_token__rate_out_of_range__reverts(market: Market) -> None:
    with boa.reverts("payments: bond rate too high"):
        market.escrow.set_payment_token(market.token.address, 2**128, sender=market.admin)


def test_set_payment_token__one_that_staking_does_not_share__reverts(market: Market) -> None:
    with boa.reverts("payments: no earnings token"):
        market.escrow.set_payment_token(market.stranger, 1, sender=market.admin)
    market.escrow.set_payment_token(market.stranger, 0, sender=market.admin)


def test_pause__closes_no_exit(market: Market) -> None:
    """Every call but post and claim, with both closed."""
    jobs = {
        "cancel": market.post(),
        "submit": market.claimed(),
        "complete": market.submitted(),
        "reject": market.submitted(),
        "void": market.submitted(),
        "contest": market.submitted(),
        "dismiss": market.contested(),
        "uphold": market.contested(),
        "convict": market.contested(),
        "claimRefund": market.post(),
        "finalize": market.submitted(),
    }
    escrow = market.escrow
    escrow.pause(3, sender=market.admin)
    reason = b"reason".ljust(32)
    escrow.cancel(*jobs["cancel"].arguments[:2], sender=market.requester)
    market.answer(jobs["submit"])
    for call in ("complete", "reject", "void"):
        getattr(escrow, call)(*jobs[call].arguments, reason, sender=market.evaluator)
    for call in ("contest", "dismiss"):
        getattr(escrow, call)(*jobs[call].arguments, sender=market.arbiter)
    escrow.uphold(*jobs["uphold"].arguments, reason, sender=market.arbiter)
    escrow.convict(*jobs["convict"].arguments, NOBODY, reason, sender=market.arbiter)
    market.pass_deadline(jobs["claimRefund"])
    escrow.claimRefund(*jobs["claimRefund"].arguments)
    escrow.finalize(*jobs["finalize"].arguments)
    escrow.collect_earnings(market.token.address, market.worker)
    escrow.collect_fees(market.token.address, market.evaluator)


def test_pause__unknown_flag__reverts(market: Market) -> None:
    with boa.reverts("pausable: unknown flag"):
        market.escrow.pause(4, sender=market.admin)
