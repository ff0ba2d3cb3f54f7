"""Hostile relayers, and what must be trusted all the same."""

from __future__ import annotations

import boa
import pytest
from eth.exceptions import Revert
from eth_account import Account

from tests.unit.contracts.committee_cases import (
    GAS_FLOOR,
)
from tests.unit.contracts.suite import (
    COMPLETE,
    COMPLETED,
    DELIVERABLE,
    EVIDENCE,
    INPUT_ROOT,
    MILL,
    REASON,
    REJECT,
    SUBMITTED,
    ZERO_WORD,
    Suite,
    actor,
    compact_signature,
    deploy_suite,
    events_of,
    openings,
)


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
