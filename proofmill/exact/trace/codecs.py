"""How integers become the bytes of a leaf, and back; docs/TRACE.md states the same in words.

Encoding works on whole arrays, decoding on one leaf with plain Python integers, strictly: bytes that no encoder makes are
refused, so a leaf that is malformed is a violation of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from proofmill.exact.commitment.keccak import Bytes
from proofmill.exact.commitment.leaves import digit_bytes, integer_bytes, padded
from proofmill.exact.errors import InvalidOpening

Integers = NDArray[Any]

WORD_BYTES: Final = 32
FIELD_BYTES: Final = 8
DIGITS_MINIMUM: Final = -(1 << 15)
OPERAND_HEADER: Final = 2  # exponent and index come before the elements of an operand


def malformed(message: str) -> InvalidOpening:
    return InvalidOpening(message, remedy="The leaf was not made by this version's layout.")


class Codec(ABC):
    """One layout of n integers as bytes."""

    @abstractmethod
    def size(self, count: int) -> int:
        """Bytes of ``count`` integers."""

    @abstractmethod
    def encode(self, values: Integers) -> Bytes:
        """Integers [..., n] as uint8 [..., size(n)]."""

    @abstractmethod
    def _read(self, data: bytes, count: int) -> list[int]:
        """The integers in bytes of the right length; stray padding is left to :meth:`decode`."""

    def read(self, data: bytes, count: int) -> list[int]:
        """The integers of one leaf, whatever stands where no number does; InvalidOpening for bytes of another length."""
        if len(data) != self.size(count):
            raise malformed(f"a leaf of {len(data)} bytes, expected {self.size(count)}")
        return self._read(data, count)

    def decode(self, data: bytes, count: int) -> list[int]:
        """The integers of one leaf; InvalidOpening unless the bytes are those of :meth:`encode`."""
        values = self.read(data, count)
        if not self._is_made_of(data, values):
            raise malformed("a leaf with bytes that mean nothing")
        return values

    def _is_made_of(self, data: bytes, values: list[int]) -> bool:
        return self.encode(np.array(values, dtype=np.int64)).tobytes() == data


class _Integers(Codec):
    """Big-endian signed 32-bit integers, nothing between or after them."""

    def size(self, count: int) -> int:
        return 4 * count

    def encode(self, values: Integers) -> Bytes:
        return integer_bytes(values)

    def _read(self, data: bytes, count: int) -> list[int]:
        return [int.from_bytes(data[i : i + 4], "big", signed=True) for i in range(0, len(data), 4)]


class _Fields(Codec):
    """Big-endian signed 64-bit integers, four to a word, zeros up to the end of the last word."""

    def size(self, count: int) -> int:
        return padded(FIELD_BYTES * count)

    def encode(self, values: Integers) -> Bytes:
        count = values.shape[-1]
        data = np.zeros((*values.shape[:-1], self.size(count)), dtype=np.uint8)
        data[..., : FIELD_BYTES * count] = integer_bytes(values, FIELD_BYTES)
        return data

    def _read(self, data: bytes, count: int) -> list[int]:
        return [
            int.from_bytes(data[i : i + FIELD_BYTES], "big", signed=True)
            for i in range(0, FIELD_BYTES * count, FIELD_BYTES)
        ]


class _Digits(Codec):
    """15-bit integers as digits: all hi, zeros to a whole word, all lo, zeros to a whole word; v = 256 · hi + lo."""

    def __init__(self, *, reversed_lanes: bool) -> None:
        self._reversed = reversed_lanes

    def size(self, count: int) -> int:
        return 2 * padded(count)

    def encode(self, values: Integers) -> Bytes:
        return digit_bytes(values.astype(np.int16), reversed_lanes=self._reversed)

    def _read(self, data: bytes, count: int) -> list[int]:
        width = len(data) // 2
        values = []
        for i in range(count):
            place = i - i % WORD_BYTES + (28 - i % WORD_BYTES // 4 * 4 + i % 4) if self._reversed else i
            high, low = (
                int.from_bytes(data[at : at + 1], "big", signed=True) for at in (place, width + place)
            )
            values.append(256 * high + low)
        return values

    def _is_made_of(self, data: bytes, values: list[int]) -> bool:
        # hi = -128 with lo < 0 is no number of 16 bits; encoded modulo 2^16 it would be the same bytes.
        return min(values) >= DIGITS_MINIMUM and super()._is_made_of(data, values)


class _Operand(Codec):
    """Exponent and index of the maximum as two fields of one word, then the elements as digits."""

    _digits = _Digits(reversed_lanes=False)
    _fields = _Fields()

    def size(self, count: int) -> int:
        return WORD_BYTES + self._digits.size(count - OPERAND_HEADER)

    def encode(self, values: Integers) -> Bytes:
        header = self._fields.encode(values[..., :OPERAND_HEADER])
        return np.concatenate((header, self._digits.encode(values[..., OPERAND_HEADER:])), axis=-1)

    def _read(self, data: bytes, count: int) -> list[int]:
        header = self._fields._read(data[:WORD_BYTES], OPERAND_HEADER)
        return header + self._digits._read(data[WORD_BYTES:], count - OPERAND_HEADER)

    def _is_made_of(self, data: bytes, values: list[int]) -> bool:
        header, digits = values[:OPERAND_HEADER], values[OPERAND_HEADER:]
        return self._fields._is_made_of(data[:WORD_BYTES], header) and self._digits._is_made_of(
            data[WORD_BYTES:], digits
        )


INTEGERS: Final[Codec] = _Integers()
FIELDS: Final[Codec] = _Fields()
DIGITS: Final[Codec] = _Digits(reversed_lanes=False)
REVERSED_DIGITS: Final[Codec] = _Digits(reversed_lanes=True)
OPERAND: Final[Codec] = _Operand()
