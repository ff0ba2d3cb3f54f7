"""The terms of a job: packed words, hashes and prices, against their definitions."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from proofmill.chain import Answer, Job, JobState, JobTerms, PostedJob, Rates, Schedule, StageFlag, terms_hash
from proofmill.chain.errors import InvalidValue
from proofmill.chain.records import CloseReason, commitment_of, submitted_hash
from proofmill.chain.terms import REOPENS, minimum_bond, request_hash
from proofmill.chain.types import EMPTY_ADDRESS, address
from tests.unit.chain.values import addresses, all_terms, answers, priced_terms, rates, schedules, words

PROVIDER = address("0x" + "a1" * 20)

# The drawings in IJobEscrow.vyi, highest bits first.
SCHEDULE_BITS = {
    "dispute_window": 176,
    "challenge_window": 152,
    "evaluation_window": 128,
    "submit_window": 104,
    "claim_deadline": 64,
    "ramp": 40,
    "posted_at": 0,
}
RATES_BITS = {
    "ceiling_in_stake": 96,
    "flags": 88,
    "tier": 80,
    "reporter_bps": 64,
    "cancellation_bps": 48,
    "late_penalty_bps": 32,
    "evaluator_fee_bps": 16,
    "protocol_fee_bps": 0,
}


# ------------------------------------------------------------------ packed words
@given(schedule=schedules)
def test_schedule__packed__has_each_field_at_its_bits(schedule: Schedule) -> None:
    expected = sum(getattr(schedule, name) << shift for name, shift in SCHEDULE_BITS.items())
    assert schedule.pack() == expected
    assert Schedule.unpack(expected) == schedule


@given(terms_rates=rates)
def test_rates__packed__has_each_field_at_its_bits(terms_rates: Rates) -> None:
    expected = sum(getattr(terms_rates, name) << shift for name, shift in RATES_BITS.items())
    assert terms_rates.pack() == expected
    assert Rates.unpack(expected) == terms_rates


@pytest.mark.parametrize("kind", [Schedule, Rates])
def test_unpack__bits_above_the_last_field__are_refused(kind: type[Schedule] | type[Rates]) -> None:
    width = sum(kind.WIDTHS)
    kind.unpack(2**width - 1)
    for word in (2**width, 2**256, -1):
        with pytest.raises(InvalidValue):
            kind.unpack(word)


@pytest.mark.parametrize("kind", [Schedule, Rates])
def test_packed_word__field_wider_than_its_bits__is_refused(kind: type[Schedule] | type[Rates]) -> None:
    zeros = kind.unpack(0)
    for field, width in zip(fields(kind), kind.WIDTHS, strict=True):
        replace(zeros, **{field.name: 2**width - 1})
        for value in (2**width, -1):
            with pytest.raises(InvalidValue, match=field.name):
                replace(zeros, **{field.name: value})


# ------------------------------------------------------------------ hashes
@given(terms=all_terms, answer=answers)
def test_hashes__of_every_record__are_those_of_the_interface(terms: JobTerms, answer: Answer) -> None:
    flat = keccak(encode(["address"] * 6 + ["bytes32"] + ["uint256"] * 5, terms.to_abi()))
    assert terms_hash(terms) == flat
    submitted = (flat, answer.provider, answer.claimed_at, answer.deliverable)
    expected = keccak(encode(["bytes32", "address", "uint256", "bytes32"], submitted))
    assert submitted_hash(terms, answer) == expected
    assert int.from_bytes(commitment_of(expected), "big") == int.from_bytes(expected, "big") % 2**208


@given(terms=all_terms)
def test_abi__terms__round_trip_with_numbers_for_the_words(terms: JobTerms) -> None:
    values = terms.to_abi()
    assert isinstance(values[-1], int)
    assert JobTerms.from_abi(values) == terms
    names = [field.name for field in fields(JobTerms)]
    assert JobTerms.from_abi(dict(zip(names, values, strict=True))) == terms
    with pytest.raises(InvalidValue):
        JobTerms.from_abi(values[1:])


@given(terms=all_terms, model_id=words, input_root=words)
def test_is_sound__request_beside_the_terms__must_be_the_one_they_bind(
    terms: JobTerms, model_id: bytes, input_root: bytes
) -> None:
    bound = replace(terms, request_hash=request_hash(model_id, input_root))
    posted = PostedJob(1, EMPTY_ADDRESS, bound, model_id, input_root, 1)
    assert posted.is_sound
    assert not replace(posted, terms=replace(bound, request_hash=bytes(32))).is_sound


# ------------------------------------------------------------------ prices
@given(terms=priced_terms(), passed=st.integers(-(2**24), 2**25))
def test_price_at__any_moment__is_on_the_line_rounded_down(terms: JobTerms, passed: int) -> None:
    ramp = terms.schedule.ramp
    elapsed = min(max(passed, 0), ramp)
    rise = terms.price_ceiling - terms.price_floor
    expected = terms.price_floor + rise * elapsed // ramp if elapsed < ramp else terms.price_ceiling
    assert terms.price_at(terms.schedule.posted_at + passed) == expected


@given(terms=priced_terms(), share=st.fractions(0, 1))
def test_time_of_price__any_price__is_the_first_moment_that_pays_it(terms: JobTerms, share: float) -> None:
    price = int(terms.price_ceiling * share)
    moment = terms.time_of_price(price)
    assert moment is not None
    assert terms.price_at(moment) >= price
    if moment > terms.schedule.posted_at:
        assert terms.price_at(moment - 1) < price
    assert terms.time_of_price(terms.price_ceiling + 1) is None


@given(terms=priced_terms(), taken=st.integers(0, 2**96 - 1), share=st.fractions(0, 1))
def test_compensation__any_slash__neither_above_the_injury_nor_above_half(
    terms: JobTerms, taken: int, share: float
) -> None:
    price = int(terms.price_ceiling * share)
    paid = terms.compensation(price, taken)
    assert 2 * paid <= taken
    assert paid * terms.price_ceiling <= terms.rates.ceiling_in_stake * price


def test_minimum_bond__rounds_up() -> None:
    assert minimum_bond(10, 10**18) == 10
    assert minimum_bond(1, 1) == 1
    assert minimum_bond(10**18, 3) == 3
    assert minimum_bond(10**18 + 1, 3) == 4


# ------------------------------------------------------------------ stages
@pytest.mark.parametrize(
    ("stage", "state", "flags", "reason", "awaits"),
    [
        (0x01, JobState.FUNDED, StageFlag(0), CloseReason.NONE, False),
        (0x11, JobState.FUNDED, StageFlag.CLAIMED, CloseReason.NONE, False),
        (0x02, JobState.SUBMITTED, StageFlag(0), CloseReason.NONE, True),
        (0x22, JobState.SUBMITTED, StageFlag.CONDEMNED, CloseReason.NONE, False),
        (0x42, JobState.SUBMITTED, StageFlag.CONTESTED, CloseReason.NONE, False),
        (0x62, JobState.SUBMITTED, StageFlag.CONDEMNED | StageFlag.CONTESTED, CloseReason.NONE, False),
        (0x13, JobState.COMPLETED, StageFlag(0), CloseReason.ATTESTED, False),
        (0xB3, JobState.COMPLETED, StageFlag(0), CloseReason.REFUTED, False),
        (0x84, JobState.REJECTED, StageFlag(0), CloseReason.CONDEMNED, False),
        (0x75, JobState.EXPIRED, StageFlag(0), CloseReason.NOT_EVALUATED, False),
    ],
)
def test_stage__of_every_kind__is_read(
    stage: int, state: JobState, flags: StageFlag, reason: CloseReason, awaits: bool
) -> None:
    terms = JobTerms(*[EMPTY_ADDRESS] * 6, bytes(32), 1, 2, 3, Schedule.unpack(0), Rates.unpack(0))
    job = Job(1, EMPTY_ADDRESS, terms, bytes(32), bytes(32), 1, stage, 0, bytes(32))
    assert (job.state, job.flags, job.close_reason, job.awaits_verdict) == (state, flags, reason, awaits)


@given(terms=all_terms, provider=addresses, claimed_at=st.integers(1, 2**40 - 1))
def test_claimed_by__receipt_of_a_claim__is_the_claimed_job(
    terms: JobTerms, provider: str, claimed_at: int
) -> None:
    job = Job(1, EMPTY_ADDRESS, terms, bytes(32), bytes(32), 1, 0x01, 9, terms_hash(terms))
    assert job.is_open
    claimed = job.claimed_by(address(provider), claimed_at)
    assert (claimed.is_open, claimed.is_claimed, claimed.provider) == (False, True, provider)
    assert claimed.deadline == claimed_at + terms.schedule.submit_window
    values = (terms_hash(terms), provider, claimed_at, terms.schedule.evaluation_window)
    assert claimed.commitment == keccak(encode(["bytes32", "address", "uint256", "uint256"], values))


def test_pay__of_a_paid_job__is_the_price_less_fees() -> None:
    shares = replace(
        Rates.unpack(0), protocol_fee_bps=100, evaluator_fee_bps=200, cancellation_bps=1_000, flags=REOPENS
    )
    terms = JobTerms(*[EMPTY_ADDRESS] * 6, bytes(32), 999, 999, 3, Schedule.unpack(0), shares)
    attested = Job(
        1, EMPTY_ADDRESS, terms, bytes(32), bytes(32), 1, 0x13, 0, bytes(32), provider=PROVIDER, claimed_at=5
    )
    assert attested.pay == 999 - 9 - 19
    assert replace(attested, stage=0x23).pay == 999 - 9  # nobody attested: no evaluator's fee
    assert replace(attested, stage=0x84).pay == 0
    assert replace(attested, stage=0xA4).pay == 99 - 0 - 1  # voided: a tenth of the price, less fees of it
    assert terms.reopens
    assert not terms.is_exact
