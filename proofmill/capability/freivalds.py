"""Whole products: is C = X·B, for every entry at once, in O(n²) (Freivalds, 1977).

The verifier draws V, n × k, from its own secret randomness after C was delivered, and compares C·V with X·(B·V) over the
integers. For a C that is wrong anywhere, each column of V with entries of b uniform bits misses it with probability at most
2^-b: take a place where C − X·B is not zero and fix all other entries of the column; at most one value of this one gives zero.
Columns are independent: 2^-(b·k) together.

Exact in double precision: |X·(B·V)| and |C·V| stay below 2^(14 + b + 2·⌈log2 n⌉) ≤ 2^53 by choice of b, and so does every
partial sum in whatever order it is made.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from proofmill.capability.arithmetic import choose_carrier
from proofmill.capability.cells import Cell
from proofmill.capability.chain import Chain
from proofmill.capability.commitment import RowDigests, Tree, digest_bytes
from proofmill.capability.parameters import Parameters
from proofmill.capability.seeds import derive_key
from proofmill.capability.verdict import ACCEPTED, Reason, Verdict

#: A wrong product passes with probability 2^-64 at most.
SECURITY_BITS: Final = 64
_MOST_BITS: Final = 16
#: Entries turned into float64 at once, 32 MiB: on a busy machine every smaller step is a wait of threads for each other.
_ENTRIES: Final = 1 << 22


@dataclass(frozen=True)
class Strength:
    """Bits of each entry of V, and columns of V."""

    bits: int
    columns: int


def strength(size: int) -> Strength:
    """The widest entries that keep all sums below 2^53, and columns enough for :data:`SECURITY_BITS`."""
    bits = min(_MOST_BITS, 53 - 14 - 2 * (size - 1).bit_length())
    return Strength(bits, -(-SECURITY_BITS // bits))


def draw_secret(size: int) -> Tensor:
    """Vᵀ, float64 [k, n] with whole entries, from the operating system's randomness: never shown, never used twice."""
    chosen = strength(size)
    data = bytearray(secrets.token_bytes(2 * size * chosen.columns))
    drawn = torch.frombuffer(data, dtype=torch.int16).to(torch.int32) & ((1 << chosen.bits) - 1)
    return drawn.to(torch.float64).view(chosen.columns, size)


def product_fault(x: Tensor, b_transposed: Tensor, c: Tensor, secret: Tensor | None = None) -> int | None:
    """The first row in which int32 C differs from int8 X · B, as far as V sees, or None; ``b_transposed`` is Bᵀ, int8 [n, n].

    ``secret`` is for tests; a verifier leaves it out.
    """
    size = b_transposed.shape[0]
    # Few long rows on the left are several times faster than few columns on the right.
    v = draw_secret(size) if secret is None else secret
    b_times_v = torch.zeros_like(v)
    step = max(1, _ENTRIES // size)
    for start in range(0, size, step):
        part = slice(start, start + step)
        b_times_v += v[:, part] @ b_transposed[part].to(torch.float64)
    for start in range(0, x.shape[0], step):
        part = slice(start, start + step)
        differs = v @ c[part].to(torch.float64).t() != b_times_v @ x[part].to(torch.float64).t()
        if bool(differs.any()):
            return start + int(differs.any(0).to(torch.int8).argmax())
    return None


def check_product(
    seed: bytes,
    parameters: Parameters,
    roots: Sequence[bytes],
    segment: int,
    x: Tensor,
    c: Tensor,
) -> Verdict:
    """Whether X is the whole matrix at the start of ``segment``, and C = X·B.

    ``x`` int8 [n, n] and ``c`` int32 [n, n] lie on the processor. The root before the segment says what X is, or A for segment 0.
    """
    size = parameters.size
    shapes = ((x, torch.int8), (c, torch.int32))
    if any(tuple(matrix.shape) != (size, size) or matrix.dtype != kind for matrix, kind in shapes):
        return Verdict(Reason.WRONG_LENGTH, f"X {x.dtype} {tuple(x.shape)}, C {c.dtype} {tuple(c.shape)}")
    with torch.inference_mode():
        chain = Chain(seed, parameters, choose_carrier(), torch.device("cpu"))
        if segment == 0:
            is_committed = torch.equal(x, chain.first_matrix())
        else:
            digests = RowDigests(derive_key(seed, "digest"), parameters.words, x.device).compute(x)
            is_committed = Tree(digest_bytes(digests)).root == roots[segment - 1]
        if not is_committed:
            return Verdict(Reason.NOT_COMMITTED, f"X is not the matrix at the start of segment {segment}")
        row = product_fault(x, chain.b_transposed, c)
    if row is not None:
        return Verdict(Reason.WRONG_PRODUCT, f"{Cell(segment, row)}: its product with B is wrong")
    return ACCEPTED
