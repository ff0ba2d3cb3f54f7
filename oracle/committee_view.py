"""What one cycle knows of the chain: the committee contract and the jobs of one escrow, at one block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eth_typing import ChecksumAddress

from oracle.schedule import Schedule
from proofmill.chain.block_stamp import BlockStamp
from proofmill.chain.errors import InvalidSignature
from proofmill.chain.records import Job
from proofmill.chain.reports import Report, Verdict
from proofmill.chain.typed_data import recover_signer


@dataclass(frozen=True)
class CommitteeView:
    """The committee contract at the block of `stamp`, and the jobs of one escrow that wait for its verdict there.

    `members` are operators, `keys` what they sign with, in the same order; an ejected member has the empty address.
    """

    chain_id: int
    stamp: BlockStamp
    committee: ChecksumAddress
    escrow: ChecksumAddress
    config_digest: bytes
    members: tuple[ChecksumAddress, ...]
    keys: tuple[ChecksumAddress, ...]
    faults_tolerated: int
    latest_sequence: int
    maximum_report_age: int
    submitted: dict[int, Job]
    # Of all jobs that a worker has claimed: a verdict on them is or will be wanted.
    requests: frozenset[bytes]
    # No verdict is wanted any more, but the answers can still be challenged: contested, appealed, or paid a short while ago.
    challengeable: dict[int, Job] = field(default_factory=dict)

    @property
    def block_time(self) -> int:
        """The chain's clock: unix time of the block."""
        return self.stamp.timestamp

    def quorum(self, report: Report) -> int:
        """Signatures the contract wants: f + 1, or 2f + 1 as soon as one verdict takes money."""
        return (2 if report.takes_money else 1) * self.faults_tolerated + 1

    def seat(self, key: ChecksumAddress) -> int | None:
        """The place of the member that signs with `key`, None where there is none."""
        return self.keys.index(key) if key in self.keys else None

    def is_signed_by(self, member: int, report: Report, signature: bytes) -> bool:
        """Whether the member at that place signed `report`."""
        try:
            signer = recover_signer(report, signature, self.chain_id, self.committee)
        except InvalidSignature:
            return False
        return signer == self.keys[member]

    def schedule(self, waiting_since: Sequence[int], patience: float) -> Schedule:
        """Who may lead now, where the verdicts at hand wait since these moments (unix time)."""
        return Schedule(
            members=len(self.members),
            latest_sequence=self.latest_sequence,
            waited=self.block_time - min(waiting_since, default=self.block_time),
            patience=patience,
        )

    def open_job(self, verdict: Verdict) -> Job | None:
        """The submitted job that a verdict is about; its terms and answer open the verdict's commitment."""
        job = self.submitted.get(verdict.job_id)
        return job if job is not None and job.commitment == verdict.commitment else None

    def waits(self, verdict: Verdict) -> bool:
        """Whether the verdict is about a job as it is on chain, and comes in time."""
        job = self.open_job(verdict)
        return job is not None and job.deadline > self.block_time
