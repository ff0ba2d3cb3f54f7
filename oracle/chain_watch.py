"""Reading the chain once per cycle, all at one block."""

from __future__ import annotations

from web3 import Web3

from oracle.ballots import Ballots
from oracle.committee_view import CommitteeView
from oracle.settlements import Settlements
from proofmill.chain import OracleCommittee, Outcome, StageFlag
from proofmill.chain.block_stamp import BlockStamp, reference, stamp_at
from proofmill.chain.errors import BlockGone
from proofmill.chain.job_board import BoardView, JobBoard
from proofmill.chain.records import Job


class ChainWatch:
    """Reads the committee contract and the board into one `CommitteeView`, all at the same block."""

    def __init__(
        self,
        chain_id: int,
        committee: OracleCommittee,
        board: JobBoard,
        settlements: Settlements,
        ballots: Ballots,
    ) -> None:
        self._chain_id = chain_id
        self._committee = committee
        self._web3: Web3 = committee.web3
        self._board = board
        self._settlements = settlements
        self._ballots = ballots

    def look(self) -> CommitteeView:
        """The chain now.

        Raises:
            BlockGone: the block was replaced while it was read; the next look reads another.
        """
        board: BoardView = self._board.refresh()
        stamp = self._stamp_of(board)
        block = reference(self._web3, stamp)
        ours: list[Job] = [job for job in board.open if job.terms.evaluator == self._committee.address]
        self._settlements.refresh(board.block_number)
        challengeable = {job.id: job for job in ours if StageFlag.CONTESTED in job.flags and job.is_known}
        challengeable |= self._settlements.paid(board.block_time, self._is_done_with)
        return CommitteeView(
            chain_id=self._chain_id,
            stamp=stamp,
            committee=self._committee.address,
            escrow=self._board.escrow_address,
            config_digest=self._committee.config_digest(block=block),
            members=tuple(self._committee.members(block=block)),
            keys=tuple(self._committee.keys(block=block)),
            faults_tolerated=self._committee.faults_tolerated(block=block),
            latest_sequence=self._committee.latest_sequence(block=block),
            maximum_report_age=self._committee.maximum_report_age(block=block),
            submitted={job.id: job for job in ours if job.awaits_verdict},
            requests=frozenset(job.input_root for job in ours if job.is_claimed)
            | {job.input_root for job in challengeable.values()},
            challengeable=challengeable,
        )

    def _stamp_of(self, board: BoardView) -> BlockStamp:
        """The stamp of the block at which the board was read."""
        stamp = stamp_at(self._web3, board.block_number)
        if stamp.hash != board.block_hash:
            raise BlockGone(
                f"block {stamp.number} is 0x{stamp.hash.hex()} now, the jobs are of 0x{board.block_hash.hex()}",
                remedy="The next cycle reads everything anew; raise confirmations if this happens often.",
            )
        return stamp

    def _is_done_with(self, job: Job) -> bool:
        """Whether this member has found nothing wrong with a paid answer."""
        finding = self._ballots.finding(job.escrow, job.id, job.commitment)
        return finding is not None and finding.verdict.outcome is not Outcome.REJECT
