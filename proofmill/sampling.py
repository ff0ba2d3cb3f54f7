"""Which submitted jobs are judged, and by which members: one rule in integers, so that all members agree bit by bit.

A job is drawn by the beacon, the ``prevrandao`` of a block after its submission, which its operator did not know when it
committed to an answer. Everything else that enters is on chain before the beacon is. Rates are parts per million.

The rule for an operator with ``finished`` jobs behind it, of which the last ``clean`` were faultless:

    finished < 50                      every job
    value > slashable stake / 20       every such job
    otherwise                          max(floor, first * decay ** clean), 3 %, 20 % and 0.98 by default

A job that is drawn is judged by ``judges`` different members, which the same beacon draws without bias; the others follow
in an order that the beacon draws too, for when one of them is silent.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum
from functools import cached_property, lru_cache
from typing import Final

from eth_utils.crypto import keccak

from proofmill.errors import ProofmillError

PARTS: Final = 1_000_000  # of one whole
WORD_BYTES: Final = 32
WORDS: Final = 1 << 256  # how many values a word has
MAXIMUM_MEMBERS: Final = 31  # of a committee on chain
DOMAIN: Final = keccak(b"proofmill sampling 1")
TICKET: Final = b"ticket".rjust(WORD_BYTES, b"\0")
MEMBERS: Final = b"members".rjust(WORD_BYTES, b"\0")
CANARY: Final = b"proofmill canary 1"
# The bounds of each parameter. A committee that samples nothing, or in a way that nobody can afford, is not to be set up.
BOUNDS: Final = {
    "new_operator_jobs": (0, 10_000),
    "first_rate": (10_000, PARTS),
    "decay": (500_000, 999_000),
    "floor_rate": (1_000, PARTS),
    "large_job_divisor": (1, 1_000),
    "judges": (1, MAXIMUM_MEMBERS),
    "canary_rate": (0, 100_000),
    "beacon_delay_blocks": (1, 64),
}


class InvalidPolicy(ProofmillError, ValueError):
    """A parameter of the policy, or what is to be drawn, is outside of its bounds."""


class Reason(Enum):
    """Why a job is judged or not; the text is for logs."""

    NEW_OPERATOR = "the operator is new"
    LARGE_JOB = "the job is large for the operator's stake"
    DRAWN = "drawn by the beacon"
    NOT_DRAWN = "not drawn by the beacon"


@dataclass(frozen=True, slots=True)
class OperatorHistory:
    """What the chain says of an operator, at the block of the submission.

    Attributes:
        finished_jobs: paid for, refunded for a fault, or slashed. A job that nobody could judge, because its input was not
            to be had, is none of these: it shows nothing.
        clean_jobs: how many of the latest of them came since the last fault; all of them if there was none.
    """

    finished_jobs: int
    clean_jobs: int

    def __post_init__(self) -> None:
        if not 0 <= self.clean_jobs <= self.finished_jobs:
            raise InvalidPolicy(
                f"{self.clean_jobs} clean jobs of {self.finished_jobs}",
                remedy="Count the clean jobs among the finished ones.",
            )

    def after(self, *, is_clean: bool) -> OperatorHistory:
        """The history once another job has finished."""
        return OperatorHistory(self.finished_jobs + 1, self.clean_jobs + 1 if is_clean else 0)


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    """What is fixed on chain once an answer is submitted.

    Attributes:
        job_id: the escrow's number of it.
        commitment: 32 bytes, the escrow's hash of the job's terms, operator and answer.
        value: what a lie about it can cost the operator: its bond, in units of the stake token.
        slashable_stake: of the operator, in the same units, at the block of the submission.
    """

    job_id: int
    commitment: bytes
    value: int
    slashable_stake: int

    def __post_init__(self) -> None:
        _check("job_id", self.job_id, 0, WORDS - 1)
        _check("value", self.value, 0, WORDS - 1)
        _check("slashable_stake", self.slashable_stake, 0, WORDS - 1)
        _check_word("commitment", self.commitment)


@dataclass(frozen=True)
class Draw:
    """What the beacon decided about a job.

    Attributes:
        reason: why the job is judged, or that it is not.
        rate: the probability with which jobs like this one are judged, in parts per million.
        order: all seats of the committee as the beacon ordered them; empty if the job is not judged.
        judge_count: how many of the first of them have to judge.
    """

    reason: Reason
    rate: int
    order: tuple[int, ...]
    judge_count: int

    @property
    def is_sampled(self) -> bool:
        """Whether the job is judged at all."""
        return self.reason is not Reason.NOT_DRAWN

    @property
    def judges(self) -> tuple[int, ...]:
        """The seats whose members re-execute the job, all different, in the order drawn."""
        return self.order[: self.judge_count]

    @property
    def substitutes(self) -> tuple[int, ...]:
        """The seats that take over, in this order, from judges that are silent."""
        return self.order[self.judge_count :]


@dataclass(frozen=True)
class SamplingPolicy:
    """The parameters, each within bounds that are fixed in code (``BOUNDS``), and the rule.

    Attributes:
        new_operator_jobs: how many first jobs of an operator are all judged.
        first_rate: probability for an operator that has just had a fault, or is no longer new, per million.
        decay: what a clean job leaves of that rate, per million.
        floor_rate: the least probability, per million.
        large_job_divisor: a job is large if its value exceeds this fraction of the operator's slashable stake.
        judges: members who re-execute a job, at most as many as there are.
        canary_rate: wrong answers that the protocol's own account submits, per million of all jobs.
        beacon_delay_blocks: how many blocks after the submission the beacon is. ``prevrandao`` of the very next block is
            known to the proposer of the block of the submission, who could leave the submission out if it did not like it.
    """

    new_operator_jobs: int = 50
    first_rate: int = 200_000
    decay: int = 980_000
    floor_rate: int = 30_000
    large_job_divisor: int = 20
    judges: int = 2
    canary_rate: int = 10_000
    beacon_delay_blocks: int = 2

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name), *BOUNDS[field.name])
        if self.floor_rate > self.first_rate:
            raise InvalidPolicy(
                f"floor_rate {self.floor_rate} is above first_rate {self.first_rate}",
                remedy="Choose a floor that the rate can fall to.",
            )

    def beacon_block(self, submission_block: int) -> int:
        """The number of the block whose ``prevrandao`` draws a job that was submitted in that block."""
        return submission_block + self.beacon_delay_blocks

    def rate(self, history: OperatorHistory, value: int, slashable_stake: int) -> int:
        """The probability, in parts per million, with which such a job is judged."""
        reason = self._certain(history, value, slashable_stake)
        return PARTS if reason else self.decayed_rate(history.clean_jobs)

    def decayed_rate(self, clean_jobs: int) -> int:
        """``max(floor_rate, floor(first_rate * decay ** clean_jobs / 10 ** (6 * clean_jobs)))``.

        The power is exact and rounded once, so there is no order of roundings to agree on.
        """
        _check("clean_jobs", clean_jobs, 0, WORDS - 1)
        if clean_jobs >= self._jobs_until_floor:
            return self.floor_rate
        return max(self.floor_rate, self._decayed_exactly(clean_jobs))

    def draw(self, beacon: bytes, job: SubmittedJob, history: OperatorHistory, members: int) -> Draw:
        """Whether a job is judged, and by whom.

        Args:
            beacon: 32 bytes, ``prevrandao`` of the block that ``beacon_block`` names.
            job: the submitted job.
            history: the operator's, before this job.
            members: seats of the committee, 1 to 31.

        Raises:
            InvalidPolicy: the beacon is no word, or there is no such committee.
        """
        _check_word("beacon", beacon)
        _check("members", members, 1, MAXIMUM_MEMBERS)
        seed = keccak(DOMAIN + beacon + job.job_id.to_bytes(WORD_BYTES, "big") + job.commitment)
        rate = self.rate(history, job.value, job.slashable_stake)
        reason = self._certain(history, job.value, job.slashable_stake)
        if reason is None:
            reason = Reason.DRAWN if _wins(seed, rate) else Reason.NOT_DRAWN
        is_sampled = reason is not Reason.NOT_DRAWN
        return Draw(
            reason=reason,
            rate=rate,
            order=_shuffled(seed, members) if is_sampled else (),
            judge_count=min(self.judges, members),
        )

    def is_canary_due(self, secret: bytes, slot: int) -> bool:
        """Whether the protocol's own account submits a wrong answer in a slot.

        Drawn from a secret of that account, since whoever could tell canaries would check nothing else. The account
        commits to the secret's hash beforehand and shows it afterwards: then anyone can see that it chose nothing.

        Args:
            secret: at least 32 random bytes.
            slot: counts the jobs that the account could use, from 0.
        """
        if len(secret) < WORD_BYTES:
            raise InvalidPolicy("the secret is too short", remedy="Draw at least 32 random bytes.")
        _check("slot", slot, 0, WORDS - 1)
        drawn = hmac.digest(secret, CANARY + slot.to_bytes(WORD_BYTES, "big"), hashlib.sha256)
        return _is_below(int.from_bytes(drawn, "big"), self.canary_rate)

    def _certain(self, history: OperatorHistory, value: int, slashable_stake: int) -> Reason | None:
        """Why such a job is judged whatever the beacon is; None if the beacon decides."""
        if history.finished_jobs < self.new_operator_jobs:
            return Reason.NEW_OPERATOR
        if value * self.large_job_divisor > slashable_stake:
            return Reason.LARGE_JOB
        return None

    def _decayed_exactly(self, clean_jobs: int) -> int:
        return _decayed(self.first_rate, self.decay, clean_jobs)

    @cached_property
    def _jobs_until_floor(self) -> int:
        """The least number of clean jobs from which on the floor is the rate, found by bisection."""
        low, high = 0, 1
        while self._decayed_exactly(high) > self.floor_rate:
            low, high = high, 2 * high
        while low < high:
            middle = (low + high) // 2
            if self._decayed_exactly(middle) > self.floor_rate:
                low = middle + 1
            else:
                high = middle
        return low


@lru_cache(maxsize=65_536)
def _decayed(first_rate: int, decay: int, clean_jobs: int) -> int:
    numerator: int = first_rate * decay**clean_jobs
    denominator: int = PARTS**clean_jobs
    return numerator // denominator


def _wins(seed: bytes, rate: int) -> bool:
    """Whether the ticket of a job is among the first ``rate`` millionths: who wins at some rate wins at each higher one."""
    return _is_below(int.from_bytes(keccak(seed + TICKET), "big"), rate)


def _is_below(word: int, rate: int) -> bool:
    """Exact to one part in 2**256; a rate of one whole always is, a rate of nothing never."""
    return word * PARTS < rate * WORDS


def _shuffled(seed: bytes, members: int) -> tuple[int, ...]:
    """All seats in a uniformly drawn order (Fisher-Yates from the front): the first k are k different members."""
    words = _words(seed)
    seats = list(range(members))
    for place in range(members - 1):
        chosen = place + _uniform(words, members - place)
        seats[place], seats[chosen] = seats[chosen], seats[place]
    return tuple(seats)


def _uniform(words: Iterator[int], count: int) -> int:
    """A number below ``count``; words beyond the last whole multiple of it are passed over, so that none is preferred."""
    limit = WORDS - WORDS % count
    return next(word for word in words if word < limit) % count


def _words(seed: bytes) -> Iterator[int]:
    """Counter mode: keccak256(seed, "members", 0), keccak256(seed, "members", 1), …"""
    counter = 0
    while True:
        yield int.from_bytes(keccak(seed + MEMBERS + counter.to_bytes(WORD_BYTES, "big")), "big")
        counter += 1


def _check(name: str, value: int, least: int, most: int) -> None:
    # A bool is an int, a float is not exact: neither is a number here.
    if type(value) is not int or not least <= value <= most:
        raise InvalidPolicy(
            f"{name} is {value!r}, not an integer from {least} to {most}",
            remedy=f"Choose {name} within these bounds.",
        )


def _check_word(name: str, value: bytes) -> None:
    if len(value) != WORD_BYTES:
        raise InvalidPolicy(
            f"{name} has {len(value)} bytes", remedy=f"Pass the {WORD_BYTES} bytes of a word."
        )
