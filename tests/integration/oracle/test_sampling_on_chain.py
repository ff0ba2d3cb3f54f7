"""Draws of real jobs: histories from the escrow's own events, stake and beacon of a real node, and a reorganisation."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine
from web3 import Web3

from oracle.caseload import Caseload
from oracle.committee_view import CommitteeView
from oracle.sampling import Sampling, committee_policy
from oracle.track_records import TrackRecords
from proofmill.chain import Deployment, Outcome, Suite, TransactionSender, open_database
from proofmill.chain.block_stamp import stamp_at
from proofmill.chain.job_board import JobBoard
from proofmill.devnet.anvil import CHAIN_ID, Anvil
from proofmill.logs import get_logger
from proofmill.sampling import OperatorHistory, SamplingPolicy, SubmittedJob
from tests.integration.committee import FIRST_MEMBER, judge
from tests.integration.offers import PRICE, offer

ANSWER = b"\x07" * 32
POLICY = SamplingPolicy()


@pytest.fixture
def requester(suite: Suite, sender: TransactionSender) -> TransactionSender:
    """It is worker as well, with one key; its jobs are exact."""
    sender.send("allow escrow", suite.mill_token.approve(suite.job_escrow.address, 100 * PRICE))
    sender.send("allow staking", suite.mill_token.approve(suite.staking.address, 50 * PRICE))
    sender.send("stake", suite.staking.stake(50 * PRICE))
    return sender


def submit(suite: Suite, worker: TransactionSender, name: str) -> int:
    """A job that is posted, claimed and answered; its number."""
    escrow = suite.job_escrow
    job_id = escrow.posted_in(worker.send(f"post {name}", escrow.post(offer(suite, is_exact=True)))).id
    job = escrow.job(job_id)
    receipt = worker.send(f"claim {name}", escrow.claim(job_id, job.terms, worker.address))
    worker.send(f"submit {name}", escrow.submit(job_id, escrow.claimed_in(receipt, job).claim, ANSWER))
    return job_id


def pass_by(anvil: Anvil, deadline: int) -> None:
    """A block after that moment."""
    anvil.request("evm_setNextBlockTimestamp", [deadline + 1])
    anvil.request("anvil_mine", [1])


def records_of(web3: Web3, suite: Suite, deployment: Deployment, database: Engine) -> TrackRecords:
    return TrackRecords(
        web3, suite.job_escrow, database, start_block=deployment.deployed_block, confirmations=1
    )


def sampling_of(web3: Web3, suite: Suite, records: TrackRecords) -> Sampling:
    return Sampling(policy=POLICY, records=records, staking=suite.staking, web3=web3, log=get_logger())


def look(web3: Web3, suite: Suite, deployment: Deployment, database: Engine) -> CommitteeView:
    """What an oracle sees, as far as it draws from it."""
    board = JobBoard(
        web3, suite.job_escrow, database, start_block=deployment.deployed_block, confirmations=1
    ).refresh()
    committee = suite.oracle_committee
    return CommitteeView(
        chain_id=CHAIN_ID,
        stamp=stamp_at(web3, board.block_number),
        committee=committee.address,
        escrow=suite.job_escrow.address,
        config_digest=committee.config_digest(),
        members=tuple(committee.members()),
        keys=tuple(committee.keys()),
        faults_tolerated=committee.faults_tolerated(),
        latest_sequence=committee.latest_sequence(),
        maximum_report_age=committee.maximum_report_age(),
        submitted={job.id: job for job in board.open if job.awaits_verdict},
        requests=frozenset(),
    )


def test_history__paid_condemned_and_late_jobs__are_counted_from_the_escrows_events(
    anvil: Anvil,
    web3: Web3,
    suite: Suite,
    deployment: Deployment,
    requester: TransactionSender,
    tmp_path: Path,
) -> None:
    records = records_of(web3, suite, deployment, open_database(tmp_path / "records.db"))
    worker, escrow = requester.address, suite.job_escrow
    found = []

    def note() -> None:
        records.refresh()
        found.append(records.history(worker, records.last_block))

    judge(anvil, suite, requester, submit(suite, requester, "paid"))
    note()
    judge(anvil, suite, requester, submit(suite, requester, "void"), Outcome.VOID)
    note()
    condemned = submit(suite, requester, "condemned")
    judge(anvil, suite, requester, condemned, Outcome.REJECT)
    note()
    job = escrow.job(condemned)
    pass_by(anvil, escrow.deadline(condemned))
    requester.send("finalize", escrow.finalize(condemned, job.terms, job.answer))
    note()
    unopposed = submit(suite, requester, "unopposed")
    job = escrow.job(unopposed)
    pass_by(anvil, escrow.deadline(unopposed))
    requester.send("silence pays", escrow.finalize(unopposed, job.terms, job.answer))
    note()
    late = escrow.posted_in(requester.send("post late", escrow.post(offer(suite, is_exact=True)))).id
    requester.send("claim late", escrow.claim(late, escrow.job(late).terms, worker))
    job = escrow.job(late)
    pass_by(anvil, escrow.deadline(late))
    requester.send("refund late", escrow.claim_refund(late, job.terms, job.answer))
    note()
    assert found == [
        OperatorHistory(1, 1),
        OperatorHistory(1, 1),  # nobody could judge it: it shows nothing
        OperatorHistory(1, 1),  # may still be appealed
        OperatorHistory(2, 0),
        OperatorHistory(3, 1),
        OperatorHistory(4, 0),
    ]


def test_draw__submitted_job__comes_from_the_beacon_and_the_members_share_the_work(
    anvil: Anvil,
    web3: Web3,
    suite: Suite,
    deployment: Deployment,
    requester: TransactionSender,
    tmp_path: Path,
) -> None:
    database = open_database(tmp_path / "oracle.db")
    records = records_of(web3, suite, deployment, database)
    sampling = sampling_of(web3, suite, records)
    keys = [member.address for member in anvil.accounts[FIRST_MEMBER : FIRST_MEMBER + 4]]
    caseloads = [Caseload(key, sampling) for key in keys]
    job_id = submit(suite, requester, "first")
    submission_block = int(web3.eth.block_number)
    view = look(web3, suite, deployment, database)
    [job] = view.submitted.values()
    assert [one.queues(view).waiting for one in caseloads] == [()] * 4, "the beacon is still to come"
    anvil.request("anvil_mine", [POLICY.beacon_delay_blocks])
    view = look(web3, suite, deployment, database)
    waiting = [one.queues(view).waiting for one in caseloads]
    draw = sampling.draw_of(job)
    beacon = stamp_at(web3, submission_block + POLICY.beacon_delay_blocks)
    assert draw == committee_policy(POLICY, view.faults_tolerated).draw(
        beacon.prevrandao,
        SubmittedJob(job_id, job.commitment, value=PRICE, slashable_stake=50 * PRICE),
        OperatorHistory(0, 0),
        members=4,
    )
    assert draw is not None
    assert [bool(jobs) for jobs in waiting] == [seat in draw.judges for seat in range(4)]

    anvil.reorganise(1)
    sampling.refresh(look(web3, suite, deployment, database))
    lost = open_database(tmp_path / "lost.db")
    rebuilt = sampling_of(web3, suite, records_of(web3, suite, deployment, lost))
    rebuilt.refresh(look(web3, suite, deployment, lost))
    again = sampling.draw_of(job)
    assert again is not None
    assert again == rebuilt.draw_of(job), "who has forgotten everything draws as who was there"
    anvil.reorganise(POLICY.beacon_delay_blocks + 1)  # and one more: the submission is gone
    sampling.refresh(look(web3, suite, deployment, database))
    assert records.submission(job_id) is None
    assert sampling.draw_of(job) is None
