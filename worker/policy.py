"""Which jobs to claim: every reason to leave one alone, in words. Pure, so that it can be read and tested in full."""

from dataclasses import dataclass

from eth_typing import ChecksumAddress

from proofmill.chain.job_board import TrackedJob
from proofmill.chain.types import EMPTY_ADDRESS, JobState

BPS = 10_000


@dataclass(frozen=True)
class Circumstances:
    """What the chain says around a job, at one block."""

    operator: ChecksumAddress
    committee: ChecksumAddress
    block_time: int
    available_stake: int
    escrowed: int
    escrow_balance: int
    model_ids: frozenset[bytes]


@dataclass(frozen=True)
class Policy:
    """What the owner of the worker accepts."""

    minimum_price: int
    maximum_bond_bps: int
    minimum_submit_window: int
    minimum_evaluation_window: int
    request_bytes_per_second: int

    def objection(self, job: TrackedJob, now: Circumstances) -> str | None:
        """Why not to claim `job`; None when there is no reason against it."""
        terms = job.terms
        if job.state != JobState.FUNDED or job.is_claimed:
            return "it is not open"
        if terms.provider not in (EMPTY_ADDRESS, now.operator):
            return f"it is reserved for {terms.provider}"
        if terms.model_id not in now.model_ids:
            return f"model 0x{terms.model_id.hex()} is not served here"
        if now.block_time >= terms.claim_deadline:
            return "its claim deadline has passed"
        if terms.evaluator != now.committee:
            return f"it is judged by {terms.evaluator}, which is not the committee of this deployment"
        if now.escrow_balance < now.escrowed:
            return "the escrow holds less than it owes"
        if terms.price < self.minimum_price:
            return f"its price {terms.price} is below the minimum {self.minimum_price}"
        if terms.bond * BPS > self.maximum_bond_bps * terms.price:
            return f"its bond {terms.bond} is more than {self.maximum_bond_bps} bps of the price"
        if terms.submit_window < self.minimum_submit_window:
            return (
                f"{terms.submit_window} s to submit is less than the minimum {self.minimum_submit_window} s"
            )
        if terms.evaluation_window < self.minimum_evaluation_window:
            # A job that cannot be judged in time ends unpaid, and its requester can read the answer all the same.
            return f"{terms.evaluation_window} s to judge is less than the minimum {self.minimum_evaluation_window} s"
        if terms.bond > now.available_stake:
            return f"its bond {terms.bond} exceeds the available stake {now.available_stake}"
        return None

    def objection_to_size(self, job: TrackedJob, request_bytes: int) -> str | None:
        """Why the request of `job` is too much work for its time: who claims and is late pays a penalty."""
        seconds = -(-request_bytes // self.request_bytes_per_second)
        if seconds > job.terms.submit_window:
            return f"its request of {request_bytes} bytes may take {seconds} s, it leaves {job.terms.submit_window} s"
        return None
