"""The two acts of the demonstration: an honest job that is paid, and a lie that costs its stake.

Each act runs on real processes and a real chain, and ends with a comparison of what happened to everybody's money with what
the protocol says must happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from eth_typing import ChecksumAddress

from proofmill.chain import Job, JobState
from proofmill.chain.history import HistoryEntry, job_history
from proofmill.chain.types import address
from proofmill.client import Client, EmbeddingResult, JobFailed, Terms
from proofmill.devnet.ledger import Balances, mismatches
from proofmill.devnet.network import Devnet

HONEST_WORKER = "worker"
LYING_WORKER = "lying-worker"


@dataclass(frozen=True)
class Act:
    """What one act left behind. `problems` is empty when everything happened that had to."""

    job: Job
    history: list[HistoryEntry]
    before: Balances
    after: Balances
    result: EmbeddingResult | None = None
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pair:
    """Two sentences and the cosine of their embeddings."""

    cosine: float
    first: str
    second: str


def balances(devnet: Devnet, client: Client) -> Balances:
    """What the actors of the demonstration hold now."""
    operators = {name: devnet.address(name) for name in (HONEST_WORKER, LYING_WORKER)}
    return Balances.take(client.suite, {"requester": devnet.address("requester"), **operators}, operators)


def honest_act(devnet: Devnet, client: Client, sentences: Sequence[str]) -> Act:
    """A job for the honest worker: the answer comes, the worker is paid."""
    before = balances(devnet, client)
    terms = Terms(provider=_operator(devnet, HONEST_WORKER))
    result = client.embed(sentences, terms=terms)
    after = balances(devnet, client)
    expected = {"requester: wallet": -terms.price, f"{HONEST_WORKER}: wallet": terms.price}
    return Act(
        job=result.job,
        history=job_history(client.web3, client.deployment, result.job.id),
        before=before,
        after=after,
        result=result,
        problems=mismatches(before, after, expected),
    )


def lying_act(devnet: Devnet, client: Client, sentences: Sequence[str]) -> Act:
    """A job for the lying worker: the answer is rejected, the bond is slashed, the requester is made whole."""
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
    compensation = min(terms.price, terms.bond // 2)
    expected = {
        "requester: wallet": compensation,
        f"{LYING_WORKER}: stake": -terms.bond,
        "total supply": compensation - terms.bond,
    }
    return Act(
        job=job,
        history=job_history(client.web3, client.deployment, job.id),
        before=before,
        after=after,
        problems=problems + mismatches(before, after, expected),
    )


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


def gas_per_step(history: Sequence[HistoryEntry]) -> Mapping[str, int]:
    """Gas of each transaction by the name of its call, in order."""
    return {f"{entry.contract}.{entry.function}": entry.gas_used for entry in history}


def _operator(devnet: Devnet, name: str) -> ChecksumAddress:
    return address(devnet.address(name))
