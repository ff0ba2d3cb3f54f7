"""The requester's side on a real chain without nodes: where the money is when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from web3 import Web3
from web3.types import RPCResponse

from proofmill.chain import Deployment, Job, JobState, PostedJob, Suite, TransactionSender
from proofmill.chain.errors import RpcUnavailable
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.client import (
    MILL,
    Client,
    InsufficientFunds,
    InvalidTerms,
    JobFailed,
    JobUnfinished,
    Progress,
    Terms,
    WrongAnswer,
)
from proofmill.devnet.anvil import Anvil
from proofmill.exact import InvalidText
from proofmill.jobs import EmbeddingAnswer, EmbeddingRequest, identify
from proofmill.store import BlobFetcher, DirectoryStore, UploadRefused
from tests.integration.chain.faults import faulty
from tests.integration.committee import judge
from tests.integration.conftest import SenderFactory

REQUEST = EmbeddingRequest(model_id=b"\x01" * 32, sequences=((101, 7, 102), (101, 8, 102)))
TERMS = Terms(price=10 * MILL, bond=25 * MILL)
STAKE = 500 * MILL


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "client", identify=identify)


@pytest.fixture
def steps() -> list[Progress]:
    return []


@pytest.fixture
def client(
    web3: Web3,
    deployment: Deployment,
    sender: TransactionSender,
    anvil: Anvil,
    store: DirectoryStore,
    steps: list[Progress],
) -> Client:
    """A client of one node that takes every upload and has no blob."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201 if request.method == "PUT" else 404)

    node = httpx.Client(transport=httpx.MockTransport(answer))
    fetcher = BlobFetcher(store, ["http://node"], client=node, rounds=1)
    return Client(anvil.accounts[1], web3, deployment, sender, fetcher, 0.01, steps.append)


@pytest.fixture
def worker(make_sender: SenderFactory, anvil: Anvil, suite: Suite) -> TransactionSender:
    sender = make_sender(account=anvil.accounts[2])
    sender.send("allow staking", suite.mill_token.approve(suite.staking.address, STAKE))
    sender.send("stake", suite.staking.stake(STAKE))
    return sender


@pytest.fixture
def submitted(suite: Suite, worker: TransactionSender) -> Callable[[Client, bytes], Job]:
    """Post a job and have it answered with a digest."""

    def build(client: Client, deliverable: bytes, terms: Terms = TERMS) -> Job:
        posted = client.post(REQUEST, terms)
        receipt = worker.send("claim", suite.job_escrow.claim(posted.id, posted.terms, worker.address))
        claimed = suite.job_escrow.claimed_in(receipt, suite.job_escrow.job(posted.id))
        worker.send("submit", suite.job_escrow.submit(posted.id, claimed.claim, deliverable))
        return suite.job_escrow.job(posted.id)

    return build


def wallet(client: Client) -> int:
    return client.suite.mill_token.balance_of(client.account.address)


def transactions(client: Client) -> int:
    return client.web3.eth.get_transaction_count(client.account.address)


# ------------------------------------------------------------------ before anything is spent
def test_post__price_over_the_balance__says_both_amounts_and_spends_nothing(client: Client) -> None:
    before = transactions(client)
    with pytest.raises(InsufficientFunds, match=r"holds 1,000 MILL, the job costs 1,001 MILL"):
        client.post(REQUEST, replace(TERMS, price=1_001 * MILL, bond=None))
    assert transactions(client) == before


def test_embed__sentence_longer_than_the_model_reads__is_named_and_nothing_is_spent(client: Client) -> None:
    before, sent = wallet(client), transactions(client)
    endless = "never ending " * 400
    with pytest.raises(InvalidText, match='text 1 has 802 tokens, at most 512: "never ending'):
        client.embed(["A short sentence.", endless])
    assert (wallet(client), transactions(client)) == (before, sent)


def test_jobs__own_and_everybodys__in_order(client: Client, worker: TransactionSender, suite: Suite) -> None:
    request = client.build_request(["A short sentence."])
    mine = [client.post(request, Terms()).id for _ in range(2)]
    client.cancel(client.suite.job_escrow.job(mine[0]))
    assert [(job.id, job.state) for job in client.jobs()] == [
        (mine[0], JobState.REJECTED),
        (mine[1], JobState.FUNDED),
    ]
    assert [job.id for job in client.jobs(everybody=True)] == mine


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"is_exact": True}, "is not registered, so nobody could prove"),
        ({"bond": 10 * MILL - 1}, "is less than the escrow accepts"),
        ({"price_floor": 11 * MILL}, "the price would fall"),
        ({"payment_token": EMPTY_ADDRESS[:-1] + "1"}, "takes no jobs paid in"),
    ],
)
def test_post__terms_that_the_escrow_refuses__says_why_and_spends_nothing(
    client: Client, change: dict[str, Any], words: str
) -> None:
    before = transactions(client)
    with pytest.raises(InvalidTerms, match=words) as refused:
        client.post(REQUEST, replace(TERMS, **change))
    assert refused.value.remedy
    assert transactions(client) == before


def test_post__exact_job_of_an_escrow_without_arbiter__says_so(
    client: Client, suite: Suite, make_sender: SenderFactory, anvil: Anvil
) -> None:
    owner = make_sender(account=anvil.accounts[0])
    owner.send("no arbiter", suite.job_escrow.set_arbiter(EMPTY_ADDRESS))
    with pytest.raises(InvalidTerms, match="has no arbiter yet"):
        client.post(REQUEST, replace(TERMS, is_exact=True))


@pytest.mark.parametrize(
    ("bond", "asked", "stage", "words"),
    [
        (None, 280, "bond", "a worker that lies loses 280 MILL; that is more than it can win by lying"),
        (256 * MILL, 256, "bond", "the committee's lowest sampling rate of 3%"),
        (255 * MILL, 255, "warning", "lying pays with a bond below 255.5"),
        (7 * MILL, 7, "warning", "a worker that lies loses 7 MILL; that is too low"),
    ],
)
def test_post__bond__deters_unless_told_otherwise_and_what_a_lie_costs_is_said_first(
    client: Client, steps: list[Progress], bond: int | None, asked: int, stage: str, words: str
) -> None:
    assert client.post(REQUEST, Terms(price=7 * MILL, bond=bond)).terms.bond == asked * MILL
    assert [step.stage for step in steps] == [stage, "uploaded", "posted"]
    assert words in steps[0].message


def test_post__request__is_on_chain_and_in_the_store_by_its_root(
    client: Client, suite: Suite, store: DirectoryStore
) -> None:
    posted = client.post(REQUEST, TERMS)
    assert suite.job_escrow.job(posted.id).input_root == REQUEST.root
    assert store.get(REQUEST.root) == REQUEST.to_bytes()


def test_post__no_ether__says_so(client: Client, anvil: Anvil) -> None:
    anvil.fund(client.account.address, 0)
    with pytest.raises(InsufficientFunds, match="no ether"):
        client.post(REQUEST, TERMS)


def test_post__no_node_takes_the_request__spends_nothing(client: Client, store: DirectoryStore) -> None:
    refuse = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(507)))
    client.fetcher = BlobFetcher(store, ["http://one", "http://two"], client=refuse)
    before = transactions(client)
    with pytest.raises(UploadRefused, match=r"http://one: answered 507; http://two: answered 507"):
        client.post(REQUEST, TERMS)
    assert transactions(client) == before


# ------------------------------------------------------------------ deadlines
def test_wait__nobody_claims__price_comes_back(client: Client, anvil: Anvil) -> None:
    before = wallet(client)
    posted = client.post(REQUEST, TERMS)
    anvil.increase_time(TERMS.claim_window + 1)
    with pytest.raises(JobFailed, match="no worker claimed it in time; 10 MILL are back in your account"):
        client.wait(posted.id)
    assert wallet(client) == before


def test_wait__claimed_and_never_submitted__price_comes_back_with_a_compensation(
    client: Client, anvil: Anvil, suite: Suite, worker: TransactionSender
) -> None:
    before = wallet(client)
    posted = client.post(REQUEST, TERMS)
    worker.send("claim", suite.job_escrow.claim(posted.id, posted.terms, worker.address))
    anvil.increase_time(TERMS.submit_window + 1)
    with pytest.raises(JobFailed, match="did not answer in time"):
        client.wait(posted.id)
    # A part of the bond is taken: half of it compensates, a tenth is for whoever called, which was the client.
    penalty = 25 * MILL * 125 // 10_000
    assert wallet(client) == before + penalty // 2 + penalty // 10
    assert suite.staking.slashable(worker.address) == STAKE - penalty


def test_wait__submitted_and_never_judged__price_comes_back_and_the_bond_is_free(
    client: Client, anvil: Anvil, suite: Suite, worker: TransactionSender, submitted: Callable[..., Job]
) -> None:
    before = wallet(client)
    job = submitted(client, b"\x07" * 32)
    anvil.increase_time(TERMS.evaluation_window + 1)
    with pytest.raises(JobFailed, match="no verdict came in time"):
        client.wait(job.id)
    assert wallet(client) == before
    assert suite.staking.available(worker.address) == STAKE


def test_wait__job_of_somebody_else__does_not_promise_money(
    client: Client, anvil: Anvil, make_sender: SenderFactory
) -> None:
    posted = client.post(REQUEST, TERMS)
    client.cancel(client.suite.job_escrow.job(posted.id))
    onlooker = replace(client, account=anvil.accounts[3])
    with pytest.raises(JobFailed, match=f"back in the account of {client.account.address}"):
        onlooker.wait(posted.id)


# ------------------------------------------------------------------ a node that does not answer
def test_wait__node_fails_for_a_while__goes_on(
    client: Client, anvil: Anvil, steps: list[Progress], deployment: Deployment
) -> None:
    posted = client.post(REQUEST, TERMS)
    client.cancel(client.suite.job_escrow.job(posted.id))
    failures = [0]

    def limit(_: object) -> RPCResponse | None:
        failures[0] += 1
        if failures[0] > 3:
            return None
        return {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "limit exceeded"}}

    web3 = faulty(anvil.rpc_url, "eth_getBlockByNumber", before=limit)
    limited = replace(client, web3=web3)
    with pytest.raises(JobFailed, match="was cancelled"):
        limited.wait(posted.id)
    assert [step.stage for step in steps].count("waiting") == 1


def test_embed__fails_after_the_post__names_the_job_and_how_to_go_on(
    client: Client, monkeypatch: pytest.MonkeyPatch, suite: Suite, submitted: Callable[..., Job], anvil: Anvil
) -> None:
    """The money is in escrow and the answer will come: without the number nobody could fetch it."""
    monkeypatch.setattr(client, "build_request", lambda *_, **__: REQUEST)

    def end(job_id: int) -> Job:
        return replace(suite.job_escrow.job(job_id), deliverable=b"\x09" * 32)

    monkeypatch.setattr(client, "wait", end)
    with pytest.raises(JobUnfinished, match=r"job \d+ is posted, but: .* no peer gave it") as failure:
        client.embed(["text"], terms=TERMS)
    assert "proofmill job fetch" in failure.value.remedy


# ------------------------------------------------------------------ change
def test_embed__price_rises__pays_the_price_of_the_claim_and_takes_the_change(
    client: Client,
    anvil: Anvil,
    suite: Suite,
    store: DirectoryStore,
    worker: TransactionSender,
    submitted: Callable[..., Job],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = wallet(client)
    answer = store.put(EmbeddingAnswer(np.ones((2, 4), np.int32), 24).to_bytes())
    post, wait = client.post, client.wait

    def wait_for_verdict(job_id: int) -> Job:
        job = submitted_job[0]
        judge(anvil, suite, worker, job.id)
        return wait(job_id)

    def post_and_answer(*arguments: Any) -> PostedJob:
        monkeypatch.setattr(client, "post", post)
        submitted_job.append(submitted(client, answer, rising))
        return suite.job_escrow.jobs_posted(0, anvil.web3.eth.block_number)[-1]

    submitted_job: list[Job] = []
    rising = replace(TERMS, price_floor=1 * MILL, ramp=1_000_000)
    monkeypatch.setattr(client, "build_request", lambda *_, **__: REQUEST)
    monkeypatch.setattr(client, "post", post_and_answer)
    monkeypatch.setattr(client, "wait", wait_for_verdict)
    result = client.embed(["text"], terms=rising)
    assert 1 * MILL <= result.job.price < 2 * MILL
    assert wallet(client) == before - result.job.price
    assert client.withdraw() == 0


def test_embed__change_cannot_be_taken__answer_is_returned_all_the_same(
    client: Client, steps: list[Progress], suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = client.post(REQUEST, TERMS)

    def fail(*_: object) -> int:
        raise RpcUnavailable("the node is away", remedy="none: this is a test")

    monkeypatch.setattr(client, "withdraw", fail)
    client._take_change(suite.job_escrow.job(posted.id))
    [said] = [step.message for step in steps if step.stage == "change"]
    assert f"proofmill job refund {posted.id}" in said


def test_wait__worker_is_late_and_the_job_reopens__waits_for_another(
    client: Client, anvil: Anvil, suite: Suite, worker: TransactionSender, steps: list[Progress]
) -> None:
    posted = client.post(REQUEST, replace(TERMS, reopens=True, submit_window=60, claim_window=10_000))
    worker.send("claim", suite.job_escrow.claim(posted.id, posted.terms, worker.address))
    anvil.increase_time(61)
    anvil.mine()
    client.settle(suite.job_escrow.job(posted.id))
    assert suite.job_escrow.job(posted.id).is_open
    anvil.increase_time(10_001)
    with pytest.raises(JobFailed, match="no worker claimed it in time"):
        client.wait(posted.id)
    assert any("waiting for another worker" in step.message for step in steps)


# ------------------------------------------------------------------ the answer
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (EmbeddingAnswer(np.ones((3, 4), np.int32), 24).to_bytes(), "2 sequences were asked, 3 answered"),
        (b"no answer at all", "is not an answer"),
    ],
)
def test_collect__accepted_blob_is_not_the_answer__says_so(
    client: Client,
    anvil: Anvil,
    suite: Suite,
    store: DirectoryStore,
    worker: TransactionSender,
    submitted: Callable[..., Job],
    answer: bytes,
    words: str,
) -> None:
    job = submitted(client, store.put(answer))
    judge(anvil, suite, worker, job.id)
    with pytest.raises(WrongAnswer, match=words):
        client.collect(client.wait(job.id))


def test_collect__right_answer__is_what_was_computed(
    client: Client,
    anvil: Anvil,
    suite: Suite,
    store: DirectoryStore,
    worker: TransactionSender,
    submitted: Callable[..., Job],
) -> None:
    embeddings = np.arange(8, dtype=np.int32).reshape(2, 4)
    job = submitted(client, store.put(EmbeddingAnswer(embeddings, 24).to_bytes()))
    judge(anvil, suite, worker, job.id)
    done = client.wait(job.id)
    assert done.state == JobState.COMPLETED
    np.testing.assert_array_equal(client.collect(done).quantized, embeddings)
