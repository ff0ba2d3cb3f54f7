"""A dispute played at a table: challenger and defender without a chain, each reveal checked as the game checks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from proofmill.disputes.challenger import Agree, Ask, AwaitTrace, Challenger, Contradict, Prove
from proofmill.disputes.claimed_value import array_of
from proofmill.disputes.defender import Defender, Reveal
from proofmill.disputes.keys import leaf_key, leaves_key, rows_key, tree_key
from proofmill.disputes.revealed import Revealed
from proofmill.exact.commitment.keccak import hash_leaf, keccak256
from proofmill.exact.commitment.merkle import EMPTY, roots

Verdict = Prove | Contradict | Agree


def key_of(claim_id: bytes, reveal: Reveal) -> bytes:
    """Under which key the game files what is revealed."""
    arguments = reveal.arguments
    if reveal.function == "reveal_leaf":
        return leaf_key(claim_id, hash_leaf(arguments[0]))
    if reveal.function in ("reveal_leaves", "reveal_row"):
        *shape, hashes = arguments
        if reveal.function == "reveal_row":
            hashes = [hash_leaf(leaf) if leaf else EMPTY for leaf in hashes]
        values, witness = shape[0] * shape[1], shape[2] * shape[3]
        assert len(hashes) == values + witness
        nodes = [_part(hashes[:values], shape[0], shape[1])]
        nodes.append(_part(hashes[values:], shape[2], shape[3]) if witness else EMPTY)
        count = sum(each != EMPTY for each in hashes)
        return leaves_key(claim_id, keccak256(nodes[0] + nodes[1]), *shape, count)
    level, depth, *supplement, hashes = arguments
    node = _fold(hashes, level, depth)
    if reveal.function == "reveal_rows":
        node = keccak256(node + supplement[0])
        return rows_key(claim_id, node, level, depth, len(hashes), has_supplement=supplement[0] != EMPTY)
    return tree_key(claim_id, node, level, depth, len(hashes))


def _part(hashes: Sequence[bytes], sections: int, leaves: int) -> bytes:
    return bytes(roots(roots(array_of(hashes).reshape(sections, leaves, 32))))


def _fold(hashes: Sequence[bytes], level: int, depth: int) -> bytes:
    """The tree of which these are the first nodes at a level."""
    nodes, free = list(hashes), EMPTY
    for _ in range(level):
        free = keccak256(free + free)
    for _ in range(depth):
        nodes += [free] * (len(nodes) % 2)
        nodes = [keccak256(nodes[i] + nodes[i + 1]) for i in range(0, len(nodes), 2)]
        free = keccak256(free + free)
    [root] = nodes
    return root


@dataclass
class TableGame:
    """One claim between two players."""

    claim_id: bytes
    challenger: Challenger
    defender: Defender
    revealed: Revealed
    replies: list[str] = field(default_factory=list)
    calldata_bytes: int = 0

    def play(self) -> Verdict:
        """Until the challenger can show something, or finds nothing."""
        for _ in range(12):
            move = self.challenger.next_move()
            if isinstance(move, AwaitTrace):
                self.revealed.note_trace(self.defender.trace())
                self.replies.append("post_trace")
            elif isinstance(move, Ask):
                self._reply(move)
            else:
                return move
        raise AssertionError(f"no end after {self.replies}")

    def _reply(self, asked: Ask) -> None:
        reveal = self.defender.answer(asked.question)
        assert key_of(self.claim_id, reveal) == asked.key, asked.words
        self.replies.append(reveal.function)
        arguments = reveal.arguments
        if reveal.function == "reveal_leaf":
            self.revealed.note_leaf(arguments[0])
            return
        hashes = arguments[-1]
        if reveal.function == "reveal_row":
            for leaf in filter(None, hashes):
                self.revealed.note_leaf(leaf)
            hashes = [hash_leaf(leaf) if leaf else EMPTY for leaf in hashes]
        supplement = arguments[2] if reveal.function == "reveal_rows" else EMPTY
        self.revealed.note_hashes(asked.key, hashes, supplement)


def column(values: Sequence[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Integers as one column."""
    return np.array(values, dtype=np.int64).reshape(-1, 1)
