"""A person's doubt about one job: run it again, compare, and dispute the answer to the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from eth_utils.crypto import keccak

from proofmill.chain import Job, JobState, StageFlag
from proofmill.chain.dispute_game import CASE_OPEN, CASE_REFUTED, CHALLENGE_LOST, Challenge
from proofmill.chain.errors import RpcUnavailable, node_failures
from proofmill.chain.history import format_amount
from proofmill.client import Client, InsufficientFunds, Progress
from proofmill.disputes.docket import ChallengeFile, Docket
from proofmill.disputes.matter import Matter, NothingToDispute, Reruns, embedding_matter
from proofmill.disputes.prosecution import Progress as Standing
from proofmill.disputes.prosecution import Prosecution, record_of
from proofmill.errors import ProofmillError
from proofmill.jobs import Engine, identify
from proofmill.store import BlobUnavailable

MOST_QUESTIONS: Final = 8  # that a challenge may ask
REASONS: Final = {
    keccak(text=words): words
    for words in (
        "a step of the trace is false",
        "the trace contradicts the claim",
        "no program answers with so many rows",
        "the operator did not answer in time",
    )
}
_OUTCOMES: Final = {1: "the operator is convicted", 2: "the answer is upheld", 3: "it is dismissed"}
_ENDED: Final = frozenset({Standing.WON, Standing.LOST, Standing.OVER, Standing.NOTHING_WRONG})


class NotDisputable(ProofmillError):
    """The job's answer cannot be brought before the game; nothing was sent."""


class NoChallenge(ProofmillError):
    """This account has no open challenge of the job."""


@dataclass(frozen=True)
class ChallengeView:
    """One challenge in words."""

    id: int
    challenger: str
    bond: int
    questions: int
    standing: str


@dataclass(frozen=True)
class CaseView:
    """All that is known of the disputes about a job's answer."""

    job_id: int
    standing: str
    challenges: tuple[ChallengeView, ...]


class Inquiry:
    """Looks into one job with a client's key. Not for several threads.

    Args:
        engine: runs the job again; it is not used to look at a case.
        budget: most wei that a dispute may cost in gas; None: whatever it costs.
    """

    def __init__(
        self,
        client: Client,
        job_id: int,
        *,
        engine: Engine | None = None,
        reruns: Reruns | None = None,
        budget: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._job_id, self._engine, self._sleep = client, job_id, engine, sleep
        self._suite, self._game = client.suite, client.suite.dispute_game
        self._matter: Matter | None = None
        self._docket = Docket(self._game, self._job().posted_block)
        # Salts that a second run of the program makes again, and nobody who does not have the key.
        secret = keccak(b"salts of disputes" + bytes(client.account.key))
        self._prosecution = (
            Prosecution(self._suite, client.sender, self._docket, reruns, self, secret=secret, budget=budget)
            if reruns is not None
            else None
        )

    # ------------------------------------------------------------------ acting
    def examine(self) -> Matter:
        """Run the job again, once, and compare.

        Raises:
            NotDisputable: there is no answer, or none that the arithmetic may judge.
            NothingToDispute: the answer is right.
            BlobUnavailable: nobody serves the request.
        """
        if self._matter is None:
            self._matter = self._examine(self._disputable_job())
        return self._matter

    def _examine(self, job: Job) -> Matter:
        assert self._engine is not None
        request = self._client.fetcher.fetch(job.input_root)
        self._say("computing", "running the job again")
        own = self._engine.execute(job.model_id, request)
        assert job.deliverable is not None
        if identify(own) == job.deliverable:
            raise NothingToDispute(
                f"the answer to job {job.id} is right: this machine computes the same, bit by bit",
                remedy="There is nothing to do; a challenge would only cost its bond.",
            )
        try:
            claimed: bytes | None = self._client.fetcher.fetch(job.deliverable)
        except BlobUnavailable:
            claimed = None
            self._say("computing", "nobody serves the submitted answer: the operator will be asked for it")
        matter = embedding_matter(job, request, own, claimed)
        if matter.served is not None:
            self._say("computed", f"the answer to sequence {matter.first_wrong_item()} is wrong")
        else:
            self._say("computed", "the answer is wrong")
        return matter

    def open(self) -> int:
        """Challenge the answer, which `examine` has found wrong; returns the challenge's id, the same again after a crash.

        Raises InsufficientFunds, TooDear, CallReverted.
        """
        bond, token = self._game.challenge_bond(), self._suite.mill_token
        self._refresh()
        if self.own_challenge() is None and (has := token.balance_of(self._client.account.address)) < bond:
            raise InsufficientFunds(
                f"{self._client.account.address} holds {format_amount(has)}, a challenge posts {format_amount(bond)}",
                remedy="Fund the account. The bond comes back when the answer is refuted.",
            )
        assert self._prosecution is not None
        return self._prosecution.open(self._job())

    def own_challenge(self) -> int | None:
        """The challenge of this account against the answer as it is, None if there is none."""
        record, address = record_of(self._job()), self._client.account.address
        found = [
            file.id
            for file in self._docket.challenges().values()
            if (file.job_id, file.record, file.challenger) == (self._job_id, record, address)
        ]
        return found[0] if found else None

    def resume(self) -> int:
        """The challenge that an earlier run has opened; NoChallenge if there is none."""
        self._refresh()
        found = self.own_challenge()
        if found is None:
            raise NoChallenge(
                f"this account has not challenged the answer to job {self._job_id}",
                remedy=f"Open a challenge with: proofmill dispute open {self._job_id}",
            )
        return found

    def play(self, challenge_id: int) -> Standing:
        """Move whenever it is this side's turn, until the challenge has ended; outages of the node are waited out.

        Ended by force, it goes on where it was with a new inquiry. The clock on chain does not stop meanwhile.
        """
        assert self._prosecution is not None
        is_waiting = False
        while True:
            try:
                with node_failures():
                    self._refresh()
                    standing = self._prosecution.step(challenge_id, self._job(), self.examine)
            except RpcUnavailable as error:
                self._say("waiting", f"the node does not answer, trying again: {error}")
                standing = Standing.WAITING
            if standing in _ENDED:
                return standing
            if standing is Standing.WAITING:
                if not is_waiting:
                    self._say("waiting", "for the operator to answer")
                self._sleep(self._client.poll_interval)
            is_waiting = standing is Standing.WAITING

    # ------------------------------------------------------------------ looking
    def view(self) -> CaseView:
        """How the disputes about the job stand now."""
        job = self._job()
        self._refresh()
        files = [file for file in self._docket.challenges().values() if file.job_id == self._job_id]
        challenges = tuple(self._view_of(file) for file in files)
        if job.deliverable is None:
            return CaseView(self._job_id, "there is no answer yet", challenges)
        return CaseView(self._job_id, self._standing_of(job), challenges)

    def _standing_of(self, job: Job) -> str:
        record = record_of(job)
        case = self._game.case(job.id, record)
        if case.status == 0:
            return "nobody has doubted the answer"
        why = REASONS.get(case.reason, "")
        if case.status == CASE_REFUTED:
            return f"the answer is refuted ({why}), the escrow is still to be told"
        if case.status == CASE_OPEN:
            if case.appeal_deadline:
                return f"appealed by its operator, may be challenged until {_moment(case.appeal_deadline)}"
            return f"in dispute, {case.open_challenges} open"
        outcome = _OUTCOMES.get(self._docket.outcome(job.id, record), "it is over")
        return f"settled: {outcome}" + (f" ({why})" if why else "")

    def _view_of(self, file: ChallengeFile) -> ChallengeView:
        challenge = self._game.challenge(file.id)
        return ChallengeView(
            file.id, challenge.challenger, challenge.bond, challenge.asks, _words_of(file, challenge)
        )

    # ------------------------------------------------------------------ what a prosecution is told to
    def info(self, event: str, **facts: Any) -> None:
        """Print a line for the person."""
        known = [str(facts[name]) for name in ("what", "why") if name in facts]
        self._say("dispute", ": ".join([event.removeprefix("dispute: "), *known]))

    warning = error = info

    # ------------------------------------------------------------------ inside
    def _disputable_job(self) -> Job:
        job = self._job()
        if job.deliverable is None:
            raise NotDisputable(f"job {job.id} has no answer yet", remedy="Wait until it is submitted.")
        if job.terms.arbiter != self._game.address:
            raise NotDisputable(
                f"job {job.id} is judged by its committee alone",
                remedy="Only jobs that were posted as exact can be disputed.",
            )
        if job.state.is_final and job.state is not JobState.COMPLETED:
            raise NotDisputable(f"job {job.id} is over", remedy="There is nothing to do.")
        if StageFlag.CONDEMNED in job.flags and StageFlag.CONTESTED not in job.flags:
            raise NotDisputable(
                f"the committee has rejected the answer to job {job.id}",
                remedy="There is nothing to do, unless its operator appeals.",
            )
        if not self._suite.model_registry.is_registered(job.model_id):
            raise NotDisputable(
                f"the model 0x{job.model_id.hex()} is not registered, so nothing can be proved about it",
                remedy="Register it with `proofmill model register`, which anyone may.",
            )
        return job

    def _job(self) -> Job:
        return self._suite.job_escrow.job(self._job_id)

    def _refresh(self) -> None:
        self._docket.refresh(int(self._game.web3.eth.block_number))

    def _say(self, stage: str, message: str) -> None:
        self._client.watch(Progress(stage, message, self._job_id))


def _words_of(file: ChallengeFile, challenge: Challenge) -> str:
    if challenge.status == CHALLENGE_LOST:
        return "lost, its challenger was silent"
    if not challenge.is_open:
        return "ended, its bond is back"
    if challenge.waits_for_defender:
        until = _moment(challenge.turn_began_at + challenge.defender_left)
        return f"waits until {until} for the operator to publish {_asked(file, challenge)}"
    until = _moment(challenge.turn_began_at + challenge.challenger_left)
    return f"waits until {until} for its challenger"


def _asked(file: ChallengeFile, challenge: Challenge) -> str:
    if challenge.pending == file.asked_items:
        return "what it answered to each sequence"
    if challenge.pending in file.claims:
        return f"its trace of sequence {file.claims[challenge.pending].item}"
    return "more of its trace"


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(sep=" ")
