"""A worker's processor is measured by a committee of real processes, and what it can do is on chain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proofmill.client import Client
from proofmill.devices import describe_cpu
from proofmill.devnet.network import Devnet, NetworkPlan, Tier
from proofmill.measuring.rules import MeasuringRules
from tests.integration.network.conftest import wait_for

GIGA, TERA = 10**9, 10**12
#: Much room for a machine with much else to do; what is not needed of it is mined at once.
RULES = MeasuringRules(
    window_blocks=400, begin_blocks=30, work_blocks=90, opening_blocks=60, lifetime_seconds=7_200
)
PLAN = NetworkPlan(
    measuring=RULES,
    tiers=(Tier(GIGA), Tier(1_000 * TERA)),
    patience=4.0,
    relay_delay=2.0,
    poll_interval=1.0,
)
#: Two matrices of the size for processors, a byte each entry.
MEMORY = 2 * 2048**2


def test_devnet__worker_takes_part__its_processor_is_on_record(tmp_path: Path) -> None:
    device = describe_cpu()
    assert device.device_id is not None, "this machine has no /etc/machine-id"
    with Devnet(tmp_path / "net", PLAN) as network:
        skip_to(network, RULES.window_blocks - 2)
        worked = wait_for_line(network, "devices worked")
        assert worked["members"] == PLAN.oracle_count
        skip_to(network, RULES.sampled_at - 2)
        shown = wait_for_line(network, "samples shown")
        assert shown["members"] == PLAN.oracle_count
        skip_to(network, RULES.report_from - 2)
        with Client.open(network.client_settings()) as client:
            registry, worker = client.suite.capability_registry, network.address("worker")
            wait_for(
                lambda: registry.devices_of(worker) == [device.device_id],
                seconds=200,
                what=f"a measurement of the worker's processor; see {network.directory / 'logs'}",
            )
            found = registry.measurement(device.device_id)
            assert (found.operator, found.device_class, found.memory_bytes) == (worker, 0, MEMORY)
            assert GIGA < found.operations_per_second < 1_000 * TERA
            assert found.expires_at - found.observed_at == RULES.lifetime_seconds
            assert registry.tier(worker) == 1
            assert client.fetcher.fetch(found.evidence_hash), "everybody can compute the figures again"


def skip_to(network: Devnet, place: int) -> None:
    """Mine the blocks that nobody waits for, up to that place of the window."""
    ahead = place - int(network.web3.eth.block_number) % RULES.window_blocks
    if ahead > 0:
        network.anvil.mine(ahead)


def wait_for_line(network: Devnet, event: str) -> dict[str, Any]:
    """The worker's first line of a kind."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found.extend(lines_of(network, "worker", event))
        return bool(found)

    wait_for(is_there, seconds=200, what=f"{event!r} in {network.nodes['worker'].log_file}")
    return found[0]


def lines_of(network: Devnet, role: str, event: str) -> list[dict[str, Any]]:
    """What a node has logged of a kind."""
    lines = network.nodes[role].log_file.read_text("utf-8").splitlines(keepends=True)
    found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
    return [line for line in found if line.get("event") == event]
