"""The loops of a member: what fails alone, what waits for nobody, and what the metrics are told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from oracle.committee_view import CommitteeView
from oracle.service import MeasuringPart, Oracle
from proofmill.chain import Job
from proofmill.chain.errors import RpcUnavailable
from proofmill.health import Health
from proofmill.logs import get_logger
from proofmill.metrics import NodeMetrics
from proofmill.service import run_until_stopped
from tests.unit.oracle.conftest import Committee, Member

SOON = 20.0  # seconds within which a thread on a busy machine gets its turn


class Idle:
    """A judge and a custodian with nothing to do."""

    def next_of(self, *_: object, **__: object) -> None:
        return None

    def keep(self, _: object) -> None: ...


@dataclass
class Windows:
    """Stands for `Measuring`."""

    error: Exception | None = None
    turns: list[CommitteeView] = field(default_factory=list)
    has_worked: threading.Event = field(default_factory=threading.Event)

    def turn(self, view: CommitteeView) -> None:
        self.turns.append(view)
        if self.error is not None:
            raise self.error

    def work(self, view: CommitteeView) -> None:
        assert view is not None
        self.has_worked.set()


@dataclass
class Around:
    """An oracle and what it is made of."""

    oracle: Oracle
    metrics: NodeMetrics
    health: Health
    member: Member


Build = Callable[..., Around]


@pytest.fixture
def build(committee: Committee, tmp_path: Path) -> Build:
    def make(measuring: MeasuringPart | None = None, **duties: Callable[[CommitteeView], object]) -> Around:
        member = committee.members[0]
        metrics = NodeMetrics(role="oracle", address=member.account.address)
        health = Health(role="oracle", address=member.account.address, stale_after=60, metrics=metrics)
        idle: Any = Idle()
        watch: Any = type("Watch", (), {"look": lambda _: committee.view})()

        def cycle(step: Callable[[], None], stopping: threading.Event) -> None:
            run_until_stopped(step, stopping=stopping, poll_interval=0.01, log=get_logger(), metrics=metrics)

        oracle = Oracle(
            account=member.account,
            watch=watch,
            judge=idle,
            custody=idle,
            rounds=member.rounds,
            health=health,
            metrics=metrics,
            cycle=cycle,
            poll_interval=0.01,
            log=get_logger(),
            duties=duties,
            measuring=measuring,
        )
        return Around(oracle, metrics, health, member)

    return make


def test_step__jobs_in_sight__are_in_the_metrics_and_the_health(
    build: Build, committee: Committee, submitted_job: Callable[..., Job]
) -> None:
    committee.sees(submitted_job(1), submitted_job(2))
    around = build()
    around.oracle.step()
    value = around.metrics.registry.get_sample_value
    assert value("proofmill_jobs", {"state": "submitted"}) == 2
    assert value("proofmill_jobs", {"state": "challengeable"}) == 0
    is_ready, facts = around.health.report()
    assert is_ready
    assert (facts["waiting_jobs"], facts["block"], facts["member"]) == (2, committee.view.stamp.number, True)


def test_step__windows_cannot_be_followed__verdicts_go_on(
    build: Build, committee: Committee, submitted_job: Callable[..., Job]
) -> None:
    windows = Windows(error=RpcUnavailable("away", remedy="wait"))
    around = build(windows)
    job = submitted_job(1)
    for member in committee.members:
        member.finds(job)
    # Member 0 leads sequence 4.
    committee.sees(job, latest_sequence=3)
    around.oracle.step()
    assert windows.turns == [committee.view]
    assert [item.report.sequence for item in around.member.transmitted] == [4]


def test_run__a_duty_that_takes_its_time__keeps_no_window_waiting(build: Build) -> None:
    windows, is_let_go, has_begun = Windows(), threading.Event(), threading.Event()

    def long_dispute(_: CommitteeView) -> None:
        has_begun.set()
        is_let_go.wait()

    around = build(windows, doubts=long_dispute)
    thread = threading.Thread(target=around.oracle.run)
    thread.start()
    try:
        assert has_begun.wait(SOON)
        windows.has_worked.clear()
        assert windows.has_worked.wait(SOON), "measuring goes on while the duty is busy"
        assert not is_let_go.is_set()
    finally:
        around.oracle.stop()
        is_let_go.set()
        thread.join(SOON)
    assert not thread.is_alive()


def test_run__without_measuring__ends_when_it_is_told_to(build: Build) -> None:
    around = build()
    thread = threading.Thread(target=around.oracle.run)
    thread.start()
    around.oracle.stop()
    thread.join(SOON)
    assert not thread.is_alive()
