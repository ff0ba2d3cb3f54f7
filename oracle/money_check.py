"""Asking a second endpoint before somebody's money is taken: one node can lie, or stand on a branch of its own."""

from __future__ import annotations

from typing import Final

from oracle.committee_view import CommitteeView
from proofmill.chain import JobEscrow, OracleCommittee
from proofmill.chain.block_stamp import choose_stamp
from proofmill.chain.quorum import agreed
from proofmill.chain.records import Job, commitment_of
from proofmill.chain.reports import Report
from proofmill.disputes.prosecution import record_of
from proofmill.errors import ProofmillError

_REMEDY: Final = "Look in the log for the endpoint that contradicts the others, and remove it."


class ViewContradicted(ProofmillError):
    """What this member was told of the chain is not what its endpoints agree about."""


class MoneyCheck:
    """What this member acts on when it takes or stakes money, as two endpoints say it."""

    def __init__(self, committee: OracleCommittee, escrow: JobEscrow, *, confirmations: int) -> None:
        self._committee, self._escrow = committee, escrow
        self._confirmations = confirmations

    def of_report(self, view: CommitteeView, report: Report) -> None:
        """Compare the committee and every job of `report` with what two endpoints say of the block of `view`.

        Raises:
            EndpointsDisagree: no two endpoints say the same.
            ViewContradicted: two do, and it is not what this member works with.
        """

        def read(block: bytes) -> tuple[bytes, tuple[tuple[int, bytes], ...]]:
            jobs = tuple(
                (
                    self._escrow.stage(item.job_id, block=block),
                    self._escrow.commitment(item.job_id, block=block),
                )
                for item in report.verdicts
            )
            return self._committee.config_digest(block=block), jobs

        digest, jobs = agreed(self._committee.web3, read, view.stamp)
        known = [view.open_job(item) for item in report.verdicts]
        wanted = tuple(None if job is None else (job.stage, commitment_of(job.commitment)) for job in known)
        if digest != view.config_digest or jobs != wanted:
            wrong = [
                item.job_id
                for item, found, job in zip(report.verdicts, jobs, wanted, strict=True)
                if found != job
            ]
            raise ViewContradicted(
                f"at block {view.stamp.number} the endpoints agree about other records of jobs {wrong}, "
                "or about another committee, than this member was told",
                remedy=_REMEDY,
            )

    def of_answer(self, job: Job) -> None:
        """Compare the answer to `job`, before a bond is posted against it, with what two endpoints say of a confirmed block.

        Raises:
            EndpointsDisagree: no two endpoints say the same.
            ViewContradicted: two do, and it is another answer, or none yet.
            JobNotFound: two say that there is no such job.
        """
        web3 = self._committee.web3
        stamp = choose_stamp(web3, confirmations=self._confirmations)
        found = agreed(
            web3,
            lambda block: record_of(self._escrow.job(job.id, block=block, posted_block=job.posted_block)),
            stamp,
        )
        if found != record_of(job):
            raise ViewContradicted(
                f"at block {stamp.number} the endpoints agree about another answer to job {job.id} than this member was told",
                remedy=_REMEDY,
            )
