"""Matrices from a key, by counter: each 64-bit word is mixed from its index alone, the same on every device.

The mixing is that of SplitMix64 (Steele, Lea and Flood, 2014) with a second key word between its rounds. No entry is a
function of a sum of indices or of row and column separately: there is no structure for a product to exploit.

PyTorch shifts int64 arithmetically; a logical shift is that with the sign's copies masked away. Sums and products wrap.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import torch
from torch import Tensor

from proofmill.capability.errors import DeviceUnfit
from proofmill.capability.seeds import Key

GOLDEN_STEP: Final = 0x9E3779B97F4A7C15
FIRST_MULTIPLIER: Final = 0xBF58476D1CE4E5B9
SECOND_MULTIPLIER: Final = 0x94D049BB133111EB
SHIFTS: Final = (30, 27, 31)

#: Words mixed at once. On a processor what stays in a core's cache (and below what PyTorch spreads over threads by itself).
CHUNK_CPU: Final = 1 << 15
CHUNK_GPU: Final = 1 << 23

if sys.byteorder != "little":  # pragma: no cover
    raise DeviceUnfit(
        "matrices are read from words as bytes, lowest first", remedy="Use a little-endian machine."
    )


def signed(word: int) -> int:
    """The int64 with the bits of an unsigned 64-bit word."""
    word &= (1 << 64) - 1
    return word - (1 << 64) if word >> 63 else word


def mix_words(z: Tensor, scratch: Tensor, second_key: int) -> None:
    """Mix int64 words in place; ``scratch`` has the same shape. The second key word enters between the two products."""
    _shift_xor(z, scratch, SHIFTS[0])
    z.mul_(signed(FIRST_MULTIPLIER))
    if second_key:
        z.bitwise_xor_(signed(second_key))
    _shift_xor(z, scratch, SHIFTS[1])
    z.mul_(signed(SECOND_MULTIPLIER))
    _shift_xor(z, scratch, SHIFTS[2])


def _shift_xor(z: Tensor, scratch: Tensor, shift: int) -> None:
    torch.bitwise_right_shift(z, shift, out=scratch)
    z.bitwise_xor_(scratch.bitwise_and_((1 << (64 - shift)) - 1))


def fill_words(key: Key, out: Tensor, first: int = 0, passes: int = 1) -> None:
    """Write words ``first``, ``first + 1``, … into a contiguous int64 vector."""
    on_processor = out.device.type == "cpu"
    chunk = min(CHUNK_CPU if on_processor else CHUNK_GPU, out.numel())
    counters = _counters(chunk, out.device)

    def work(starts: Sequence[int]) -> None:
        with torch.inference_mode():  # a thread does not have its caller's
            scratch = torch.empty(chunk, dtype=torch.int64, device=out.device)
            for start in starts:
                z = out[start : start + chunk]
                length = z.numel()
                torch.add(counters[:length], signed(key[0] + (first + start) * GOLDEN_STEP), out=z)
                for _ in range(passes):
                    mix_words(z, scratch[:length], key[1])

    starts = range(0, out.numel(), chunk) if chunk else range(0)
    threads = min(torch.get_num_threads(), len(starts)) if on_processor else 1
    if threads <= 1:
        work(starts)
        return
    with ThreadPoolExecutor(threads) as executor:
        list(executor.map(work, [starts[index::threads] for index in range(threads)]))


@functools.lru_cache(maxsize=8)
def _counters(count: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.arange(1, count + 1, dtype=torch.int64, device=device).mul_(signed(GOLDEN_STEP))


def words_at(key: Key, indices: Tensor, passes: int = 1) -> Tensor:
    """The words of these int64 indices, in their shape."""
    z = (indices + 1).mul_(signed(GOLDEN_STEP)).add_(signed(key[0]))
    scratch = torch.empty_like(z)
    for _ in range(passes):
        mix_words(z, scratch, key[1])
    return z


def generate_words(key: Key, count: int, device: torch.device | str = "cpu") -> Tensor:
    """The first ``count`` words, int64."""
    words = torch.empty(count, dtype=torch.int64, device=device)
    fill_words(key, words)
    return words


def generate_matrix(
    key: Key, rows: int, columns: int, device: torch.device | str = "cpu", passes: int = 1
) -> Tensor:
    """int8 [rows, columns]: the words' bytes, lowest first, row after row; columns are a multiple of 8."""
    matrix = torch.empty((rows, columns), dtype=torch.int8, device=device)
    fill_words(key, matrix.view(torch.int64).view(-1), passes=passes)
    return matrix


def generate_rows(key: Key, rows: Tensor, columns: int) -> Tensor:
    """The rows of these numbers (int64 [m]) of a matrix with ``columns`` columns: int8 [m, columns]."""
    words = columns // 8
    indices = rows.view(-1, 1) * words + torch.arange(words, dtype=torch.int64, device=rows.device)
    return words_at(key, indices).view(torch.int8)
