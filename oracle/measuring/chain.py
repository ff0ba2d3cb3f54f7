"""What measuring reads of the chain, and how a report gets there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from eth_typing import ChecksumAddress

from oracle.committee_view import CommitteeView
from oracle.measuring.reports import ReportView
from proofmill.chain import Suite, TransactionSender
from proofmill.chain.errors import CallReverted, TransactionReverted, revert_text
from proofmill.chain.reports import Measurement, MeasurementReport
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.logs import Logger
from proofmill.measuring.figures import Panel

#: For how long the stake and keys of an operator are taken from memory: questions about them come from strangers.
ACCOUNT_SECONDS: Final = 30.0
ACCOUNTS_KEPT: Final = 1_024


class ChainRegistry:
    """Who may act for whom, and what is on record."""

    def __init__(self, suite: Suite, clock: Callable[[], float] = time.monotonic) -> None:
        self._suite, self._clock = suite, clock
        self._answers: dict[tuple[ChecksumAddress, ChecksumAddress], tuple[float, bool]] = {}

    def may_act(self, key: ChecksumAddress, operator: ChecksumAddress) -> bool:
        known = self._answers.get((key, operator))
        if known is not None and self._clock() < known[0]:
            return known[1]
        staking = self._suite.staking
        is_own = key == operator or staking.is_hot_key(operator, key)
        answer = is_own and staking.self_stake(operator) > 0
        if len(self._answers) >= ACCOUNTS_KEPT:
            self._answers.clear()
        self._answers[(key, operator)] = (self._clock() + ACCOUNT_SECONDS, answer)
        return answer

    def holder(self, device_id: bytes) -> ChecksumAddress | None:
        found = self.measurement(device_id)
        is_believed = found.operator != EMPTY_ADDRESS and found.expires_at >= time.time()
        return found.operator if is_believed else None

    def measurement(self, device_id: bytes) -> Measurement:
        return self._suite.capability_registry.measurement(device_id)


def panel_of(view: CommitteeView) -> Panel:
    """The members as signers of observations."""
    return Panel(view.chain_id, view.committee, view.config_digest, view.keys, view.faults_tolerated)


def report_view_of(view: CommitteeView, registry: ChecksumAddress) -> ReportView:
    """What a report needs to know, of the block of `view`."""
    return ReportView(
        panel=panel_of(view),
        operators=view.members,
        registry=registry,
        latest_sequence=view.latest_sequence,
        maximum_report_age=view.maximum_report_age,
        block_time=view.block_time,
    )


class MeasurementRelay:
    """Sends an attested report to the committee contract."""

    def __init__(self, suite: Suite, sender: TransactionSender, log: Logger) -> None:
        self._committee, self._sender, self._log = suite.oracle_committee, sender, log

    def __call__(self, report: MeasurementReport, signers: int, signatures: list[bytes]) -> None:
        head = report.head
        call = self._committee.transmit_measurements(head, report.measurements, signers, signatures)
        try:
            receipt = self._sender.send(f"measurements/0x{head.config_digest.hex()}/{head.sequence}", call)
        except (CallReverted, TransactionReverted) as error:
            self._log.warning("measurements not relayed", sequence=head.sequence, why=str(error))
            return
        for event in self._committee.events(receipt):
            if event.name == "ItemRefused":
                refused = report.measurements[int(event.args["index"])]
                self._log.warning(
                    "measurement refused",
                    device="0x" + refused.device_id.hex(),
                    why=revert_text(bytes(event.args["cause"])),
                )
        self._log.info("measurements transmitted", sequence=head.sequence, devices=len(report.measurements))
