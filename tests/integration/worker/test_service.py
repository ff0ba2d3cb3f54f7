"""The worker's cycle on a real chain, with an engine small enough to see through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from web3 import Web3

from proofmill.chain import (
    CapabilityRegistry,
    CloseReason,
    Deployment,
    JobState,
    Journal,
    PostedJob,
    Suite,
    TransactionSender,
    open_database,
)
from proofmill.chain.errors import RpcUnavailable
from proofmill.chain.job_board import JobBoard
from proofmill.devnet.anvil import Anvil
from proofmill.health import Health
from proofmill.jobs import UnknownModel
from proofmill.metrics import NodeMetrics
from proofmill.store import BlobFetcher, DirectoryStore, content_id
from tests.integration.committee import judge
from tests.integration.conftest import SenderFactory
from tests.integration.offers import PRICE, offer
from tests.unit.oracle.test_judge import MODEL, ReversingEngine
from worker.earnings import EarningsCollector
from worker.policy import Policy
from worker.service import Worker

STAKE = 50 * PRICE
REQUEST = b"a request"
ANSWER = REQUEST[::-1]
POLICY = Policy(
    minimum_prices={},  # filled in with the token of the suite
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
    seconds: list[float]  # what its clock of collections shows
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
    """Build a worker with stake; `index` is that of its key. With an operator its key is a hot key, without stake."""

    def start(account: LocalAccount, directory: Path, operator: ChecksumAddress | None = None) -> Operator:
        seconds = [0.0]
        database = open_database(directory / "worker.db")
        sender = make_sender(account=account, database=Journal(database))
        store, engine, log = DirectoryStore(directory / "blobs"), ReversingEngine(), Log()
        board = JobBoard(
            web3, suite.job_escrow, database, start_block=deployment.deployed_block, confirmations=1
        )
        worker = Worker(
            operator=operator or account.address,
            suite=suite,
            board=board,
            sender=sender,
            engine=engine,
            store=store,
            fetcher=BlobFetcher(store, rounds=1),
            policy=replace(POLICY, minimum_prices={suite.mill_token.address: 1}),
            earnings=EarningsCollector(
                operator=operator or account.address,
                suite=suite,
                sender=sender,
                minimums={suite.mill_token.address: PRICE},
                after_jobs=2,
                after_seconds=3_600,
                log=log,  # type: ignore[arg-type]
                clock=lambda: seconds[0],
            ),
            health=Health(role="worker", address=account.address, stale_after=60),
            log=log,  # type: ignore[arg-type]  # the three methods that a worker uses
        )

        def restarted() -> Operator:
            sender.close()
            return start(account, directory, operator)

        return Operator(worker, engine, store, sender, log, seconds, restarted)

    def build(index: int = 2, operator: ChecksumAddress | None = None) -> Operator:
        node = start(anvil.accounts[index], tmp_path / f"worker-{index}", operator)
        node.store.put(REQUEST)
        if operator is None:
            node.sender.send("allow staking", suite.mill_token.approve(suite.staking.address, STAKE))
            node.sender.send("stake", suite.staking.stake(STAKE))
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
        **changes: Any,
    ) -> PostedJob:
        wanted = offer(
            suite,
            model_id=model_id,
            input_root=content_id(request),
            bond=2 * PRICE,
            submit_window=submit_window,
            evaluation_window=evaluation_window,
        )
        call = suite.job_escrow.post(replace(wanted, **changes))
        return suite.job_escrow.posted_in(requester.send(f"post {next(count)}", call))

    return build


Post = Callable[..., PostedJob]


# ------------------------------------------------------------------ claiming
def test_step__sound_job__claimed_computed_and_submitted(node: Operator, suite: Suite, post: Post) -> None:
    posted = post()
    node.worker.step()
    job = suite.job_escrow.job(posted.id)
    assert (job.state, job.provider) == (JobState.SUBMITTED, node.sender.address)
    assert job.deliverable == content_id(ANSWER)
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
        (
            {"bond": 6 * PRICE},
            "the most that one job may bind of this stake: add stake with `proofmill stake add`",
        ),
        (
            {"bond": 16 * PRICE, "price_floor": 2 * PRICE, "price_ceiling": 2 * PRICE},
            "exceeds 15000000000000000000, what open jobs",
        ),
        ({"price_floor": 0, "price_ceiling": PRICE, "ramp": 2**24 - 1}, "its price reaches the minimum"),
        ({"tier": 1}, "wants tier 1, this operator has tier 0"),
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


def test_step__claimed_job__its_request_goes_to_the_committee(
    node: Operator, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who claims on a request that nobody else has is paid the cancellation fee only."""
    given: list[tuple[int, bytes]] = []
    monkeypatch.setattr(node.worker, "_sharing", SimpleNamespace(share=lambda *what: given.append(what)))
    left_alone, posted = post(model_id=bytes(32)), post()
    node.worker.step()
    assert given == [(posted.id, REQUEST)], f"job {left_alone.id} was not claimed"


def test_step__jobs__are_counted_by_state(
    node: Operator, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = NodeMetrics(role="worker", address=node.sender.address)
    monkeypatch.setattr(node.worker._health, "metrics", metrics)
    post(model_id=bytes(32))
    post()
    node.worker.step()
    node.worker.step()
    counts = {
        state: metrics.registry.get_sample_value("proofmill_jobs", {"state": state})
        for state in ("open", "submitted")
    }
    assert counts == {"open": 1, "submitted": 1}


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
    assert suite.staking.slashable(node.sender.address) == STAKE - 2 * PRICE * 125 // 10_000


def test_step__nobody_judged_in_time__bond_comes_back(
    node: Operator, suite: Suite, post: Post, anvil: Anvil
) -> None:
    posted = post()
    node.worker.step()
    anvil.increase_time(601)
    node.worker.step()
    assert suite.job_escrow.job(posted.id).state == JobState.EXPIRED
    assert suite.staking.available(node.sender.address) == STAKE


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
    assert node.log.of("settled") == [
        {"job": posted.id, "state": "completed", "why": "attested", "earned": PRICE}
    ]


# ------------------------------------------------------------------ earnings
def paid_job(node: Operator, anvil: Anvil, suite: Suite, post: Post, judging: TransactionSender) -> None:
    posted = post()
    node.worker.step()
    judge(anvil, suite, judging, posted.id)
    node.worker.step()


def test_step__enough_jobs_paid__earnings_are_collected_for_all_of_them(
    node: Operator, suite: Suite, post: Post, anvil: Anvil, requester: TransactionSender
) -> None:
    token, operator = suite.mill_token, node.sender.address
    before = token.balance_of(operator)
    paid_job(node, anvil, suite, post, requester)
    assert suite.job_escrow.earnings(token.address, operator) == PRICE
    assert node.log.of("earnings collected") == []
    paid_job(node, anvil, suite, post, requester)
    assert node.log.of("earnings collected") == [
        {"token": token.address, "amount": 2 * PRICE, "paid": 2 * PRICE}
    ]
    assert token.balance_of(operator) == before + 2 * PRICE
    assert suite.job_escrow.earnings(token.address, operator) == 0


def test_step__enough_time_has_passed__what_is_worth_it_is_collected(
    node: Operator, suite: Suite, post: Post, anvil: Anvil, requester: TransactionSender
) -> None:
    paid_job(node, anvil, suite, post, requester)
    node.seconds[0] += 3_599
    node.worker.step()
    assert node.log.of("earnings collected") == []
    node.seconds[0] += 1
    node.worker.step()
    assert [line["paid"] for line in node.log.of("earnings collected")] == [PRICE]
    node.seconds[0] += 3_600
    node.worker.step()  # nothing waits: no transaction
    assert len(node.log.of("earnings collected")) == 1


def test_drain__at_the_end__collects_what_is_worth_it_and_no_less(
    node: Operator, suite: Suite, post: Post, anvil: Anvil, requester: TransactionSender
) -> None:
    posted = post(price_floor=PRICE // 2, price_ceiling=PRICE // 2)
    node.worker.step()
    judge(anvil, suite, requester, posted.id)
    node.worker.step()
    node.worker.drain()
    assert node.log.of("earnings collected") == []
    paid_job(node, anvil, suite, post, requester)
    node = node.restarted()  # two jobs in all, but only one by its count
    node.worker.drain()
    assert [line["paid"] for line in node.log.of("earnings collected")] == [3 * PRICE // 2]


def test_drain__at_every_end__is_a_collection_of_its_own(
    node: Operator, suite: Suite, post: Post, anvil: Anvil, requester: TransactionSender
) -> None:
    """The calls are the same each time; the journal must not take the second end for the first."""
    for _ in range(2):
        paid_job(node, anvil, suite, post, requester)
        node = node.restarted()
        node.worker.drain()
        assert [line["paid"] for line in node.log.of("earnings collected")] == [PRICE]
    assert suite.job_escrow.earnings(suite.mill_token.address, node.sender.address) == 0


def test_step__jobs_of_a_tier_that_is_out_of_reach__registry_is_asked_once_in_a_while(
    node: Operator, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such jobs cost a stranger next to nothing to post."""
    for _ in range(3):
        post(tier=200)
    asked: list[int] = []
    tier_at = CapabilityRegistry.tier_at

    def note(self: CapabilityRegistry, operator: str, time: int, **options: Any) -> int:
        asked.append(time)
        return tier_at(self, operator, time, **options)

    monkeypatch.setattr(CapabilityRegistry, "tier_at", note)
    for _ in range(4):
        node.worker.step()
    assert len(asked) == 3


def test_collect__killed_between_its_two_transactions__the_next_one_pays(
    node: Operator,
    suite: Suite,
    post: Post,
    anvil: Anvil,
    requester: TransactionSender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token, operator = suite.mill_token, node.sender.address
    before = token.balance_of(operator)
    paid_job(node, anvil, suite, post, requester)

    def collect_only(calls: Any) -> Any:
        node.sender.send(*calls[0])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(node.sender, "send_many", collect_only)
        with pytest.raises(KeyboardInterrupt):
            node.worker.drain()
    assert suite.staking.earned(operator, token.address, operator) == PRICE
    again = node.restarted()
    again.worker.drain()
    assert token.balance_of(operator) == before + PRICE


def test_collect__somebody_else_was_faster__says_so_and_goes_on(
    node: Operator,
    suite: Suite,
    post: Post,
    anvil: Anvil,
    requester: TransactionSender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token, operator = suite.mill_token.address, node.sender.address
    paid_job(node, anvil, suite, post, requester)
    stale = bytes(anvil.web3.eth.get_block("latest")["hash"])
    requester.send("collect", suite.job_escrow.collect_earnings(token, operator))
    node.worker._earnings.collect(stale)
    assert [line["token"] for line in node.log.of("earnings not collected")] == [token]
    node.worker.drain()
    assert [line["paid"] for line in node.log.of("earnings collected")] == [PRICE]


# ------------------------------------------------------------------ hot keys and refusals
def test_step__hot_key__works_with_the_stake_of_its_operator(
    make_node: Callable[..., Operator], suite: Suite, post: Post, anvil: Anvil, requester: TransactionSender
) -> None:
    cold = make_node(2)
    operator = cold.sender.address
    hot = make_node(3, operator)
    cold.sender.send("hot key", suite.staking.set_hot_key(hot.sender.address, True))
    posted = post()
    hot.worker.step()
    job = suite.job_escrow.job(posted.id)
    assert (job.state, job.provider) == (JobState.SUBMITTED, operator)
    judge(anvil, suite, requester, posted.id)
    hot.worker.step()
    hot.worker.drain()
    assert suite.mill_token.balance_of(operator) == 1_000 * PRICE - STAKE + PRICE


def test_step__key_that_nobody_authorised__refusal_is_an_error_with_its_remedy(
    make_node: Callable[..., Operator], suite: Suite, post: Post
) -> None:
    cold = make_node(2)
    stranger = make_node(3, cold.sender.address)
    post()
    stranger.worker.step()
    [line] = stranger.log.of("claim refused")
    assert line["why"] == "terms: not operator or hot key"
    assert "proofmill hot-key add" in line["remedy"]


def test_step__own_stake_shrank_since_the_look__refusal_names_the_remedy(
    node: Operator, suite: Suite, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(bond=5 * PRICE)
    seen = node.worker._board.refresh()
    monkeypatch.setattr(node.worker._board, "refresh", lambda: seen)
    objection = Policy.objection
    pool = suite.staking.own_pool(node.sender.address)

    def leave_first(*arguments: Any) -> str | None:
        node.sender.send("leave", suite.staking.request_redeem(pool, 40 * PRICE))
        return objection(*arguments)

    monkeypatch.setattr(Policy, "objection", leave_first)
    node.worker.step()
    [line] = node.log.of("claim refused")
    assert line["why"] == "commit: above the fault cap"
    assert "proofmill stake add" in line["remedy"]


def test_step__job_that_reopened__is_claimed_once_more(
    node: Operator, suite: Suite, post: Post, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Number and terms are those of the first time; the journal must not take it for the same claim."""
    now = int(anvil.web3.eth.get_block("latest")["timestamp"])
    posted = post(reopens=True, claim_deadline=now + 100_000)
    with monkeypatch.context() as patch:
        patch.setattr(node.worker, "_compute_and_submit", lambda _: None)
        node.worker.step()
        anvil.increase_time(601)
        anvil.mine()
        node.worker.step()  # too late: it gives the job back itself
    job = suite.job_escrow.job(posted.id)
    assert (job.is_open, job.reopened) == (True, 1)
    node.worker.step()
    job = suite.job_escrow.job(posted.id)
    assert (job.state, job.provider) == (JobState.SUBMITTED, node.sender.address)


def test_step__nobody_judged_in_time__close_reason_says_so(
    node: Operator, suite: Suite, post: Post, anvil: Anvil
) -> None:
    posted = post()
    node.worker.step()
    anvil.increase_time(601)
    for _ in range(2):
        node.worker.step()
    assert suite.job_escrow.job(posted.id).close_reason is CloseReason.NOT_EVALUATED
    assert [line["why"] for line in node.log.of("settled")] == ["not_evaluated"]
