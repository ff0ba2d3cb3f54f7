"""Merkle trees over Keccak-256, of any number of leaves.

A tree of n leaves has depth d = bit_length(n - 1): the least with 2^d >= n. Places n to 2^d - 1 hold 32 zero bytes. A
node is ``keccak(left ‖ right)``; the hashes at the bottom come from the caller, ``keccak(keccak(data))`` for data. A path
lists the siblings from the bottom up, and bit l of the index says on which side of its sibling the node at level l is.
The depth is never part of a path: whoever checks one knows the number of leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from proofmill.exact.commitment.keccak import DIGEST_BYTES, Bytes, hash_leaf, hash_messages, keccak256
from proofmill.exact.errors import InvalidOpening

EMPTY: Final = bytes(DIGEST_BYTES)
MAXIMUM_DEPTH: Final = 63


def _empty_roots() -> tuple[bytes, ...]:
    roots = [EMPTY]
    for _ in range(MAXIMUM_DEPTH):
        roots.append(keccak256(roots[-1] * 2))
    return tuple(roots)


#: Root of a subtree of 2^l empty places, by level l.
EMPTY_ROOTS: Final = _empty_roots()


def tree_depth(count: int) -> int:
    """Levels above ``count`` >= 1 leaves."""
    return (count - 1).bit_length()


def parents(nodes: Bytes, level: int) -> Bytes:
    """One level up: uint8 [..., n, 32] at ``level`` gives [..., ceil(n / 2), 32]."""
    count = nodes.shape[-2]
    if count % 2:
        empty = np.frombuffer(EMPTY_ROOTS[level], dtype=np.uint8)
        padding = np.broadcast_to(empty, (*nodes.shape[:-2], 1, DIGEST_BYTES))
        nodes = np.concatenate((nodes, padding), axis=-2)
    pairs = np.ascontiguousarray(nodes).reshape(*nodes.shape[:-2], (count + 1) // 2, 2 * DIGEST_BYTES)
    return hash_messages(pairs)


def roots(hashes: Bytes, depth: int | None = None) -> Bytes:
    """Roots of many trees of one size at once: uint8 [..., n, 32] gives [..., 32].

    ``depth`` is the number of levels above, by default the least that holds n.
    """
    for level in range(tree_depth(hashes.shape[-2]) if depth is None else depth):
        hashes = parents(hashes, level)
    return hashes[..., 0, :]


@dataclass(frozen=True)
class Opening:
    """Data of a leaf with its place and the siblings that lead from it to the root."""

    data: bytes
    index: int
    path: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes of data and path, what it costs to carry."""
        return len(self.data) + DIGEST_BYTES * len(self.path)


def root_from_path(node: bytes, index: int, path: Sequence[bytes]) -> bytes:
    """The root that ``node`` at ``index`` leads to, 0 <= index < 2^(length of the path)."""
    if not 0 <= index < 1 << len(path):
        raise InvalidOpening(
            f"index {index} has no place in a tree of depth {len(path)}", remedy="Open the leaf again."
        )
    for sibling in path:
        node = keccak256(sibling + node if index & 1 else node + sibling)
        index >>= 1
    return node


def verify_opening(root: bytes, depth: int, opening: Opening) -> bool:
    """Whether the tree of this root and depth holds the opening's data at its index, in plain Python."""
    if len(opening.path) != depth or not 0 <= opening.index < 1 << depth:
        return False
    if any(len(sibling) != DIGEST_BYTES for sibling in opening.path):
        return False
    return root_from_path(hash_leaf(opening.data), opening.index, opening.path) == root


class MerkleTree:
    """All nodes of one tree in memory: 64 bytes a leaf."""

    def __init__(self, hashes: Bytes) -> None:
        if hashes.ndim != 2 or hashes.shape[0] < 1 or hashes.shape[1] != DIGEST_BYTES:
            raise InvalidOpening(
                f"hashes of shape {hashes.shape} make no tree", remedy="Give at least one hash of 32 bytes."
            )
        self._levels = [hashes]
        while len(self._levels[-1]) > 1:
            self._levels.append(parents(self._levels[-1], len(self._levels) - 1))

    @property
    def root(self) -> bytes:
        return bytes(self._levels[-1][0])

    @property
    def depth(self) -> int:
        return len(self._levels) - 1

    def path(self, index: int) -> tuple[bytes, ...]:
        """Siblings of leaf ``index`` from the bottom up."""
        if not 0 <= index < len(self._levels[0]):
            raise InvalidOpening(
                f"there is no leaf {index} among {len(self._levels[0])}", remedy="Open an existing leaf."
            )
        siblings = []
        for level, nodes in enumerate(self._levels[:-1]):
            place = (index >> level) ^ 1
            empty = EMPTY_ROOTS[level]
            siblings.append(nodes[place].tobytes() if place < len(nodes) else empty)
        return tuple(siblings)


class RootBuilder:
    """The root of hashes that arrive in order, remembering one hash per level.

    Paths of the leaves named in ``watch`` are collected on the way.
    """

    def __init__(self, watch: Iterable[int] = ()) -> None:
        self._pending: list[bytes | None] = []  # the complete left node that waits for its sibling, by level
        self._watched = frozenset(watch)
        self._siblings: dict[tuple[int, int], bytes] = {}
        self.count = 0

    def append(self, hashes: Bytes) -> None:
        """Add uint8 [n, 32] to the right of what is there."""
        first, nodes, level = self.count, hashes, 0
        self.count += len(hashes)
        while len(nodes):
            if level == len(self._pending):
                self._pending.append(None)
            waiting = self._pending[level]
            if waiting is not None:
                nodes = np.concatenate((np.frombuffer(waiting, dtype=np.uint8)[None], nodes))
                first -= 1
            self._collect(level, first, nodes)
            odd = len(nodes) % 2
            self._pending[level] = nodes[-1].tobytes() if odd else None
            nodes = nodes[: len(nodes) - odd]
            if len(nodes):
                nodes = parents(nodes, level)
            first, level = first // 2, level + 1

    def _collect(self, level: int, first: int, nodes: Bytes) -> None:
        for index in self._watched:
            place = (index >> level) ^ 1
            if first <= place < first + len(nodes):
                self._siblings[level, place] = nodes[place - first].tobytes()

    def root(self) -> bytes:
        """The root of all hashes so far, which may go on arriving."""
        if self.count == 0:
            raise InvalidOpening("a tree without leaves has no root", remedy="Append at least one hash.")
        depth, edge = tree_depth(self.count), None
        for level in range(depth):
            waiting, empty = self._pending[level], EMPTY_ROOTS[level]
            if edge is not None:
                self._collect(level, self.count >> level, np.frombuffer(edge, dtype=np.uint8)[None])
            if waiting is not None:
                edge = keccak256(waiting + (empty if edge is None else edge))
            elif edge is not None:
                edge = keccak256(edge + empty)
        top = edge if edge is not None else self._pending[depth]
        assert top is not None  # without an incomplete edge the tree is full and its root is complete
        return top

    def path(self, index: int) -> tuple[bytes, ...]:
        """Siblings of a watched leaf, as the tree is now."""
        if index not in self._watched or index >= self.count:
            raise InvalidOpening(f"leaf {index} was not watched", remedy="Name it when the builder is made.")
        self.root()  # collects the right edge
        return tuple(
            self._siblings.get((level, (index >> level) ^ 1), EMPTY_ROOTS[level])
            for level in range(tree_depth(self.count))
        )
