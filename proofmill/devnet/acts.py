"""The first two acts of the demonstration: an honest job that is paid, and a lie that costs its stake.

Each act runs on real processes and a real chain, and ends with a comparison of what happened to everybody's money with what
the protocol says must happen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from eth_typing import ChecksumAddress

from proofmill.chain import Job, JobState
from proofmill.chain.history import HistoryEntry, earnings_history, job_history
from proofmill.chain.types import address
from proofmill.client import Client, EmbeddingResult, JobFailed, Terms
from proofmill.devnet.ledger import Balances, mismatches
from proofmill.devnet.network import Devnet

HONEST_WORKER = "worker"
LYING_WORKER = "lying-worker"
COLLECTION_SECONDS = 60.0


@dataclass(frozen=True)
class Act:
    """What one act left behind. `problems` is empty when everything happened that had to."""

    job: Job
    history: list[HistoryEntry]
    before: Balances
    after: Balances
    collections: list[HistoryEntry] = field(default_factory=list)  # how the worker came by its earnings
    result: EmbeddingResult | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pair:
    """Two sentences and the cosine of their embeddings."""

    cosine: float
    first: str
    second: str


def balances(devnet: Devnet, client: Client) -> Balances:
    """What the actors of these two acts hold now."""
    operators = {name: devnet.address(name) for name in (HONEST_WORKER, LYING_WORKER)}
    return Balances.take(client.suite, {"requester": devnet.address("requester"), **operators}, operators)


def honest_act(devnet: Devnet, client: Client, sentences: Sequence[str]) -> Act:
    """A job for the honest worker: the answer comes, the worker earns the price and collects it."""
    before = balances(devnet, client)
    operator = _operator(devnet, HONEST_WORKER)
    terms = Terms(provider=operator)
    result = client.embed(sentences, terms=terms)
    job = result.job
    problems = wait_for_collection(client, operator)
    after = balances(devnet, client)
    expected = {
        "requester: wallet": -job.price,
        f"{HONEST_WORKER}: wallet": job.pay,
        "escrow": job.price - job.pay,  # fees wait there
    }
    return Act(
        job=job,
        history=job_history(client.web3, client.deployment, job.id),
        collections=earnings_history(client.web3, client.deployment, operator, job.posted_block),
        before=before,
        after=after,
        result=result,
        problems=problems + mismatches(before, after, expected),
    )


def lying_act(devnet: Devnet, client: Client, sentences: Sequence[str]) -> Act:
    """A job for the lying worker: the answer is rejected, the bond is slashed, the requester is compensated."""
    before = balances(devnet, client)
    terms = Terms(provider=_operator(devnet, LYING_WORKER))
    problems: list[str] = []
    try:
        job = client.embed(sentences, terms=terms).job
        problems.append(f"job {job.id} was completed: the lie was paid")
    except JobFailed as failure:
        job = failure.job
        if job.state != JobState.REJECTED:
            problems.append(f"job {job.id} ended as {job.state.name.lower()}, not rejected")
    after = balances(devnet, client)
    # The price comes back in full. Of the bond the requester has the price in stake tokens, but at most half; nobody
    # reported the lie, the committee found it, so there is no reporter's share and the rest is burned.
    bond = job.terms.bond
    compensation = job.terms.compensation(job.price, bond)
    expected = {
        "requester: wallet": compensation,
        f"{LYING_WORKER}: stake": -bond,
        "total supply": compensation - bond,
    }
    return Act(
        job=job,
        history=job_history(client.web3, client.deployment, job.id),
        before=before,
        after=after,
        problems=problems + mismatches(before, after, expected),
    )


def wait_for_collection(client: Client, operator: ChecksumAddress) -> list[str]:
    """Wait until the worker, by itself, has collected what it earned; what went wrong otherwise."""
    suite = client.suite
    token = suite.mill_token.address
    deadline = time.monotonic() + COLLECTION_SECONDS
    while time.monotonic() < deadline:
        waiting = suite.job_escrow.earnings(token, operator) + suite.staking.earned(operator, token, operator)
        if waiting == 0:
            return []
        time.sleep(client.poll_interval)
    return [f"the worker did not collect its earnings within {COLLECTION_SECONDS:.0f} s"]


def nearest_pairs(result: EmbeddingResult, sentences: Sequence[str], count: int = 3) -> list[Pair]:
    """The `count` pairs of different sentences with the highest cosine; the vectors have unit length."""
    vectors = result.embeddings
    similarity = vectors @ vectors.T
    rows, columns = np.triu_indices(len(sentences), k=1)
    order = np.argsort(-similarity[rows, columns], kind="stable")
    pairs = [
        Pair(
            float(similarity[rows[place], columns[place]]), sentences[rows[place]], sentences[columns[place]]
        )
        for place in order
        if sentences[rows[place]] != sentences[columns[place]]
    ]
    return pairs[:count]


def gas_in_all(act: Act) -> int:
    """Gas of the job's whole life, the worker's collection included."""
    return sum(entry.gas_used for entry in [*act.history, *act.collections])


def _operator(devnet: Devnet, name: str) -> ChecksumAddress:
    return address(devnet.address(name))
