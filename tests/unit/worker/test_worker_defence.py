"""Which disputes a worker takes part in, and that none of them ends it. The games are in tests/integration/disputes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from proofmill.chain import Job
from proofmill.chain.errors import JobNotFound, RpcUnavailable
from proofmill.chain.records import StageFlag
from proofmill.chain.types import EMPTY_ADDRESS, JobState
from proofmill.disputes.docket import ChallengeFile, Docket
from proofmill.disputes.matter import Matter
from proofmill.disputes.prosecution import record_of
from proofmill.store import BlobUnavailable
from tests.unit.cli.test_dispute_command import GAME, JOB, MODEL, REQUEST, RIGHT, STRANGER, WRONG
from worker.defence import OwnDefence

RIGHT_JOB = replace(JOB, deliverable=RIGHT.root)


@dataclass
class Player:
    """Stands for `Defence`: notes what it is asked, and takes the matter as one that has to reply."""

    steps: list[int] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    appealed: list[int] = field(default_factory=list)
    error: Exception | None = None

    def step(self, file: ChallengeFile, job: Job, matter: Callable[[], Matter]) -> bool:
        if self.error is not None:
            raise self.error
        assert matter().own.root == job.deliverable
        self.steps.append(file.id)
        return True

    def settle(self, job: Job) -> bool:
        self.settled.append(job.id)
        return False

    def appeal(self, job: Job, matter: Matter) -> bool:
        self.appealed.append(job.id)
        return True


@dataclass
class Stage:
    """A worker's defence among stand-ins."""

    jobs: dict[int, Job] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)
    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    runs: int = 0
    reads: list[int] = field(default_factory=list)
    has_request: bool = True

    def __post_init__(self) -> None:
        web3 = SimpleNamespace(eth=SimpleNamespace(block_number=50))
        game: Any = SimpleNamespace(address=GAME, web3=web3, log=lambda first, last: list(self.events))
        suite: Any = SimpleNamespace(dispute_game=game, job_escrow=SimpleNamespace(job=self.read))
        stand_in: Any = self
        nothing: Any = None
        self.defence = OwnDefence(
            operator=JOB.provider,
            suite=suite,
            sender=nothing,
            docket=Docket(game, 0),
            reruns=nothing,
            engine=stand_in,
            fetcher=stand_in,
            log=stand_in,
        )
        self.player = Player()
        self.defence._player = self.player  # type: ignore[assignment]  # the three methods that are called

    # what the defence uses of escrow, engine, fetcher and logger
    def read(self, job_id: int) -> Job:
        self.reads.append(job_id)
        if job_id not in self.jobs:
            raise JobNotFound(f"there is no job {job_id}", remedy="Check the number.")
        return self.jobs[job_id]

    def execute(self, model_id: bytes, request: bytes) -> bytes:
        assert (model_id, request) == (MODEL, REQUEST.to_bytes())
        self.runs += 1
        return RIGHT.to_bytes()

    def fetch(self, digest: bytes) -> bytes:
        assert digest == REQUEST.root
        if not self.has_request:
            raise BlobUnavailable("the blob is not available", answers=[], remedy="Try again.")
        return REQUEST.to_bytes()

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append((event, facts))

    warning = error = info

    # what happens on the chain
    def event(self, name: str, **args: Any) -> None:
        self.events.append(SimpleNamespace(name=name, args=args, block_number=1, log_index=len(self.events)))

    def challenge(self, number: int, job: Job = RIGHT_JOB) -> None:
        record = record_of(job)
        if job.id not in self.jobs:
            self.jobs[job.id] = job
            self.event("CaseOpened", job_id=job.id, record=record)
        self.event("ChallengeOpened", challenge_id=number, job_id=job.id, record=record, challenger=STRANGER)

    def said(self, event: str) -> list[dict[str, Any]]:
        return [facts for name, facts in self.lines if name == event]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_step__own_job_challenged_twice__both_are_answered_from_one_run(stage: Stage) -> None:
    stage.challenge(1)
    stage.challenge(2)
    stage.event("ChallengeLost", challenge_id=1)
    stage.challenge(3)
    assert stage.defence.step([]) == 1
    assert stage.defence.step([]) == 1
    assert stage.player.steps == [2, 3, 2, 3], "the one that was lost is over"
    assert stage.player.settled == [JOB.id, JOB.id]
    assert stage.runs == 1


def test_step__completed_job__is_defended_too(stage: Stage) -> None:
    stage.challenge(1, replace(RIGHT_JOB, stage=JobState.COMPLETED))
    assert stage.defence.step([]) == 1
    assert stage.player.steps == [1]


def test_step__another_operators_job__read_once_and_left_alone(stage: Stage) -> None:
    stage.challenge(1, replace(RIGHT_JOB, provider=STRANGER))  # type: ignore[arg-type]
    assert (stage.defence.step([]), stage.defence.step([])) == (0, 0)
    assert (stage.player.steps, stage.player.settled, stage.reads) == ([], [], [JOB.id])


def test_step__case_that_is_settled_or_reorganised_away__left_alone(stage: Stage) -> None:
    stage.challenge(1)
    stage.event("CaseSettled", job_id=JOB.id, record=record_of(RIGHT_JOB), outcome=3)
    stage.challenge(2, replace(RIGHT_JOB, id=5))
    stage.challenge(3, replace(RIGHT_JOB, id=6))
    del stage.jobs[5]
    stage.jobs[6] = replace(RIGHT_JOB, id=6, claimed_at=1)
    assert stage.defence.step([]) == 0
    assert stage.player.steps == []


def test_step__opened_again_after_it_was_dismissed__defended_again(stage: Stage) -> None:
    stage.challenge(1)
    stage.event("ChallengeLost", challenge_id=1)
    stage.event("CaseSettled", job_id=JOB.id, record=record_of(RIGHT_JOB), outcome=3)
    stage.event("CaseOpened", job_id=JOB.id, record=record_of(RIGHT_JOB))
    stage.challenge(2)
    assert stage.defence.step([]) == 1
    assert stage.player.steps == [2]


def test_step__own_answer_is_wrong__said_once_and_not_defended(stage: Stage) -> None:
    stage.challenge(1, JOB)
    assert JOB.deliverable == WRONG.root
    assert (stage.defence.step([]), stage.defence.step([])) == (1, 1)
    [line] = stage.said("own answer is wrong, it is not defended")
    assert line["job"] == JOB.id
    assert (stage.player.steps, stage.runs) == ([], 1)
    assert stage.player.settled == [JOB.id, JOB.id], "a challenger that gives up is not waited for"


@pytest.mark.parametrize("error", [IndexError("a question that nobody thought of"), None])
def test_step__reply_fails__the_others_and_the_worker_go_on(stage: Stage, error: Exception | None) -> None:
    stage.has_request, stage.player.error = error is not None, error
    stage.challenge(1)
    stage.challenge(2)
    assert stage.defence.step([]) == 1
    assert [facts["challenge"] for facts in stage.said("a challenge waits")] == [1, 2]
    assert stage.player.settled == [JOB.id]


def test_step__chain_cannot_be_reached__the_cycle_ends(stage: Stage) -> None:
    stage.player.error = RpcUnavailable("no answer", remedy="Wait.")
    stage.challenge(1)
    with pytest.raises(RpcUnavailable):
        stage.defence.step([])


CONDEMNED = JobState.SUBMITTED | StageFlag.CONDEMNED << 4
APPEALED = JobState.SUBMITTED | (StageFlag.CONDEMNED | StageFlag.CONTESTED) << 4


@pytest.mark.parametrize(
    ("job", "is_appealed"),
    [
        (replace(RIGHT_JOB, stage=CONDEMNED), True),
        (replace(RIGHT_JOB, stage=APPEALED), False),
        (RIGHT_JOB, False),
        (replace(JOB, stage=CONDEMNED), False),  # the committee is right
        (
            replace(RIGHT_JOB, stage=CONDEMNED, terms=replace(JOB.terms, arbiter=EMPTY_ADDRESS)),
            False,
        ),
    ],
)
def test_step__rejected_job__appealed_if_it_was_right(stage: Stage, job: Job, is_appealed: bool) -> None:
    stage.defence.step([job])
    assert stage.player.appealed == [JOB.id] * is_appealed
