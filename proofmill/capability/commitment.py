"""Roots over rows: a digest per row, made where the rows are, then a tree of SHA-256 with sixteen children to a node.

Hashing 64 MiB for each root on the processor would cost two of its cores beside a fast card, and the way there its bus. So the
device itself sums 32 bytes per row out of mixed words. Such a digest is *not* collision resistant, and need not be: what a
prover would have to find is a row with the digest it committed for the start of a cell whose 32 rounds end in a row with the
digest it committed for the end. ``docs/CAPABILITY.md`` section 4 has the argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from proofmill.capability.generator import generate_words, mix_words
from proofmill.capability.seeds import Key

DIGEST_BYTES: Final = 32
LANES: Final = 4
ARITY: Final = 16
_NODE: Final = b"\x01"
_ROOT: Final = b"\x02"

#: Words of rows mixed at once; on a processor few enough that PyTorch does not wake other threads for each sum.
_WORDS_CPU: Final = 1 << 14
_WORDS_GPU: Final = 1 << 22


class RowDigests:
    """Digests of rows with ``words`` words each, under one key, on one device."""

    def __init__(self, key: Key, words: int, device: torch.device) -> None:
        generated = generate_words(key, (1 + LANES) * words, device).view(1 + LANES, words)
        self._whitening = generated[0].contiguous()
        self._multipliers = generated[1:] | 1  # odd, int64 [4, words]

    def compute(self, rows: Tensor) -> Tensor:
        """int8 [m, n] to int64 [m, 4]."""
        words = rows.view(torch.int64)
        digests = torch.empty((rows.shape[0], LANES), dtype=torch.int64, device=rows.device)
        limit = _WORDS_CPU if rows.device.type == "cpu" else _WORDS_GPU
        block = max(1, limit // words.shape[1])
        for start in range(0, rows.shape[0], block):
            part = slice(start, start + block)
            z = words[part] ^ self._whitening
            scratch = torch.empty_like(z)
            mix_words(z, scratch, 0)
            for lane in range(LANES):
                torch.mul(z, self._multipliers[lane], out=scratch)
                torch.sum(scratch, 1, out=digests[part, lane])
        return digests


def digest_bytes(digests: Tensor) -> list[bytes]:
    """int64 [m, 4] as m strings of 32 bytes, lowest byte first."""
    data = digests.contiguous().cpu().numpy().tobytes()
    return [data[start : start + DIGEST_BYTES] for start in range(0, len(data), DIGEST_BYTES)]


class Tree:
    """A Merkle tree over strings of 32 bytes; the count is part of the root, so no root stands for two shapes."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append(
                [_hash_node(below[start : start + ARITY]) for start in range(0, len(below), ARITY)]
            )
        self.root = _hash_root(len(leaves), self._levels[-1][0])

    def path(self, place: int) -> bytes:
        """The siblings of a leaf on its way up, left to right, lowest level first, one after the other."""
        siblings = []
        for level in self._levels[:-1]:
            first = place - place % ARITY
            group = level[first : first + ARITY]
            siblings += group[: place - first] + group[place - first + 1 :]
            place //= ARITY
        return b"".join(siblings)


def path_length(place: int, count: int) -> int:
    """Bytes of the path of leaf ``place`` in a tree over ``count`` leaves."""
    length = 0
    while count > 1:
        first = place - place % ARITY
        length += (min(ARITY, count - first) - 1) * DIGEST_BYTES
        place, count = place // ARITY, -(-count // ARITY)
    return length


def root_of_path(leaf: bytes, place: int, count: int, path: bytes) -> bytes:
    """The root that a leaf and its path give; ``path`` has ``path_length(place, count)`` bytes."""
    total, position, node = count, 0, leaf
    while count > 1:
        first = place - place % ARITY
        siblings = min(ARITY, count - first) - 1
        group = [
            path[start : start + DIGEST_BYTES]
            for start in range(position, position + siblings * DIGEST_BYTES, DIGEST_BYTES)
        ]
        group.insert(place - first, node)
        node = _hash_node(group)
        position += siblings * DIGEST_BYTES
        place, count = place // ARITY, -(-count // ARITY)
    return _hash_root(total, node)


def _hash_node(children: Sequence[bytes]) -> bytes:
    return hashlib.sha256(_NODE + b"".join(children)).digest()


def _hash_root(count: int, top: bytes) -> bytes:
    return hashlib.sha256(_ROOT + count.to_bytes(8, "big") + top).digest()


def commitment_of(roots: Sequence[bytes]) -> bytes:
    """One hash over all roots of an answer in order: what the draw of cells is bound to."""
    return hashlib.sha256(b"proofmill.roots\0" + len(roots).to_bytes(8, "big") + b"".join(roots)).digest()
