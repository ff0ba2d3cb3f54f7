"""Oracles and a worker, as processes, whose every word to and from the chain passes through proxies that misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from adversaries.rpc_proxy import (
    Broken,
    CutJson,
    Delay,
    DropRequest,
    Duplicate,
    Lag,
    LoseAnswer,
    NotJson,
    PreviousAnswer,
    RpcProxy,
    TooManyRequests,
    Truncate,
)
from proofmill.chain import JobState
from proofmill.client import Client, Terms
from proofmill.devnet.network import Devnet, NetworkPlan

FAULTS = (
    DropRequest(),
    LoseAnswer(),
    Delay(0.3),
    Duplicate(),
    PreviousAnswer(),
    Truncate(),
    CutJson(),
    NotJson(),
    Broken(),
    TooManyRequests(retry_after=0.2),
    Lag(2),
)
RATE = 0.15


RUNNING = ("oracle-0", "oracle-1", "worker")


class ProxiedDevnet(Devnet):
    """Each node has two endpoints, both proxies; the client, who judges what came of it, speaks to the chain itself.

    Of the committee of four two run: as many as a report needs that accepts an answer, so each must do its part.
    """

    def __init__(self, directory: Path, plan: NetworkPlan) -> None:
        super().__init__(directory, plan)
        self.proxies: list[RpcProxy] = []

    def _chain(self, role: str) -> dict[str, object]:
        values = super()._chain(role)
        if role == "requester":
            return values
        if not self.proxies:
            self.proxies = [self._stack.enter_context(RpcProxy(self.anvil.rpc_url, seed=n)) for n in (1, 2)]
        return values | {"rpc_url": [proxy.url_for(role) for proxy in self.proxies]}

    def _start_nodes(self) -> None:
        self.nodes = {role: self.nodes[role] for role in RUNNING}
        super()._start_nodes()


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedDevnet]:
    plan = NetworkPlan(patience=4.0, relay_delay=2.0)
    with ProxiedDevnet(tmp_path_factory.mktemp("proxied"), plan) as network:
        yield network


def test_job__every_node_behind_faulty_endpoints__is_done_and_paid_once(devnet: ProxiedDevnet) -> None:
    for proxy in devnet.proxies:
        proxy.add_at_random(FAULTS, rate=RATE)
    with ExitStack() as stack:
        client = stack.enter_context(Client.open(devnet.client_settings()))
        token, escrow = client.suite.mill_token, client.suite.job_escrow
        before = token.balance_of(client.account.address)
        posted = client.post(client.build_request(["A bell rings.", "The fog lifts."]), Terms())
        job = client.wait(posted.id)
        assert job.state == JobState.COMPLETED
        assert len(client.collect(job).quantized) == 2
        assert token.balance_of(client.account.address) == before - Terms().price
        assert escrow.job(posted.id).state == JobState.COMPLETED
    met = [one for proxy in devnet.proxies for one in proxy.seen if one.fault is not None]
    assert {one.client for one in met} == set(RUNNING), "each was to be hit"


def test_metrics__of_a_node_behind_faulty_endpoints__name_them(devnet: ProxiedDevnet) -> None:
    text = httpx.get(f"{devnet.nodes['worker'].url}/metrics", trust_env=False).text
    for proxy in devnet.proxies:
        assert f'proofmill_rpc_endpoint_fit{{endpoint="{proxy.url}' in text
    assert 'result="unavailable"' in text
    assert "worker" not in text.partition("proofmill_rpc_request_seconds_bucket")[2].partition("\n")[0], (
        "what follows the host of an endpoint may be a key"
    )
