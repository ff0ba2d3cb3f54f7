"""Reports of measurements: what a leader proposes, what a member signs, and how it gets on chain.

Nobody's figures are taken on trust: the proposal is the evidence, and each member computes the report from it. The sequences are
those of the verdicts, and so is the rule that a member signs one report for each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress

from oracle.ballots import AlreadySigned, Ballots
from oracle.measuring.course import MeasuringCourse
from oracle.measuring.memory import MeasuringMemory
from oracle.measuring.messages import (
    DeviceEvidence,
    MeasurementEndorsement,
    MeasurementProposal,
    ObservationMessage,
    Observations,
    ObservationsWanted,
)
from oracle.measuring.session import Refused
from oracle.measuring.witnesses import Endorsed
from oracle.schedule import Schedule
from proofmill.chain.errors import InvalidSignature, InvalidValue
from proofmill.chain.reports import MAXIMUM_MEASUREMENTS, Measurement, MeasurementReport, ReportHead
from proofmill.chain.typed_data import digest_of, recover_signer, sign_report
from proofmill.chain.types import address
from proofmill.logs import Logger
from proofmill.measuring.figures import (
    InsufficientEvidence,
    Panel,
    evidence_blob,
    measurement_of,
    result_of,
)
from proofmill.measuring.messages import from_hex, to_hex
from proofmill.measuring.observations import SignedObservation
from proofmill.store import BlobStore, StoreError, content_id

Windows = Sequence[Sequence[SignedObservation]]
AGE_SHARE: Final = 2  # a report must be signed in the first half of its life


@dataclass(frozen=True, slots=True)
class ReportView:
    """What a report of measurements needs to know of the chain, all of it at one block."""

    panel: Panel
    operators: tuple[ChecksumAddress, ...]  # the members', in the order of the panel's keys
    registry: ChecksumAddress
    latest_sequence: int
    maximum_report_age: int
    block_time: int


class OnRecord(Protocol):
    """The capability registry."""

    def measurement(self, device_id: bytes) -> Measurement:
        """What is on record of a device."""
        ...


class Members(Protocol):
    """The other members."""

    def propose(self, proposal: MeasurementProposal) -> list[Endorsed]:
        """What each answers."""
        ...


class MeasurementReports:
    """One member's part in reports of measurements. ``lead`` belongs to the duties, the rest answers other members."""

    def __init__(
        self,
        *,
        account: LocalAccount,
        course: MeasuringCourse,
        memory: MeasuringMemory,
        ballots: Ballots,
        members: Members,
        on_record: OnRecord,
        store: BlobStore,
        transmit: Callable[[MeasurementReport, int, list[bytes]], None],
        patience: float,
        log: Logger,
    ) -> None:
        self._account, self._course, self._memory, self._ballots = account, course, memory, ballots
        self._members, self._on_record, self._store = members, on_record, store
        self._transmit, self._patience, self._log = transmit, patience, log
        self._view: ReportView | None = None
        self._proposal: MeasurementProposal | None = None
        self._signing = threading.Lock()

    def observe(self, view: ReportView) -> None:
        """Take the newest view of the chain."""
        self._view = view

    # ---------------------------------------------------------------- what others ask
    def observations(self, wanted: ObservationsWanted) -> Observations:
        """What this member saw in a window."""
        own = address(self._account.address)
        found = self._memory.seen_by(own, from_hex(wanted.beacon))
        return Observations(observations=[ObservationMessage.of(signed) for signed in found])

    def endorse(self, proposal: MeasurementProposal) -> MeasurementEndorsement:
        """Sign the report that follows from a leader's evidence.

        Raises:
            Refused: it is not signed; says why.
        """
        view = self._view
        if view is None:
            raise Refused("starting", "this member has not seen the chain yet")
        if from_hex(proposal.config_digest) != view.panel.config_digest:
            raise Refused("config", "the report is for another configuration of the committee")
        if abs(view.block_time - proposal.observed_at) > view.maximum_report_age // AGE_SHARE:
            raise Refused("age", f"the report is of {proposal.observed_at}, it is {view.block_time} here")
        report = self._report(view, proposal)
        schedule = self._schedule(view, report)
        if not schedule.is_open(proposal.sequence):
            raise Refused("sequence", f"sequence {proposal.sequence} is not open")
        leader = view.panel.keys[schedule.leader(proposal.sequence)]
        if self._signer(view, report, from_hex(proposal.signature)) != leader:
            raise Refused("leader", f"sequence {proposal.sequence} is led by {leader}, who did not sign this")
        return MeasurementEndorsement(signature=to_hex(self._sign(view, report)))

    # ---------------------------------------------------------------- as a leader
    def lead(self) -> None:
        """Report the devices of the newest closed window, when this member leads an open sequence.

        Raises:
            ProofmillError: the node or the database fails; the next call goes on.
        """
        view = self._view
        if view is None or (own := address(self._account.address)) not in view.panel.keys:
            return
        if self._proposal is not None and self._is_spent(view, self._proposal):
            self._ballots.abandon_proposal(view.panel.config_digest, self._proposal.sequence)
            self._proposal = None
        if self._proposal is None:
            self._proposal = self._propose(view, view.panel.keys.index(own))
        if self._proposal is not None:
            self._gather(view, self._proposal)

    def _propose(self, view: ReportView, seat: int) -> MeasurementProposal | None:
        devices = self._due(view)
        if not devices:
            return None
        config = view.panel.config_digest
        began = min(item.observation.observed_at for windows in devices for item in windows[-1])
        schedule = Schedule(
            members=len(view.panel.keys),
            latest_sequence=view.latest_sequence,
            waited=view.block_time - began,
            patience=self._patience,
        )
        sequence = schedule.mine(seat, above=self._ballots.highest_abandoned(config))
        if sequence is None or self._ballots.proposal(config, sequence) is not None:
            return None  # it is another's turn, or verdicts travel under this number
        evidence = [
            DeviceEvidence(windows=[[ObservationMessage.of(item) for item in window] for window in windows])
            for windows in devices
        ]
        unsigned = MeasurementProposal(
            config_digest=to_hex(config),
            sequence=sequence,
            observed_at=view.block_time,
            devices=evidence,
            signature=to_hex(bytes(65)),
        )
        report = self._report(view, unsigned)
        # No verdicts lead with this number any more, whatever becomes of it.
        self._ballots.abandon_proposal(config, sequence)
        try:
            signature = self._sign(view, report)
        except Refused as refused:
            self._log.warning("sequence lost", sequence=sequence, why=str(refused))
            return None
        try:
            self._store.put(evidence_blob([window for windows in devices for window in windows]))
        except StoreError as error:
            self._log.warning("evidence not kept", sequence=sequence, error=str(error), remedy=error.remedy)
        self._log.info("proposing measurements", sequence=sequence, devices=len(devices))
        return unsigned.model_copy(update={"signature": to_hex(signature)})

    def _due(self, view: ReportView) -> list[Windows]:
        """The evidence of each device of the newest closed window that bears a report and is not on record yet."""
        window = self._course.closed()
        rules = self._course.rules
        found: list[Windows] = []
        reported: set[bytes] = set()
        for operator, device_id in self._memory.devices([window.number]):
            if device_id in reported:
                continue  # two operators claim one name: the first has it, until it expires
            numbers = range(max(0, window.number - rules.failures_to_withdraw + 1), window.number + 1)
            evidence = self._course.evidence(operator, device_id, numbers)
            windows = [evidence[number] for number in numbers if number in evidence]
            for candidate in (windows[-1:], windows):
                try:
                    measurement = self._measurement(view, candidate, bytes(32))
                except InsufficientEvidence:
                    continue
                if self._is_news(measurement):
                    found.append(candidate)
                    reported.add(device_id)
                break
            if len(found) == MAXIMUM_MEASUREMENTS:
                break
        return found

    def _is_news(self, measurement: Measurement) -> bool:
        """Whether the registry would take it: newer than what it has, and a withdrawal only of what is on record."""
        known = self._on_record.measurement(measurement.device_id)
        if measurement.operations_per_second == 0 and known.operator != measurement.operator:
            return False
        return measurement.observed_at > known.observed_at

    def _is_spent(self, view: ReportView, proposal: MeasurementProposal) -> bool:
        return (
            proposal.sequence <= view.latest_sequence
            or from_hex(proposal.config_digest) != view.panel.config_digest
            or view.block_time - proposal.observed_at > view.maximum_report_age // AGE_SHARE
        )

    def _gather(self, view: ReportView, proposal: MeasurementProposal) -> None:
        report = self._report(view, proposal)
        keys = view.panel.keys
        signatures = {keys.index(address(self._account.address)): from_hex(proposal.signature)}
        for reply in self._members.propose(proposal):
            if reply.signature is None:
                self._log.info("not endorsed", member=reply.member, why=reply.refusal)
            elif reply.member not in view.operators or self._signer(view, report, reply.signature) != (
                key := keys[view.operators.index(reply.member)]
            ):
                self._log.warning("bad endorsement", member=reply.member, sequence=proposal.sequence)
            else:
                signatures[keys.index(key)] = reply.signature
        if len(signatures) < view.panel.quorum:
            self._log.info(
                "waiting for signatures",
                sequence=proposal.sequence,
                have=len(signatures),
                need=view.panel.quorum,
            )
            return
        chosen = sorted(signatures)[: view.panel.quorum]
        mask = sum(1 << place for place in chosen)
        self._transmit(report, mask, [signatures[place] for place in chosen])
        self._proposal = None

    # ---------------------------------------------------------------- from evidence to report
    def _report(self, view: ReportView, proposal: MeasurementProposal) -> MeasurementReport:
        """The only report that follows from the evidence; raises Refused."""
        try:
            devices = [device.signed() for device in proposal.devices]
            evidence_hash = content_id(evidence_blob([window for windows in devices for window in windows]))
            measurements = [self._measurement(view, windows, evidence_hash) for windows in devices]
        except (InsufficientEvidence, InvalidSignature, InvalidValue) as error:
            raise Refused("evidence", str(error)) from error
        if len({measurement.device_id for measurement in measurements}) != len(measurements):
            raise Refused("evidence", "a device is reported twice")
        head = ReportHead(
            config_digest=view.panel.config_digest,
            sequence=proposal.sequence,
            observed_at=proposal.observed_at,
            evidence_hash=evidence_hash,
            target=view.registry,
        )
        return MeasurementReport(head, tuple(measurements))

    def _measurement(self, view: ReportView, windows: Windows, evidence_hash: bytes) -> Measurement:
        results = [result_of(window, view.panel, self._course.rules) for window in windows]
        for window, result in zip(windows, results, strict=True):
            if window[0].observation.beacon != self._course.beacon_of(result.window):
                raise InsufficientEvidence(
                    f"window {result.window} is of another branch of the chain",
                    remedy="Wait for the next window.",
                )
        newest, closed = results[-1].window, self._course.closed().number
        if newest not in (closed, closed - 1):
            raise InsufficientEvidence(
                f"window {newest} is not the last one that is over, which is {closed}",
                remedy="Report each window before the next one is over.",
            )
        return measurement_of(results, self._course.rules, evidence_hash)

    def _sign(self, view: ReportView, report: MeasurementReport) -> bytes:
        panel, head = view.panel, report.head
        digest = digest_of(report, panel.chain_id, panel.committee)
        with self._signing:
            signature = sign_report(report, self._account, panel.chain_id, panel.committee)
            try:
                return self._ballots.sign_once(head.config_digest, head.sequence, digest, signature)
            except AlreadySigned as error:
                raise Refused("signed", str(error)) from error

    def _signer(
        self, view: ReportView, report: MeasurementReport, signature: bytes
    ) -> ChecksumAddress | None:
        try:
            return recover_signer(report, signature, view.panel.chain_id, view.panel.committee)
        except InvalidSignature:
            return None

    def _schedule(self, view: ReportView, report: MeasurementReport) -> Schedule:
        return Schedule(
            members=len(view.panel.keys),
            latest_sequence=view.latest_sequence,
            waited=view.block_time - min(item.observed_at for item in report.measurements),
            patience=self._patience,
        )
