"""What a report does, and that everything can leave afterwards."""

from __future__ import annotations

import boa

from tests.unit.contracts.committee_cases import (
    MAX_VERDICTS,
)
from tests.unit.contracts.suite import (
    COMPLETE,
    COMPLETED,
    DAY,
    DELIVERABLE,
    EVIDENCE,
    MAXIMUM_REPORT_AGE,
    MILL,
    REJECT,
    REJECTED,
    SUBMITTED,
    SUPPLY,
    THAW_PERIOD,
    Suite,
    deploy,
    events_of,
    member_accounts,
    now,
    openings,
    travel_to,
)


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
