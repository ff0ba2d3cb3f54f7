"""The committee's conversation: leading a sequence, endorsing another leader's report, relaying an attested one.

Safety needs three things of an honest member, all here: it signs only verdicts that it computed itself, only one report per
sequence, and only sequences that are open. Liveness needs that sequences open with time and that a report which cannot gather
its quorum is given up for a later one.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress

from oracle.ballots import AlreadySigned, Ballots
from oracle.evidence import Finding, evidence_blob
from oracle.messages import AttestedReport, Endorsement, Proposal, ReportMessage, SignatureMessage
from oracle.peers import Peers
from oracle.schedule import Schedule
from oracle.statements import Statements
from proofmill.chain.errors import InvalidSignature
from proofmill.chain.records import Job
from proofmill.chain.reports import MAXIMUM_VERDICTS, Outcome, Report, ReportHead, Verdict
from proofmill.chain.typed_data import digest_of, recover_signer, sign_report
from proofmill.logs import Logger
from proofmill.store import BlobStore, StoreError, content_id


@dataclass(frozen=True)
class CommitteeView:
    """The committee contract at one block, and the jobs of one escrow that wait for its verdict there.

    `members` are operators, `keys` what they sign with, in the same order; an ejected member has the empty address.
    """

    chain_id: int
    committee: ChecksumAddress
    escrow: ChecksumAddress
    config_digest: bytes
    members: tuple[ChecksumAddress, ...]
    keys: tuple[ChecksumAddress, ...]
    faults_tolerated: int
    latest_sequence: int
    maximum_report_age: int
    block_time: int
    submitted: dict[int, Job]
    # Of all jobs that a worker has claimed: a verdict on them is or will be wanted.
    requests: frozenset[bytes]
    # No verdict is wanted any more, but the answers can still be challenged: contested, appealed, or paid a short while ago.
    challengeable: dict[int, Job] = field(default_factory=dict)

    def quorum(self, report: Report) -> int:
        """Signatures the contract wants: f + 1, or 2f + 1 as soon as one verdict takes money."""
        return (2 if report.takes_money else 1) * self.faults_tolerated + 1

    def seat(self, key: ChecksumAddress) -> int | None:
        """The place of the member that signs with `key`, None where there is none."""
        return self.keys.index(key) if key in self.keys else None

    def is_signed_by(self, member: int, report: Report, signature: bytes) -> bool:
        """Whether the member at that place signed `report`."""
        try:
            signer = recover_signer(report, signature, self.chain_id, self.committee)
        except InvalidSignature:
            return False
        return signer == self.keys[member]


class Refusal(Exception):
    """Why a proposal is not signed. `code` is for the leader's program, the text for its operator."""

    def __init__(self, code: str, message: str, jobs: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.jobs = tuple(jobs)


class Rounds:
    """One member's part in the conversation. `view` is replaced as the chain moves; everything else is in `ballots`."""

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
    ) -> None:
        self._account = account
        self._ballots = ballots
        self._heard = statements
        self._peers = peers
        self._store = store
        self._transmit = transmit
        self._patience = patience
        self._relay_delay = relay_delay
        self._log = log
        self._view: CommitteeView | None = None
        self._signing = threading.Lock()
        # Jobs that more than f members disputed: they travel alone from then on, so that they hold up nobody else.
        self._contested: set[int] = set()
        self._turn = 0  # counts own proposals; whose turn it is among the groups of `_select`

    def observe(self, view: CommitteeView) -> None:
        """Take the newest view of the chain; called by the cycle before `lead` and `relay`."""
        self._view = view
        self._contested &= view.submitted.keys()

    # ---------------------------------------------------------------- as a signer
    def endorse(self, proposal: Proposal) -> Endorsement:
        """Sign another leader's report.

        Raises:
            Refusal: it is not signed; says why.
        """
        view = self._view
        if view is None:
            raise Refusal("starting", "this member has not seen the chain yet")
        report = proposal.report.report()
        self._check_leader(view, report, proposal.signature.signature())
        self._check_verdicts(view, report)
        return Endorsement(signature=SignatureMessage.of(self._sign(view, report)))

    def accept_attested(self, attested: AttestedReport) -> None:
        """Keep a report with its quorum, for relaying.

        Raises:
            Refusal: it is over, or the signatures are not those of a quorum of the current committee.
        """
        view = self._view
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
            self._note(view, member, report, item.signature())
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
        schedule = self._schedule(view, waiting)
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
        self._note(view, leader, report, signature)

    def _note(self, view: CommitteeView, member: int, report: Report, signature: bytes) -> None:
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

    def _sign(self, view: CommitteeView, report: Report) -> bytes:
        digest = digest_of(report, view.chain_id, view.committee)
        with self._signing:
            signature = sign_report(report, self._account, view.chain_id, view.committee)
            try:
                return self._ballots.sign_once(
                    report.head.config_digest, report.head.sequence, digest, signature
                )
            except AlreadySigned as error:
                raise Refusal("signed", str(error)) from error

    # ---------------------------------------------------------------- as a leader
    def lead(self) -> None:
        """Propose a report if this member leads an open sequence, and gather its quorum."""
        view = self._view
        if view is None or (index := view.seat(self._account.address)) is None:
            return
        findings = self._pending(view)
        if not findings:
            return
        waiting = [view.submitted[item.verdict.job_id].submitted_at for item in findings]
        abandoned = self._ballots.highest_abandoned(view.config_digest)
        sequence = self._schedule(view, waiting).mine(index, above=abandoned)
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
            proposal = self._propose(view, sequence, self._select(findings))
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
        """Own findings on jobs that wait on chain, oldest first."""
        jobs = sorted(view.submitted.values(), key=lambda job: (job.submitted_at, job.id))
        return [
            finding
            for job in jobs
            if job.deadline > view.block_time
            and (finding := self._ballots.finding(job.escrow, job.id, job.commitment)) is not None
        ]

    def _select(self, findings: list[Finding]) -> list[Finding]:
        """What goes into one report: completions together, rejections together, contested jobs alone; in turn.

        A rejection needs more signatures, so in one report with completions it could hold them up. Taking turns, no group
        waits for ever however many jobs another one has.
        """
        alone = [[item] for item in findings if item.verdict.job_id in self._contested]
        calm = [item for item in findings if [item] not in alone]
        by_outcome = (
            [item for item in calm if item.verdict.outcome is outcome][:MAXIMUM_VERDICTS]
            for outcome in Outcome
        )
        groups = [*filter(None, by_outcome), *alone]
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
            signature = self._sign(view, report)
        except Refusal as refusal:
            # A crash came between signing and keeping the proposal: this sequence is lost, the next one is not.
            self._log.warning("sequence lost", sequence=sequence, why=str(refusal))
            self._ballots.abandon_proposal(view.config_digest, sequence)
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
        return not any(self._waits(view, verdict) for verdict in verdicts)

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
                self._note(view, member, report, reply.signature)
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
        view = self._view
        if view is None or (index := view.seat(self._account.address)) is None:
            return
        for attested, seen_at in self._ballots.attested_above(view.config_digest, view.latest_sequence):
            report = attested.report.report()
            if not self._is_relayable(view, report):
                continue
            rank = self._schedule(view, []).relay_rank(index, report.head.sequence)
            if time.time() >= seen_at + rank * self._relay_delay:
                self._transmit(attested)
                return

    def _is_relayable(self, view: CommitteeView, report: Report) -> bool:
        """Whether the contract would take the report now, every verdict can be opened, and some job still needs it."""
        return (
            0 <= view.block_time - report.head.observed_at <= view.maximum_report_age
            and all(self._open_job(view, verdict) is not None for verdict in report.verdicts)
            and any(self._waits(view, verdict) for verdict in report.verdicts)
        )

    def _open_job(self, view: CommitteeView, verdict: Verdict) -> Job | None:
        """The submitted job that a verdict is about; its terms and answer open the verdict's commitment."""
        job = view.submitted.get(verdict.job_id)
        return job if job is not None and job.commitment == verdict.commitment else None

    def _waits(self, view: CommitteeView, verdict: Verdict) -> bool:
        job = self._open_job(view, verdict)
        return job is not None and job.deadline > view.block_time

    def _schedule(self, view: CommitteeView, waiting_since: Sequence[int]) -> Schedule:
        return Schedule(
            members=len(view.members),
            latest_sequence=view.latest_sequence,
            waited=view.block_time - min(waiting_since, default=view.block_time),
            patience=self._patience,
        )
