"""The packed words and formulas of a job: equal to the model for any values, and refused where a field is too narrow."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import boa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.models.job_escrow import FULL_BPS, MAX_AMOUNT, NO_WORD, NOBODY, RATES, SCHEDULE, Terms, pack
from tests.suite.deployment import deploy

quick = settings(max_examples=60, deadline=None)
amounts = st.one_of(st.integers(1, 1_000), st.integers(1, MAX_AMOUNT))
bps = st.integers(0, FULL_BPS)


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/JobTermsHarness.vy")


@st.composite
def terms_of_jobs(draw: st.DrawFn) -> Terms:
    ceiling = draw(amounts)
    schedule = {name: draw(st.integers(0, 2**width - 1)) for name, width in SCHEDULE.items()}
    schedule["ramp"] = draw(st.one_of(st.just(0), st.integers(0, 100), st.integers(0, 2**24 - 1)))
    rates = {name: draw(st.integers(0, 2**width - 1)) for name, width in RATES.items()}
    for name in RATES:
        if name.endswith("_bps"):
            rates[name] = draw(bps)
    terms = Terms(NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NO_WORD, 0, ceiling, 0, 0, 0)
    return replace(
        terms,
        price_floor=draw(st.integers(0, ceiling)),
        bond=draw(amounts),
        schedule=pack(SCHEDULE, schedule),
        rates=pack(RATES, rates),
    )


@quick
@given(values=st.tuples(*(st.integers(0, 2**width - 1) for width in SCHEDULE.values())))
def test_schedule__every_field_in_its_place(harness: Any, values: tuple[int, ...]) -> None:
    assert harness.pack_schedule(*values) == pack(SCHEDULE, dict(zip(SCHEDULE, values, strict=True)))


@quick
@given(values=st.tuples(*(st.integers(0, 2**width - 1) for width in RATES.values())))
def test_rates__every_field_in_its_place(harness: Any, values: tuple[int, ...]) -> None:
    fields = dict(zip(RATES, values, strict=True))
    fields["flags"] &= 1
    arguments = {**fields, "flags": bool(fields["flags"])}
    assert harness.pack_rates(*arguments.values()) == pack(RATES, fields)


@quick
@given(place=st.integers(0, len(SCHEDULE) - 1), excess=st.integers(0, 2**200))
def test_schedule__a_field_too_wide__reverts(harness: Any, place: int, excess: int) -> None:
    values = [0] * len(SCHEDULE)
    values[place] = 2 ** list(SCHEDULE.values())[place] + excess
    with boa.reverts("terms: schedule out of range"):
        harness.pack_schedule(*values)


@quick
@given(name=st.sampled_from([name for name in RATES if name != "flags"]), excess=st.integers(0, 2**200))
def test_rates__a_field_too_wide__reverts(harness: Any, name: str, excess: int) -> None:
    values: dict[str, Any] = dict.fromkeys(RATES, 0) | {"flags": False, name: 2 ** RATES[name] + excess}
    with boa.reverts("terms: tier out of range" if name == "tier" else "terms: rates out of range"):
        harness.pack_rates(*values.values())


@quick
@given(
    stage=st.integers(0, 255), deadline=st.integers(0, 2**40 - 1), record=st.binary(min_size=32, max_size=32)
)
def test_word__stage_deadline_and_the_low_bits_of_the_hash(
    harness: Any, stage: int, deadline: int, record: bytes
) -> None:
    low = int.from_bytes(record, "big") % 2**208
    assert harness.pack_word(stage, deadline, record) == stage << 248 | deadline << 208 | low


@quick
@given(deadline=st.integers(2**40, 2**256 - 1))
def test_word__deadline_too_late__reverts(harness: Any, deadline: int) -> None:
    with boa.reverts("word: deadline out of range"):
        harness.pack_word(1, deadline, NO_WORD)


@quick
@given(terms=terms_of_jobs(), offset=st.integers(-100, 2**25))
def test_price__is_the_models_and_between_floor_and_ceiling(harness: Any, terms: Terms, offset: int) -> None:
    time = max(0, terms.of_schedule("posted_at") + offset)
    price = harness.price_at(astuple(terms), time)
    assert price == terms.price_at(time)
    assert terms.price_floor <= price <= terms.price_ceiling
    assert price <= harness.price_at(astuple(terms), time + 1)


@quick
@given(terms=terms_of_jobs(), is_attested=st.booleans(), time=st.integers(0, 2**40))
def test_shares__are_the_models_and_never_more_than_the_whole(
    harness: Any, terms: Terms, is_attested: bool, time: int
) -> None:
    price = terms.price_at(time)
    fees = harness.fees(terms.rates, price, is_attested)
    assert fees == terms.fees(price, is_attested)
    assume(terms.of_rates("protocol_fee_bps") + terms.of_rates("evaluator_fee_bps") <= FULL_BPS)
    assert sum(fees) <= price
    assert harness.cancellation_fee(terms.rates, price) == terms.cancellation_fee(price) <= price
    assert harness.late_penalty(astuple(terms)) == terms.late_penalty() <= terms.bond
    cap = harness.compensation_cap(astuple(terms), price)
    assert cap == terms.compensation_cap(price) <= terms.of_rates("ceiling_in_stake")
