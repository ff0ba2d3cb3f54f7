"""Put a member's measuring together: the routes that workers and members ask, the turn of the cycle, and the duty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eth_typing import ChecksumAddress
from starlette.routing import Route

from oracle.ballots import Ballots
from oracle.committee_view import CommitteeView
from oracle.measuring.chain import (
    ChainRegistry,
    MeasurementRelay,
    panel_of,
    report_view_of,
)
from oracle.measuring.course import MeasuringCourse
from oracle.measuring.memory import MeasuringMemory
from oracle.measuring.reports import MeasurementReports
from oracle.measuring.routes import measuring_routes
from oracle.measuring.speed_challenge import SpeedChallenge
from oracle.measuring.witnesses import OtherMembers
from proofmill.errors import ProofmillError
from proofmill.measuring.chain import ChainBlocks
from proofmill.measuring.figures import Panel
from proofmill.measuring.rules import MeasuringRules
from proofmill.node import Node


class NoViewYet(ProofmillError):
    """The chain was not looked at yet."""


@dataclass(frozen=True)
class Measuring:
    """What the service does for measuring."""

    course: MeasuringCourse
    reports: MeasurementReports
    members: OtherMembers
    registry: ChecksumAddress

    @property
    def routes(self) -> list[Route]:
        """The HTTP interface."""
        return measuring_routes(self.course.current, self.reports)

    def turn(self, view: CommitteeView) -> None:
        """With every look at the chain."""
        self.reports.observe(report_view_of(view, self.registry))
        self.course.turn()

    def work(self, view: CommitteeView) -> None:
        """When there is time; a check takes up to a second a device."""
        self.course.work(view.block_time)
        self.reports.lead()

    def close(self) -> None:
        """Let go of all connections."""
        self.members.close()


def build_measuring(
    node: Node,
    *,
    rules: MeasuringRules,
    ballots: Ballots,
    urls: Mapping[str, str],
    patience: float,
    current_view: Callable[[], CommitteeView | None],
) -> Measuring:
    """The measuring of the member whose key `node` holds; `urls` are those of the other members, by operator."""

    def panel() -> Panel:
        view = current_view()
        if view is None:
            raise NoViewYet("this member has not seen the chain yet", remedy="Try again in a few seconds.")
        return panel_of(view)

    memory = MeasuringMemory(node.database)
    registry = ChainRegistry(node.suite)
    members = OtherMembers(urls, node.log)
    course = MeasuringCourse(
        account=node.account,
        rules=rules,
        confirmations=node.settings.confirmations,
        blocks=ChainBlocks(node.web3),
        panel=panel,
        challenge=SpeedChallenge(node.deployment.chain_id, rules.cells),
        memory=memory,
        registry=registry,
        witnesses=members,
        log=node.log,
    )
    reports = MeasurementReports(
        account=node.account,
        course=course,
        memory=memory,
        ballots=ballots,
        members=members,
        on_record=registry,
        store=node.store,
        transmit=MeasurementRelay(node.suite, node.sender, node.log),
        patience=patience,
        log=node.log,
    )
    return Measuring(course, reports, members, node.suite.capability_registry.address)
