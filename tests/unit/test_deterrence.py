"""What a lie costs, against the closed form of the economics and at the edges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.economics.thresholds import gain_per_price, honest_draw
from proofmill.client import MILL
from proofmill.deterrence import BOND_MULTIPLE, Deterrence
from proofmill.sampling import PARTS, SamplingPolicy

POLICY = SamplingPolicy()


@pytest.mark.parametrize("faults", range(1, 11))
def test_default_bond__lie_at_the_floor_loses_with_a_third_of_any_committee_colluding(faults: int) -> None:
    refuted = POLICY.floor_rate / PARTS * honest_draw(3 * faults + 1, faults, POLICY.judges)
    assert gain_per_price(1.0, refuted, BOND_MULTIPLE) < 0
    assert gain_per_price(1.0, refuted, 1.0) > 0.9


@pytest.mark.parametrize("price", [1, 7, 10 * MILL, 10 * MILL + 1])
@pytest.mark.parametrize("judges", [1, 2, 3])
def test_least_bond__is_the_first_with_which_lying_loses(price: int, judges: int) -> None:
    policy, draws = replace(POLICY, judges=judges), [3, 9, 27][judges - 1]
    least = Deterrence(price, 0, policy).least_bond

    def loses(bond: int) -> bool:
        return price * PARTS * draws < policy.floor_rate * (draws - 1) * (price + bond)

    assert loses(least)
    assert not loses(least - 1)
    assert Deterrence(price, least, policy).holds
    assert not Deterrence(price, least - 1, policy).holds


def test_least_bond__everything_is_judged_by_many__even_no_bond_may_do() -> None:
    always = replace(POLICY, floor_rate=PARTS, first_rate=PARTS, judges=4)
    assert Deterrence(1_000, 0, always).least_bond == 1_000 * 81 // 80 - 1_000 + 1


def test_words__enough__says_what_is_lost_and_compares() -> None:
    said = str(Deterrence(10 * MILL, 400 * MILL))
    assert said.startswith("a worker that lies loses 400 MILL; that is more than it can win by lying")
    assert said.endswith("lowest sampling rate of 3%")


def test_words__too_little__says_from_where_on_it_is_enough() -> None:
    said = str(Deterrence(10 * MILL, 10 * MILL))
    assert "too low" in said
    [needed] = [word for word in said.split() if word.startswith("36")]
    assert Deterrence(10 * MILL, int(float(needed) * 100) * MILL // 100).holds
