"""What the defender of a claim has published so far, by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from proofmill.exact.commitment.keccak import hash_leaf


@dataclass(frozen=True)
class Hashes:
    """Nodes of a tree; the supplement root where rows were asked for, 32 zero bytes otherwise."""

    hashes: tuple[bytes, ...]
    supplement_root: bytes


@dataclass
class Revealed:
    """Everything revealed for one claim. Notes come from the events of the game, which has checked them."""

    roots: tuple[bytes, ...] = ()  # as posted: of values 0 … n, or of groups of them
    _hashes: dict[bytes, Hashes] = field(default_factory=dict)
    _leaves: dict[bytes, bytes] = field(default_factory=dict)

    def note_trace(self, roots: Sequence[bytes]) -> None:
        self.roots = tuple(roots)

    def note_hashes(self, key: bytes, hashes: Sequence[bytes], supplement_root: bytes) -> None:
        self._hashes.setdefault(key, Hashes(tuple(hashes), supplement_root))

    def note_leaf(self, data: bytes) -> None:
        """A leaf as it was revealed."""
        self._leaves[hash_leaf(data)] = data

    def hashes(self, key: bytes) -> Hashes | None:
        """What was revealed under a key; None if nothing was."""
        return self._hashes.get(key)

    def leaf(self, leaf_hash: bytes) -> bytes | None:
        """The bytes of a leaf; None if they are not revealed."""
        return self._leaves.get(leaf_hash)
