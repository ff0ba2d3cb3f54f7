"""Construction, and what the owner sets: bounds, events, and that nobody else can."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.unit.contracts.staking.deployment import (
    DAY,
    DELEGATE,
    MILL,
    NOBODY,
    STAKE,
    THAW_PERIOD,
    Stage,
    actor,
    delegation_pool,
    deploy,
    events_of,
    own_pool,
)

MILLION = 1_000_000 * MILL
OTHER = actor("other")

SETTINGS: list[tuple[str, tuple[Any, ...], str, dict[str, Any]]] = [
    (
        "set_verifier",
        (OTHER, True),
        "VerifierSet",
        {"verifier": OTHER, "authorised": True},
    ),
    ("set_thaw_period", (7 * DAY,), "ThawPeriodSet", {"thaw_period": 7 * DAY}),
    ("set_thaw_period", (28 * DAY,), "ThawPeriodSet", {"thaw_period": 28 * DAY}),
    ("set_slash_caps", (100, 100), "SlashCapsSet", {"fault_bps": 100, "window_bps": 100}),
    ("set_slash_caps", (5_000, 5_000), "SlashCapsSet", {"fault_bps": 5_000, "window_bps": 5_000}),
    (
        "set_delegation_limits",
        (MILLION, 1_000 * MILL, 100),
        "DelegationLimitsSet",
        {"minimum_self_stake": MILLION, "minimum_delegation": 1_000 * MILL, "delegation_ratio": 100},
    ),
    (
        "set_delegation_limits",
        (0, 1, 0),
        "DelegationLimitsSet",
        {"minimum_self_stake": 0, "minimum_delegation": 1, "delegation_ratio": 0},
    ),
    ("set_insurance", (OTHER, 10_000), "InsuranceSet", {"insurance": OTHER, "insurance_bps": 10_000}),
    ("set_insurance", (NOBODY, 0), "InsuranceSet", {"insurance": NOBODY, "insurance_bps": 0}),
    ("add_earnings_token", (OTHER,), "EarningsTokenAdded", {"token": OTHER}),
    ("set_pauser", (OTHER,), "PauserSet", {"pauser": OTHER}),
    ("set_unpauser", (OTHER,), "UnpauserSet", {"unpauser": OTHER}),
    ("transfer_ownership", (OTHER,), "OwnershipTransferStarted", {"new_owner": OTHER}),
]


# ------------------------------------------------------------------ construction
def test_constructor__hands_over_to_the_admin(stage: Stage, staking: Any, mill: Any) -> None:
    assert (staking.owner(), staking.pending_owner()) == (stage.admin, NOBODY)
    assert (staking.stake_token(), staking.thaw_period()) == (mill.address, THAW_PERIOD)


def test_constructor__starts_with_the_default_limits_and_everything_open(mill: Any, admin: str) -> None:
    staking = deploy("Staking.vy", mill.address, admin, THAW_PERIOD)
    assert [name for name, _ in events_of(staking)] == [
        "OwnershipTransferred",
        "ThawPeriodSet",
        "SlashCapsSet",
        "DelegationLimitsSet",
    ]
    assert staking.slash_caps() == (1_000, 3_000)
    assert staking.delegation_limits() == (0, MILL, 10)
    assert staking.insurance() == (NOBODY, 0)
    assert (staking.closed(), staking.pauser(), staking.unpauser()) == (0, NOBODY, NOBODY)
    assert staking.total_staked() == 0


@pytest.mark.parametrize(
    ("token", "owner", "period", "reason"),
    [
        (NOBODY, OTHER, THAW_PERIOD, "staking: no stake token"),
        (OTHER, NOBODY, THAW_PERIOD, "ownership: no owner"),
        (OTHER, OTHER, 7 * DAY - 1, "pool: thaw period too short"),
        (OTHER, OTHER, 28 * DAY + 1, "pool: thaw period too long"),
    ],
)
def test_constructor__bad_argument__reverts(token: str, owner: str, period: int, reason: str) -> None:
    with boa.reverts(reason):
        deploy("Staking.vy", token, owner, period)


def test_pools__are_named_by_operator_and_side(staking: Any, operator: str) -> None:
    assert staking.own_pool(operator) == own_pool(operator) == int(operator, 16)
    assert staking.delegation_pool(operator) == delegation_pool(operator) == int(operator, 16) + 2**160


# ------------------------------------------------------------------ owner
@pytest.mark.parametrize(("function", "arguments", "event", "fields"), SETTINGS)
def test_setting__by_the_owner__is_logged(
    staking: Any, admin: str, function: str, arguments: tuple[Any, ...], event: str, fields: dict[str, Any]
) -> None:
    getattr(staking, function)(*arguments, sender=admin)
    if event == "OwnershipTransferStarted":
        fields = {"previous_owner": admin, **fields}
    assert events_of(staking) == [(event, fields)]


@pytest.mark.parametrize(("function", "arguments", "event", "fields"), SETTINGS)
@pytest.mark.parametrize("role", ["operator", "delegator", "verifier", "stranger", "pauser"])
def test_setting__by_anybody_else__reverts(
    stage: Stage,
    function: str,
    arguments: tuple[Any, ...],
    event: str,
    fields: dict[str, Any],
    role: str,
) -> None:
    stage.staking.set_pauser(actor("pauser"), sender=stage.admin)
    sender = actor("pauser") if role == "pauser" else getattr(stage, role)
    with boa.reverts("ownership: not the owner"):
        getattr(stage.staking, function)(*arguments, sender=sender)


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        ("set_verifier", (NOBODY, True), "verifiers: zero address"),
        ("set_thaw_period", (7 * DAY - 1,), "pool: thaw period too short"),
        ("set_thaw_period", (28 * DAY + 1,), "pool: thaw period too long"),
        ("set_slash_caps", (99, 3_000), "limits: fault cap too low"),
        ("set_slash_caps", (3_001, 3_000), "limits: window below fault cap"),
        ("set_slash_caps", (1_000, 5_001), "limits: window cap too high"),
        ("set_delegation_limits", (MILLION + 1, MILL, 10), "limits: self-stake too high"),
        ("set_delegation_limits", (0, 0, 10), "limits: no minimum delegation"),
        ("set_delegation_limits", (0, 1_000 * MILL + 1, 10), "limits: delegation too high"),
        ("set_delegation_limits", (0, MILL, 101), "limits: ratio too high"),
        ("set_insurance", (OTHER, 10_001), "slash: insurance share too large"),
        ("set_insurance", (NOBODY, 1), "slash: no insurance"),
        ("add_earnings_token", (NOBODY,), "earnings: no token"),
    ],
)
def test_setting__out_of_bounds__reverts(
    staking: Any, admin: str, function: str, arguments: tuple[Any, ...], reason: str
) -> None:
    with boa.reverts(reason):
        getattr(staking, function)(*arguments, sender=admin)


def test_settings__are_kept_apart_in_their_word(staking: Any, admin: str) -> None:
    staking.set_delegation_limits(MILLION, 1_000 * MILL, 100, sender=admin)
    staking.set_slash_caps(4_321, 4_567, sender=admin)
    assert staking.delegation_limits() == (MILLION, 1_000 * MILL, 100)
    staking.set_delegation_limits(3, 2, 1, sender=admin)
    assert staking.delegation_limits() == (3, 2, 1)
    assert staking.slash_caps() == (4_321, 4_567)
    staking.set_insurance(OTHER, 1_234, sender=admin)
    assert staking.insurance() == (OTHER, 1_234)


def test_set_insurance__this_contract_or_the_token__reverts(staking: Any, mill: Any, admin: str) -> None:
    for address in (staking.address, mill.address):
        with boa.reverts("slash: no insurance"):
            staking.set_insurance(address, 1, sender=admin)


def test_set_verifier__adds_and_removes(staking: Any, admin: str) -> None:
    assert not staking.is_verifier(OTHER)
    staking.set_verifier(OTHER, True, sender=admin)
    assert staking.is_verifier(OTHER)
    staking.set_verifier(OTHER, False, sender=admin)
    assert not staking.is_verifier(OTHER)


def test_add_earnings_token__twice_or_a_ninth__reverts(staking: Any, admin: str) -> None:
    tokens = [actor(f"token {number}") for number in range(8)]
    for token in tokens:
        assert not staking.is_earnings_token(token)
        staking.add_earnings_token(token, sender=admin)
        assert staking.is_earnings_token(token)
    with boa.reverts("earnings: token listed already"):
        staking.add_earnings_token(tokens[7], sender=admin)
    with boa.reverts("earnings: too many tokens"):
        staking.add_earnings_token(OTHER, sender=admin)


def test_ownership__moves_in_two_steps(staking: Any, admin: str) -> None:
    staking.transfer_ownership(OTHER, sender=admin)
    with boa.reverts("ownership: not the next owner"):
        staking.accept_ownership(sender=admin)
    staking.accept_ownership(sender=OTHER)
    assert events_of(staking) == [("OwnershipTransferred", {"previous_owner": admin, "new_owner": OTHER})]
    assert staking.owner() == OTHER


# ------------------------------------------------------------------ entries that can be closed
@pytest.fixture
def closed(stage: Stage) -> Stage:
    """Everything that can be closed is closed, after stake, delegation, earnings and requests exist."""
    stage.delegate(stage.delegator, 10 * MILL)
    stage.commit(MILL)
    pauser = actor("pauser")
    stage.staking.set_pauser(pauser, sender=stage.admin)
    stage.staking.pause(STAKE | DELEGATE, sender=pauser)
    return stage


def test_pause__closes_entries(closed: Stage) -> None:
    staking = closed.staking
    for enter, arguments in (
        (staking.stake, (MILL,)),
        (staking.stake_for, (closed.operator, MILL)),
        (staking.delegate, (closed.operator, MILL, 0)),
    ):
        with boa.reverts("pausable: closed"):
            enter(*arguments, sender=closed.delegator)
    pool = delegation_pool(closed.operator)
    staking.requestRedeem(pool, 10 * MILL, sender=closed.delegator)
    boa.env.evm.patch.timestamp += THAW_PERIOD
    with boa.reverts("pausable: closed"):
        staking.redelegate(pool, closed.operator, 0, 1, sender=closed.delegator)


def test_pause__one_flag__leaves_the_other_entry_open(stage: Stage) -> None:
    staking, pauser = stage.staking, actor("pauser")
    staking.set_pauser(pauser, sender=stage.admin)
    staking.set_unpauser(pauser, sender=stage.admin)
    stage.fund(stage.delegator, 10 * MILL)
    staking.pause(STAKE, sender=pauser)
    assert staking.delegate(stage.operator, MILL, 0, sender=stage.delegator) == MILL
    with boa.reverts("pausable: closed"):
        staking.stake(MILL, sender=stage.delegator)
    staking.unpause(STAKE, sender=pauser)
    staking.pause(DELEGATE, sender=pauser)
    assert staking.stake(MILL, sender=stage.delegator) == MILL
    with boa.reverts("pausable: unknown flag"):
        staking.pause(4, sender=pauser)


def test_pause__closes_no_exit_and_no_settlement(closed: Stage) -> None:
    staking = closed.staking
    own, shared = own_pool(closed.operator), delegation_pool(closed.operator)
    staking.requestRedeem(shared, 4 * MILL, sender=closed.delegator)
    staking.cancelRedeemRequest(shared, 0, sender=closed.delegator)
    closed.slash(MILL)
    closed.commit(MILL)
    staking.release(closed.operator, MILL, sender=closed.verifier)
    token = closed.earnings_token()
    staking.distribute(closed.operator, token.address, MILL, sender=closed.holder)
    staking.pay_earnings(closed.operator, token.address, closed.delegator, sender=closed.stranger)
    assert closed.leave(shared, closed.delegator) == 10 * MILL
    assert closed.leave(own, closed.operator) == Stage.OWN_STAKE - MILL
