"""The typed client of ``DisputeGame``: disputes about answers, against the clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from eth_abi.abi import encode
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from web3.types import TxReceipt

from proofmill.chain.events import EventLog, LogReader
from proofmill.chain.ownable import OwnableClient
from proofmill.chain.terms import JobTerms
from proofmill.chain.types import EMPTY_BYTES32, BlockReference, ContractCall, address, bytes32

Struct = tuple[Any, ...]

CASE_OPEN, CASE_REFUTED, CASE_SETTLED = 1, 2, 3
CHALLENGE_OPEN, CHALLENGE_LOST, CHALLENGE_RETURNED = 1, 2, 3


class Challenge(NamedTuple):
    """One challenger's doubt, see ``IDisputeGame.Challenge``. Times are unix seconds, clocks seconds."""

    challenger: ChecksumAddress
    job_id: int
    record: bytes
    claim_id: bytes
    bond: int
    priority: int
    status: int
    pending: bytes
    is_answered: bool
    challenger_left: int
    defender_left: int
    turn_began_at: int
    asks: int

    @property
    def is_open(self) -> bool:
        return self.status == CHALLENGE_OPEN

    @property
    def waits_for_defender(self) -> bool:
        """Whether the operator has to reveal something."""
        return self.pending != EMPTY_BYTES32 and not self.is_answered


class Case(NamedTuple):
    """A submitted answer under dispute, see ``IDisputeGame.Case``; status 0 where there is none."""

    status: int
    open_challenges: int
    lead: int
    appeal_deadline: int
    reason: bytes


def challenge_commitment(challenger: str, job_id: int, record: bytes, salt: bytes) -> bytes:
    """What a challenger commits to before it opens a challenge."""
    types = ["address", "uint256", "bytes32", "bytes32"]
    return bytes(keccak(encode(types, [address(challenger), job_id, bytes32(record), bytes32(salt)])))


class DisputeGame(OwnableClient):
    """Where a wrong answer is proved. Structs are plain tuples, which `proofmill.disputes` makes."""

    name: ClassVar[str] = "DisputeGame"

    # ------------------------------------------------------------------ challenger
    def commit(self, commitment: bytes) -> ContractCall:
        """Announces a challenge without saying of what, so that nobody can be first by copying it; see `challenge_commitment`."""
        return self._build("commit", bytes32(commitment))

    def open(self, job_id: int, terms: JobTerms, answer: Struct, salt: bytes) -> ContractCall:
        """Doubts a job's answer; the bond must be approved. A job that is only submitted is contested by it."""
        return self._build("open", job_id, terms.to_abi(), answer, bytes32(salt))

    def ask_items(
        self, challenge_id: int, terms: JobTerms, answer: Struct, model_id: bytes, request: Struct
    ) -> ContractCall:
        """Makes the operator publish what it answered to each sequence."""
        return self._build("ask_items", challenge_id, terms.to_abi(), answer, bytes32(model_id), request)

    def name_item(
        self,
        challenge_id: int,
        terms: JobTerms,
        answer: Struct,
        model_id: bytes,
        request: Struct,
        item: int,
        asked: Struct,
        answered: Struct,
    ) -> ContractCall:
        """Names the sequence whose answer is wrong, which asks for its trace."""
        return self._build(
            "name_item",
            challenge_id,
            terms.to_abi(),
            answer,
            bytes32(model_id),
            request,
            item,
            asked,
            answered,
        )

    def ask(self, challenge_id: int, claim: Struct, question: Struct) -> ContractCall:
        """Makes the operator reveal more of its trace."""
        return self._build("ask", challenge_id, claim, question)

    def prove(self, challenge_id: int, claim: Struct, accusation: Struct, evidence: bytes) -> ContractCall:
        """Shows one number that is not what the program computes, which decides the case."""
        return self._build("prove", challenge_id, claim, accusation, evidence)

    def contradict(self, challenge_id: int, claim: Struct, contradiction: Struct) -> ContractCall:
        """Shows that the trace is not one of the claim, which decides the case."""
        return self._build("contradict", challenge_id, claim, contradiction)

    def take_lead(self, challenge_id: int) -> ContractCall:
        """Says that this open challenge was committed before the one that would be rewarded."""
        return self._build("take_lead", challenge_id)

    # ------------------------------------------------------------------ operator or its hot key
    def appeal(self, job_id: int, terms: JobTerms, answer: Struct) -> ContractCall:
        """Takes a rejected answer to the arithmetic."""
        return self._build("appeal", job_id, terms.to_abi(), answer)

    def post_trace(self, claim: Struct, roots: Sequence[bytes]) -> ContractCall:
        """Posts the roots of all values of a claim's trace."""
        return self._build("post_trace", claim, list(roots))

    # ------------------------------------------------------------------ anyone
    def reveal(self, function: str, claim_id: bytes, arguments: Sequence[Any]) -> ContractCall:
        """Answers a question by the call that a `proofmill.disputes.defender.Reveal` names."""
        call: ContractCall = getattr(self, function)(claim_id, *arguments)
        return call

    def reveal_tree(self, claim_id: bytes, level: int, depth: int, hashes: Sequence[bytes]) -> ContractCall:
        """Publishes the nodes at a level of a tree of depth ``level + depth``."""
        return self._build("reveal_tree", bytes32(claim_id), level, depth, list(hashes))

    def reveal_rows(
        self, claim_id: bytes, level: int, depth: int, supplement_root: bytes, hashes: Sequence[bytes]
    ) -> ContractCall:
        """Publishes a value's row hashes, or groups of them, with its supplement root."""
        return self._build(
            "reveal_rows", bytes32(claim_id), level, depth, bytes32(supplement_root), list(hashes)
        )

    def reveal_leaves(
        self,
        claim_id: bytes,
        value_sections: int,
        value_leaves: int,
        witness_sections: int,
        witness_leaves: int,
        hashes: Sequence[bytes],
    ) -> ContractCall:
        """Publishes the leaf hashes of a row."""
        shape = (value_sections, value_leaves, witness_sections, witness_leaves)
        return self._build("reveal_leaves", bytes32(claim_id), *shape, list(hashes))

    def reveal_row(
        self,
        claim_id: bytes,
        value_sections: int,
        value_leaves: int,
        witness_sections: int,
        witness_leaves: int,
        leaves: Sequence[bytes],
    ) -> ContractCall:
        """Publishes a whole row, leaf by leaf."""
        shape = (value_sections, value_leaves, witness_sections, witness_leaves)
        return self._build("reveal_row", bytes32(claim_id), *shape, list(leaves))

    def reveal_leaf(self, claim_id: bytes, leaf: bytes) -> ContractCall:
        """Publishes one leaf."""
        return self._build("reveal_leaf", bytes32(claim_id), leaf)

    def reveal_items(
        self, job_id: int, record: bytes, rows: Sequence[int], roots: Sequence[bytes]
    ) -> ContractCall:
        """Publishes rows and root of each item of an answer."""
        return self._build("reveal_items", job_id, bytes32(record), list(rows), list(roots))

    def time_out(self, challenge_id: int) -> ContractCall:
        """Ends the turn of a side whose clock has run out."""
        return self._build("time_out", challenge_id)

    def settle(self, job_id: int, terms: JobTerms, answer: Struct) -> ContractCall:
        """Tells the escrow how a case ended."""
        return self._build("settle", job_id, terms.to_abi(), answer)

    def reclaim(self, challenge_id: int) -> ContractCall:
        """Returns the bond of a challenge that did not lose."""
        return self._build("reclaim", challenge_id)

    # ------------------------------------------------------------------ owner
    def set_challenge_bond(self, bond: int) -> ContractCall:
        """Sets the bond of challenges opened from now on."""
        return self._build("set_challenge_bond", bond)

    # ------------------------------------------------------------------ views
    def challenge(self, challenge_id: int, *, block: BlockReference = "latest") -> Challenge:
        """How a challenge stands."""
        challenger, job_id, record, claim_id, *rest = self._read("challenge", challenge_id, block=block)
        bond, priority, status, pending, *clocks = rest
        return Challenge(
            address(challenger),
            job_id,
            bytes(record),
            bytes(claim_id),
            bond,
            priority,
            status,
            bytes(pending),
            *clocks,
        )

    def case(self, job_id: int, record: bytes, *, block: BlockReference = "latest") -> Case:
        """How a case stands."""
        status, count, lead, deadline, reason = self._read("case", job_id, bytes32(record), block=block)
        return Case(status, count, lead, deadline, bytes(reason))

    def ruling(self, job_id: int, record: bytes, *, block: BlockReference = "latest") -> int:
        """0 nothing, 1 the arithmetic refuted the answer, 2 it was upheld on appeal."""
        return int(self._read("ruling", job_id, bytes32(record), block=block))

    def claim_id_of(self, claim: Struct, *, block: BlockReference = "latest") -> bytes:
        """The name under which data of a claim is filed."""
        return bytes(self._read("claim_id_of", claim, block=block))

    def revealed_at(self, key: bytes, *, block: BlockReference = "latest") -> int:
        """When what a key names was revealed; 0 if it was not."""
        return int(self._read("revealed_at", bytes32(key), block=block))

    def trace_root(self, claim_id: bytes, *, block: BlockReference = "latest") -> bytes:
        """Of the posted trace; 32 zero bytes before it."""
        return bytes(self._read("trace_root", bytes32(claim_id), block=block))

    def clock_of(self, dispute_window: int, *, block: BlockReference = "latest") -> tuple[int, int]:
        """Seconds that a side has for all its moves, and at least for each."""
        clock, extension = self._read("clock_of", dispute_window, block=block)
        return int(clock), int(extension)

    def challenge_count(self, *, block: BlockReference = "latest") -> int:
        """Ids are 1 to this."""
        return int(self._read("challenge_count", block=block))

    def challenge_bond(self, *, block: BlockReference = "latest") -> int:
        """What the next challenge posts."""
        return int(self._read("challenge_bond", block=block))

    # ------------------------------------------------------------------ events
    def opened_in(self, receipt: TxReceipt) -> int:
        """The id of the challenge that a receipt opened."""
        return int(self.event(receipt, "ChallengeOpened").args["challenge_id"])

    def log(self, from_block: int, to_block: int) -> list[EventLog]:
        """All events of the game in a range of blocks, in order."""
        reader = LogReader(self.web3, [self.address])
        return self.decoder.decode_all(reader.read(from_block, to_block))
