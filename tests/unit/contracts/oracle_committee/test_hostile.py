"""Hostile relayers and targets, and what must be trusted all the same."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth.exceptions import Revert

from tests.models.oracle_committee import COMPLETE, REJECT
from tests.suite.deployment import events_of
from tests.unit.contracts.oracle_committee.assembly import (
    BURNS_GAS,
    NEEDS_GAS,
    REENTERS,
    REFUSES,
    Assembly,
    verdict,
)

GAS_FLOOR = 1_000_000
JOB = 16


# ------------------------------------------------------------------ gas
@pytest.mark.parametrize("function", ["transmit", "transmit_batch"])
def test_relayer__that_starves_the_items__fails_as_a_whole(assembly: Assembly, function: str) -> None:
    """These items refuse with less than 450,000 gas, and none does: every item is applied, or nothing is."""
    arguments = assembly.signed([verdict(16 * place + NEEDS_GAS) for place in range(1, 4)])
    refused = accepted = 0
    for gas in range(300_000, 1_600_000, 50_000):
        with boa.env.anchor():
            try:
                getattr(assembly.committee, function)(*arguments, gas=gas)
            except boa.BoaError:
                refused += 1
                continue
            accepted += 1
            assert events_of(assembly.committee)[-1][1]["applied"] == 0b111
    assert refused >= 5
    assert accepted >= 5


def test_relayer__with_less_than_the_floor__gets_the_reason(assembly: Assembly) -> None:
    arguments = assembly.signed([verdict(JOB)])
    with boa.reverts("committee: too little gas"):
        assembly.committee.transmit(*arguments, gas=GAS_FLOOR)
    assembly.committee.transmit(*arguments, gas=GAS_FLOOR + 100_000)
    assert assembly.escrow.outcome(JOB) == COMPLETE


def test_target__that_burns_all_its_gas__stops_no_other_when_the_relayer_brings_more(
    assembly: Assembly,
) -> None:
    """It gets 63/64 of what there is; 64 times the floor and the others still run."""
    arguments = assembly.signed([verdict(JOB + BURNS_GAS), verdict(32)])
    with boa.reverts("committee: too little gas"):
        assembly.committee.transmit(*arguments, gas=30 * GAS_FLOOR)
    assembly.committee.transmit(*arguments, gas=70 * GAS_FLOOR)
    assert events_of(assembly.committee)[-1][1]["applied"] == 0b10


# ------------------------------------------------------------------ re-entry
@pytest.mark.parametrize("name", ["transmit", "prove_equivocation", "leave", "set_config", "apply_key"])
def test_target__cannot_come_back_in(assembly: Assembly, name: str) -> None:
    """The one lock is held by `transmit`, so no function of the contract can be entered from an item."""
    inner: Any = {
        "transmit": assembly.signed([verdict(32)], sequence=2),
        "prove_equivocation": (assembly.equivocation(assembly.keys[3]),),
        "leave": (),
        "set_config": (assembly.operators, 1),
        "apply_key": (assembly.operators[0],),
    }[name]
    assembly.escrow.arm(
        assembly.committee.address, getattr(assembly.committee, name).prepare_calldata(*inner)
    )
    assembly.committee.transfer_ownership(assembly.escrow.address, sender=assembly.admin)
    assembly.transmit([verdict(JOB + REENTERS)])
    assert assembly.escrow.reentry_succeeded() is False
    assert assembly.escrow.outcome(JOB + REENTERS) == COMPLETE
    assert assembly.committee.latest_sequence() == 1


# ------------------------------------------------------------------ encodings
def test_relayer__with_dirty_calldata__reverts(assembly: Assembly) -> None:
    """Bits above a narrow value would let one report be written in many ways."""
    arguments = assembly.signed([verdict(JOB)])
    clean = assembly.committee.transmit.prepare_calldata(*arguments)

    def word(position: int) -> int:
        return int.from_bytes(clean[position : position + 32], "big")

    items_at = 4 + word(4 + 5 * 32)
    sequence_at, target_at = 4 + 32, 4 + 4 * 32
    outcome_at, requester_at = items_at + 2 * 32, items_at + 3 * 32
    assert (word(sequence_at), word(outcome_at)) == (1, COMPLETE)
    assert word(requester_at) == int(arguments[1][0].terms.requester, 16)
    assert word(target_at) == int(str(assembly.escrow.address), 16)
    for position in (sequence_at, target_at, outcome_at, requester_at):
        dirty = clean[:position] + b"\1" + clean[position + 1 :]
        with pytest.raises(Revert, match=r"^b''$"):
            boa.env.raw_call(assembly.committee.address, data=dirty)
        assert assembly.committee.latest_sequence() == 0
    boa.env.raw_call(assembly.committee.address, data=clean)
    assert assembly.escrow.outcome(JOB) == COMPLETE


def test_relayer__with_huge_lengths__reverts(assembly: Assembly) -> None:
    """An array that claims more items than there are bytes."""
    clean = assembly.committee.transmit.prepare_calldata(*assembly.signed([verdict(JOB)]))
    length_at = 4 + int.from_bytes(clean[4 + 5 * 32 : 4 + 6 * 32], "big")
    for length in (8, 9, 2**64, 2**256 - 1):
        forged = clean[:length_at] + length.to_bytes(32, "big") + clean[length_at + 32 :]
        with pytest.raises(Revert, match=r"^b''$"):
            boa.env.raw_call(assembly.committee.address, data=forged)
    assert assembly.committee.latest_sequence() == 0


# ------------------------------------------------------------------ what must be trusted
def test_relayer__with_a_withheld_report__delays_another_and_decides_nothing(assembly: Assembly) -> None:
    """A later number voids an earlier one; the job is judged by the next."""
    withheld = assembly.signed([verdict(JOB + REFUSES)], sequence=3)
    in_flight = assembly.signed([verdict(32)], sequence=2)
    assembly.committee.transmit(*withheld, sender=assembly.stranger)
    with boa.reverts("committee: stale sequence"):
        assembly.committee.transmit(*in_flight)
    assembly.transmit([verdict(32)])
    assert assembly.escrow.outcome(32) == COMPLETE


def test_committee__f_members__decide_nothing(assembly: Assembly) -> None:
    for places in ((0,), ()):
        with boa.reverts("committee: signature count"):
            assembly.transmit([verdict(JOB)], places=places)
    with boa.reverts("committee: signature count"):
        assembly.transmit([verdict(JOB, REJECT)], places=(0, 1))
