"""Re-execution by a member: what becomes a verdict, what is left open, and why."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from oracle.ballots import Ballots
from oracle.evidence import NOTHING_COMPUTED, Finding, evidence_blob
from oracle.judge import LEAST_TRIES, SPARE_TURNS, VOID_SHARE, Judge, case_of
from proofmill.backoff import Backoff
from proofmill.chain import Job, JobState, Outcome, StageFlag, open_database
from proofmill.jobs import EmbeddingAnswer, InvalidRequest, UnknownModel
from proofmill.jobs.engine import Progress
from proofmill.logs import get_logger
from proofmill.store import BlobFetcher, DirectoryStore, StoreFull, content_id
from tests.unit.oracle.conftest import EVALUATION_WINDOW, NOW

REQUEST = b"a request"
MODEL = content_id(b"a manifest")
CONTESTED = JobState.SUBMITTED | StageFlag.CONTESTED << 4


@dataclass
class ReversingEngine:
    """An exact engine small enough to see through: the answer is the request backwards."""

    runs: list[bytes] = field(default_factory=list)

    def model_ids(self) -> frozenset[bytes]:
        return frozenset({MODEL})

    def load(self) -> None:
        """Nothing to load."""

    def validate(self, model_id: bytes, request: bytes) -> object:
        if model_id != MODEL:
            raise UnknownModel("another model", remedy="ask for mine")
        if request.startswith(b"!"):
            raise InvalidRequest("malformed", remedy="send another")
        return request

    def execute(self, model_id: bytes, request: bytes, progress: Progress | None = None) -> bytes:
        self.validate(model_id, request)
        self.runs.append(request)
        return request[::-1]


@dataclass
class Bench:
    judge: Judge
    engine: ReversingEngine
    store: DirectoryStore
    ballots: Ballots
    unprovable: set[bytes] = field(default_factory=set)  # models that were not registered in time


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    store = DirectoryStore(tmp_path / "blobs")
    engine = ReversingEngine()
    ballots = Ballots(open_database(tmp_path / "oracle.db"))
    unprovable: set[bytes] = set()
    judge = Judge(
        engine=engine,
        fetcher=BlobFetcher(store, rounds=1),
        store=store,
        ballots=ballots,
        is_provable=lambda job: job.model_id not in unprovable,
        log=get_logger(),
    )
    return Bench(judge, engine, store, ballots, unprovable)


def asking(job: Job, request: bytes) -> Job:
    return replace(job, input_root=content_id(request))


def test_consider__right_answer__complete_and_the_answer_is_served(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    bench.store.put(REQUEST)
    job = asking(submitted_job(answer=REQUEST[::-1]), REQUEST)
    finding = bench.judge.consider(job)
    assert finding is not None
    assert finding.verdict.outcome is Outcome.COMPLETE
    assert bench.store.get(content_id(REQUEST[::-1])) == REQUEST[::-1]


def test_consider__answer_wrong_in_one_bit__reject_with_the_right_hash(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    bench.store.put(REQUEST)
    wrong = bytearray(REQUEST[::-1])
    wrong[0] ^= 1
    finding = bench.judge.consider(asking(submitted_job(answer=bytes(wrong)), REQUEST))
    assert finding is not None
    assert finding.verdict.outcome is Outcome.REJECT
    assert finding.computed == content_id(REQUEST[::-1])


def test_consider__answer_of_a_known_kind__is_compared_by_its_root(
    bench: Bench, submitted_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = EmbeddingAnswer(np.array([[1, 2]], np.int32))
    monkeypatch.setattr(bench.engine, "execute", lambda *_: answer.to_bytes())
    bench.store.put(REQUEST)
    job = replace(asking(submitted_job(), REQUEST), deliverable=answer.root)
    finding = bench.judge.consider(job)
    assert finding is not None
    assert (finding.computed, finding.verdict.outcome) == (answer.root, Outcome.COMPLETE)


def test_consider__judged_before__does_not_run_again(bench: Bench, submitted_job: Callable[..., Job]) -> None:
    bench.store.put(REQUEST)
    job = asking(submitted_job(), REQUEST)
    assert bench.judge.consider(job) == bench.judge.consider(job)
    assert len(bench.engine.runs) == 1


def test_consider__missing_request__no_verdict_and_not_asked_at_every_turn(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    job = asking(submitted_job(), b"nobody has this")
    assert bench.judge.consider(job) is None
    assert bench.ballots.finding(job.escrow, job.id, job.commitment) is None
    bench.store.put(b"nobody has this")
    assert bench.judge.consider(job) is None  # not due yet
    assert bench.engine.runs == []


def look_often(bench: Bench, job: Job, *, now: int) -> Finding | None:
    """As a member that tries to fetch the request again and again, without its pauses."""
    found = None
    if bench.judge._retries.count(case_of(job)) == 0:
        bench.judge._retries = Backoff(first_seconds=0.0)
    for _ in range(LEAST_TRIES + 1):
        bench.judge.next_of([job], now=now)
        found = bench.judge.consider(job)
    return found


def test_consider__request_that_nobody_has__void_only_when_time_runs_out(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    job = asking(submitted_job(), b"nobody has this")
    margin = EVALUATION_WINDOW // VOID_SHARE
    assert look_often(bench, job, now=job.deadline - margin - 1) is None
    finding = look_often(bench, job, now=job.deadline - margin)
    assert finding is not None
    assert (finding.verdict.outcome, finding.computed) == (Outcome.VOID, NOTHING_COMPUTED)


def test_consider__first_look_at_the_last_moment__is_not_enough_for_void(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    """A member that has just started has asked nobody yet."""
    job = asking(submitted_job(), b"nobody has this")
    bench.judge.next_of([job], now=job.deadline)
    assert bench.judge.consider(job) is None


def test_consider__request_turns_up_after_void__judged_after_all(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    job = asking(submitted_job(answer=REQUEST[::-1]), REQUEST)
    assert look_often(bench, job, now=job.deadline) is not None
    bench.store.put(REQUEST)
    finding = look_often(bench, job, now=job.deadline)
    assert finding is not None
    assert finding.verdict.outcome is Outcome.COMPLETE
    assert bench.ballots.finding(job.escrow, job.id, job.commitment) == finding


def test_consider__contested_and_without_a_request__stays_open(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    """No verdict can be given on it now, and what it will be later depends on what turns up."""
    job = replace(asking(submitted_job(), b"nobody has this"), stage=CONTESTED)
    assert look_often(bench, job, now=job.deadline) is None


def test_consider__malformed_request__void_at_once_and_not_again(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    bench.store.put(b"!malformed")
    job = asking(submitted_job(), b"!malformed")
    finding = bench.judge.consider(job)
    assert finding is not None
    assert (finding.verdict.outcome, finding.computed) == (Outcome.VOID, NOTHING_COMPUTED)
    assert bench.judge.next_of([job]) is None


def test_consider__void_for_different_reasons__members_write_the_same_evidence(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    """One has the malformed request, the other does not: their signatures must fit together."""
    job = asking(submitted_job(), b"!malformed")
    without = look_often(bench, job, now=job.deadline)
    bench.store.put(b"!malformed")
    having = look_often(bench, job, now=job.deadline)
    assert without is not None
    assert having is not None
    assert evidence_blob([without]) == evidence_blob([having])


@pytest.mark.parametrize("answer", [REQUEST[::-1], b"a wrong answer"])
def test_consider__exact_job_of_a_model_that_nobody_registered__void_whatever_the_answer(
    bench: Bench, submitted_job: Callable[..., Job], answer: bytes
) -> None:
    """A rejection of it would be upheld on appeal, because nobody can prove it, and its signers slashed."""
    bench.store.put(REQUEST)
    job = asking(submitted_job(answer=answer), REQUEST)
    bench.unprovable.add(job.model_id)
    finding = bench.judge.consider(job)
    assert finding is not None
    assert finding.verdict.outcome is Outcome.VOID


def test_consider__unknown_model__no_verdict(bench: Bench, submitted_job: Callable[..., Job]) -> None:
    bench.store.put(REQUEST)
    job = asking(submitted_job(), REQUEST)
    job = replace(job, model_id=bytes(32))
    assert bench.judge.consider(job) is None


def test_consider__store_is_full__verdict_is_given_all_the_same(
    bench: Bench, submitted_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever fills the disks of the committee must not silence it."""
    bench.store.put(REQUEST)

    def full(*_: object, **__: object) -> bytes:
        raise StoreFull("no room", remedy="none: this is a test")

    monkeypatch.setattr(bench.store, "put", full)
    finding = bench.judge.consider(asking(submitted_job(answer=REQUEST[::-1]), REQUEST))
    assert finding is not None
    assert finding.verdict.outcome is Outcome.COMPLETE


def test_consider__right_answer__is_not_kept_for_ever(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    bench.store.put(REQUEST)
    bench.judge.consider(asking(submitted_job(answer=REQUEST[::-1]), REQUEST))
    assert not bench.store.is_pinned(content_id(REQUEST[::-1]))


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("tensor"), StoreFull("no room", remedy="none")]
)
def test_consider__request_that_breaks_the_engine__is_postponed(
    bench: Bench,
    submitted_job: Callable[..., Job],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """Every member gets the same request: one that ends the process would end all of them."""
    bench.store.put(REQUEST)

    def fail(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(bench.engine, "execute", fail)
    job = asking(submitted_job(), REQUEST)
    assert bench.judge.consider(job) is None
    assert bench.judge.next_of([job]) is None


def test_next_of__jobs_that_failed__come_after_the_fresh_ones(
    bench: Bench, submitted_job: Callable[..., Job], clock: Callable[[float], None]
) -> None:
    """Jobs without an input, however many, do not keep an honest one waiting."""
    junk = [asking(submitted_job(number), b"missing") for number in (1, 2, 3)]
    for job in junk:
        assert bench.judge.consider(job) is None
    fresh = asking(submitted_job(9, submitted_at=junk[0].submitted_at + 60), REQUEST)
    assert bench.judge.next_of([*junk, fresh]) == fresh
    assert bench.judge.next_of(junk) is None  # not due yet


def test_next_of__judged_job__is_done(bench: Bench, submitted_job: Callable[..., Job]) -> None:
    bench.store.put(REQUEST)
    job = asking(submitted_job(), REQUEST)
    assert bench.judge.next_of([job]) == job
    bench.judge.consider(job)
    assert bench.judge.next_of([job]) is None


def test_next_of__waiting_and_challengeable__take_turns(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    """A flood of jobs does not hide one that colluders had paid at once."""
    waiting = [asking(submitted_job(number), REQUEST) for number in (1, 2, 3)]
    assert len({job.commitment for job in waiting}) == 1, "posted in one block, they have the same record"
    paid = asking(submitted_job(9), REQUEST)
    bench.store.put(REQUEST)
    order = []
    while (job := bench.judge.next_of(waiting, [paid])) is not None:
        bench.judge.consider(job)
        order.append(job.id)
    assert order == [1, 9, 2, 3]


def order_of(bench: Bench, *queues: list[Job]) -> list[int]:
    """Judge all there is, one after the other."""
    bench.store.put(REQUEST)
    order = []
    while (job := bench.judge.next_of(*queues)) is not None:
        bench.judge.consider(job)
        order.append(job.id)
    return order


def test_next_of__what_others_were_drawn_for__comes_last_but_for_every_fourth_turn(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    """Whoever floods the committee with work must not hide a lie that colluders attest."""
    waiting = [asking(submitted_job(number), REQUEST) for number in range(1, 9)]
    spare = [asking(submitted_job(number), REQUEST) for number in (21, 22, 23)]
    order = order_of(bench, waiting, [], spare)
    assert SPARE_TURNS == 4
    assert order == [1, 2, 3, 21, 4, 5, 6, 22, 7, 8, 23]


def test_next_of__three_kinds__own_ones_take_turns_between_the_spare_ones(
    bench: Bench, submitted_job: Callable[..., Job]
) -> None:
    waiting = [asking(submitted_job(number), REQUEST) for number in (1, 2, 3)]
    paid = [asking(submitted_job(number), REQUEST) for number in (11, 12, 13)]
    spare = [asking(submitted_job(number), REQUEST) for number in (21, 22)]
    assert order_of(bench, waiting, paid, spare) == [1, 11, 2, 21, 12, 3, 13, 22]


def test_next_of__nothing_but_spare_jobs__are_judged(bench: Bench, submitted_job: Callable[..., Job]) -> None:
    """Least time left first."""
    spare = [asking(submitted_job(number, submitted_at=NOW - number), REQUEST) for number in (1, 2)]
    assert order_of(bench, [], [], spare) == [2, 1]
