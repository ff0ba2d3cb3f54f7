"""What the beacon decides about submitted jobs: whether each is judged, and by which members of the committee.

Only exact jobs are drawn: of those silence pays the worker, and a lie can be proved by anyone for a while. Of a job without an
arbiter silence refunds the requester, so all members judge it. The draw says who works, never who may sign: a member signs what
it has computed, and one whose draw differs, because its node was behind, only works more or later than it had to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, replace
from typing import Final

from eth_utils.crypto import keccak
from web3 import Web3

from oracle.committee_view import CommitteeView
from oracle.judge import Case, case_of
from oracle.track_records import Submission, TrackRecords
from proofmill.backoff import Backoff
from proofmill.chain import Job
from proofmill.chain.block_stamp import stamp_at
from proofmill.chain.errors import CallReverted, NodeRefused
from proofmill.chain.staking import Staking
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.logs import Logger
from proofmill.sampling import Draw, OperatorHistory, SamplingPolicy, SubmittedJob

_POLICY: Final = keccak(b"proofmill sampling policy 1")


def policy_digest(policy: SamplingPolicy) -> bytes:
    """32 bytes that are equal for two members exactly if their parameters are."""
    return keccak(_POLICY + b"".join(value.to_bytes(32, "big") for value in astuple(policy)))


def committee_policy(policy: SamplingPolicy, faults_tolerated: int) -> SamplingPolicy:
    """The policy with as many judges as a completion needs signatures: nobody signs what it has not computed."""
    return replace(policy, judges=max(policy.judges, faults_tolerated + 1))


def is_drawn_at_all(job: Job) -> bool:
    """Whether the beacon decides about the job, and not everybody judges it."""
    return job.terms.arbiter != EMPTY_ADDRESS


class Sampling:
    """The draws of all jobs in sight. `refresh` is for one thread; `draw_of` may be asked by others meanwhile."""

    def __init__(
        self, *, policy: SamplingPolicy, records: TrackRecords, staking: Staking, web3: Web3, log: Logger
    ) -> None:
        self._policy = policy
        self._records = records
        self._staking = staking
        self._web3 = web3
        self._log = log
        self._draws: dict[Case, tuple[int, Draw]] = {}  # with the number of the beacon's block
        self._config_digest: bytes | None = None
        self._retries: Backoff[Case] = Backoff()
        log.info("sampling", policy_digest=f"0x{policy_digest(policy).hex()}")

    def draw_of(self, job: Job) -> Draw | None:
        """What the beacon decided about the job; None as long as that is not known here."""
        drawn = self._draws.get(case_of(job))
        return None if drawn is None else drawn[1]

    def refresh(self, view: CommitteeView) -> None:
        """Draw what can be drawn of the jobs in the view, and forget the others."""
        stands = self._records.refresh()
        known = self._draws if view.config_digest == self._config_digest else {}
        self._config_digest = view.config_digest
        if stands is not None:
            known = {case: drawn for case, drawn in known.items() if drawn[0] <= stands}
        jobs = {case_of(job): job for job in _drawable(view)}
        self._retries.keep_only(jobs)
        draws: dict[Case, tuple[int, Draw]] = {}
        beacons: dict[int, bytes] = {}
        for case, job in jobs.items():
            drawn = known.get(case) or self._draw(job, view, beacons)
            if drawn is not None:
                draws[case] = drawn
        self._draws = draws

    def _draw(self, job: Job, view: CommitteeView, beacons: dict[int, bytes]) -> tuple[int, Draw] | None:
        submission = self._records.submission(job.id)
        if submission is None or not self._retries.is_due(case_of(job)):
            return None
        try:
            stake = self._stake_of(submission)
            number = self._policy.beacon_block(submission.block_number)
            if number > self._records.last_block:
                return None
            beacon = beacons.get(number) or self._beacon(number)
        except (NodeRefused, CallReverted) as error:
            wait = self._retries.postpone(case_of(job))
            self._log.warning("cannot draw", job=job.id, error=str(error), retry_in_seconds=wait)
            return None
        if beacon is None:
            return None
        beacons[number] = beacon
        history = self._records.history(submission.operator, submission.block_number)
        draw = committee_policy(self._policy, view.faults_tolerated).draw(
            beacon,
            SubmittedJob(job.id, job.commitment, value=job.terms.bond, slashable_stake=stake),
            history,
            len(view.members),
        )
        self._say(job, draw, history)
        return number, draw

    def _say(self, job: Job, draw: Draw, history: OperatorHistory) -> None:
        self._log.info(
            "drawn" if draw.is_sampled else "not drawn",
            job=job.id,
            worker=job.provider,
            why=draw.reason.value,
            rate_per_million=draw.rate,
            judges=list(draw.judges),
            finished_jobs=history.finished_jobs,
            clean_jobs=history.clean_jobs,
        )

    def _stake_of(self, submission: Submission) -> int:
        """Read as soon as the submission is: nodes forget the state of old blocks."""
        if submission.stake is not None:
            return submission.stake
        stake = self._staking.slashable(submission.operator, block=submission.block_hash)
        self._records.note_stake(submission, stake)
        return stake

    def _beacon(self, number: int) -> bytes | None:
        """`prevrandao` of a confirmed block; None where an endpoint shows one of another branch."""
        stamp = stamp_at(self._web3, number, head=self._records.last_block)
        return stamp.prevrandao if self._records.is_current(stamp) else None


def _drawable(view: CommitteeView) -> Iterable[Job]:
    jobs = (*view.submitted.values(), *view.challengeable.values())
    return (job for job in jobs if is_drawn_at_all(job))
