"""Which jobs to claim: every reason to leave one alone, in words. Pure, so that it can be read and tested in full."""

from collections.abc import Mapping
from dataclasses import dataclass

from eth_typing import ChecksumAddress

from proofmill.chain.records import Job
from proofmill.chain.terms import BASIS_POINTS
from proofmill.chain.types import EMPTY_ADDRESS


@dataclass(frozen=True)
class Circumstances:
    """What the chain says around a job, at one block."""

    operator: ChecksumAddress
    committee: ChecksumAddress
    block_time: int
    bond_room: int  # stake that open work may still bind
    largest_bond: int  # the most that one job may bind
    insolvent_tokens: frozenset[ChecksumAddress]  # those of which the escrow holds less than it owes
    tier: int  # that the operator surely has until the job's answer would be due
    model_ids: frozenset[bytes]


@dataclass(frozen=True)
class Policy:
    """What the owner of the worker accepts."""

    minimum_prices: Mapping[ChecksumAddress, int]  # by payment token; others are not taken
    maximum_bond_bps: int
    minimum_submit_window: int
    minimum_evaluation_window: int
    request_bytes_per_second: int

    def objection(self, job: Job, now: Circumstances) -> str | None:
        """Why not to claim `job`; None when there is no reason against it."""
        terms, schedule = job.terms, job.terms.schedule
        if not job.is_open:
            return "it is not open"
        if not job.is_known:
            return "its terms are not those that the chain keeps"
        if terms.provider not in (EMPTY_ADDRESS, now.operator):
            return f"it is reserved for {terms.provider}"
        if job.model_id not in now.model_ids:
            return f"model 0x{job.model_id.hex()} is not served here"
        if now.block_time >= schedule.claim_deadline:
            return "its claim deadline has passed"
        if terms.evaluator != now.committee:
            return f"it is judged by {terms.evaluator}, which is not the committee of this deployment"
        if terms.rates.tier > now.tier:
            return (
                f"it wants tier {terms.rates.tier}, this operator has tier {now.tier} until the answer would be due: "
                "have a device measured"
            )
        if schedule.submit_window < self.minimum_submit_window:
            return f"{schedule.submit_window} s to submit is less than the minimum {self.minimum_submit_window} s"
        if schedule.evaluation_window < self.minimum_evaluation_window:
            # A job that cannot be judged in time ends unpaid, and its requester can read the answer all the same.
            return f"{schedule.evaluation_window} s to judge is less than the minimum {self.minimum_evaluation_window} s"
        return self._objection_to_money(job, now)

    def _objection_to_money(self, job: Job, now: Circumstances) -> str | None:
        terms = job.terms
        minimum = self.minimum_prices.get(terms.payment_token)
        if minimum is None:
            return f"it pays in {terms.payment_token}, which is not taken here"
        if terms.payment_token in now.insolvent_tokens:
            return "the escrow holds less than it owes"
        paid_from = terms.time_of_price(minimum)
        if paid_from is None:
            return f"its price {terms.price_ceiling} is below the minimum {minimum}"
        if terms.bond * BASIS_POINTS > self.maximum_bond_bps * terms.rates.ceiling_in_stake:
            return f"its bond {terms.bond} is more than {self.maximum_bond_bps} bps of the price"
        if terms.bond > now.bond_room:
            return (
                f"its bond {terms.bond} exceeds {now.bond_room}, what open jobs and past slashes leave to bind of this "
                "stake: add stake with `proofmill stake add`, or wait until open jobs are settled"
            )
        if terms.bond > now.largest_bond:
            return (
                f"its bond {terms.bond} exceeds {now.largest_bond}, the most that one job may bind of this stake: "
                "add stake with `proofmill stake add`"
            )
        if now.block_time < paid_from:
            # The price only rises, so this is a matter of time; somebody else may be content with less.
            return f"its price reaches the minimum {minimum} at {paid_from}"
        return None

    def objection_to_size(self, job: Job, request_bytes: int) -> str | None:
        """Why the request of `job` is too much work for its time: who claims and is late pays a penalty."""
        seconds = -(-request_bytes // self.request_bytes_per_second)
        window = job.terms.schedule.submit_window
        if seconds > window:
            return f"its request of {request_bytes} bytes may take {seconds} s, it leaves {window} s"
        return None
