"""The requester's side on a real chain without nodes: where the money is when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from web3 import Web3
from web3.types import RPCResponse

from proofmill.chain import Deployment, Job, JobState, Suite, TransactionSender
from proofmill.client import (
    MILL,
    Client,
    InsufficientFunds,
    JobFailed,
    JobUnfinished,
    Progress,
    Terms,
    WrongAnswer,
)
from proofmill.devnet.anvil import Anvil
from proofmill.exact import InvalidText
from proofmill.jobs import EmbeddingAnswer, EmbeddingRequest
from proofmill.store import BlobFetcher, DirectoryStore, UploadRefused
from tests.integration.chain.faults import faulty
from tests.integration.committee import judge
from tests.integration.conftest import SenderFactory

REQUEST = EmbeddingRequest(model_id=b"\x01" * 32, sequences=((101, 7, 102), (101, 8, 102)))
TERMS = Terms(price=10 * MILL, bond=25 * MILL)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "client")


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
    sender.send("allow staking", suite.mill_token.approve(suite.staking.address, 100 * MILL))
    sender.send("stake", suite.staking.stake(100 * MILL))
    return sender


@pytest.fixture
def submitted(suite: Suite, worker: TransactionSender) -> Callable[[Client, bytes], Job]:
    """Post a job and have it answered with a digest."""

    def build(client: Client, deliverable: bytes) -> Job:
        posted = client.post(REQUEST, TERMS)
        worker.send("claim", suite.job_escrow.claim(posted.id, posted.terms))
        worker.send("submit", suite.job_escrow.submit(posted.id, posted.terms, deliverable))
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
        client.post(REQUEST, replace(TERMS, price=1_001 * MILL))
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
    worker.send("claim", suite.job_escrow.claim(posted.id, posted.terms))
    anvil.increase_time(TERMS.submit_window + 1)
    with pytest.raises(JobFailed, match="no verdict came in time"):
        client.wait(posted.id)
    assert wallet(client) == before + posted.terms.late_penalty // 2


def test_wait__submitted_and_never_judged__price_comes_back_and_the_bond_is_free(
    client: Client, anvil: Anvil, suite: Suite, worker: TransactionSender, submitted: Callable[..., Job]
) -> None:
    before = wallet(client)
    job = submitted(client, b"\x07" * 32)
    anvil.increase_time(TERMS.evaluation_window + 1)
    with pytest.raises(JobFailed, match="no verdict came in time"):
        client.wait(job.id)
    assert wallet(client) == before
    assert suite.staking.available(worker.address) == 100 * MILL


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
        return suite.job_escrow.job(job_id)

    monkeypatch.setattr(client, "wait", end)
    monkeypatch.setattr(suite.job_escrow.__class__, "deliverable", lambda *_, **__: b"\x09" * 32)
    with pytest.raises(JobUnfinished, match=r"job \d+ is posted, but: .* no peer gave it") as failure:
        client.embed(["text"], terms=TERMS)
    assert "proofmill job fetch" in failure.value.remedy


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
