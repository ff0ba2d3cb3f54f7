"""The roots of a posted trace: of all values, or of groups of them in a program of more than 1,023 operators."""

from __future__ import annotations

from collections.abc import Sequence

from proofmill.disputes.claimed_value import Query, Unrevealed, array_of, path_above
from proofmill.disputes.keys import tree_key
from proofmill.disputes.revealed import Revealed
from proofmill.exact.commitment.merkle import roots as tree_roots

_GREATEST_DEPTH = 10  # of what is posted in one call


def group_level(operators: int) -> int:
    """How many levels above the roots of values the posted hashes stand."""
    return max(0, operators.bit_length() - _GREATEST_DEPTH)


def posted_hashes(roots: Sequence[bytes]) -> list[bytes]:
    """What an operator posts of the roots of values 0, 1, …"""
    level = group_level(len(roots) - 1)
    size = 1 << level
    return [
        bytes(tree_roots(array_of(roots[start : start + size]), level))
        for start in range(0, len(roots), size)
    ]


class TraceRoots:
    """Roots as they are claimed, where they are known: those equal to the challenger's own, and what was revealed."""

    def __init__(self, claim_id: bytes, own: Sequence[bytes], revealed: Revealed) -> None:
        self._claim_id, self._own, self._revealed = claim_id, list(own), revealed
        self._posted = revealed.roots
        self._level = group_level(len(own) - 1)

    def first_difference(self) -> int | None:
        """The first value whose root is not the challenger's; None if the traces are equal. Raises Unrevealed."""
        mine = posted_hashes(self._own)
        for place, (claimed, own) in enumerate(zip(self._posted, mine, strict=True)):
            if claimed != own:
                group = self._group(place)
                start = place << self._level
                differing = [i for i, root in enumerate(group) if root != self._own[start + i]]
                return start + differing[0]
        return None

    def root(self, number: int) -> bytes:
        """Claimed root of value ``number``. Raises Unrevealed."""
        return self._group(number >> self._level)[number & ((1 << self._level) - 1)]

    def path(self, number: int) -> tuple[bytes, ...]:
        """From the root of value ``number`` to that of the trace. Raises Unrevealed."""
        group = self._group(number >> self._level)
        inner = list[bytes]()
        if self._level:
            # The last group may be shorter; its free places fold as those of any tree.
            inner = list(_path_in_group(group, number & ((1 << self._level) - 1), self._level))
        return (*inner, *path_above(self._posted, self._level, number >> self._level))

    def _group(self, place: int) -> Sequence[bytes]:
        if self._level == 0:
            return self._posted[place : place + 1]
        start = place << self._level
        own = self._own[start : start + (1 << self._level)]
        node = self._posted[place]
        if bytes(tree_roots(array_of(own), self._level)) == node:
            return own
        key = tree_key(self._claim_id, node, 0, self._level, len(own))
        found = self._revealed.hashes(key)
        if found is None:
            raise Unrevealed(Query(8, key, node, path_above(self._posted, self._level, place), row=start))
        return found.hashes


def _path_in_group(nodes: Sequence[bytes], index: int, depth: int) -> tuple[bytes, ...]:
    padded = [*nodes, *[bytes(32)] * ((1 << depth) - len(nodes))]
    return path_above(padded, 0, index)
