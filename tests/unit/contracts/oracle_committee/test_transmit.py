"""What a report does."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi.abi import decode

from tests.models.oracle_committee import COMPLETE, REJECT, TERMS_TYPE, VOID, Verdict, words
from tests.suite.deployment import EVIDENCE, ROOT, deploy, events_of, now, travel_to
from tests.unit.contracts.oracle_committee.assembly import (
    IN_SILENCE,
    MAXIMUM_REPORT_AGE,
    REFUSES,
    REFUSES_AT_LENGTH,
    REVERTS_WITH_A_BOMB,
    Assembly,
    assemble,
    compact_signature,
    long_signature,
    measurement,
    verdict,
)

ERROR_SELECTOR = bytes.fromhex("08c379a0")


def told(item: Verdict, reason: bytes = EVIDENCE) -> bytes:
    """The arguments that the escrow must have received."""
    answer = "(address,uint256,bytes32)"
    return words(["uint256", TERMS_TYPE, answer, "bytes32"], [item.job_id, item.terms, item.answer, reason])


def refusals_of(committee: Any) -> list[tuple[int, bytes]]:
    return [
        (fields["index"], fields["cause"]) for name, fields in events_of(committee) if name == "ItemRefused"
    ]


# ------------------------------------------------------------------ transmit
@pytest.mark.parametrize("function", ["transmit", "transmit_batch"])
def test_transmit__completions__need_f_plus_1(assembly: Assembly, function: str) -> None:
    items = [verdict(16), verdict(32)]
    arguments = assembly.signed(items, places=(1, 3))
    getattr(assembly.committee, function)(*arguments, sender=assembly.relayer)
    assert events_of(assembly.committee) == [
        (
            "ReportTransmitted",
            {
                "config_digest": assembly.committee.config_digest(),
                "sequence": 1,
                "relayer": assembly.relayer,
                "target": assembly.escrow.address,
                "signers": 0b1010,
                "applied": 0b11,
                "evidence_hash": EVIDENCE,
            },
        )
    ]
    assert [assembly.escrow.outcome(item.job_id) for item in items] == [COMPLETE] * 2
    assert [assembly.escrow.told(item.job_id) for item in items] == [told(item) for item in items]
    assert assembly.committee.latest_sequence() == 1


@pytest.mark.parametrize("function", ["transmit", "transmit_batch"])
@pytest.mark.parametrize("outcome", [REJECT, VOID])
def test_transmit__rejection_or_void__needs_2f_plus_1(
    assembly: Assembly, outcome: int, function: str
) -> None:
    item = verdict(16, outcome)
    call = getattr(assembly.committee, function)
    for places in ((0, 1), (0, 1, 2, 3)):
        with boa.reverts("committee: signature count"):
            call(*assembly.signed([item], places=places))
    call(*assembly.signed([item], places=(0, 2, 3)))
    assert (assembly.escrow.outcome(16), assembly.escrow.told(16)) == (outcome, told(item))


@pytest.mark.parametrize("function", ["transmit", "transmit_batch"])
@pytest.mark.parametrize("place", range(3))
def test_transmit__one_rejection_among_completions__needs_2f_plus_1(
    assembly: Assembly, place: int, function: str
) -> None:
    items = [verdict(16 * (index + 1), REJECT if index == place else COMPLETE) for index in range(3)]
    call = getattr(assembly.committee, function)
    with boa.reverts("committee: signature count"):
        call(*assembly.signed(items, places=(0, 1)))
    call(*assembly.signed(items))
    assert [assembly.escrow.outcome(item.job_id) for item in items] == [item.outcome for item in items]


def test_transmit__64_and_65_byte_signatures__may_be_mixed(assembly: Assembly) -> None:
    head, items, mask, _ = assembly.signed([verdict(16)])
    digest = assembly.digest(head, assembly.committee.verdicts_hash(head, items))
    signatures = [compact_signature(assembly.keys[0], digest), long_signature(assembly.keys[1], digest)]
    assert [len(signature) for signature in signatures] == [64, 65]
    assembly.committee.transmit(head, items, mask, signatures)
    assert assembly.escrow.outcome(16) == COMPLETE


def test_transmit__sequence_may_skip_and_goes_on_in_both_kinds_of_report(assembly: Assembly) -> None:
    registry = deploy("CapabilityRegistry.vy", assembly.committee.address, assembly.admin)
    assembly.transmit([verdict(16)], sequence=5)
    item = measurement(assembly.operators[0])
    with boa.reverts("committee: stale sequence"):
        assembly.committee.transmit_measurements(
            *assembly.signed_measurements([item], target=str(registry.address), sequence=5)
        )
    assembly.committee.transmit_measurements(
        *assembly.signed_measurements([item], target=str(registry.address), sequence=6)
    )
    with boa.reverts("committee: stale sequence"):
        assembly.transmit([verdict(32)], sequence=6)
    assert assembly.committee.latest_sequence() == 6


def test_transmit__observation_of_the_greatest_age__counts(assembly: Assembly) -> None:
    travel_to(now() + MAXIMUM_REPORT_AGE)
    assembly.transmit([verdict(16)], observed_at=now() - MAXIMUM_REPORT_AGE)
    assert assembly.escrow.outcome(16) == COMPLETE


def test_transmit__largest_report__is_8_verdicts_and_in_a_batch_64(assembly: Assembly) -> None:
    items = [verdict(16 * (index + 1)) for index in range(64)]
    assembly.transmit(items[:8])
    with pytest.raises(boa.BoaError):
        assembly.transmit(items[:9])
    assembly.committee.transmit_batch(*assembly.signed(items))
    assert events_of(assembly.committee)[-1][1]["applied"] == 2**64 - 1
    assert [assembly.escrow.told(item.job_id) for item in items] == [told(item) for item in items]
    with pytest.raises(boa.BoaError):
        assembly.committee.transmit_batch(*assembly.signed([*items, verdict(16 * 65)]))
    assert assembly.committee.latest_sequence() == 2


def test_transmit__largest_committee__signs_with_its_last_21_members() -> None:
    large = assemble(faults=10)
    item = verdict(16, REJECT)
    large.committee.transmit(*large.signed([item], places=range(10, 31)))
    assert large.escrow.outcome(16) == REJECT
    large.committee.transmit(*large.signed([verdict(32)], places=range(20, 31)))
    assert large.escrow.outcome(32) == COMPLETE


# ------------------------------------------------------------------ items that are refused
def test_transmit__refused_item__is_logged_with_the_cause_and_stops_no_other(assembly: Assembly) -> None:
    items = [verdict(16), verdict(16 + REFUSES), verdict(32), verdict(48 + REFUSES)]
    assembly.transmit(items)
    logged = events_of(assembly.committee)
    assert [name for name, _ in logged] == ["ItemRefused", "ItemRefused", "ReportTransmitted"]
    for (_, fields), index in zip(logged[:2], (1, 3), strict=True):
        assert (fields["sequence"], fields["index"]) == (1, index)
        assert fields["cause"][:4] == ERROR_SELECTOR
        assert decode(["string"], fields["cause"][4:]) == ("escrow: wrong stage",)
    assert logged[-1][1]["applied"] == 0b0101


def test_transmit__long_cause__is_cut_to_100_bytes(assembly: Assembly) -> None:
    assembly.transmit([verdict(16 + REFUSES_AT_LENGTH)])
    ((index, cause),) = refusals_of(assembly.committee)
    assert (index, len(cause)) == (0, 100)
    assert cause[68:] == b"escrow: this reason is longer th"


@pytest.mark.parametrize("manner", [IN_SILENCE, REVERTS_WITH_A_BOMB])
def test_pitfall_23__return_bomb_or_no_data__stops_no_other(assembly: Assembly, manner: int) -> None:
    assembly.transmit([verdict(16 + manner), verdict(32)])
    cause = b"" if manner == IN_SILENCE else bytes(100)
    assert refusals_of(assembly.committee) == [(0, cause)]
    assert events_of(assembly.committee)[-1][1]["applied"] == 0b10


def test_pitfall_23__return_bomb_of_an_accepting_target__costs_little(assembly: Assembly) -> None:
    """64 KiB come back from each call; copying them would cost as much again as making them."""
    target = deploy("mocks/MockHostileSigner.vy")
    target.behave(4)
    own_cost = boa.env.raw_call(target.address).get_gas_used()
    assembly.committee.transmit(
        *assembly.signed([verdict(16 * (index + 1)) for index in range(8)], target=str(target.address))
    )
    assert events_of(assembly.committee)[-1][1]["applied"] == 0xFF
    assert own_cost > 20_000
    assert assembly.committee._computation.get_gas_used() < 8 * own_cost + 60_000


def test_transmit__item_that_was_settled_before__is_refused_alone(assembly: Assembly) -> None:
    """A report whose items are all refused uses up its number, and nothing more."""
    assembly.transmit([verdict(16 + REFUSES)])
    assert events_of(assembly.committee)[-1][1]["applied"] == 0
    assert assembly.committee.latest_sequence() == 1


# ------------------------------------------------------------------ measurements
def test_transmit_measurements__always_need_2f_plus_1(assembly: Assembly) -> None:
    registry = deploy("CapabilityRegistry.vy", assembly.committee.address, assembly.admin)
    target = str(registry.address)
    items = [measurement(assembly.operators[place], place + 1) for place in range(4)]
    call = assembly.committee.transmit_measurements
    for places in ((0, 1), (0, 1, 2, 3)):
        with boa.reverts("committee: signature count"):
            call(*assembly.signed_measurements(items, places=places, target=target))
    call(*assembly.signed_measurements(items, places=(1, 2, 3), target=target), sender=assembly.relayer)
    assert events_of(assembly.committee) == [
        (
            "ReportTransmitted",
            {
                "config_digest": assembly.committee.config_digest(),
                "sequence": 1,
                "relayer": assembly.relayer,
                "target": registry.address,
                "signers": 0b1110,
                "applied": 0b1111,
                "evidence_hash": EVIDENCE,
            },
        )
    ]
    assert [tuple(registry.measurement(item.device_id)) for item in items] == [tuple(item) for item in items]


def test_transmit_measurements__refused_item__stops_no_other(assembly: Assembly) -> None:
    registry = deploy("CapabilityRegistry.vy", assembly.committee.address, assembly.admin)
    items = [
        measurement(assembly.operators[0], 1),
        measurement(assembly.operators[0], 2, device_class=2),
        measurement(assembly.operators[0], 3),
    ]
    assembly.committee.transmit_measurements(
        *assembly.signed_measurements(items, target=str(registry.address))
    )
    ((index, cause),) = refusals_of(assembly.committee)
    assert (index, decode(["string"], cause[4:])) == (1, ("registry: unknown class",))
    assert [int.from_bytes(device, "big") for device in registry.devices_of(assembly.operators[0])] == [1, 3]


def test_transmit_measurements__largest_report__is_16(assembly: Assembly) -> None:
    registry = deploy("CapabilityRegistry.vy", assembly.committee.address, assembly.admin)
    items = [measurement(assembly.operators[0], place + 1) for place in range(17)]
    call = assembly.committee.transmit_measurements
    with pytest.raises(boa.BoaError):
        call(*assembly.signed_measurements(items, target=str(registry.address)))
    call(*assembly.signed_measurements(items[:16], target=str(registry.address)))
    assert events_of(assembly.committee)[-1][1]["applied"] == 2**16 - 1


def test_selectors__are_those_of_the_interfaces(assembly: Assembly) -> None:
    """Of the mocks, which implement what the committee calls, and of the registry."""
    registry = deploy("CapabilityRegistry.vy", assembly.committee.address, assembly.admin)
    item = verdict(16)
    for name, constant in (
        ("complete", "COMPLETE_METHOD"),
        ("reject", "REJECT_METHOD"),
        ("void", "VOID_METHOD"),
    ):
        call_data = getattr(assembly.escrow, name).prepare_calldata(16, item.terms, item.answer, EVIDENCE)
        assert "0x" + call_data[:4].hex() == selector(constant)
    call_data = registry.record.prepare_calldata(measurement(assembly.operators[0]))
    assert "0x" + call_data[:4].hex() == selector("RECORD_METHOD")


def selector(constant: str) -> str:
    text = (ROOT / "contracts" / "modules" / "transmission.vy").read_text("utf-8")
    return text.split(f"{constant}: constant(bytes4) = ")[1].split("\n")[0]
