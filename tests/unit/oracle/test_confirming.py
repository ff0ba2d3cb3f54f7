"""What takes money is signed only once the endpoints agree; what takes none waits for nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oracle.committee_view import CommitteeView
from proofmill.chain import Job, Outcome, Report
from proofmill.chain.errors import EndpointsDisagree
from proofmill.errors import ProofmillError
from tests.unit.oracle.conftest import Committee, Member
from tests.unit.oracle.reports import all_find, proposal_of, report_on

Asked = list[list[int]]


def disagreeing(member: Member) -> Asked:
    """From now on the endpoints of this member do not agree; what they were asked about."""
    asked: Asked = []

    def confirm(_: CommitteeView, report: Report) -> None:
        asked.append([verdict.job_id for verdict in report.verdicts])
        raise EndpointsDisagree("two say two things", remedy="Look at them.")

    member.rounds._signer._confirm = confirm
    return asked


@pytest.mark.parametrize(("outcome", "is_asked"), [(Outcome.COMPLETE, False), (Outcome.REJECT, True)])
def test_lead__endpoints_disagree__only_what_takes_money_is_not_proposed(
    committee: Committee, submitted_job: Callable[..., Job], outcome: Outcome, is_asked: bool
) -> None:
    job = submitted_job()
    all_find(committee, job, outcome=outcome)
    committee.sees(job)
    leader = committee.leader_of(1)
    asked = disagreeing(leader)
    leader.rounds.lead()
    assert asked == ([[job.id]] if is_asked else [])
    proposal = leader.ballots.proposal(committee.view.config_digest, 1)
    assert (proposal is None) == is_asked
    leader.rounds.relay()
    assert len(leader.transmitted) == (0 if is_asked else 1)


def test_lead__endpoints_agree_again__the_same_number_is_used(
    committee: Committee, submitted_job: Callable[..., Job]
) -> None:
    """Nothing was signed, so nothing is lost."""
    job = submitted_job()
    all_find(committee, job, outcome=Outcome.REJECT)
    committee.sees(job)
    leader = committee.leader_of(1)
    before = leader.rounds._signer._confirm
    disagreeing(leader)
    leader.rounds.lead()
    leader.rounds._signer._confirm = before
    leader.rounds.lead()
    leader.rounds.relay()
    assert [item.report.sequence for item in leader.transmitted] == [1]


def test_endorse__endpoints_disagree__a_rejection_gets_no_signature(
    committee: Committee, submitted_job: Callable[..., Job]
) -> None:
    job = submitted_job()
    all_find(committee, job, outcome=Outcome.REJECT)
    committee.sees(job)
    leader = committee.leader_of(1)
    [signer, *_] = committee.others(leader)
    disagreeing(signer)
    with pytest.raises(ProofmillError, match="two say two things"):
        signer.rounds.endorse(proposal_of(committee, leader, report_on(leader, job)))
