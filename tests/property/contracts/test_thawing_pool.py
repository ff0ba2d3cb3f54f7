"""Share rounding of the thawing pool: exact loss up to dust, never a token too many, nothing left behind."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.contracts.suite import DAY, MILL, actor, deploy, now, travel_to

THAW_PERIOD = 7 * DAY
AMOUNTS = st.one_of(st.integers(1, 20), st.integers(1, 1_000 * MILL))


@pytest.fixture(scope="module")
def pool() -> Any:
    return deploy("mocks/ThawingPoolHarness.vy", THAW_PERIOD)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_withdrawals__in_any_order__pay_out_exactly_what_is_left(pool: Any, data: st.DataObject) -> None:
    """Requests and slashes interleave; then all requests leave in a random order."""
    operator = actor("operator")
    paid_in = slashed = 0
    exact: list[Fraction] = []  # what each request is worth without any rounding
    for _ in range(data.draw(st.integers(1, 8), "steps")):
        if exact and data.draw(st.booleans(), "slash?"):
            amount = data.draw(st.integers(0, 2 * pool.thawing(operator)), "slash")
            before = pool.thawing(operator)
            taken = pool.slash(operator, amount)
            assert taken == min(amount, before)
            slashed += taken
            kept = Fraction(before - taken, before) if before else Fraction(0)
            exact = [worth * kept for worth in exact]
        else:
            amount = data.draw(AMOUNTS, "request")
            pool.add(operator, amount)
            paid_in += amount
            exact.append(Fraction(amount))
        state = pool.pool(operator)
        assert state[0] <= state[1]
        assert state[0] == paid_in - slashed

    travel_to(now() + THAW_PERIOD)
    left = paid_in - slashed
    paid = {}
    for request_id in data.draw(st.permutations(range(len(exact))), "order"):
        promised = pool.unstake_request(operator, request_id)[0]
        paid[request_id] = pool.remove(operator, request_id)
        assert paid[request_id] == promised
        left -= paid[request_id]
        assert left == pool.thawing(operator) >= 0
    assert left == 0
    assert sum(paid.values()) == paid_in - slashed


@settings(max_examples=60, deadline=None)
@given(
    amounts=st.lists(AMOUNTS, min_size=1, max_size=8),
    slash_share=st.fractions(0, 1),
    data=st.data(),
)
def test_slash__falls_on_every_request_in_proportion__to_a_unit_per_request(
    pool: Any, amounts: list[int], slash_share: Fraction, data: st.DataObject
) -> None:
    """Each request, whenever it leaves, gets its exact share less at most one unit for each request that is left
    with it, and at most the dust of those that left before."""
    operator = actor("operator")
    for amount in amounts:
        pool.add(operator, amount)
    total = sum(amounts)
    taken = pool.slash(operator, int(total * slash_share))
    travel_to(now() + THAW_PERIOD)
    for request_id in data.draw(st.permutations(range(len(amounts))), "order"):
        exact = Fraction(amounts[request_id] * (total - taken), total)
        assert abs(pool.remove(operator, request_id) - exact) <= len(amounts)


@settings(max_examples=40, deadline=None)
@given(
    first=AMOUNTS,
    left=st.integers(1, 5),
    later=st.lists(st.integers(1, 10**6), min_size=1, max_size=6),
)
def test_request__after_a_slash_that_left_dust__loses_at_most_dust(
    pool: Any, first: int, left: int, later: list[int]
) -> None:
    operator = actor("operator")
    pool.add(operator, first + left)
    pool.slash(operator, first)
    for amount in later:
        request_id = pool.add(operator, amount)
        # One unit for its own shares rounded down, one for the value rounded down.
        assert amount - 2 < pool.unstake_request(operator, request_id)[0] <= amount


@settings(max_examples=40, deadline=None)
@given(old=st.lists(AMOUNTS, min_size=1, max_size=4), new=st.lists(AMOUNTS, min_size=1, max_size=4))
def test_full_slash__old_requests_never_touch_new_tokens(pool: Any, old: list[int], new: list[int]) -> None:
    operator = actor("operator")
    old_ids = [pool.add(operator, amount) for amount in old]
    assert pool.slash(operator, sum(old)) == sum(old)
    new_ids = [pool.add(operator, amount) for amount in new]
    travel_to(now() + THAW_PERIOD)
    assert [pool.remove(operator, request_id) for request_id in old_ids] == [0] * len(old)
    assert [pool.remove(operator, request_id) for request_id in new_ids] == new
