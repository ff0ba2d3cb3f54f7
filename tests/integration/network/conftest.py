"""A whole network of real processes, shared by the tests of this folder: a fresh one takes ten seconds to start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proofmill.client import Client, Progress
from proofmill.devnet.network import Devnet, NetworkPlan, WorkerSpec

PLAN = NetworkPlan(
    workers=(
        WorkerSpec("worker"),
        WorkerSpec("lying-worker", module="adversaries.lying_worker"),
        WorkerSpec("vanishing-worker", module="adversaries.vanishing_worker"),
    ),
    patience=4.0,
    relay_delay=2.0,
)


@pytest.fixture(scope="session")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with Devnet(tmp_path_factory.mktemp("devnet"), PLAN) as network:
        yield network


@pytest.fixture
def steps() -> list[Progress]:
    """What the client reports, in order."""
    return []


@pytest.fixture
def client(devnet: Devnet, steps: list[Progress]) -> Iterator[Client]:
    with Client.open(devnet.client_settings(), watch=steps.append) as opened:
        yield opened


@pytest.fixture
def restart(devnet: Devnet) -> Iterator[Callable[[str], None]]:
    """Start a node again; whatever a test has killed is started again after it."""

    def start(name: str) -> None:
        node = devnet.nodes[name]
        node.start()
        node.wait_until_ready()

    yield start
    for name, node in devnet.nodes.items():
        if node.process is not None and node.process.poll() is not None and name != "vanishing-worker":
            start(name)


def wait_for(condition: Callable[[], bool], *, seconds: float = 60.0, what: str) -> None:
    """Poll `condition`; fail with `what` when it does not come true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(f"did not happen within {seconds:.0f} s: {what}")


def write_document(path: Path, *sentences: str) -> Path:
    path.write_text("\n\n".join(sentences), encoding="utf-8")
    return path
