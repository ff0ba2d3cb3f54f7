"""OracleCommittee: which reports count, and what a hostile relayer can do with one."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth.exceptions import Revert
from eth_abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.contracts.suite import (
    COMPLETE,
    COMPLETED,
    DAY,
    DELIVERABLE,
    EVIDENCE,
    HOUR,
    INPUT_ROOT,
    MAXIMUM_REPORT_AGE,
    MILL,
    REASON,
    REJECT,
    REJECTED,
    SUBMITTED,
    SUPPLY,
    THAW_PERIOD,
    ZERO_ADDRESS,
    ZERO_WORD,
    Suite,
    actor,
    compact_signature,
    deploy,
    deploy_suite,
    events_of,
    member_accounts,
    now,
    openings,
    travel_to,
)

MAX_VERDICTS = 32
MAX_SEQUENCE_STEP = 2**32
GAS_FLOOR = 400_000
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
VERDICTS_TYPE = "(address,uint256,bytes32,uint8,bytes32)[]"


def chain_id() -> int:
    return int(boa.env.evm.patch.chain_id)


def expected_config_digest(committee: Any, count: int, members: list[str], faults: int) -> bytes:
    fields = (chain_id(), str(committee.address), count, members, faults)
    digest = keccak(encode(["uint256", "address", "uint256", "address[]", "uint256"], fields))
    return b"\x00\x01" + digest[2:]


def expected_report_digest(committee: Any, report: tuple[Any, ...]) -> bytes:
    """EIP-712 by a library that has never seen the contract."""
    config_digest, sequence, observed_at, evidence_hash, verdicts = report
    report_hash = keccak(
        encode(["uint256", "bytes32", VERDICTS_TYPE], (observed_at, evidence_hash, list(verdicts)))
    )
    message = encode_typed_data(
        domain_data={
            "name": "Proofmill Oracle Committee",
            "version": "1",
            "chainId": chain_id(),
            "verifyingContract": str(committee.address),
        },
        message_types={
            "AttestedReport": [
                {"name": "configDigest", "type": "bytes32"},
                {"name": "sequence", "type": "uint64"},
                {"name": "reportHash", "type": "bytes32"},
            ]
        },
        message_data={"configDigest": config_digest, "sequence": sequence, "reportHash": report_hash},
    )
    return keccak(b"\x19" + message.version + message.header + message.body)


# ------------------------------------------------------------------ construction
def test_constructor__hands_over_to_the_admin(committee: Any, admin: str) -> None:
    assert (committee.owner(), committee.pending_owner()) == (admin, ZERO_ADDRESS)
    assert (committee.maximum_report_age(), committee.latest_sequence()) == (MAXIMUM_REPORT_AGE, 0)


@pytest.mark.parametrize(
    ("admin_given", "age", "reason"),
    [
        (False, HOUR, "committee: no admin"),
        (True, 299, "committee: maximum age too short"),
        (True, 86_401, "committee: maximum age too long"),
    ],
)
def test_constructor__bad_argument__reverts(admin: str, admin_given: bool, age: int, reason: str) -> None:
    with boa.reverts(reason):
        deploy("OracleCommittee.vy", admin if admin_given else ZERO_ADDRESS, age)


@pytest.mark.parametrize("age", [300, 86_400])
def test_constructor__age_bounds__are_inclusive(admin: str, age: int) -> None:
    assert deploy("OracleCommittee.vy", admin, age).maximum_report_age() == age


# ------------------------------------------------------------------ set_config
@pytest.mark.parametrize("faults", [1, 2, 10])
def test_set_config__replaces_the_committee(committee: Any, admin: str, faults: int) -> None:
    members = [member.address for member in member_accounts(3 * faults + 1)]
    count = committee.config_count() + 1
    digest = committee.set_config(members, faults, sender=admin)
    logged = events_of(committee)
    assert digest == committee.config_digest() == expected_config_digest(committee, count, members, faults)
    assert logged == [
        (
            "ConfigSet",
            {
                "config_digest": digest,
                "config_count": count,
                "faults_tolerated": faults,
                "members": members,
            },
        )
    ]
    assert (committee.members(), committee.faults_tolerated()) == (members, faults)
    assert committee.config_count() == count


def test_set_config__same_members_again__gives_another_digest(committee: Any, admin: str) -> None:
    before = committee.config_digest()
    assert committee.set_config(committee.members(), 1, sender=admin) != before


@pytest.mark.parametrize(
    ("size", "faults", "reason"),
    [
        (4, 0, "committee: no fault tolerated"),
        (1, 0, "committee: no fault tolerated"),
        (3, 1, "committee: not 3f + 1 members"),
        (5, 1, "committee: not 3f + 1 members"),
        (0, 1, "committee: not 3f + 1 members"),
        (31, 11, "committee: not 3f + 1 members"),
        (4, 2**255, "committee: too many faults"),
        (31, 31, "committee: too many faults"),
    ],
)
def test_set_config__wrong_size__reverts(
    committee: Any, admin: str, size: int, faults: int, reason: str
) -> None:
    with boa.reverts(reason):
        committee.set_config([m.address for m in member_accounts(size)], faults, sender=admin)


@pytest.mark.parametrize("position", range(4))
def test_set_config__zero_member__reverts(committee: Any, admin: str, position: int) -> None:
    members = [member.address for member in member_accounts(4)]
    members[position] = ZERO_ADDRESS
    with boa.reverts("committee: zero member"):
        committee.set_config(members, 1, sender=admin)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 3), (2, 3)])
def test_set_config__duplicate_member__reverts(committee: Any, admin: str, first: int, second: int) -> None:
    members = [member.address for member in member_accounts(4)]
    members[second] = members[first]
    with boa.reverts("committee: duplicate member"):
        committee.set_config(members, 1, sender=admin)


def test_set_config__only_the_owner(suite: Suite) -> None:
    members = suite.committee.members()
    for caller in (suite.stranger, suite.relayer, members[0]):
        with boa.reverts("ownable: caller is not the owner"):
            suite.committee.set_config(members, 1, sender=caller)


# ------------------------------------------------------------------ digests
@settings(max_examples=15, deadline=None)
@given(
    sequence=st.integers(0, 2**64 - 1),
    observed_at=st.integers(0, 2**256 - 1),
    outcomes=st.lists(st.integers(0, 255), max_size=MAX_VERDICTS),
)
def test_report_digest__is_eip_712(
    suite: Suite, sequence: int, observed_at: int, outcomes: list[int]
) -> None:
    verdicts = [
        (str(suite.escrow.address), index, keccak(bytes([index])), outcome, REASON)
        for index, outcome in enumerate(outcomes)
    ]
    report = (suite.committee.config_digest(), sequence, observed_at, EVIDENCE, verdicts)
    assert suite.committee.report_digest(report) == expected_report_digest(suite.committee, report)


def test_report_digest__follows_the_chain_id(suite: Suite) -> None:
    report = suite.report([suite.verdict(suite.submitted())])
    before = suite.committee.report_digest(report)
    boa.env.evm.patch.chain_id += 1
    assert suite.committee.report_digest(report) == expected_report_digest(suite.committee, report) != before


def test_domain__is_that_of_erc_5267(committee: Any) -> None:
    fields, name, version, domain_chain, contract, salt, extensions = committee.eip712Domain()
    assert (fields, name, version) == (b"\x0f", "Proofmill Oracle Committee", "1")
    assert (domain_chain, contract, salt, extensions) == (chain_id(), committee.address, ZERO_WORD, [])


def test_selectors__in_the_committee_are_those_of_the_escrow(suite: Suite) -> None:
    job = suite.submitted()
    constants = suite.committee._constants
    for name, constant in (("complete", constants.COMPLETE_METHOD), ("reject", constants.REJECT_METHOD)):
        call_data = getattr(suite.escrow, name).prepare_calldata(job.id, job.terms, DELIVERABLE, REASON)
        assert "0x" + call_data[:4].hex() == constant


# ------------------------------------------------------------------ transmit: what it does
def test_transmit__completions__need_f_plus_1_and_pay(suite: Suite) -> None:
    jobs = [suite.submitted(), suite.submitted()]
    before = suite.mill.balanceOf(suite.worker)
    suite.transmit(jobs, signers=(1, 3))
    committee = suite.committee
    assert events_of(committee) == [
        (
            "ReportTransmitted",
            {
                "config_digest": committee.config_digest(),
                "sequence": 1,
                "relayer": suite.relayer,
                "signers": 0b1010,
                "evidence_hash": EVIDENCE,
            },
        ),
        *[
            (
                "VerdictApplied",
                {
                    "escrow": suite.escrow.address,
                    "job_id": job.id,
                    "outcome": COMPLETE,
                    "success": True,
                },
            )
            for job in jobs
        ],
    ]
    assert [suite.escrow.state(job.id) for job in jobs] == [COMPLETED, COMPLETED]
    assert suite.mill.balanceOf(suite.worker) == before + 200 * MILL
    assert committee.latest_sequence() == 1


def test_transmit__rejection__needs_2f_plus_1_and_slashes(suite: Suite) -> None:
    job = suite.submitted()
    suite.transmit([job], REJECT, signers=(0, 1, 3))
    applied = {"escrow": suite.escrow.address, "job_id": job.id, "outcome": REJECT, "success": True}
    assert events_of(suite.committee)[1:] == [("VerdictApplied", applied)]
    assert suite.escrow.state(job.id) == REJECTED
    assert suite.staking.active(suite.worker) == 850 * MILL


def test_transmit__mixed_report__needs_2f_plus_1(suite: Suite) -> None:
    good, bad = suite.submitted(), suite.submitted()
    report = suite.report([suite.verdict(good), suite.verdict(bad, REJECT)])
    with boa.reverts("committee: signature count"):
        suite.committee.transmit(report, openings([good, bad]), *suite.sign(report, (0, 1)))
    suite.committee.transmit(report, openings([good, bad]), *suite.sign(report, (0, 1, 2)))
    assert [suite.escrow.state(job.id) for job in (good, bad)] == [COMPLETED, REJECTED]


def test_transmit__largest_committee_and_largest_report(suite: Suite) -> None:
    suite.members[:] = member_accounts(31)
    suite.committee.set_config([member.address for member in suite.members], 10, sender=suite.admin)
    suite.stake(suite.worker, 10_000 * MILL)
    jobs = [suite.submitted() for _ in range(MAX_VERDICTS)]
    try:
        suite.transmit(jobs, REJECT, signers=range(10, 31))
    finally:
        suite.members[:] = member_accounts(4)
    assert {suite.escrow.state(job.id) for job in jobs} == {REJECTED}


def test_transmit__sequence_may_skip(suite: Suite) -> None:
    suite.transmit([suite.submitted()], sequence=5)
    assert suite.committee.latest_sequence() == 5


def test_transmit__observation_of_the_greatest_age__counts(suite: Suite) -> None:
    suite.transmit([suite.submitted()], observed_at=now() - MAXIMUM_REPORT_AGE)
    assert suite.committee.latest_sequence() == 1


def test_transmit__item_already_settled__is_recorded_and_stops_no_other(suite: Suite) -> None:
    settled, open_job = suite.submitted(), suite.submitted()
    verdicts = [suite.verdict(settled), suite.verdict(open_job)]
    suite.transmit([settled])
    report = suite.report(verdicts)
    suite.committee.transmit(report, openings([settled, open_job]), *suite.sign(report, (0, 1)))
    applied = [fields["success"] for name, fields in events_of(suite.committee) if name == "VerdictApplied"]
    assert applied == [False, True]
    assert suite.escrow.state(open_job.id) == COMPLETED


def test_transmit__rejection_after_the_deadline__is_recorded_and_slashes_nobody(suite: Suite) -> None:
    job = suite.submitted()
    travel_to(suite.escrow.deadline(job.id) + 1)
    suite.transmit([job], REJECT)
    assert [fields["success"] for _, fields in events_of(suite.committee)[1:]] == [False]
    assert suite.escrow.state(job.id) == SUBMITTED
    suite.escrow.claimRefund(job.id, job.terms, DELIVERABLE)
    assert suite.staking.slashable(suite.worker) == 1_000 * MILL


def test_transmit__escrow_that_reverts_with_a_large_answer__stops_no_other(suite: Suite) -> None:
    hostile = deploy("mocks/MockHostileEscrow.vy")
    job = suite.submitted()
    verdicts = [suite.verdict(job, escrow=hostile.address), suite.verdict(job)]
    report = suite.report(verdicts)
    suite.committee.transmit(report, openings([job, job]), *suite.sign(report, (0, 1)))
    applied = [fields["success"] for name, fields in events_of(suite.committee) if name == "VerdictApplied"]
    assert applied == [False, True]


# ------------------------------------------------------------------ transmit: what it refuses
def refuse(suite: Suite, reason: str, job: Any, outcome: int = COMPLETE, **changes: Any) -> None:
    """The report, else correct, is refused for `reason`, and its sequence number stays free."""
    latest = suite.committee.latest_sequence()
    with boa.reverts(reason):
        suite.transmit([job], outcome, **changes)
    assert (suite.committee.latest_sequence(), suite.escrow.state(job.id)) == (latest, SUBMITTED)


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


# ------------------------------------------------------------------ hostile relayers
@pytest.mark.parametrize("field", range(11))
def test_relayer__with_garbage_terms__reverts_and_burns_no_sequence(suite: Suite, field: int) -> None:
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    signed = suite.sign(report, (0, 1))
    garbage = list(job.terms)
    garbage[field] = suite.stranger if field < 3 else EVIDENCE if field < 5 else garbage[field] + 1
    with boa.reverts("committee: other terms or answer"):
        suite.committee.transmit(report, [(tuple(garbage), DELIVERABLE)], *signed, sender=suite.stranger)
    assert suite.committee.latest_sequence() == 0
    suite.committee.transmit(report, openings([job]), *signed, sender=suite.relayer)
    assert suite.escrow.state(job.id) == COMPLETED


def test_relayer__with_another_answer_or_swapped_openings__reverts(suite: Suite) -> None:
    first, second = suite.submitted(), suite.submitted(price=MILL)
    report = suite.report([suite.verdict(first), suite.verdict(second)])
    signed = suite.sign(report, (0, 1))
    with boa.reverts("committee: other terms or answer"):
        suite.committee.transmit(report, openings([second, first]), *signed)
    with boa.reverts("committee: other terms or answer"):
        suite.committee.transmit(report, [(first.terms, INPUT_ROOT), (second.terms, DELIVERABLE)], *signed)
    assert suite.committee.latest_sequence() == 0


@pytest.mark.parametrize("outcome", [COMPLETE, REJECT])
def test_relayer__that_starves_the_items__fails_as_a_whole(suite: Suite, outcome: int) -> None:
    """Whatever gas is sent, either every item works or the whole transaction reverts."""
    jobs = [suite.submitted() for _ in range(3)]
    report = suite.report([suite.verdict(job, outcome) for job in jobs])
    arguments = (report, openings(jobs), *suite.sign(report, range(2 if outcome == COMPLETE else 3)))
    refused = accepted = 0
    for gas in range(200_000, 1_000_000, 20_000):
        with boa.env.anchor():
            try:
                suite.committee.transmit(*arguments, gas=gas)
            except boa.BoaError:
                refused += 1
                continue
            accepted += 1
            logged = events_of(suite.committee)
            assert [fields["success"] for name, fields in logged if name == "VerdictApplied"] == [True] * 3
    assert refused >= 10
    assert accepted >= 10


def test_relayer__with_less_than_the_gas_floor__gets_the_reason(suite: Suite) -> None:
    job = suite.submitted()
    with boa.reverts("committee: too little gas"):
        suite.transmit([job], gas=GAS_FLOOR)
    suite.transmit([job], gas=GAS_FLOOR + 100_000)
    assert suite.escrow.state(job.id) == COMPLETED


def test_gas_floor__is_more_than_twice_what_the_dearest_item_uses(suite: Suite) -> None:
    """A rejection whose compensation and burn touch cold storage; titanoboa counts less than a real chain, by far
    less than the factor asserted."""
    judge = actor("evaluator")
    suite.escrow.set_evaluator(judge, sender=suite.admin)
    job = suite.submitted()
    suite.escrow.reject(job.id, job.terms, DELIVERABLE, REASON, sender=judge)
    assert 2 * suite.escrow._computation.get_gas_used() < GAS_FLOOR


def test_relayer__with_a_withheld_report__delays_another_and_decides_nothing(suite: Suite) -> None:
    """A later number voids an earlier one, even when all its items are settled; the job is judged by the next."""
    settled, waiting = suite.submitted(), suite.submitted()
    withheld = suite.report([suite.verdict(settled)], sequence=3)
    in_flight = suite.report([suite.verdict(waiting)], sequence=2)
    suite.transmit([settled])
    suite.committee.transmit(
        withheld, openings([settled]), *suite.sign(withheld, (0, 1)), sender=suite.stranger
    )
    assert events_of(suite.committee)[1][1]["success"] is False
    with boa.reverts("committee: stale sequence"):
        suite.committee.transmit(in_flight, openings([waiting]), *suite.sign(in_flight, (0, 1)))
    assert suite.escrow.state(waiting.id) == SUBMITTED
    suite.transmit([waiting])
    assert suite.escrow.state(waiting.id) == COMPLETED


@pytest.mark.parametrize("deliverable", [ZERO_WORD, DELIVERABLE])
def test_relayer__verdict_on_a_job_without_an_answer__cannot_be_opened(
    suite: Suite, deliverable: bytes
) -> None:
    """Eleven words hash to the terms, two to an answer: neither is ever taken for the other."""
    job = suite.claimed()
    report = suite.report([suite.verdict(job)])
    signed = suite.sign(report, (0, 1))
    with boa.reverts("committee: other terms or answer"):
        suite.committee.transmit(report, [(job.terms, deliverable)], *signed)


def test_relayer__with_dirty_calldata__reverts(suite: Suite) -> None:
    """Bits above a narrow value would let one report or one opening be written in many ways."""
    job = suite.submitted()
    report = suite.report([suite.verdict(job)])
    signers, signatures = suite.sign(report, (0, 1))
    clean = suite.committee.transmit.prepare_calldata(report, openings([job]), signers, signatures)

    def word(position: int) -> int:
        return int.from_bytes(clean[position : position + 32], "big")

    report_at, openings_at = 4 + word(4), 4 + word(4 + 32)
    verdict_at = report_at + word(report_at + 4 * 32) + 32
    sequence_at, outcome_at = report_at + 32, verdict_at + 3 * 32
    terms_at = openings_at + 32
    narrow = (sequence_at, verdict_at, outcome_at, terms_at, terms_at + 32, terms_at + 2 * 32)
    assert [word(position) for position in narrow[:3]] == [1, int(suite.escrow.address, 16), COMPLETE]
    assert word(terms_at) == int(suite.requester, 16)
    for position in narrow:
        dirty = clean[:position] + b"\1" + clean[position + 1 :]
        with pytest.raises(Revert, match=r"^b''$"):
            boa.env.raw_call(suite.committee.address, data=dirty)
    assert suite.committee.latest_sequence() == 0
    boa.env.raw_call(suite.committee.address, data=clean)
    assert suite.escrow.state(job.id) == COMPLETED


def test_reentrant_token__cannot_relay_a_second_report_from_within_the_first() -> None:
    own = deploy_suite(payment="MockReentrantToken")
    job = own.submitted()
    own.payment.arm(own.committee.address, own.committee.latest_sequence.prepare_calldata())
    own.transmit([job])
    assert (own.payment.attempts(), own.payment.successes()) == (1, 0)
    assert own.escrow.state(job.id) == COMPLETED


# ------------------------------------------------------------------ what must be trusted
def test_owner__names_itself_the_committee__decides_an_open_job(suite: Suite) -> None:
    """Not prevented in version 1: docs/CONTRACTS.md says so. Only the money of judged jobs is within reach."""
    own = [Account.from_key(bytes([0x40 + index]) * 32) for index in range(4)]
    job, bystander = suite.submitted(), suite.post()
    suite.committee.set_config([member.address for member in own], 1, sender=suite.admin)
    report = suite.report([suite.verdict(job), suite.verdict(bystander, commitment=suite.verdict(job)[2])])
    digest = suite.committee.report_digest(report)
    signatures = [compact_signature(member, digest) for member in own[:2]]
    suite.committee.transmit(report, openings([job, job]), 0b0011, signatures)
    applied = [fields["success"] for name, fields in events_of(suite.committee) if name == "VerdictApplied"]
    assert applied == [True, False]
    assert suite.escrow.escrowed() == bystander.price


# ------------------------------------------------------------------ everything out again
def test_everyone_can_leave_after_a_whole_life(suite: Suite) -> None:
    completed, rejected, late, silent = (
        suite.submitted(),
        suite.submitted(),
        suite.claimed(),
        suite.submitted(),
    )
    suite.transmit([completed])
    suite.transmit([rejected], REJECT)
    travel_to(now() + DAY)
    for job in (late, silent):
        suite.escrow.claimRefund(job.id, job.terms, DELIVERABLE)
    staking, worker = suite.staking, suite.worker
    request_id = staking.request_unstake(staking.available(worker), sender=worker)
    travel_to(now() + THAW_PERIOD)
    staking.withdraw(worker, request_id)
    assert staking.total_staked() == suite.escrow.escrowed() == 0
    assert suite.mill.balanceOf(staking.address) == suite.mill.balanceOf(suite.escrow.address) == 0
    held = sum(suite.mill.balanceOf(account) for account in (suite.holder, suite.requester, worker))
    assert held == suite.mill.totalSupply() == SUPPLY - 80 * MILL
