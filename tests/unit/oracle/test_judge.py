"""Re-execution by a member: what becomes a verdict, what is left open, and why."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from oracle.ballots import Ballots
from oracle.judge import Judge
from proofmill.chain import Job, Outcome, open_database
from proofmill.jobs import EmbeddingAnswer, InvalidRequest, UnknownModel
from proofmill.jobs.engine import Progress
from proofmill.logs import get_logger
from proofmill.store import BlobFetcher, DirectoryStore, StoreFull, content_id

REQUEST = b"a request"
MODEL = content_id(b"a manifest")


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


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    store = DirectoryStore(tmp_path / "blobs")
    engine = ReversingEngine()
    ballots = Ballots(open_database(tmp_path / "oracle.db"))
    judge = Judge(engine=engine, fetcher=BlobFetcher(store), store=store, ballots=ballots, log=get_logger())
    return Bench(judge, engine, store, ballots)


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


@pytest.mark.parametrize("request_blob", [b"!malformed", None])
def test_consider__malformed_or_missing_request__no_verdict_and_not_asked_at_every_turn(
    bench: Bench, submitted_job: Callable[..., Job], request_blob: bytes | None
) -> None:
    if request_blob is not None:
        bench.store.put(request_blob)
    job = asking(submitted_job(), request_blob or b"nobody has this")
    assert bench.judge.consider(job) is None
    assert bench.ballots.finding(job.escrow, job.id, job.commitment) is None
    bench.store.put(b"nobody has this")
    assert bench.judge.consider(job) is None  # not due yet
    assert bench.engine.runs == []


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
    junk = [replace(job, commitment=content_id(bytes([job.id]))) for job in junk]
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
