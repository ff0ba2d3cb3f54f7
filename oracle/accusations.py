"""Holding other members to what they signed: a verdict that the arithmetic refutes, or two reports under one number.

Each proof takes the signer's bond and its seat. Whoever shows it has a quarter of what is taken of the signer's own stake.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eth_typing import ChecksumAddress

from oracle.purse import CannotPay, Purse
from oracle.settlements import REREAD_BLOCKS, Settlements
from oracle.statements import Statements
from oracle.transmitted import NotReadable, TransmissionReader
from proofmill.backoff import Backoff
from proofmill.chain import Job, OpenedVerdict, Outcome, Suite, TransactionSender
from proofmill.chain.errors import CallReverted, JobNotFound, TransactionReverted, node_failures
from proofmill.chain.reports import Equivocation
from proofmill.chain.types import EMPTY_ADDRESS, ContractCall
from proofmill.disputes.prosecution import record_of, send_again
from proofmill.logs import Logger

#: Gas of one proof of a report with 64 verdicts, and some more.
PROOF_GAS = 600_000
REPORTER_SHARE = 4  # `expulsion.REPORTER_BPS`
FALSE_ANSWER: Final = 1  # what `IArbiter.ruling` says of an answer that was proved wrong


class Accusations:
    """The proofs of one member against others. `step` is for one thread."""

    def __init__(
        self,
        *,
        member: ChecksumAddress,
        suite: Suite,
        sender: TransactionSender,
        settlements: Settlements,
        reader: TransmissionReader,
        statements: Statements,
        purse: Purse,
        log: Logger,
    ) -> None:
        self._member, self._suite, self._sender = member, suite, sender
        self._settlements, self._reader, self._heard = settlements, reader, statements
        self._purse, self._log = purse, log
        self._committee = suite.oracle_committee
        self._compared: set[bytes] = set()  # transactions whose signatures are noted
        self._done: set[str] = set()  # intents of proofs that were shown, or that nothing can be got by
        self._closed: set[int] = set()  # jobs whose signers are all dealt with
        self._changes = 0  # of the statements, when it was last looked through
        self._contradictions: list[Equivocation] = []
        self._compared_to = 0  # block
        self._retries: Backoff[str] = Backoff(first_seconds=30.0, last_seconds=600.0)

    def step(self) -> None:
        """Show what can be shown now."""
        with node_failures():
            self._compare_with_the_chain()
            for job_id in self._settlements.decided():
                if job_id not in self._closed:
                    self._accuse_signers(job_id)
            if self._heard.changes != self._changes:
                self._changes = self._heard.changes
                self._contradictions = self._heard.contradictions()
            for proof in self._contradictions:
                name = f"equivocation/{self._committee.address}/{proof.key}/{proof.config_digest.hex()}/{proof.sequence}"
                what = f"two reports signed under number {proof.sequence}"
                self._show(name, proof.key, what, lambda: self._committee.prove_equivocation(proof))  # noqa: B023  called at once

    # ------------------------------------------------------------------ what was signed
    def _compare_with_the_chain(self) -> None:
        """Note who signed the reports that the chain took, where the conversation knows anything under the same number."""
        reports = self._settlements.transmitted()
        for report in reports:
            # A statement may come a little later than the report; older numbers are closed to the conversation.
            if (
                report.block_number > self._compared_to - REREAD_BLOCKS
                and report.transaction_hash not in self._compared
                and self._heard.knows(report.config_digest, report.sequence)
            ):
                self._read(report.transaction_hash, sequence=report.sequence)
        self._compared_to = max((report.block_number for report in reports), default=0)

    def _read(self, transaction_hash: bytes, **of: int) -> bool:
        """Whether the signatures in a transaction are noted; where they cannot be seen, that is said and tried again."""
        if transaction_hash in self._compared:
            return True
        name = f"read/{transaction_hash.hex()}"
        if not self._retries.is_due(name):
            return False
        try:
            self._reader.note(transaction_hash, self._heard, self._log)
        except NotReadable as error:
            self._retries.postpone(name)
            self._log.warning("signatures cannot be read", error=str(error), remedy=error.remedy, **of)
            return False
        self._compared.add(transaction_hash)
        return True

    # ------------------------------------------------------------------ verdicts that are refuted
    def _accuse_signers(self, job_id: int) -> None:
        try:
            job = self._suite.job_escrow.job(job_id)
        except JobNotFound:
            return  # reorganised away
        if not job.is_known or job.deliverable is None:
            return
        wrong = self._refuted_outcome(job)
        if wrong is None:
            self._closed.add(job_id)
            return
        is_over = True
        for transaction in self._settlements.reports_on(job_id):
            is_over &= self._read(transaction, job=job_id)
        opened = OpenedVerdict(job.id, wrong, job.terms, job.answer)
        for statement in self._heard.on(job.id, opened.verdict.commitment, wrong):
            name = f"misjudgement/{self._committee.address}/{statement.key}/{job.id}/{record_of(job).hex()}"
            what = f"its verdict {wrong.name.lower()} on job {job.id}, which is refuted"
            proof = statement.misjudgement(opened)
            is_over &= self._show(
                name,
                statement.key,
                what,
                lambda: self._committee.prove_misjudgement(proof),  # noqa: B023  called at once
            )
        if is_over:
            self._closed.add(job_id)

    def _refuted_outcome(self, job: Job) -> Outcome | None:
        """The verdict on a job that the arithmetic has refuted; None if it has said nothing.

        That an appeal was upheld says nothing of those who rejected the answer: nobody doubted it in time.
        """
        ruling = self._suite.dispute_game.ruling(job.id, record_of(job))
        return Outcome.COMPLETE if ruling == FALSE_ANSWER else None

    # ------------------------------------------------------------------ proofs
    def _show(self, name: str, key: ChecksumAddress, what: str, build: Callable[[], ContractCall]) -> bool:
        """Whether a proof is dealt with: shown by this member, or without effect because another did, or there is no bond."""
        if name in self._done:
            return True
        if not self._retries.is_due(name):
            return False
        operator = self._committee.operator_of(key)
        bond = self._committee.member(operator).bond if operator != EMPTY_ADDRESS else 0
        if bond == 0 or operator == self._member:
            self._done.add(name)
            return True
        try:
            self._purse.check(f"the proof against {operator}", gas=PROOF_GAS, worth=bond // REPORTER_SHARE)
            send_again(self._sender, f"oracle/{name}", build())
        except (CannotPay, TransactionReverted) as error:
            self._retries.postpone(name)
            self._log.warning(
                "an accusation waits", member=operator, what=what, error=str(error), remedy=error.remedy
            )
            return False
        except CallReverted as error:
            self._log.info("accused by someone else", member=operator, what=what, why=error.reason)
        else:
            self._log.warning("expelled", member=operator, what=what)
        self._done.add(name)
        return True
