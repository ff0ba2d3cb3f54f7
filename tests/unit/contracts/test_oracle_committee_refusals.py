"""Reports that are refused as a whole."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_account import Account

from tests.unit.contracts.committee_cases import (
    CURVE_ORDER,
    MAX_SEQUENCE_STEP,
    refuse,
)
from tests.unit.contracts.suite import (
    COMPLETE,
    EVIDENCE,
    MAXIMUM_REPORT_AGE,
    REASON,
    REJECT,
    ZERO_WORD,
    Suite,
    compact_signature,
    deploy,
    now,
    openings,
)


def test_transmit__no_configuration__reverts(suite: Suite) -> None:
    fresh = deploy("OracleCommittee.vy", suite.admin, MAXIMUM_REPORT_AGE)
    job = suite.submitted()
    report = suite.report([suite.verdict(job)], config_digest=ZERO_WORD)
    with boa.reverts("committee: no configuration"):
        fresh.transmit(report, openings([job]), 1, [(ZERO_WORD, ZERO_WORD)])


def test_transmit__config_rotated__old_signatures_are_void(suite: Suite) -> None:
    """Even when the members stay the same."""
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    signed = suite.sign(report, (0, 1))
    suite.committee.set_config(suite.committee.members(), 1, sender=suite.admin)
    with boa.reverts("committee: other configuration"):
        suite.committee.transmit(report, openings([job]), *signed)
    rebound = (suite.committee.config_digest(), *report[1:])
    with boa.reverts("committee: bad signature"):
        suite.committee.transmit(rebound, openings([job]), *signed)


def test_transmit__member_rotated_out__no_longer_counts(suite: Suite) -> None:
    job = suite.submitted()
    newcomer = Account.from_key(b"\x99" * 32)
    members = [newcomer.address, *suite.committee.members()[1:]]
    suite.committee.set_config(members, 1, sender=suite.admin)
    refuse(suite, "committee: bad signature", job, signers=(0, 1))


def test_transmit__other_configuration_digest__reverts(suite: Suite) -> None:
    refuse(suite, "committee: other configuration", suite.submitted(), config_digest=EVIDENCE)


def test_transmit__signed_for_another_chain__reverts(suite: Suite) -> None:
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    with boa.env.anchor():
        boa.env.evm.patch.chain_id += 1
        signed = suite.sign(report, (0, 1))
    with boa.reverts("committee: bad signature"):
        suite.committee.transmit(report, openings([job]), *signed)


def test_transmit__signed_for_another_committee__reverts(suite: Suite) -> None:
    other = deploy("OracleCommittee.vy", suite.admin, MAXIMUM_REPORT_AGE)
    other.set_config(suite.committee.members(), 1, sender=suite.admin)
    assert other.config_digest() != suite.committee.config_digest()
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    signed = suite.sign(report, (0, 1), digest=other.report_digest(report))
    with boa.reverts("committee: bad signature"):
        suite.committee.transmit(report, openings([job]), *signed)


@pytest.mark.parametrize("sequence", [0, 6, 7])
def test_transmit__stale_sequence__reverts(suite: Suite, sequence: int) -> None:
    suite.transmit([suite.submitted()], sequence=7)
    refuse(suite, "committee: stale sequence", suite.submitted(), sequence=sequence)


def test_transmit__the_same_report_again__reverts(suite: Suite) -> None:
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    arguments = (report, openings([job]), *suite.sign(report, (0, 1)))
    suite.committee.transmit(*arguments, sender=suite.relayer)
    with boa.reverts("committee: stale sequence"):
        suite.committee.transmit(*arguments, sender=suite.stranger)


def test_transmit__sequence_that_would_use_up_the_numbers__reverts(suite: Suite) -> None:
    refuse(suite, "committee: sequence leaps", suite.submitted(), sequence=2**64 - 1)
    refuse(suite, "committee: sequence leaps", suite.submitted(), sequence=MAX_SEQUENCE_STEP + 1)
    suite.transmit([suite.submitted()], sequence=MAX_SEQUENCE_STEP)
    assert suite.committee.latest_sequence() == MAX_SEQUENCE_STEP


def test_transmit__from_the_future__reverts(suite: Suite) -> None:
    refuse(suite, "committee: from the future", suite.submitted(), observed_at=now() + 1)
    refuse(suite, "committee: from the future", suite.submitted(), observed_at=2**256 - 1)


def test_transmit__too_old__reverts(suite: Suite) -> None:
    old = now() - MAXIMUM_REPORT_AGE - 1
    refuse(suite, "committee: report too old", suite.submitted(), observed_at=old)
    refuse(suite, "committee: report too old", suite.submitted(), observed_at=0)


def test_transmit__empty_report__reverts(suite: Suite) -> None:
    report = suite.report([])
    with boa.reverts("committee: empty report"):
        suite.committee.transmit(report, [], *suite.sign(report, (0, 1)))


@pytest.mark.parametrize("opened", [0, 1, 3])
def test_transmit__fewer_or_more_openings__reverts(suite: Suite, opened: int) -> None:
    jobs = [suite.submitted() for _ in range(3)]
    report = suite.report([suite.verdict(job) for job in jobs[:2]])
    with boa.reverts("committee: openings mismatch"):
        suite.committee.transmit(report, openings(jobs[:opened]), *suite.sign(report, (0, 1)))


@pytest.mark.parametrize("outcome", [0, 1, 2, 5, 255])
def test_transmit__unknown_outcome__reverts(suite: Suite, outcome: int) -> None:
    job = suite.submitted()
    report = suite.report([suite.verdict(job, outcome)])
    with boa.reverts("committee: unknown outcome"):
        suite.committee.transmit(report, openings([job]), *suite.sign(report, (0, 1)))


@pytest.mark.parametrize(
    ("outcome", "signers", "reason"),
    [
        (COMPLETE, (0,), "committee: signature count"),
        (COMPLETE, (0, 1, 2), "committee: signature count"),
        (COMPLETE, (), "committee: signature count"),
        (REJECT, (0, 1), "committee: signature count"),
        (REJECT, (0, 1, 2, 3), "committee: signature count"),
    ],
)
def test_transmit__too_few_or_too_many_signers__reverts(
    suite: Suite, outcome: int, signers: tuple[int, ...], reason: str
) -> None:
    refuse(suite, reason, suite.submitted(), outcome, signers=signers)


def test_transmit__too_many_bits_for_the_signatures__reverts(suite: Suite) -> None:
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    _, signatures = suite.sign(report, (0, 1))
    with boa.reverts("committee: too many signers"):
        suite.committee.transmit(report, openings([job]), 0b0111, signatures)


def test_transmit__duplicate_signer__reverts(suite: Suite) -> None:
    """One member cannot stand for two: its bit exists once, and another's bit wants another key."""
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    _, signatures = suite.sign(report, (0, 0))
    with boa.reverts("committee: too few signers"):
        suite.committee.transmit(report, openings([job]), 0b0001, signatures)
    with boa.reverts("committee: bad signature"):
        suite.committee.transmit(report, openings([job]), 0b0011, signatures)


def test_transmit__signatures_out_of_order__reverts(suite: Suite) -> None:
    refuse(suite, "committee: bad signature", suite.submitted(), signers=(1, 0))


@pytest.mark.parametrize("bit", [4, 31, 255])
def test_transmit__bit_of_no_member__reverts(suite: Suite, bit: int) -> None:
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    _, signatures = suite.sign(report, (0, 1))
    for signers in (0b0001 | 1 << bit, 0b0011 | 1 << bit):
        with boa.reverts("committee: unknown signer"):
            suite.committee.transmit(report, openings([job]), signers, signatures)


def test_transmit__signed_by_a_stranger__reverts(suite: Suite) -> None:
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    signers, signatures = suite.sign(report, (0, 1))
    stranger = Account.from_key(b"\x99" * 32)
    signatures[1] = compact_signature(stranger, suite.committee.report_digest(report))
    with boa.reverts("committee: bad signature"):
        suite.committee.transmit(report, openings([job]), signers, signatures)


def test_transmit__signature_malleability__the_mirrored_s_is_refused(suite: Suite) -> None:
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    signers, signatures = suite.sign(report, (0, 1))
    r, vs = signatures[0]
    parity, s = int.from_bytes(vs, "big") >> 255, int.from_bytes(vs, "big") & (2**255 - 1)
    mirrored = (CURVE_ORDER - s) | ((1 - parity) << 255)
    signatures[0] = (r, mirrored.to_bytes(32, "big"))
    with pytest.raises(boa.BoaError) as caught:
        suite.committee.transmit(report, openings([job]), signers, signatures)
    reason = caught.value.stack_trace.last_frame.pretty_vm_reason
    assert reason in ("committee: bad signature", "committee: high s")


def test_transmit__high_s__reverts(suite: Suite) -> None:
    """The few values above half the order that fit into 255 bits."""
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    signers, signatures = suite.sign(report, (0, 1))
    for s in ((CURVE_ORDER - 1) // 2 + 1, 2**255 - 1):
        with boa.reverts("committee: high s"):
            suite.committee.transmit(
                report, openings([job]), signers, [(signatures[0][0], s.to_bytes(32, "big")), signatures[1]]
            )
    largest_low = ((CURVE_ORDER - 1) // 2).to_bytes(32, "big")
    with boa.reverts("committee: bad signature"):
        suite.committee.transmit(
            report, openings([job]), signers, [(signatures[0][0], largest_low), signatures[1]]
        )


def test_transmit__unrecoverable_signature__matches_nobody(suite: Suite) -> None:
    """`ecrecover` answers zero for r = 0; no member is the zero address."""
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    with boa.reverts("committee: bad signature"):
        suite.committee.transmit(report, openings([job]), 0b0011, [(ZERO_WORD, ZERO_WORD)] * 2)


@pytest.mark.parametrize("field", range(5))
def test_transmit__report_altered_after_the_signatures__reverts(suite: Suite, field: int) -> None:
    job, other = suite.submitted(), suite.submitted()
    report = suite.report([suite.verdict(job)])
    signed = suite.sign(report, (0, 1))
    verdict = report[4][0]
    altered_fields: list[tuple[Any, ...]] = [
        (EVIDENCE, *report[1:]),
        (report[0], report[1] + 1, *report[2:]),
        (*report[:2], report[2] - 1, *report[3:]),
        (*report[:3], REASON, report[4]),
        (*report[:4], [(*verdict[:4], EVIDENCE)]),
    ]
    reason = "committee: other configuration" if field == 0 else "committee: bad signature"
    with boa.reverts(reason):
        suite.committee.transmit(altered_fields[field], openings([job]), *signed)
    redirected = (*report[:4], [suite.verdict(other)])
    with boa.reverts("committee: bad signature"):
        suite.committee.transmit(redirected, openings([other]), *signed)
