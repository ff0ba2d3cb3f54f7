"""What a node tells Prometheus: names, labels and values as docs/CHAIN.md and docs/alerts.yml use them."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proofmill.chain.endpoint import EndpointHealth, RequestResult
from proofmill.chain.errors import RpcUnavailable
from proofmill.logs import get_logger
from proofmill.metrics import NodeMetrics
from proofmill.service import run_until_stopped

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = re.compile(r"proofmill_[a-z_]+")
SUFFIXES = re.compile(r"_(bucket|count|sum|total|created)$")


@pytest.fixture
def metrics() -> NodeMetrics:
    return NodeMetrics(role="oracle", address="0xab", version="1")


def value(metrics: NodeMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def all_noted(metrics: NodeMetrics) -> NodeMetrics:
    """Every metric has a value."""
    health = EndpointHealth("http://a", False, False, False, 0.1, 9, 2, 0, None, 0.0)
    metrics.watch_endpoints(lambda: (health,))
    metrics.note_request("http://a", "eth_call", RequestResult.ANSWERED, 0.2)
    metrics.note_blocks(head=9, confirmed=7, block_time=1_700_000_000)
    metrics.note_transactions({"mined": 3, "pending": 1}, fee_bumps=2)
    metrics.note_jobs({"submitted": 4})
    metrics.note_verdict("complete")
    metrics.note_balance("ether", 1.5)
    metrics.note_refused("rate")
    with metrics.cycle():
        pass
    return metrics


def test_render__everything_noted__has_the_values(metrics: NodeMetrics) -> None:
    all_noted(metrics)
    assert value(metrics, "proofmill_rpc_endpoint_lag_blocks", endpoint="http://a") == 2
    assert value(metrics, "proofmill_rpc_endpoint_fit", endpoint="http://a") == 1
    assert value(metrics, "proofmill_block_number", which="confirmed") == 7
    assert value(metrics, "proofmill_transactions", state="pending") == 1
    assert value(metrics, "proofmill_fee_bumps") == 2
    assert value(metrics, "proofmill_verdicts_total", outcome="complete") == 1
    assert value(metrics, "proofmill_cycle_seconds_count", result="done") == 1
    labels = {"endpoint": "http://a", "method": "eth_call", "result": "answered"}
    assert value(metrics, "proofmill_rpc_request_seconds_count", **labels) == 1


def test_note_jobs__state_without_jobs__is_no_longer_shown(metrics: NodeMetrics) -> None:
    metrics.note_jobs({"open": 2, "submitted": 1})
    metrics.note_jobs({"open": 1})
    assert value(metrics, "proofmill_jobs", state="open") == 1
    assert value(metrics, "proofmill_jobs", state="submitted") is None


def test_run_until_stopped__turns_that_end_well_and_badly__are_counted_apart(metrics: NodeMetrics) -> None:
    stopping = threading.Event()
    turns: list[int] = []
    after: list[int] = []

    def step() -> None:
        turns.append(1)
        if len(turns) == 3:
            stopping.set()
            raise RpcUnavailable("away", remedy="wait")

    run_until_stopped(
        step,
        stopping=stopping,
        poll_interval=0.001,
        log=get_logger(),
        metrics=metrics,
        after_each=lambda: after.append(1),
    )
    assert value(metrics, "proofmill_cycle_seconds_count", result="done") == 2
    assert value(metrics, "proofmill_cycle_seconds_count", result="failed") == 1
    assert len(after) == 3
    age = value(metrics, "proofmill_last_cycle_age_seconds")
    assert age is not None
    assert age < 60


def test_alerts_and_table__name_metrics_that_exist(metrics: NodeMetrics) -> None:
    families = text_string_to_metric_families(all_noted(metrics).render().decode())
    existing = {SUFFIXES.sub("", family.name) for family in families}
    table = (ROOT / "docs" / "CHAIN.md").read_text("utf-8").partition("## Metrics")[2]
    documented = {
        name for line in table.splitlines() if line.startswith("| `") for name in NAME.findall(line)
    }
    assert {SUFFIXES.sub("", name) for name in documented} == existing
    alerts = (ROOT / "docs" / "alerts.yml").read_text("utf-8")
    assert {SUFFIXES.sub("", name) for name in NAME.findall(alerts)} <= existing
