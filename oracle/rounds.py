"""The committee's conversation: leading a sequence, endorsing another leader's report, relaying an attested one.

What an honest member may sign is the business of `oracle.endorsing`. Liveness needs that sequences open with time and that a
report which cannot gather its quorum is given up for a later one.
"""

import time
from collections import Counter
from collections.abc import Callable

from eth_account.signers.local import LocalAccount

from oracle.ballots import Ballots
from oracle.caseload import NOBODY, Caseload, Companions
from oracle.committee_view import CommitteeView
from oracle.endorsing import Confirm, Refusal, Signer
from oracle.evidence import Finding, evidence_blob
from oracle.messages import AttestedReport, Endorsement, Proposal, ReportMessage, SignatureMessage
from oracle.peers import Peers
from oracle.statements import Statements
from proofmill.chain.reports import MAXIMUM_VERDICTS, Outcome, Report, ReportHead
from proofmill.errors import ProofmillError
from proofmill.logs import Logger
from proofmill.store import BlobStore, StoreError, content_id


def trust_the_view(_view: CommitteeView, _report: Report) -> None:
    """For members with nobody else to ask."""


class Rounds:
    """One member's part in the conversation. What it sees of the chain moves on; everything else is in `ballots`."""

    def __init__(
        self,
        *,
        account: LocalAccount,
        ballots: Ballots,
        statements: Statements,
        peers: Peers,
        store: BlobStore,
        transmit: Callable[[AttestedReport], None],
        patience: float,
        relay_delay: float,
        log: Logger,
        confirm: Confirm = trust_the_view,
        caseload: Caseload | None = None,
    ) -> None:
        self._account = account
        self._ballots = ballots
        self._peers = peers
        self._store = store
        self._transmit = transmit
        self._patience = patience
        self._relay_delay = relay_delay
        self._log = log
        self._caseload = Caseload(account.address, None) if caseload is None else caseload
        self._signer = Signer(
            account=account,
            ballots=ballots,
            statements=statements,
            confirm=confirm,
            patience=patience,
            log=log,
            caseload=self._caseload,
        )
        # Jobs that more than f members disputed: they travel alone from then on, so that they hold up nobody else.
        self._contested: set[int] = set()
        self._turn = 0  # counts own proposals; whose turn it is among the groups of `_select`

    def observe(self, view: CommitteeView) -> None:
        """Take the newest view of the chain; called by the cycle before `lead` and `relay`."""
        self._signer.observe(view)
        self._contested &= view.submitted.keys()

    def endorse(self, proposal: Proposal) -> Endorsement:
        """`Signer.endorse`: sign another leader's report, or raise `Refusal`."""
        return self._signer.endorse(proposal)

    def accept_attested(self, attested: AttestedReport) -> None:
        """`Signer.accept_attested`: keep a report with its quorum for relaying, or raise `Refusal`."""
        self._signer.accept_attested(attested)

    # ---------------------------------------------------------------- as a leader
    def lead(self) -> None:
        """Propose a report if this member leads an open sequence, and gather its quorum."""
        view = self._signer.view
        if view is None or (index := view.seat(self._account.address)) is None:
            return
        findings = self._pending(view)
        if not findings:
            return
        waiting = [view.submitted[item.verdict.job_id].submitted_at for item in findings]
        abandoned = self._ballots.highest_abandoned(view.config_digest)
        sequence = view.schedule(waiting, self._patience).mine(index, above=abandoned)
        if sequence is None:
            return
        attested = self._ballots.attested(view.config_digest, sequence)
        if attested is not None:
            # Its quorum is there; what remains is to relay it, unless that has become impossible.
            if not self._is_relayable(view, attested.report.report()):
                self._give_up(view, sequence)
            return
        proposal = self._ballots.proposal(view.config_digest, sequence)
        if proposal is None:
            proposal = self._propose(view, sequence, self._select(view, findings))
            if proposal is None:
                return
        elif self._is_spent(view, proposal):
            self._give_up(view, sequence)
            return
        self._gather(view, proposal)

    def _give_up(self, view: CommitteeView, sequence: int) -> None:
        self._ballots.abandon_proposal(view.config_digest, sequence)
        self._log.info("sequence given up", sequence=sequence)

    def _pending(self, view: CommitteeView) -> list[Finding]:
        """Own findings on jobs that wait on chain, oldest first; without those that nobody else is to judge."""
        jobs = sorted(view.submitted.values(), key=lambda job: (job.submitted_at, job.id))
        return [
            finding
            for job in jobs
            if job.deadline > view.block_time
            and self._caseload.companions(view, job) != NOBODY
            and (finding := self._ballots.finding(job.escrow, job.id, job.commitment)) is not None
        ]

    def _select(self, view: CommitteeView, findings: list[Finding]) -> list[Finding]:
        """What goes into one report: completions with the same judges, rejections together, contested jobs alone; in turn.

        A rejection needs more signatures, so in one report with completions it could hold them up. Taking turns, no group
        waits for ever however many jobs another one has.
        """
        alone = [[item] for item in findings if item.verdict.job_id in self._contested]
        calm = [item for item in findings if [item] not in alone]
        together: dict[tuple[Outcome, Companions], list[Finding]] = {}
        for item in calm:
            outcome = item.verdict.outcome
            # What takes money is judged by everybody who is asked to sign it.
            judges = None
            if outcome is Outcome.COMPLETE:
                judges = self._caseload.companions(view, view.submitted[item.verdict.job_id])
            together.setdefault((outcome, judges), []).append(item)
        in_order = sorted(together.items(), key=lambda group: group[0][0])
        groups = [*(items[:MAXIMUM_VERDICTS] for _, items in in_order), *alone]
        chosen = groups[self._turn % len(groups)]
        self._turn += 1
        return chosen

    def _propose(self, view: CommitteeView, sequence: int, findings: list[Finding]) -> Proposal | None:
        evidence = evidence_blob(findings)
        head = ReportHead(
            config_digest=view.config_digest,
            sequence=sequence,
            observed_at=view.block_time,
            evidence_hash=content_id(evidence),
            target=view.escrow,
        )
        report = Report(head, tuple(finding.verdict for finding in findings))
        try:
            signature = self._signer.sign(view, report)
        except Refusal as refusal:
            # A crash came between signing and keeping the proposal: this sequence is lost, the next one is not.
            self._log.warning("sequence lost", sequence=sequence, why=str(refusal))
            self._ballots.abandon_proposal(view.config_digest, sequence)
            return None
        except ProofmillError as error:
            # Nothing was signed; the number stays open, and what others have attested is relayed all the same.
            self._log.warning("not proposed", sequence=sequence, error=str(error), remedy=error.remedy)
            return None
        proposal = Proposal(report=ReportMessage.of(report), signature=SignatureMessage.of(signature))
        self._ballots.keep_proposal(view.config_digest, proposal)
        try:
            self._store.put(evidence)
        except StoreError as error:
            # Any member can make these bytes again from its findings: the verdicts must not wait for room on a disk.
            self._log.warning("evidence not kept", sequence=sequence, error=str(error), remedy=error.remedy)
        self._log.info("proposing", sequence=sequence, jobs=[verdict.job_id for verdict in report.verdicts])
        return proposal

    def _is_spent(self, view: CommitteeView, proposal: Proposal) -> bool:
        """Too old to be signed, contested, no longer what this member finds, or about jobs that no longer wait."""
        if view.block_time - proposal.report.observed_at > view.maximum_report_age // 2:
            return True
        verdicts = proposal.report.report().verdicts
        if len(verdicts) > 1 and any(item.job_id in self._contested for item in verdicts):
            return True
        findings = self._ballots.findings_for(view.escrow, verdicts)
        if any(
            own is None or own.verdict != verdict for verdict, own in zip(verdicts, findings, strict=True)
        ):
            return True  # a request that was nowhere to be found has turned up
        return not any(view.waits(verdict) for verdict in verdicts)

    def _gather(self, view: CommitteeView, proposal: Proposal) -> None:
        report = proposal.report.report()
        needed = view.quorum(report)
        signatures = {view.keys.index(self._account.address): proposal.signature.signature()}
        disputes: Counter[int] = Counter()
        for reply in self._peers.propose(proposal):
            if reply.signature is None:
                disputes.update(set(reply.disputed_jobs) if reply.code == "disagree" else ())
                self._log.info("not endorsed", member=reply.member, code=reply.code, why=reply.refusal)
            elif reply.member not in view.members or not view.is_signed_by(
                member := view.members.index(reply.member), report, reply.signature
            ):
                self._log.warning("bad endorsement", member=reply.member, sequence=report.head.sequence)
            else:
                signatures[member] = reply.signature
                self._signer.note(view, member, report, reply.signature)
            if len(signatures) >= needed:
                break  # a silent member costs its timeout only where its signature is needed
        if len(signatures) < needed:
            self._note_disputes(view, report, disputes)
            self._log.info(
                "waiting for signatures", sequence=report.head.sequence, have=len(signatures), need=needed
            )
            return
        chosen = sorted(signatures)[:needed]
        attested = AttestedReport(
            report=proposal.report,
            signers=sum(1 << index for index in chosen),
            signatures=[SignatureMessage.of(signatures[index]) for index in chosen],
        )
        self._ballots.keep_attested(view.config_digest, attested)
        self._log.info("attested", sequence=report.head.sequence, signers=chosen)
        self._peers.hand_over(attested)

    def _note_disputes(self, view: CommitteeView, report: Report, disputes: Counter[int]) -> None:
        """Set apart the jobs on which an honest member disagrees: what f members say may be said to hold a job up."""
        contested = {item.job_id for item in report.verdicts if disputes[item.job_id] > view.faults_tolerated}
        if contested - self._contested:
            self._contested |= contested
            self._turn = 0  # the calm ones have been held up: they go first

    # ---------------------------------------------------------------- as a relayer
    def relay(self) -> None:
        """Send an attested report whose time has come for this member: the leader at once, the others by rank.

        One that the contract would refuse is passed over: it must not stand in the way of those after it.
        """
        view = self._signer.view
        if view is None or (index := view.seat(self._account.address)) is None:
            return
        for attested, seen_at in self._ballots.attested_above(view.config_digest, view.latest_sequence):
            report = attested.report.report()
            if not self._is_relayable(view, report):
                continue
            rank = view.schedule([], self._patience).relay_rank(index, report.head.sequence)
            if time.time() >= seen_at + rank * self._relay_delay:
                self._transmit(attested)
                return

    def _is_relayable(self, view: CommitteeView, report: Report) -> bool:
        """Whether the contract would take the report now, every verdict can be opened, and some job still needs it."""
        return (
            0 <= view.block_time - report.head.observed_at <= view.maximum_report_age
            and all(view.open_job(verdict) is not None for verdict in report.verdicts)
            and any(view.waits(verdict) for verdict in report.verdicts)
        )
