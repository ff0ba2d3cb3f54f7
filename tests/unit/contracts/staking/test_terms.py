"""An operator's cut with notice, whether it accepts delegation, and its hot keys."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.unit.contracts.staking.deployment import (
    DAY,
    MILL,
    NOBODY,
    THAW_PERIOD,
    Stage,
    actor,
    events_of,
    now,
    travel,
)


def announced(
    operator: str, cut_bps: int, accepts: bool, effective_at: int
) -> list[tuple[str, dict[str, Any]]]:
    fields = {
        "operator": operator,
        "cut_bps": cut_bps,
        "accepts_delegation": accepts,
        "effective_at": effective_at,
    }
    return [("TermsAnnounced", fields)]


def test_set_terms__the_first__counts_at_once(staking: Any, stranger: str) -> None:
    assert staking.terms(stranger) == (0, 0, 0, False)
    staking.set_terms(2_500, True, sender=stranger)
    assert events_of(staking) == announced(stranger, 2_500, True, now())
    assert staking.terms(stranger) == (2_500, 2_500, now(), True)


@pytest.mark.parametrize("cut_bps", [0, 999, 1_001, 10_000])
def test_set_terms__another_cut__counts_after_the_thaw_period(
    staking: Any, operator: str, cut_bps: int
) -> None:
    effective_at = now() + THAW_PERIOD
    staking.set_terms(cut_bps, False, sender=operator)
    assert events_of(staking) == announced(operator, cut_bps, False, effective_at)
    assert staking.terms(operator) == (1_000, cut_bps, effective_at, False)
    travel(THAW_PERIOD - 1)
    assert staking.terms(operator)[0] == 1_000
    travel(1)
    assert staking.terms(operator)[0] == cut_bps


def test_set_terms__a_cut_announced_again__keeps_its_time(staking: Any, operator: str) -> None:
    effective_at = now() + THAW_PERIOD
    staking.set_terms(3_000, True, sender=operator)
    travel(DAY)
    staking.set_terms(3_000, False, sender=operator)
    assert events_of(staking) == announced(operator, 3_000, False, effective_at)


def test_set_terms__a_third_cut__starts_a_new_notice_from_the_one_that_counts(
    staking: Any, operator: str
) -> None:
    staking.set_terms(3_000, True, sender=operator)
    travel(THAW_PERIOD - 1)
    staking.set_terms(9_000, True, sender=operator)
    assert staking.terms(operator) == (1_000, 9_000, now() + THAW_PERIOD, True)
    travel(THAW_PERIOD)
    staking.set_terms(5_000, True, sender=operator)
    assert staking.terms(operator) == (9_000, 5_000, now() + THAW_PERIOD, True)


def test_set_terms__a_shorter_thaw_period_later__does_not_shorten_the_notice(
    staking: Any, operator: str, admin: str
) -> None:
    staking.set_terms(9_000, True, sender=operator)
    staking.set_thaw_period(7 * DAY, sender=admin)
    travel(THAW_PERIOD - 1)
    assert staking.terms(operator)[0] == 1_000


def test_set_terms__more_than_everything__reverts(staking: Any, operator: str) -> None:
    with boa.reverts("terms: cut too large"):
        staking.set_terms(10_001, True, sender=operator)


def test_set_terms__changes_the_callers_only(staking: Any, operator: str, stranger: str) -> None:
    staking.set_terms(9_999, False, sender=stranger)
    assert staking.terms(operator)[1:] == (1_000, staking.terms(operator)[2], True)


# ------------------------------------------------------------------ hot keys
def test_set_hot_key__lets_the_key_commit(staking: Any, operator: str, verifier: str) -> None:
    key = actor("hot key")
    assert not staking.is_hot_key(operator, key)
    staking.set_hot_key(key, True, sender=operator)
    fields = {"operator": operator, "key": key, "authorised": True}
    assert events_of(staking) == [("HotKeySet", fields)]
    assert staking.is_hot_key(operator, key)
    staking.commit(operator, key, MILL, sender=verifier)

    staking.set_hot_key(key, False, sender=operator)
    assert events_of(staking) == [("HotKeySet", fields | {"authorised": False})]
    with boa.reverts("terms: not operator or hot key"):
        staking.commit(operator, key, MILL, sender=verifier)


def test_set_hot_key__nobody__reverts(staking: Any, operator: str) -> None:
    with boa.reverts("terms: no key"):
        staking.set_hot_key(NOBODY, True, sender=operator)


def test_hot_key__of_one_operator__is_none_of_another(staking: Any, operator: str, stranger: str) -> None:
    key = actor("hot key")
    staking.set_hot_key(key, True, sender=stranger)
    assert not staking.is_hot_key(operator, key)


def test_hot_key__never_moves_stake(stage: Stage, staking: Any, operator: str, own: int) -> None:
    key = actor("hot key")
    staking.set_hot_key(key, True, sender=operator)
    with boa.reverts("pool: more shares than owned"):
        staking.requestRedeem(own, 1, sender=key)
    staking.requestRedeem(own, MILL, sender=operator)
    with boa.reverts("pool: no such request"):
        staking.cancelRedeemRequest(own, 0, sender=key)
    travel(THAW_PERIOD)
    with boa.reverts("pool: nothing to redeem"):
        staking.redelegate(own, operator, 0, 1, sender=key)
    staking.set_terms(5_000, False, sender=key)  # its own terms
    assert staking.terms(operator)[1] == Stage.CUT_BPS
