"""A challenge on chain, move by move. Every move follows from the chain, so a player can be killed anywhere and started again."""

from __future__ import annotations

from enum import StrEnum
from itertools import count
from typing import Any, Final, Protocol

from eth_utils.crypto import keccak
from web3.types import TxReceipt

from proofmill.chain.deployment import Suite
from proofmill.chain.dispute_game import (
    CASE_REFUTED,
    CASE_SETTLED,
    CHALLENGE_LOST,
    CHALLENGE_OPEN,
    Challenge,
    challenge_commitment,
)
from proofmill.chain.errors import CallReverted, TransactionReverted
from proofmill.chain.journal import Status
from proofmill.chain.records import Job, commitment_of, submitted_hash
from proofmill.chain.sender import TransactionSender
from proofmill.chain.types import EMPTY_BYTES32, ContractCall
from proofmill.disputes.challenger import Agree, Ask, AwaitTrace, Challenger, Contradict, Prove
from proofmill.disputes.claimed_value import array_of
from proofmill.disputes.docket import ChallengeFile, Docket, case_round
from proofmill.disputes.matter import Matter, MatterSource, NothingToDispute, Reruns
from proofmill.errors import ProofmillError
from proofmill.exact.commitment.merkle import MerkleTree
from proofmill.exact.trace.claims import OpenedItem, hash_item

#: Gas of a whole game for a challenger, with every kind of question: what a dispute is budgeted for.
GAME_GAS: Final = 4_000_000
#: How often one move is paid for: whoever makes our transactions revert must not empty our account.
MOST_ATTEMPTS: Final = 8


class Progress(StrEnum):
    """How a challenge stands for its challenger."""

    MOVED = "moved"
    WAITING = "waiting"  # for the operator
    WON = "won"
    LOST = "lost"
    OVER = "over"  # without a decision
    NOTHING_WRONG = "nothing wrong"


class TooDear(ProofmillError):
    """The game could cost more gas than its challenger is ready to pay; nothing was sent."""


class Narrator(Protocol):
    """Who is told what happens: a logger, or what prints for a person."""

    def info(self, event: str, **facts: Any) -> Any: ...
    def warning(self, event: str, **facts: Any) -> Any: ...
    def error(self, event: str, **facts: Any) -> Any: ...


def format_ether(wei: int) -> str:
    """An amount in words, rounded to a millionth."""
    return f"{wei / 10**18:.6f} ether"


def record_of(job: Job) -> bytes:
    """What the escrow keeps of a submitted job, or kept while it did: the low 208 bits of its record's hash."""
    return commitment_of(submitted_hash(job.terms, job.answer))


def send_again(sender: TransactionSender, name: str, call: ContractCall) -> TxReceipt:
    """Has a call mined once under ``name``; one that was mined and reverted is sent again, ``MOST_ATTEMPTS`` times in all.

    An intent that reverted stays so in the journal, but what made it revert (a state that was gone a block later, too little gas)
    need not last: each further attempt is an intent of its own, and sent only if it succeeds in a simulation.

    Raises CallReverted, TransactionReverted.
    """
    for attempt in range(1, MOST_ATTEMPTS):
        intent = name if attempt == 1 else f"{name}/attempt-{attempt}"
        if sender.status(intent) is not Status.REVERTED:
            return sender.send(intent, call)
    return sender.send(f"{name}/attempt-{MOST_ATTEMPTS}", call)


class Prosecution:
    """Plays challenges of one account.

    ``secret`` makes salts that a restarted process makes again and nobody else can guess.
    """

    def __init__(
        self,
        suite: Suite,
        sender: TransactionSender,
        docket: Docket,
        reruns: Reruns,
        log: Narrator,
        *,
        secret: bytes,
        budget: int | None = None,
    ) -> None:
        self._suite, self._game = suite, suite.dispute_game
        self._sender, self._docket, self._reruns = sender, docket, reruns
        self._log, self._secret, self._budget = log, secret, budget

    # ------------------------------------------------------------------ opening
    def open(self, job: Job) -> int:
        """Doubts the answer of a job, and returns the challenge's id; the same again after a crash.

        Raises TooDear, CallReverted, TransactionReverted.
        """
        record = record_of(job)
        mine = [
            file.id
            for file in self._docket.challenges().values()
            if (file.job_id, file.record, file.challenger) == (job.id, record, str(self._sender.address))
        ]
        if mine:
            return mine[0]
        self._check_cost()
        salt = keccak(self._secret + job.id.to_bytes(32, "big") + record)
        name = f"{self._game.address}/{job.id}/{record.hex()}"
        commitment = challenge_commitment(self._sender.address, job.id, record, salt)
        send_again(self._sender, f"dispute/commit/{name}", self._game.commit(commitment))
        bond = self._game.challenge_bond()
        self._approve(name, bond)
        call = self._game.open(job.id, job.terms, job.answer.to_abi(), salt)
        receipt = send_again(self._sender, f"dispute/open/{name}", call)
        challenge_id = self._game.opened_in(receipt)
        self._log.warning("dispute opened", job=job.id, challenge=challenge_id, bond=bond)
        return challenge_id

    def _approve(self, name: str, bond: int) -> None:
        """Lets the game take the bond. What was approved for this challenge may have gone into another: then once more."""
        token, sender = self._suite.mill_token, self._sender
        if token.allowance(sender.address, self._game.address) >= bond:
            return
        for attempt in count(1):
            intent = f"dispute/approve/{name}/{bond}/{attempt}"
            if sender.status(intent) not in (Status.MINED, Status.REVERTED):
                sender.send(intent, token.approve(self._game.address, bond))
                return

    def _check_cost(self) -> None:
        if self._budget is None:
            return
        price = int(self._suite.dispute_game.web3.eth.gas_price)
        if price * GAME_GAS > self._budget:
            raise TooDear(
                f"a dispute may cost {format_ether(price * GAME_GAS)} of gas, the budget is {format_ether(self._budget)}",
                remedy="Wait until gas is cheaper, or allow a larger budget.",
            )

    # ------------------------------------------------------------------ moving
    def step(self, challenge_id: int, job: Job, matter: MatterSource) -> Progress:
        """One look at a challenge, and the move it asks for. The docket must be fresh."""
        challenge = self._game.challenge(challenge_id)
        case = self._game.case(challenge.job_id, challenge.record)
        if challenge.status == CHALLENGE_LOST:
            return Progress.LOST
        if case.status == CASE_REFUTED:
            return self._end_refuted(challenge_id, challenge, case.lead, job)
        if challenge.status != CHALLENGE_OPEN:
            return Progress.WON if case.reason != EMPTY_BYTES32 else Progress.OVER
        if case.status == CASE_SETTLED:
            return self._after(self._try(challenge_id, "reclaim", self._game.reclaim(challenge_id)))
        if challenge.waits_for_defender:
            if self._now() <= challenge.turn_began_at + challenge.defender_left:
                return Progress.WAITING
            turn = f"time-out/{challenge.turn_began_at}"
            if self._try(challenge_id, turn, self._game.time_out(challenge_id)):
                self._log.warning("the operator is silent", job=job.id, challenge=challenge_id)
                return Progress.MOVED
            return Progress.WAITING
        file = self._docket.challenges().get(challenge_id)
        if file is None:
            return Progress.WAITING  # the docket is older than the chain
        try:
            return self._move(file, challenge, job, matter())
        except NothingToDispute as error:
            self._log.error("nothing to prove", job=job.id, challenge=challenge_id, why=str(error))
            return Progress.NOTHING_WRONG

    def _end_refuted(self, challenge_id: int, challenge: Challenge, lead: int, job: Job) -> Progress:
        """The answer is refuted: the lead is claimed if it is due, the escrow is told, the bond comes back."""
        was_first = lead == 0 or self._game.challenge(lead).priority > challenge.priority
        if was_first:  # settled without it, the reward would be another's
            self._try(challenge_id, "take-lead", self._game.take_lead(challenge_id))
        moved = self._settle(job, challenge)
        if challenge.is_open:
            moved |= self._try(challenge_id, "reclaim", self._game.reclaim(challenge_id))
        return self._after(moved)

    @staticmethod
    def _after(moved: bool) -> Progress:
        return Progress.MOVED if moved else Progress.WAITING

    def _move(self, file: ChallengeFile, challenge: Challenge, job: Job, matter: Matter) -> Progress:
        if not file.claims:
            return self._name_item(file, challenge, job, matter)
        claim_id, claim = list(file.claims.items())[-1]
        rerun = self._reruns.of(claim_id, claim, matter)
        revealed = self._docket.revealed(claim_id)
        move = Challenger(claim, claim_id, rerun, revealed, matter.tokens_of(claim)).next_move()
        match move:
            case AwaitTrace():
                return Progress.WAITING
            case Agree():
                raise NothingToDispute(
                    f"the trace of item {claim.item} is right", remedy="There is nothing to do."
                )
            case Ask(key=key) if key == challenge.pending:
                return Progress.WAITING  # it is answered, and the docket is older than the answer
            case Ask(question=question, words=words):
                call = self._game.ask(file.id, claim, question)
                return self._send(file.id, f"asked/{challenge.asks}", call, words)
            case Prove(accusation=accusation, evidence=evidence, words=words):
                call = self._game.prove(file.id, claim, accusation, evidence)
                return self._send(file.id, "proved", call, words)
            case Contradict(contradiction=contradiction, words=words):
                call = self._game.contradict(file.id, claim, contradiction)
                return self._send(file.id, "contradicted", call, words)

    def _name_item(self, file: ChallengeFile, challenge: Challenge, job: Job, matter: Matter) -> Progress:
        if challenge.claim_id != EMPTY_BYTES32:
            return Progress.WAITING  # the docket is older than the chain
        request, answer = tuple(matter.request.words), job.answer.to_abi()
        revealed = self._docket.items(job.id, file.record)
        if matter.served is not None:
            item = matter.first_wrong_item()
            answered = matter.served.open(item)
        elif revealed is not None:
            item = matter.first_wrong_item(revealed)
            answered = _open_item(revealed, item)
        elif challenge.pending != EMPTY_BYTES32:
            return Progress.WAITING  # the items are revealed, and the docket is older than that
        else:
            call = self._game.ask_items(file.id, job.terms, answer, matter.model_id, request)
            return self._send(file.id, "asked/items", call, "what was answered to each sequence")
        call = self._game.name_item(
            file.id,
            job.terms,
            answer,
            matter.model_id,
            request,
            item,
            _struct(matter.request.open(item)),
            _struct(answered),
        )
        return self._send(file.id, "named", call, f"sequence {item}")

    def _settle(self, job: Job, challenge: Challenge) -> bool:
        call = self._game.settle(job.id, job.terms, job.answer.to_abi())
        # A case that was dismissed may be opened and settled once more: the last challenge tells the rounds apart.
        last = case_round(self._docket.challenges(), job.id, challenge.record)
        name = f"dispute/settle/{self._game.address}/{job.id}/{challenge.record.hex()}/{last}"
        try:
            send_again(self._sender, name, call)
        except (CallReverted, TransactionReverted) as error:
            self._log.info("settled by someone else", job=job.id, why=str(error))
            return False
        self._log.warning("the case is settled", job=job.id)
        return True

    def _send(self, challenge_id: int, done: str, call: ContractCall, words: str) -> Progress:
        if not self._try(challenge_id, done, call):
            return Progress.WAITING
        self._log.info(f"dispute: {done.partition('/')[0]}", challenge=challenge_id, what=words)
        return Progress.MOVED

    def _try(self, challenge_id: int, what: str, call: ContractCall) -> bool:
        """Sends a move once; one that the contract refuses by now is another's gain or a matter of the next look.

        ``what`` tells moves apart that may have to be sent twice with the same call, as a second time-out.
        """
        name = f"dispute/{what}/{self._game.address}/{challenge_id}/{keccak(call.data).hex()[:32]}"
        try:
            send_again(self._sender, name, call)
        except (CallReverted, TransactionReverted) as error:
            self._log.info("dispute: move refused", challenge=challenge_id, move=what, why=str(error))
            return False
        return True

    def _now(self) -> int:
        return int(self._game.web3.eth.get_block("latest")["timestamp"])


def _struct(item: OpenedItem) -> tuple[int, bytes, list[bytes]]:
    return item.rows, item.root, list(item.path)


def _open_item(items: list[tuple[int, bytes]], item: int) -> OpenedItem:
    tree = MerkleTree(array_of([hash_item(rows, root) for rows, root in items]))
    return OpenedItem(*items[item], tree.path(item))
