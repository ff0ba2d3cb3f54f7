"""The worker's cycle on a real chain, with an engine small enough to see through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3

from proofmill.chain import (
    Deployment,
    JobOffer,
    JobState,
    Journal,
    PostedJob,
    Suite,
    TransactionSender,
    open_database,
)
from proofmill.chain.errors import RpcUnavailable
from proofmill.chain.job_board import JobBoard
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.devnet.anvil import Anvil
from proofmill.health import Health
from proofmill.jobs import UnknownModel
from proofmill.store import BlobFetcher, DirectoryStore, content_id
from tests.integration.committee import judge
from tests.integration.conftest import SenderFactory
from tests.unit.oracle.test_judge import MODEL, ReversingEngine
from worker.policy import Policy
from worker.service import Worker

PRICE = 10**18
REQUEST = b"a request"
ANSWER = REQUEST[::-1]
POLICY = Policy(
    minimum_price=1,
    maximum_bond_bps=100_000,
    minimum_submit_window=60,
    minimum_evaluation_window=300,
    request_bytes_per_second=500,
)


@dataclass
class Log:
    """A logger that keeps its lines."""

    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append((event, facts))

    warning = error = info

    def of(self, event: str) -> list[dict[str, Any]]:
        return [facts for name, facts in self.lines if name == event]


@dataclass
class Operator:
    """A worker with what it owns. `restarted` is the same one after a crash: same disk, new process."""

    worker: Worker
    engine: ReversingEngine
    store: DirectoryStore
    sender: TransactionSender
    log: Log
    restarted: Callable[[], Operator]


@pytest.fixture
def requester(make_sender: SenderFactory, suite: Suite) -> TransactionSender:
    sender = make_sender()
    sender.send("allow escrow", suite.mill_token.approve(suite.job_escrow.address, 100 * PRICE))
    return sender


@pytest.fixture
def make_node(
    tmp_path: Path, anvil: Anvil, web3: Web3, suite: Suite, deployment: Deployment, make_sender: SenderFactory
) -> Callable[..., Operator]:
    """Build a worker with stake; `index` is that of its key."""

    def start(account: LocalAccount, directory: Path) -> Operator:
        database = open_database(directory / "worker.db")
        sender = make_sender(account=account, database=Journal(database))
        store, engine, log = DirectoryStore(directory / "blobs"), ReversingEngine(), Log()
        board = JobBoard(
            web3, suite.job_escrow, database, start_block=deployment.deployed_block, confirmations=1
        )
        worker = Worker(
            account=account,
            suite=suite,
            board=board,
            sender=sender,
            engine=engine,
            store=store,
            fetcher=BlobFetcher(store, rounds=1),
            policy=POLICY,
            health=Health(role="worker", address=account.address, stale_after=60),
            log=log,  # type: ignore[arg-type]  # the three methods that a worker uses
        )

        def restarted() -> Operator:
            sender.close()
            return start(account, directory)

        return Operator(worker, engine, store, sender, log, restarted)

    def build(index: int = 2) -> Operator:
        node = start(anvil.accounts[index], tmp_path / f"worker-{index}")
        node.store.put(REQUEST)
        node.sender.send("allow staking", suite.mill_token.approve(suite.staking.address, 50 * PRICE))
        node.sender.send("stake", suite.staking.stake(50 * PRICE))
        return node

    return build


@pytest.fixture
def node(make_node: Callable[..., Operator]) -> Operator:
    return make_node()


@pytest.fixture
def post(web3: Web3, suite: Suite, requester: TransactionSender) -> Callable[..., PostedJob]:
    """Post a job that the worker takes, unless something about it is changed."""
    count = iter(range(100))

    def build(
        request: bytes = REQUEST,
        model_id: bytes = MODEL,
        submit_window: int = 600,
        evaluation_window: int = 600,
    ) -> PostedJob:
        now = int(web3.eth.get_block("latest")["timestamp"])
        offer = JobOffer(
            EMPTY_ADDRESS,
            model_id,
            content_id(request),
            PRICE,
            2 * PRICE,
            now + 300,
            submit_window,
            evaluation_window,
        )
        return suite.job_escrow.posted_in(requester.send(f"post {next(count)}", suite.job_escrow.post(offer)))

    return build


Post = Callable[..., PostedJob]


# ------------------------------------------------------------------ claiming
def test_step__sound_job__claimed_computed_and_submitted(node: Operator, suite: Suite, post: Post) -> None:
    posted = post()
    node.worker.step()
    job = suite.job_escrow.job(posted.id)
    assert (job.state, job.provider) == (JobState.SUBMITTED, node.sender.address)
    assert suite.job_escrow.deliverable(posted.id) == content_id(ANSWER)
    assert node.store.get(content_id(ANSWER)) == ANSWER
    assert not node.store.is_pinned(content_id(ANSWER)), "answers would fill the store for ever"
    node.worker.step()
    assert len(node.engine.runs) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_id": bytes(32)}, "not served here"),
        ({"evaluation_window": 10}, "to judge is less"),
        ({"request": b"!malformed"}, "malformed"),
        ({"request": b"nobody has this"}, "not available"),
        ({"request": b"?" * 31_000, "submit_window": 60}, "may take 62 s"),
    ],
)
def test_step__job_with_something_wrong__left_alone_and_said_once(
    node: Operator, suite: Suite, post: Post, change: dict[str, Any], reason: str
) -> None:
    if change.get("request") != b"nobody has this":
        node.store.put(change.get("request", REQUEST))
    posted = post(**change)
    for _ in range(3):
        node.worker.step()
    assert not suite.job_escrow.job(posted.id).is_claimed
    [line] = node.log.of("job left alone")
    assert line["job"] == posted.id
    assert reason in line["why"]


def test_step__many_jobs_without_input__each_is_asked_for_once_in_a_while(
    node: Operator, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question may take seconds, and posting such jobs costs a stranger next to nothing."""
    for number in range(3):
        post(request=b"missing %d" % number)
    asked: list[bytes] = []
    fetch = BlobFetcher.fetch

    def note(self: BlobFetcher, digest: bytes, **options: Any) -> bytes:
        asked.append(digest)
        return fetch(self, digest, **options)

    monkeypatch.setattr(BlobFetcher, "fetch", note)
    for _ in range(4):
        node.worker.step()
    assert len(asked) == 3


def test_step__claim_lost_to_another_worker__says_so_and_goes_on(
    make_node: Callable[..., Operator], suite: Suite, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = make_node(2), make_node(3)
    posted = post()
    seen = slow.worker._board.refresh()
    fast.worker.step()
    monkeypatch.setattr(slow.worker._board, "refresh", lambda: seen)  # it looked before the other was done
    slow.worker.step()
    assert suite.job_escrow.job(posted.id).provider == fast.sender.address
    assert [line["job"] for line in slow.log.of("claim lost")] == [posted.id]
    assert slow.engine.runs == []


# ------------------------------------------------------------------ crashes
def test_step__killed_after_the_claim__finished_by_the_next_start(
    node: Operator, suite: Suite, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = post()

    def crash(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(node.engine, "execute", crash)
        with pytest.raises(KeyboardInterrupt):
            node.worker.step()
    assert suite.job_escrow.job(posted.id).is_claimed
    again = node.restarted()
    again.worker.step()
    assert suite.job_escrow.job(posted.id).state == JobState.SUBMITTED


def test_step__node_away_at_the_submission__answer_is_not_computed_twice(
    node: Operator, suite: Suite, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = post()
    send = node.sender.send

    def fail_to_submit(intent: str, *arguments: Any, **options: Any) -> Any:
        if intent.startswith("submit"):
            raise RpcUnavailable("the node is away", remedy="none: this is a test")
        return send(intent, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(node.sender, "send", fail_to_submit)
        with pytest.raises(RpcUnavailable):
            node.worker.step()
    node.worker.step()
    assert suite.job_escrow.job(posted.id).state == JobState.SUBMITTED
    assert len(node.engine.runs) == 1


def test_step__submission_reorganised_away__submitted_again(
    node: Operator, suite: Suite, post: Post, anvil: Anvil
) -> None:
    """The journal calls it mined; without another look the worker would wait and pay the late penalty."""
    posted = post()
    node.worker.step()
    anvil.reorganise(1)
    assert suite.job_escrow.job(posted.id).state == JobState.FUNDED
    node.worker.step()
    assert suite.job_escrow.job(posted.id).state == JobState.SUBMITTED


# ------------------------------------------------------------------ own jobs
def test_step__submit_window_passed__settled_with_the_late_penalty(
    node: Operator, suite: Suite, post: Post, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = post()
    monkeypatch.setattr(node.worker, "_compute_and_submit", lambda _: None)
    node.worker.step()
    anvil.increase_time(601)
    node.worker.step()
    assert suite.job_escrow.job(posted.id).state == JobState.EXPIRED
    assert suite.staking.committed(node.sender.address) == 0
    assert suite.staking.slashable(node.sender.address) == 50 * PRICE - posted.terms.late_penalty


def test_step__nobody_judged_in_time__bond_comes_back(
    node: Operator, suite: Suite, post: Post, anvil: Anvil
) -> None:
    posted = post()
    node.worker.step()
    anvil.increase_time(601)
    node.worker.step()
    assert suite.job_escrow.job(posted.id).state == JobState.EXPIRED
    assert suite.staking.available(node.sender.address) == 50 * PRICE


def test_step__own_job_cannot_be_computed__the_next_one_is_not_held_up(
    node: Operator, suite: Suite, post: Post, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = post(), post(request=b"another request")
    node.store.put(b"another request")
    monkeypatch.setattr(node.worker, "_compute_and_submit", lambda _: None)
    node.worker.step()
    node.worker.step()
    assert suite.job_escrow.job(other.id).is_claimed
    again = node.restarted()

    def unable(model_id: bytes, request: bytes, progress: object = None) -> bytes:
        if request == REQUEST:
            raise UnknownModel("the model was removed", remedy="install it again")
        return request[::-1]

    monkeypatch.setattr(again.engine, "execute", unable)
    again.worker.step()
    assert suite.job_escrow.job(stuck.id).state == JobState.FUNDED
    assert suite.job_escrow.job(other.id).state == JobState.SUBMITTED
    assert [line["job"] for line in again.log.of("own job does not advance")] == [stuck.id]


def test_step__job_is_settled__reported_once_with_what_it_earned(
    node: Operator, suite: Suite, post: Post, anvil: Anvil, requester: TransactionSender
) -> None:
    posted = post()
    node.worker.step()
    judge(anvil, suite, requester, posted.id)
    for _ in range(2):
        node.worker.step()
    assert node.log.of("settled") == [{"job": posted.id, "state": "completed", "earned": PRICE}]
