"""A member's doubts: an answer that it has found wrong is challenged by itself, and the challenge is played to its end.

Who doubts what is read from the chain, what was found from the ballots, and every move is an intent of the journaled sender: a
member can be killed between any two moves. What is kept in memory only saves a second computation.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from eth_typing import ChecksumAddress
from web3 import Web3

from oracle.ballots import Ballots
from oracle.evidence import Finding
from oracle.purse import Purse
from proofmill.backoff import Backoff
from proofmill.chain import Job, JobState, StageFlag, Suite
from proofmill.chain.dispute_game import CASE_OPEN, CASE_REFUTED, CHALLENGE_LOST, Case
from proofmill.chain.errors import JobNotFound, JournalUnavailable, RpcUnavailable, node_failures
from proofmill.chain.records import CloseReason, commitment_of
from proofmill.disputes.docket import Docket
from proofmill.disputes.matter import Matter, embedding_matter
from proofmill.disputes.prosecution import GAME_GAS, Progress, Prosecution, record_of
from proofmill.errors import ProofmillError
from proofmill.jobs import Engine
from proofmill.logs import Logger
from proofmill.store import BlobFetcher, BlobUnavailable

# Silence pays the worker. A committee that has said nothing in half of its time may stay silent.
SILENCE_SHARE: Final = 2
MATTERS_KEPT: Final = 4
# What is over is looked at again for this long, in case a reorganisation takes it back.
SETTLED_FOR: Final = 3_600
LOOK_EVERY: Final = 60
NEVER: Final = 1 << 63
Subject = tuple[int, bytes]  # job, commitment
_ENDED: Final = frozenset({Progress.WON, Progress.LOST, Progress.OVER})


class NotProvable(ProofmillError):
    """The game knows no program for the model, so a challenge would only lose its bond."""


@dataclass(frozen=True)
class Occasion:
    """Why a wrong answer has to be challenged now, and until when (inclusive, unix time) it can be."""

    why: str
    last: int


def occasion(job: Job, case: Case, now: int) -> Occasion | None:
    """Whether the wrong answer of `job` is about to stand unless somebody challenges it; None while nothing has to be done.

    That others have challenged it is no reason to wait: nobody can tell whether they mean it, and a challenge that comes to
    nothing has kept the committee from its verdict.
    """
    found = None
    window = job.terms.schedule.dispute_window
    if case.status == CASE_REFUTED:
        return None
    if job.state is JobState.COMPLETED and job.close_reason is CloseReason.ATTESTED:
        found = Occasion("the committee has paid for it", job.deadline)
    elif job.state is JobState.SUBMITTED:
        match job.flags & (StageFlag.CONDEMNED | StageFlag.CONTESTED):
            case StageFlag.CONTESTED:
                found = Occasion("it is contested, so the committee cannot reject it", job.deadline - window)
            case StageFlag(0):
                late = job.deadline - job.terms.schedule.evaluation_window // SILENCE_SHARE
                if now >= late:
                    found = Occasion("the committee is silent, which pays for it in the end", job.deadline)
            case StageFlag.CONDEMNED:
                found = None  # rejected: it is for its operator to appeal
            case _:
                found = Occasion("its operator appeals", case.appeal_deadline)
    return found if found is not None and now <= found.last else None


class Doubts:
    """The challenges of one member. `step` is for one thread.

    Args:
        prosecution: plays for the member's account, from the same docket.
        confirm: called before a bond is posted; raises `ProofmillError` where the answer may be another than it was told.
    """

    def __init__(
        self,
        *,
        account: ChecksumAddress,
        suite: Suite,
        docket: Docket,
        prosecution: Prosecution,
        ballots: Ballots,
        engine: Engine,
        fetcher: BlobFetcher,
        purse: Purse,
        log: Logger,
        confirm: Callable[[Job], None] = lambda _: None,
    ) -> None:
        self._account, self._suite = account, suite
        self._confirm = confirm
        self._docket, self._prosecution, self._ballots = docket, prosecution, ballots
        self._engine, self._fetcher, self._purse, self._log = engine, fetcher, purse, log
        self._game = suite.dispute_game
        self._web3: Web3 = self._game.web3
        self._matters: OrderedDict[Subject, Matter] = OrderedDict()
        self._ended: set[int] = set()  # own challenges
        self._hopeless: set[int] = set()  # own challenges in which there is nothing to say
        self._retries: Backoff[Subject] = Backoff(last_seconds=15.0)  # of moves; clocks run
        self._said: Backoff[Subject] = Backoff(first_seconds=60.0, last_seconds=3_600.0)
        self._over: dict[Subject, tuple[int, int]] = {}  # since when, and when last looked at
        self.requests: frozenset[bytes] = frozenset()  # what has to be kept for the doubts in hand

    def step(self) -> int:
        """One look at every answer that was found wrong, and a move where one is due; how many doubts are in hand.

        Raises:
            RpcUnavailable, JournalUnavailable: nothing can be done now; whatever else fails concerns one job and is logged.
        """
        findings = self._ballots.rejections(self._suite.job_escrow.address)
        if not findings:
            self.requests = frozenset()
            return 0
        with node_failures():
            head = self._web3.eth.get_block("latest")
        self._docket.refresh(int(head["number"]))
        now = int(head["timestamp"])
        subjects = {_subject(finding) for finding in findings}
        self._retries.keep_only(subjects)
        self._said.keep_only(subjects)
        self._over = {subject: seen for subject, seen in self._over.items() if subject in subjects}
        moves: list[tuple[int, int, Callable[[], None]]] = []
        in_hand: list[Finding] = []
        for finding in findings:
            subject = _subject(finding)
            if not self._is_to_be_looked_at(subject, now) or not self._retries.is_due(subject):
                in_hand.extend([finding] * (subject not in self._over))
                continue
            with self._failing_alone(finding):
                move = self._consider(finding, now)
                if subject not in self._over:
                    in_hand.append(finding)
                if move is not None:
                    moves.append((move[0], finding.verdict.job_id, self._guarded(finding, move[1])))
        self.requests = frozenset(finding.input_root for finding in in_hand)
        for _, _, act in sorted(moves, key=lambda each: each[:2]):  # the most urgent first
            act()
        return len(in_hand)

    # ------------------------------------------------------------------ which move, and how urgent
    def _consider(self, finding: Finding, now: int) -> tuple[int, Callable[[], None]] | None:
        """The move that the wrong answer asks for, with the time by which it must be made."""
        record = commitment_of(finding.verdict.commitment)
        job = self._job(finding, record)
        if job is None:
            return None
        case = self._game.case(job.id, record)
        own = [
            file.id
            for file in self._docket.challenges().values()
            if (file.job_id, file.record, file.challenger) == (job.id, record, self._account)
        ]
        playing = [number for number in own if number not in self._ended]
        found = None if own else occasion(job, case, now)
        self._note_end(finding, job, now, is_over=not playing and found is None)
        if playing:
            number = playing[0]
            if number in self._hopeless and case.status == CASE_OPEN:
                return None
            return self._turn_ends(number), lambda: self._play(number, job, finding)
        if found is not None:
            return found.last, lambda: self._open(job, found, finding)
        return None

    def _job(self, finding: Finding, record: bytes) -> Job | None:
        """The job, if it is still the one that was judged and this game is asked about it."""
        try:
            job = self._suite.job_escrow.job(finding.verdict.job_id)
        except JobNotFound:
            return None  # reorganised away, or the node is behind
        if not job.is_known or job.deliverable is None or record_of(job) != record:
            return None
        if job.terms.arbiter != self._game.address:
            self._ballots.close_doubt(
                finding
            )  # judged by its committee alone, or by a game that is not known here
            return None
        return job

    def _turn_ends(self, challenge_id: int) -> int:
        """When this member's clock runs out; never while it waits for the operator."""
        challenge = self._game.challenge(challenge_id)
        if not challenge.is_open or challenge.waits_for_defender:
            return NEVER
        return challenge.turn_began_at + challenge.challenger_left

    # ------------------------------------------------------------------ moves
    def _open(self, job: Job, found: Occasion, finding: Finding) -> None:
        if not self._suite.model_registry.is_registered(job.model_id):
            raise NotProvable(
                f"the answer to job {job.id} is wrong, but its model 0x{job.model_id.hex()} is not registered",
                remedy="Register it with `proofmill model register`, which anyone may; until then nothing can be proved.",
            )
        bond = self._game.challenge_bond()
        worth = job.terms.rates.ceiling_in_stake + job.terms.bond
        self._purse.check(f"a challenge of job {job.id}", gas=GAME_GAS, worth=worth, bond=bond)
        # Without the request there is nothing to play with, and the bond would be lost.
        self._matter(job, finding)
        self._confirm(job)
        self._log.warning("challenging", job=job.id, worker=job.provider, why=found.why, until=found.last)
        self._prosecution.open(job)

    def _play(self, challenge_id: int, job: Job, finding: Finding) -> None:
        progress = self._prosecution.step(challenge_id, job, lambda: self._matter(job, finding))
        if progress is Progress.NOTHING_WRONG:
            self._hopeless.add(challenge_id)
        if progress not in _ENDED:
            return
        self._ended.add(challenge_id)
        if progress is not Progress.LOST:
            self._log.info("challenge ended", job=job.id, challenge=challenge_id, how=progress.value)
            return
        assert self._game.challenge(challenge_id).status == CHALLENGE_LOST
        self._log.error(
            "challenge lost",
            job=job.id,
            challenge=challenge_id,
            remedy="Its clock ran out: see above what kept this member from moving. It does not challenge this answer again; "
            "another account can, with `proofmill dispute open`.",
        )

    def _matter(self, job: Job, finding: Finding) -> Matter:
        """Made once: it may take a run of the whole job."""
        subject = _subject(finding)
        if subject not in self._matters:
            request = self._fetcher.fetch(job.input_root)
            try:
                own = self._fetcher.fetch(finding.computed)
            except BlobUnavailable:
                own = self._engine.execute(job.model_id, request)
            claimed = None
            with suppress(BlobUnavailable):  # then its operator is asked for it
                claimed = self._fetcher.fetch(finding.claimed)
            self._matters[subject] = embedding_matter(job, request, own, claimed)
            if len(self._matters) > MATTERS_KEPT:
                self._matters.popitem(last=False)
        return self._matters[subject]

    # ------------------------------------------------------------------ what is over, and what fails
    def _note_end(self, finding: Finding, job: Job, now: int, *, is_over: bool) -> None:
        """Forget, after a while, an answer about which nothing can be done any more: the job is settled for good."""
        subject = _subject(finding)
        can_be_refuted = (
            job.close_reason is CloseReason.ATTESTED
            and now <= job.deadline + job.terms.schedule.dispute_window
        )
        if not is_over or not job.state.is_final or can_be_refuted:
            self._over.pop(subject, None)
            return
        since, _ = self._over.get(subject, (now, now))
        self._over[subject] = (since, now)
        if now - since >= SETTLED_FOR:
            self._ballots.close_doubt(finding)

    def _is_to_be_looked_at(self, subject: Subject, now: int) -> bool:
        seen = self._over.get(subject)
        return seen is None or now - seen[1] >= LOOK_EVERY

    def _guarded(self, finding: Finding, act: Callable[[], None]) -> Callable[[], None]:
        def guarded() -> None:
            with self._failing_alone(finding):
                act()

        return guarded

    @contextmanager
    def _failing_alone(self, finding: Finding) -> Iterator[None]:
        """What fails about one answer is logged, now and then, and tried again; it keeps no other waiting."""
        subject, job = _subject(finding), finding.verdict.job_id
        try:
            with node_failures():
                yield
            return
        except (RpcUnavailable, JournalUnavailable):
            raise
        except ProofmillError as error:
            words, remedy = str(error), error.remedy
        except Exception as error:  # noqa: BLE001  operators choose what there is to doubt: it must not end the member
            words, remedy = f"a bug: {type(error).__name__}: {error}", "Report this."
        self._retries.postpone(subject)
        if self._said.is_due(subject):
            self._said.postpone(subject)
            self._log.warning("a doubt waits", job=job, error=words, remedy=remedy)


def _subject(finding: Finding) -> Subject:
    return finding.verdict.job_id, finding.verdict.commitment
