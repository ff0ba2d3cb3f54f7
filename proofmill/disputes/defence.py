"""An operator's answers to challenges on chain. Every reply follows from the chain and the operator's own runs."""

from __future__ import annotations

from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak

from proofmill.chain.deployment import Suite
from proofmill.chain.dispute_game import CASE_OPEN, CASE_REFUTED
from proofmill.chain.errors import CallReverted, TransactionReverted
from proofmill.chain.records import Job
from proofmill.chain.sender import TransactionSender
from proofmill.chain.types import ContractCall
from proofmill.disputes.challenger import answer_leaves
from proofmill.disputes.claim import DisputedClaim
from proofmill.disputes.defender import Defender
from proofmill.disputes.docket import ChallengeFile, Docket, case_round
from proofmill.disputes.matter import Matter, MatterSource, Reruns
from proofmill.disputes.prosecution import Narrator, record_of, send_again
from proofmill.exact.commitment.keccak import Bytes


class Defence:
    """Defends the answers of one operator; sends with the operator's key or a hot key of its."""

    def __init__(
        self,
        operator: ChecksumAddress,
        suite: Suite,
        sender: TransactionSender,
        docket: Docket,
        reruns: Reruns,
        log: Narrator,
    ) -> None:
        self._operator, self._suite, self._game = operator, suite, suite.dispute_game
        self._sender, self._docket, self._reruns, self._log = sender, docket, reruns, log
        self._refuted: set[int] = set()  # challenges of which that was said

    def step(self, file: ChallengeFile, job: Job, matter: MatterSource) -> bool:
        """One look at a challenge of an own job, and the reply it asks for; whether anything was sent.

        The docket must be fresh.
        """
        if file.is_lost:
            return False
        challenge = self._game.challenge(file.id)
        case = self._game.case(challenge.job_id, challenge.record)
        if not challenge.is_open or case.status != CASE_OPEN:
            if case.status == CASE_REFUTED and file.id not in self._refuted:
                self._refuted.add(file.id)
                self._log.error("refuted", job=job.id, challenge=file.id)
            return False
        if challenge.waits_for_defender:
            return self._reply(file, job, matter(), challenge.pending)
        if self._now() <= challenge.turn_began_at + challenge.challenger_left:
            return False
        if not self._send(file.id, f"time-out/{challenge.turn_began_at}", self._game.time_out(file.id)):
            return False
        self._log.info("the challenger is silent", job=job.id, challenge=file.id)
        return True

    def settle(self, job: Job) -> bool:
        """Goes on with a job whose answer nobody doubts any more; whether that was due and done.

        The docket must be fresh.
        """
        record = record_of(job)
        case = self._game.case(job.id, record)
        if case.status != CASE_OPEN or case.open_challenges or self._now() <= case.appeal_deadline:
            return False
        # A case that was dismissed may be opened and settled once more: the last challenge tells the rounds apart.
        last = case_round(self._docket.challenges(), job.id, record)
        call = self._game.settle(job.id, job.terms, job.answer.to_abi())
        if not self._send(job.id, f"settle/{record.hex()}/{last}/{case.appeal_deadline}", call):
            return False
        self._log.info("nobody doubts the answer any more", job=job.id, upheld=case.appeal_deadline != 0)
        return True

    def appeal(self, job: Job, matter: Matter) -> bool:
        """Takes a rejected answer to the arithmetic, if it is the right one; whether that was done."""
        if matter.own.root != job.deliverable:
            self._log.error("rejected, and rightly so", job=job.id)
            return False
        call = self._game.appeal(job.id, job.terms, job.answer.to_abi())
        sent = self._send(job.id, f"appeal/{job.commitment.hex()}", call)
        if sent:
            self._log.warning("appealed", job=job.id)
        return sent

    def _reply(self, file: ChallengeFile, job: Job, matter: Matter, pending: bytes) -> bool:
        if file.asked_items == pending:
            # An honest operator's are its own; of another answer than that nobody can tell what it consists of.
            rows, roots = (matter.served or matter.own).rows_and_roots
            call = self._game.reveal_items(job.id, file.record, rows, roots)
            return self._send(file.id, "reveal_items", call)
        for claim_id, key, question in reversed(file.questions):
            if key == pending:
                claim = file.claims[claim_id]
                reveal = self._defender(claim_id, claim, matter).answer(question)
                call = self._game.reveal(reveal.function, claim_id, reveal.arguments)
                return self._send(file.id, reveal.function, call)
        if pending in file.claims:  # the key of a trace is the claim's id
            claim = file.claims[pending]
            roots = self._defender(pending, claim, matter).trace()
            return self._send(file.id, "post_trace", self._game.post_trace(claim, roots))
        return False  # the docket is older than the chain

    def _defender(self, claim_id: bytes, claim: DisputedClaim, matter: Matter) -> Defender:
        rerun = self._reruns.of(claim_id, claim, matter)
        return Defender(rerun, self.claimed_leaves(claim_id, claim, matter))

    def claimed_leaves(self, claim_id: bytes, claim: DisputedClaim, matter: Matter) -> Bytes:
        """Leaf hashes of what was answered: an honest operator's is what its trace ends with."""
        return answer_leaves(self._reruns.of(claim_id, claim, matter), claim.first_answer_row)

    def _send(self, identifier: int, what: str, call: ContractCall) -> bool:
        name = f"defend/{what}/{self._game.address}/{identifier}/{keccak(call.data).hex()[:32]}"
        try:
            send_again(self._sender, name, call)
        except (CallReverted, TransactionReverted) as error:
            self._log.warning("defence: move refused", id=identifier, move=what, why=str(error))
            return False
        self._log.info("defended", id=identifier, move=what)
        return True

    def _now(self) -> int:
        return int(self._game.web3.eth.get_block("latest")["timestamp"])
