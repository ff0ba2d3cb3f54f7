"""The challenge in plain Python integers, bit by bit: what every fast form must equal. Slow, for tests and for readers.

A row is a list of integers from -128 to 127. ``docs/CAPABILITY.md`` has the same in prose.
"""

from __future__ import annotations

from collections.abc import Sequence

from proofmill.capability.seeds import Key, derive_key

_WORD = (1 << 64) - 1
Row = list[int]


def mix(z: int, second_key: int) -> int:
    """One pass of mixing of a 64-bit word."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    z ^= second_key
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
    return z ^ (z >> 31)


def word(key: Key, index: int, passes: int = 1) -> int:
    """Word ``index`` of a key's sequence."""
    z = (key[0] + (index + 1) * 0x9E3779B97F4A7C15) & _WORD
    for _ in range(passes):
        z = mix(z, key[1])
    return z


def signed_byte(value: int) -> int:
    """The int8 with the low eight bits of an integer."""
    value &= 255
    return value - 256 if value > 127 else value


def entries(key: Key, first: int, count: int, passes: int = 1) -> Row:
    """Bytes ``first`` to ``first + count`` of a key's sequence, eight to a word, lowest first."""
    return [
        signed_byte(word(key, place // 8, passes) >> (8 * (place % 8)))
        for place in range(first, first + count)
    ]


def row_of_a(seed: bytes, row: int, size: int) -> Row:
    """Row ``row`` of X₀ = A."""
    return entries(derive_key(seed, "A"), row * size, size)


def column_of_b(seed: bytes, column: int, size: int) -> Row:
    """Column ``column`` of B: B is generated column by column."""
    return entries(derive_key(seed, "B"), column * size, size)


def requantise(accumulator: int) -> int:
    """Bits 8 to 15 of the product, as an int8."""
    return signed_byte(accumulator >> 8)


def next_row(x: Row, columns: Sequence[Row], mix_key: Key, round_index: int, row: int) -> Row:
    """Row ``row`` of X(r + 1) = requantise(X(r)·B) ⊕ mix(r, row), from the same row of X(r)."""
    mask = word(mix_key, (round_index << 32) + row)
    products = [sum(a * b for a, b in zip(x, column, strict=True)) for column in columns]
    return [
        signed_byte(requantise(product) ^ (mask >> (8 * (place % 8))))
        for place, product in enumerate(products)
    ]


def row_digest(x: Row, digest_key: Key) -> bytes:
    """32 bytes: four sums of mixed words, each with multipliers of its own, lowest byte first."""
    words = len(x) // 8
    sums = [0, 0, 0, 0]
    for place in range(words):
        value = int.from_bytes(bytes(entry & 255 for entry in x[8 * place : 8 * place + 8]), "little")
        mixed = mix(value ^ word(digest_key, place), 0)
        for lane in range(4):
            sums[lane] = (sums[lane] + mixed * (word(digest_key, (lane + 1) * words + place) | 1)) & _WORD
    return b"".join(lane.to_bytes(8, "little") for lane in sums)
