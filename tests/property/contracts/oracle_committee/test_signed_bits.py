"""Every bit of a signed report, of the mask and of a signature counts; digests equal those of another implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boa
import pytest
from eth.exceptions import Revert
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.oracle_committee import (
    COMPLETE,
    REJECT,
    VOID,
    Answer,
    Measurement,
    Report,
    Terms,
    Verdict,
    measurements_hash,
    report_digest,
    signatures_required,
    verdicts_hash,
)
from tests.suite.deployment import EVIDENCE
from tests.unit.contracts.oracle_committee.assembly import (
    Assembly,
    assemble,
    chain_id,
    compact_signature,
    long_signature,
    verdict,
)

ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
WORDS = st.binary(min_size=32, max_size=32)
NUMBERS = st.integers(0, 2**256 - 1)
HEADS = st.builds(Report, WORDS, st.integers(0, 2**64 - 1), NUMBERS, WORDS, ADDRESSES)
TERMS = st.builds(Terms, *[ADDRESSES] * 6, WORDS, *[NUMBERS] * 5)
VERDICTS = st.builds(
    Verdict, NUMBERS, st.integers(0, 255), TERMS, st.builds(Answer, ADDRESSES, NUMBERS, WORDS)
)
MEASUREMENTS = st.builds(Measurement, WORDS, ADDRESSES, *[NUMBERS] * 4, WORDS, NUMBERS, NUMBERS)


@dataclass
class Signed:
    """A report of two verdicts with one signature of each length, as calldata."""

    assembly: Assembly
    calldata: bytes


@pytest.fixture(scope="module")
def assembly() -> Assembly:
    return assemble()


@pytest.fixture(scope="module")
def signed(assembly: Assembly) -> Signed:
    head, items, mask, _ = assembly.signed([verdict(16), verdict(32)], sequence=2)
    digest = assembly.digest(head, verdicts_hash(head, items))
    signatures = [long_signature(assembly.keys[0], digest), compact_signature(assembly.keys[1], digest)]
    return Signed(assembly, assembly.committee.transmit.prepare_calldata(head, items, mask, signatures))


def content(calldata: bytes) -> list[int]:
    """The positions of all bytes that mean something: neither offsets nor the padding of a signature."""

    def word(position: int) -> int:
        return int.from_bytes(calldata[position : position + 32], "big")

    items_at, signatures_at = 4 + word(4 + 5 * 32), 4 + word(4 + 7 * 32)
    head_and_mask = [*range(4, 4 + 5 * 32), *range(4 + 6 * 32, 4 + 7 * 32)]
    items = [*range(items_at, items_at + 32 + word(items_at) * 17 * 32)]
    signatures = []
    for place in range(word(signatures_at)):
        start = signatures_at + 32 + word(signatures_at + 32 + 32 * place)
        signatures += [*range(start, start + 32 + word(start))]
    return head_and_mask + items + signatures


def test_signed_report__as_it_is__counts(signed: Signed) -> None:
    boa.env.raw_call(signed.assembly.committee.address, data=signed.calldata)
    assert signed.assembly.escrow.calls() == 2
    assert len(content(signed.calldata)) == 6 * 32 + 32 + 2 * 17 * 32 + 2 * 32 + 65 + 64


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_signed_report__with_any_bit_changed__is_refused(signed: Signed, data: st.DataObject) -> None:
    position = data.draw(st.sampled_from(content(signed.calldata)), label="byte")
    bit = data.draw(st.integers(0, 7), label="bit")
    changed = bytearray(signed.calldata)
    changed[position] ^= 1 << bit
    with pytest.raises(Revert):
        boa.env.raw_call(signed.assembly.committee.address, data=bytes(changed))
    assert signed.assembly.escrow.calls() == 0
    assert signed.assembly.committee.latest_sequence() == 0


@settings(max_examples=60, deadline=None)
@given(head=HEADS, items=st.lists(VERDICTS, max_size=64))
def test_verdicts_hash__equals_the_model(assembly: Assembly, head: Report, items: list[Verdict]) -> None:
    report_hash = assembly.committee.verdicts_hash(head, items)
    assert report_hash == verdicts_hash(head, items)
    digest = assembly.committee.report_digest(head.config_digest, head.sequence, report_hash)
    contract = str(assembly.committee.address)
    assert digest == report_digest(chain_id(), contract, head.config_digest, head.sequence, report_hash)


@settings(max_examples=60, deadline=None)
@given(head=HEADS, items=st.lists(MEASUREMENTS, max_size=16))
def test_measurements_hash__equals_the_model(
    assembly: Assembly, head: Report, items: list[Measurement]
) -> None:
    assert assembly.committee.measurements_hash(head, items) == measurements_hash(head, items)


@settings(max_examples=100, deadline=None)
@given(
    outcomes=st.lists(st.sampled_from([COMPLETE, COMPLETE, REJECT, VOID]), min_size=1, max_size=8),
    mask=st.integers(0, 31),
    batch=st.booleans(),
)
def test_mask__counts_exactly_when_it_names_as_many_members_as_the_outcomes_need(
    assembly: Assembly, outcomes: list[int], mask: int, batch: bool
) -> None:
    """Every set of members, also with a bit that is nobody's."""
    items = [verdict(16 * (place + 1), outcome) for place, outcome in enumerate(outcomes)]
    places = [place for place in range(5) if mask >> place & 1]
    seated = [place for place in places if place < 4]
    head, _, _, signatures = assembly.signed(items, places=seated)
    signatures += [long_signature(assembly.keys[0], EVIDENCE)] * (len(places) - len(seated))
    call: Any = assembly.committee.transmit_batch if batch else assembly.committee.transmit
    if places == seated and len(places) == signatures_required(outcomes, 1):
        call(head, items, mask, signatures)
        assert [assembly.escrow.outcome(item.job_id) for item in items] == outcomes
    else:
        with pytest.raises(boa.BoaError):
            call(head, items, mask, signatures)
        assert assembly.escrow.calls() == 0
