"""Signing: what a member puts its name to, whoever asks, and what it keeps of what others signed.

Safety needs three things of an honest member, all here: it signs only verdicts that it computed itself, only one report per
sequence, and only sequences that are open. What takes money it signs only once several endpoints say the same of the chain.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from eth_account.signers.local import LocalAccount

from oracle.ballots import AlreadySigned, Ballots
from oracle.caseload import Caseload
from oracle.committee_view import CommitteeView
from oracle.evidence import evidence_blob
from oracle.messages import AttestedReport, Endorsement, Proposal, SignatureMessage
from oracle.statements import Statements
from proofmill.chain.reports import Report
from proofmill.chain.typed_data import digest_of, sign_report
from proofmill.logs import Logger
from proofmill.store import content_id

Confirm = Callable[[CommitteeView, Report], None]


class Refusal(Exception):
    """Why a proposal is not signed. `code` is for the leader's program, the text for its operator."""

    def __init__(self, code: str, message: str, jobs: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.jobs = tuple(jobs)


class Signer:
    """One member's name under reports. Threads share it.

    Args:
        confirm: called before a report that takes money is signed; raises `ProofmillError` where the chain may be another than
            this member was told.
        caseload: is told which verdicts are asked for that this member has not computed.
    """

    def __init__(
        self,
        *,
        account: LocalAccount,
        ballots: Ballots,
        statements: Statements,
        confirm: Confirm,
        patience: float,
        log: Logger,
        caseload: Caseload,
    ) -> None:
        self._account = account
        self._ballots = ballots
        self._heard = statements
        self._confirm = confirm
        self._caseload = caseload
        self._patience = patience
        self._log = log
        self.view: CommitteeView | None = None  # of the chain, the newest
        self._signing = threading.Lock()

    def observe(self, view: CommitteeView) -> None:
        """Take the newest view of the chain."""
        self.view = view

    def endorse(self, proposal: Proposal) -> Endorsement:
        """Sign another leader's report.

        Raises:
            Refusal: it is not signed; says why.
            ProofmillError: this cannot be decided now; the next message may fare better.
        """
        view = self.view
        if view is None:
            raise Refusal("starting", "this member has not seen the chain yet")
        report = proposal.report.report()
        self._check_leader(view, report, proposal.signature.signature())
        self._check_verdicts(view, report)
        return Endorsement(signature=SignatureMessage.of(self.sign(view, report)))

    def accept_attested(self, attested: AttestedReport) -> None:
        """Keep a report with its quorum, for relaying.

        Raises:
            Refusal: it is over, or the signatures are not those of a quorum of the current committee.
        """
        view = self.view
        if view is None:
            raise Refusal("starting", "this member has not seen the chain yet")
        report = attested.report.report()
        if report.head.config_digest != view.config_digest:
            raise Refusal("config", "the report is for another configuration of the committee")
        if report.head.sequence <= view.latest_sequence:
            raise Refusal("sequence", f"the chain is at sequence {view.latest_sequence} already")
        if view.block_time - report.head.observed_at > view.maximum_report_age:
            raise Refusal(
                "age", f"the report was observed at {report.head.observed_at}, it is {view.block_time} here"
            )
        # What costs nothing is checked first: anyone may send this message, and recovering a signer takes a while.
        needed = view.quorum(report)
        if not len(attested.signatures) == attested.signers.bit_count() == needed:
            raise Refusal("signatures", f"{needed} signatures are needed, not {len(attested.signatures)}")
        if attested.signers >> len(view.members):
            raise Refusal("signatures", "the bitmask names more members than there are")
        signers = [index for index in range(len(view.members)) if attested.signers >> index & 1]
        for member, item in zip(signers, attested.signatures, strict=True):
            if not view.is_signed_by(member, report, item.signature()):
                raise Refusal("signatures", "the signatures do not belong to the members in the bitmask")
        for member, item in zip(signers, attested.signatures, strict=True):
            self.note(view, member, report, item.signature())
        self._ballots.keep_attested(view.config_digest, attested)

    def _check_leader(self, view: CommitteeView, report: Report, signature: bytes) -> None:
        if report.head.config_digest != view.config_digest:
            raise Refusal("config", "the report is for another configuration of the committee")
        if report.head.target != view.escrow:
            raise Refusal(
                "target", f"the report is for {report.head.target}, this member watches {view.escrow}"
            )
        waiting = [
            job.submitted_at
            for verdict in report.verdicts
            if (job := view.submitted.get(verdict.job_id)) is not None
        ]
        schedule = view.schedule(waiting, self._patience)
        if not schedule.is_open(report.head.sequence):
            raise Refusal(
                "sequence",
                f"sequence {report.head.sequence} is not open (latest on chain is {view.latest_sequence})",
            )
        leader = schedule.leader(report.head.sequence)
        if not view.is_signed_by(leader, report, signature):
            raise Refusal(
                "leader",
                f"sequence {report.head.sequence} is led by {view.members[leader]}, who did not sign this report",
            )
        self.note(view, leader, report, signature)

    def note(self, view: CommitteeView, member: int, report: Report, signature: bytes) -> None:
        """Keep what another member signed, for the day on which it turns out to be a lie."""
        if view.keys[member] != self._account.address:
            self._heard.note(report, view.keys[member], signature)

    def _check_verdicts(self, view: CommitteeView, report: Report) -> None:
        age = view.block_time - report.head.observed_at
        if age > view.maximum_report_age // 2 or -age > view.maximum_report_age // 2:
            raise Refusal(
                "age", f"the report was observed at {report.head.observed_at}, it is {view.block_time} here"
            )
        findings = self._ballots.findings_for(view.escrow, report.verdicts)
        undecided = [
            verdict.job_id for verdict, own in zip(report.verdicts, findings, strict=True) if own is None
        ]
        if undecided:
            leader = report.head.sequence % len(view.members)
            self._caseload.note_undecided(view, leader, report, undecided)
            raise Refusal("undecided", f"no verdict here yet on jobs {undecided}", undecided)
        own_findings = [finding for finding in findings if finding is not None]
        disputed = [
            verdict.job_id
            for verdict, own in zip(report.verdicts, own_findings, strict=True)
            if own.verdict != verdict
        ]
        if disputed:
            self._log.warning("disagreement", jobs=disputed, sequence=report.head.sequence)
            raise Refusal("disagree", f"this member computed other verdicts on jobs {disputed}", disputed)
        if content_id(evidence_blob(own_findings)) != report.head.evidence_hash:
            raise Refusal("evidence", "the evidence hash is not that of these verdicts")

    def sign(self, view: CommitteeView, report: Report) -> bytes:
        """This member's signature of `report`, whose verdicts the caller has compared with its own.

        Raises:
            Refusal: another report under this number has its signature.
            ProofmillError: the report takes money, and the endpoints do not agree about what it is taken for.
        """
        if report.takes_money:
            self._confirm(view, report)
        digest = digest_of(report, view.chain_id, view.committee)
        with self._signing:
            signature = sign_report(report, self._account, view.chain_id, view.committee)
            try:
                return self._ballots.sign_once(
                    report.head.config_digest, report.head.sequence, digest, signature
                )
            except AlreadySigned as error:
                raise Refusal("signed", str(error)) from error
