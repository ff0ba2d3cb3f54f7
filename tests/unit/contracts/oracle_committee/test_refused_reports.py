"""Reports that are refused as a whole, and leave nothing behind. Pitfalls by their numbers in the research."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import boa
import pytest
from eth_account import Account

from tests.models.oracle_committee import (
    COMPLETE,
    CURVE_ORDER,
    MAX_SEQUENCE_STEP,
    REJECT,
    VOID,
    Answer,
    report_digest,
    verdicts_hash,
)
from tests.suite.deployment import DAY, EVIDENCE, NO_WORD, REASON, deploy, now, travel_to
from tests.unit.contracts.oracle_committee.assembly import (
    MAXIMUM_REPORT_AGE,
    Assembly,
    assemble,
    chain_id,
    compact_signature,
    key_accounts,
    long_signature,
    measurement,
    mirrored,
    verdict,
)

JOB = 16


def refuse(assembly: Assembly, reason: str, *arguments: Any) -> None:
    """`transmit` reverts with the reason, and neither the number nor the job is touched."""
    latest = assembly.committee.latest_sequence()
    for function in (assembly.committee.transmit, assembly.committee.transmit_batch):
        with boa.reverts(reason):
            function(*arguments, sender=assembly.relayer)
    assert (assembly.committee.latest_sequence(), assembly.escrow.outcome(JOB)) == (latest, 0)


# ------------------------------------------------------------------ pitfall 24: stale, duplicated, wrong configuration
def test_pitfall_24__replayed_report__is_stale(assembly: Assembly) -> None:
    arguments = assembly.signed([verdict(JOB)])
    assembly.committee.transmit(*arguments)
    for function in (assembly.committee.transmit, assembly.committee.transmit_batch):
        with boa.reverts("committee: stale sequence"):
            function(*arguments)
    assert assembly.escrow.calls() == 1


@pytest.mark.parametrize("sequence", [0, 3, 4])
def test_pitfall_24__number_not_above_the_latest__is_stale(assembly: Assembly, sequence: int) -> None:
    assembly.transmit([verdict(32)], sequence=4)
    refuse(assembly, "committee: stale sequence", *assembly.signed([verdict(JOB)], sequence=sequence))


def test_pitfall_24__number_that_leaps__reverts(assembly: Assembly) -> None:
    """Or one faulty report could use up all numbers."""
    assembly.transmit([verdict(32)], sequence=7)
    for sequence in (7 + MAX_SEQUENCE_STEP + 1, 2**64 - 1):
        refuse(assembly, "committee: sequence leaps", *assembly.signed([verdict(JOB)], sequence=sequence))
    assembly.transmit([verdict(JOB)], sequence=7 + MAX_SEQUENCE_STEP)
    assert assembly.committee.latest_sequence() == 7 + MAX_SEQUENCE_STEP


def test_pitfall_24__before_the_first_configuration__reverts(unseated: Assembly) -> None:
    """The digest is zero then, and so is every key."""
    refuse(unseated, "committee: no configuration", *unseated.signed([verdict(JOB)], config_digest=NO_WORD))


def test_pitfall_24__other_configuration__reverts(assembly: Assembly) -> None:
    arguments = assembly.signed([verdict(JOB)])
    assembly.committee.set_config(assembly.operators, 1, sender=assembly.admin)
    refuse(assembly, "committee: other configuration", *arguments)
    refuse(assembly, "committee: other configuration", *assembly.signed([verdict(JOB)], config_digest=REASON))


def test_pitfall_24__too_old__reverts(assembly: Assembly) -> None:
    travel_to(now() + DAY)
    observed_at = now() - MAXIMUM_REPORT_AGE - 1
    refuse(assembly, "committee: report too old", *assembly.signed([verdict(JOB)], observed_at=observed_at))
    refuse(assembly, "committee: report too old", *assembly.signed([verdict(JOB)], observed_at=0))


@pytest.mark.parametrize("ahead", [1, DAY])
def test_pitfall_24__from_the_future__reverts(assembly: Assembly, ahead: int) -> None:
    observed_at = now() + ahead
    refuse(assembly, "committee: from the future", *assembly.signed([verdict(JOB)], observed_at=observed_at))
    farthest = assembly.signed([verdict(JOB)], observed_at=2**256 - 1)
    refuse(assembly, "committee: from the future", *farthest)


def test_pitfall_24__one_member_twice__cannot_stand_for_two(assembly: Assembly) -> None:
    head, items, mask, signatures = assembly.signed([verdict(JOB)], places=(0, 0))
    assert mask == 0b0001
    refuse(assembly, "committee: too few signers", head, items, mask, signatures)
    refuse(assembly, "committee: bad signature", head, items, 0b0011, signatures)


# ------------------------------------------------------------------ shape
def test_transmit__empty_report__reverts(assembly: Assembly) -> None:
    refuse(assembly, "committee: empty report", *assembly.signed([]))
    with boa.reverts("committee: empty report"):
        assembly.committee.transmit_measurements(*assembly.signed_measurements([]))


@pytest.mark.parametrize("outcome", [0, 1, 2, 6, 255])
def test_transmit__unknown_outcome__reverts(assembly: Assembly, outcome: int) -> None:
    refuse(assembly, "committee: unknown outcome", *assembly.signed([verdict(JOB, outcome)]))


def test_transmit__target_without_code__reverts(assembly: Assembly) -> None:
    """A call to it would succeed and settle nothing."""
    arguments = assembly.signed([verdict(JOB)], target=assembly.stranger)
    refuse(assembly, "committee: target has no code", *arguments)


@pytest.mark.parametrize(
    ("outcome", "places"),
    [(COMPLETE, ()), (COMPLETE, (0,)), (COMPLETE, (0, 1, 2)), (REJECT, (0, 1)), (VOID, (0, 1, 2, 3))],
)
def test_transmit__too_few_or_too_many_signatures__reverts(
    assembly: Assembly, outcome: int, places: Sequence[int]
) -> None:
    refuse(assembly, "committee: signature count", *assembly.signed([verdict(JOB, outcome)], places=places))


def test_transmit__more_bits_than_signatures__reverts(assembly: Assembly) -> None:
    head, items, _, signatures = assembly.signed([verdict(JOB)])
    refuse(assembly, "committee: too many signers", head, items, 0b0111, signatures)


@pytest.mark.parametrize("bit", [4, 31, 255])
def test_transmit__bit_of_nobody__reverts(assembly: Assembly, bit: int) -> None:
    head, items, _, signatures = assembly.signed([verdict(JOB)])
    refuse(assembly, "committee: unknown signer", head, items, 0b0001 | 1 << bit, signatures)


def test_transmit__seats_of_a_larger_committee_before__are_nobodys(assembly: Assembly) -> None:
    """Bits 4 to 6 had keys once, and those who held them sign again."""
    larger = [assembly.newcomer(f"newcomer-{place}", salt=20 + place) for place in range(3)]
    assembly.committee.set_config(
        [*assembly.operators, *(operator for operator, _ in larger)], 2, sender=assembly.admin
    )
    assembly.committee.set_config(assembly.operators, 1, sender=assembly.admin)
    head, items, _, signatures = assembly.signed([verdict(JOB)])
    digest = assembly.digest(head, verdicts_hash(head, items))
    refuse(
        assembly,
        "committee: unknown signer",
        head,
        items,
        0b0001 | 1 << 4,
        [signatures[0], long_signature(larger[0][1], digest)],
    )


def test_transmit__signatures_out_of_order__reverts(assembly: Assembly) -> None:
    refuse(assembly, "committee: bad signature", *assembly.signed([verdict(JOB)], places=(1, 0)))


# ------------------------------------------------------------------ pitfall 18: replay elsewhere
def altered_terms(name: str) -> Callable[[Any], Any]:
    def alter(item: Any) -> Any:
        value = getattr(item.terms, name)
        other = (
            "0x" + "99" * 20
            if isinstance(value, str)
            else EVIDENCE
            if isinstance(value, bytes)
            else value + 1
        )
        return item._replace(terms=item.terms._replace(**{name: other}))

    return alter


@pytest.mark.parametrize("field", verdict(JOB).terms._fields)
def test_pitfall_18__signature_for_other_terms__is_worthless(assembly: Assembly, field: str) -> None:
    """The relayer brings the terms: each word of them was judged."""
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    refuse(assembly, "committee: bad signature", head, [altered_terms(field)(items[0])], mask, signatures)


@pytest.mark.parametrize(
    "answer",
    [
        Answer("0x" + "99" * 20, 1_700_000_000, verdict(JOB).answer.deliverable),
        Answer("0x" + "55" * 20, 1_700_000_001, verdict(JOB).answer.deliverable),
        Answer("0x" + "55" * 20, 1_700_000_000, EVIDENCE),
    ],
)
def test_pitfall_18__signature_for_another_answer__is_worthless(assembly: Assembly, answer: Answer) -> None:
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    refuse(assembly, "committee: bad signature", head, [items[0]._replace(answer=answer)], mask, signatures)


def test_pitfall_18__signature_for_another_job_outcome_or_number_of_items__is_worthless(
    assembly: Assembly,
) -> None:
    head, items, mask, signatures = assembly.signed([verdict(JOB), verdict(32)])
    for forged in (
        [items[0], items[1]._replace(job_id=48)],
        [items[1], items[0]],
        items[:1],
        [*items, items[1]],
    ):
        refuse(assembly, "committee: bad signature", head, forged, mask, signatures)
    three = assembly.signed([verdict(JOB, REJECT)])
    refuse(assembly, "committee: bad signature", three[0], [verdict(JOB, VOID)], *three[2:])


@pytest.mark.parametrize("field", ["sequence", "observed_at", "evidence_hash", "target"])
def test_pitfall_18__signature_for_another_head__is_worthless(assembly: Assembly, field: str) -> None:
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    other: dict[str, Any] = {
        "sequence": head.sequence + 1,
        "observed_at": head.observed_at - 1,
        "evidence_hash": REASON,
        "target": str(assembly.staking.address),
    }
    refuse(
        assembly,
        "committee: bad signature",
        head._replace(**{field: other[field]}),
        items,
        mask,
        signatures,
    )


def test_pitfall_18__signature_for_another_chain__is_worthless(assembly: Assembly) -> None:
    """After a fork, what was signed for the one chain counts on the other no more."""
    arguments = assembly.signed([verdict(JOB)])
    boa.env.evm.patch.chain_id += 1
    refuse(assembly, "committee: bad signature", *arguments)
    assembly.transmit([verdict(JOB)])
    assert assembly.escrow.outcome(JOB) == COMPLETE


def test_pitfall_18__signature_for_another_committee__is_worthless(assembly: Assembly) -> None:
    """Even for one with the same members, if a digest could be the same: the domain names the contract."""
    twin = assemble(seated=False)
    head, items, mask, _ = assembly.signed([verdict(JOB)])
    digest = report_digest(
        chain_id(), str(twin.committee.address), head.config_digest, head.sequence, verdicts_hash(head, items)
    )
    refuse(
        assembly,
        "committee: bad signature",
        head,
        items,
        mask,
        [long_signature(key, digest) for key in assembly.keys[:2]],
    )


def test_pitfall_18__signature_of_the_bare_hash__is_worthless(assembly: Assembly) -> None:
    """Only EIP-712 counts: no wallet can be talked into it by `personal_sign`."""
    head, items, mask, _ = assembly.signed([verdict(JOB)])
    bare = verdicts_hash(head, items)
    refuse(
        assembly,
        "committee: bad signature",
        head,
        items,
        mask,
        [long_signature(key, bare) for key in assembly.keys[:2]],
    )


def test_pitfall_18__verdicts_and_measurements__are_never_taken_for_each_other(assembly: Assembly) -> None:
    head, items, mask, _ = assembly.signed([verdict(JOB, REJECT)])
    _, _, _, others = assembly.signed_measurements([measurement(assembly.operators[0])])
    refuse(assembly, "committee: bad signature", head, items, mask, others)


# ------------------------------------------------------------------ pitfall 19: malleability, zero address
def test_pitfall_19__mirrored_s__is_refused(assembly: Assembly) -> None:
    """`ecrecover` itself would take it."""
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    refuse(assembly, "committee: bad signature", head, items, mask, [mirrored(signatures[0]), signatures[1]])
    assembly.committee.transmit(head, items, mask, signatures)


def test_pitfall_19__compact_form_of_the_mirrored_s__is_refused(assembly: Assembly) -> None:
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    high = mirrored(signatures[0])
    vs = int.from_bytes(high[32:64], "big") % 2**255 | (high[64] - 27) << 255
    compact = high[:32] + vs.to_bytes(32, "big")
    refuse(assembly, "committee: bad signature", head, items, mask, [compact, signatures[1]])


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(1),
        bytes(63),
        bytes(64),
        bytes(65),
        bytes(66),
        bytes(195),
        bytes(1024),
        bytes(64) + b"\x1b",
        (CURVE_ORDER + 1).to_bytes(32, "big") + bytes([0] * 31 + [1]) + b"\x1b",
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_pitfall_19__garbage__matches_nobody(assembly: Assembly, signature: bytes, place: int) -> None:
    """`ecrecover` answers zero, and no member is the zero address."""
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    signatures[place] = signature
    refuse(assembly, "committee: bad signature", head, items, mask, signatures)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_pitfall_19__v_other_than_27_and_28__is_refused(assembly: Assembly, v: int) -> None:
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    signatures[0] = signatures[0][:64] + bytes([v])
    refuse(assembly, "committee: bad signature", head, items, mask, signatures)


def test_pitfall_19__signature_with_a_byte_more_or_less__is_refused(assembly: Assembly) -> None:
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    for changed in (signatures[0] + b"\0", signatures[0][:-2], b"\0" + signatures[0]):
        refuse(assembly, "committee: bad signature", head, items, mask, [changed, signatures[1]])


def test_pitfall_19__ejected_member__is_nobody(assembly: Assembly) -> None:
    """Its key is zero in the configuration; garbage that recovers to zero is not its signature."""
    assembly.committee.prove_equivocation(assembly.equivocation(assembly.keys[0]))
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    refuse(assembly, "committee: unknown signer", head, items, mask, signatures)
    refuse(assembly, "committee: unknown signer", head, items, mask, [bytes(65), signatures[1]])


def test_transmit__signed_by_a_stranger__reverts(assembly: Assembly) -> None:
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    digest = assembly.digest(head, verdicts_hash(head, items))
    for signing in (long_signature, compact_signature):
        signatures[1] = signing(Account.from_key(b"\x99" * 32), digest)
        refuse(assembly, "committee: bad signature", head, items, mask, signatures)


def test_transmit__member_without_a_seat__is_nobody(assembly: Assembly) -> None:
    """Having joined is not enough."""
    _, key = assembly.newcomer()
    head, items, mask, signatures = assembly.signed([verdict(JOB)])
    digest = assembly.digest(head, verdicts_hash(head, items))
    signatures[1] = long_signature(key, digest)
    refuse(assembly, "committee: bad signature", head, items, mask, signatures)
    refuse(assembly, "committee: unknown signer", head, items, 0b10001, signatures)


# ------------------------------------------------------------------ the same for measurements
def test_transmit_measurements__altered_item_or_foreign_signature__reverts(assembly: Assembly) -> None:
    registry = deploy("CapabilityRegistry.vy", assembly.committee.address, assembly.admin)
    item = measurement(assembly.operators[0])
    call = assembly.committee.transmit_measurements
    head, items, mask, signatures = assembly.signed_measurements([item], target=str(registry.address))
    for field in item._fields:
        value = getattr(item, field)
        other: Any = (
            assembly.stranger if isinstance(value, str) else REASON if isinstance(value, bytes) else value + 1
        )
        with boa.reverts("committee: bad signature"):
            call(head, [item._replace(**{field: other})], mask, signatures)
    with boa.reverts("committee: too many signers"):
        call(head, items, 0b1111, signatures)
    with boa.reverts("committee: other configuration"):
        call(head._replace(config_digest=REASON), items, mask, signatures)
    strange = [*signatures[:2], long_signature(key_accounts(1, salt=50)[0], EVIDENCE)]
    with boa.reverts("committee: bad signature"):
        call(head, items, mask, strange)
    call(head, items, mask, signatures)
    assert registry.devices_of(assembly.operators[0]) == [item.device_id]
