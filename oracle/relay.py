"""Sending an attested report of verdicts to the committee contract."""

from __future__ import annotations

from collections.abc import Callable

from oracle.committee_view import CommitteeView
from oracle.messages import AttestedReport
from proofmill.chain import OracleCommittee, TransactionSender
from proofmill.chain.errors import CallReverted, TransactionReverted, revert_text
from proofmill.chain.reports import OpenedVerdict
from proofmill.logs import Logger


class Relay:
    """Sends attested reports to the committee contract."""

    def __init__(
        self,
        *,
        committee: OracleCommittee,
        sender: TransactionSender,
        current_view: Callable[[], CommitteeView | None],
        log: Logger,
    ) -> None:
        self._committee = committee
        self._sender = sender
        self._current_view = current_view
        self._log = log

    def __call__(self, attested: AttestedReport) -> None:
        view = self._current_view()
        report = attested.report.report()
        opened: list[OpenedVerdict] = []
        for verdict in report.verdicts:
            job = None if view is None else view.open_job(verdict)
            if job is None:
                # `Rounds` relays only what can be opened; the view may have moved since.
                self._log.info("cannot open verdict", job=verdict.job_id, sequence=report.head.sequence)
                return
            opened.append(OpenedVerdict(verdict.job_id, verdict.outcome, job.terms, job.answer))
        call = self._committee.transmission(
            report.head, opened, attested.signers, [item.signature() for item in attested.signatures]
        )
        intent = f"transmit/0x{report.head.config_digest.hex()}/{report.head.sequence}"
        try:
            receipt = self._sender.send(intent, call)
        except (CallReverted, TransactionReverted) as error:
            self._log.info("not relayed", sequence=report.head.sequence, why=str(error))
            return
        for event in self._committee.events(receipt):
            if event.name == "ItemRefused":
                refused = report.verdicts[int(event.args["index"])]
                self._log.warning(
                    "verdict refused",
                    job=refused.job_id,
                    sequence=report.head.sequence,
                    why=revert_text(bytes(event.args["cause"])),
                )
        self._log.info(
            "transmitted", sequence=report.head.sequence, jobs=[item.job_id for item in report.verdicts]
        )
