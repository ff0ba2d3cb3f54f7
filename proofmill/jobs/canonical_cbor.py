"""Deterministic CBOR (RFC 8949 §4.2.1) of the few types that job blobs use.

The reader is strict by construction: it knows unsigned integers, byte strings, text strings, arrays and maps
with text keys, each in the one encoding that the standard calls deterministic, and refuses everything else. A
general decoder is no replacement: it would build tagged objects (dates, regular expressions, shared
references) out of a stranger's bytes.
"""

from __future__ import annotations

from typing import TypeAlias

import cbor2

Value: TypeAlias = "int | bytes | str | list[Value] | dict[str, Value]"

MAXIMUM_DEPTH = 8
_UNSIGNED, _BYTES, _TEXT, _ARRAY, _MAP = 0, 2, 3, 4, 5
_SMALLEST_WITH_LENGTH = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}


class NotCanonical(ValueError):
    """Bytes that are not the deterministic encoding of a supported value; the message says where."""


def encode(value: Value) -> bytes:
    """Return the deterministic encoding: shortest lengths, definite sizes, keys in bytewise order."""
    # cbor2 sorts shorter keys first (RFC 7049); for text keys the length is the first byte, so both orders
    # agree.
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, *, maximum_values: int) -> Value:
    """Return the value of which ``data`` is the deterministic encoding, or raise ``NotCanonical``.

    ``maximum_values`` bounds the values in it, counting keys and containers, and with them the time this
    takes.
    """
    reader = _Reader(data, maximum_values)
    value = reader.read(0)
    if reader.position != len(data):
        raise NotCanonical(f"{len(data) - reader.position} bytes follow the value at byte {reader.position}")
    return value


class _Reader:
    def __init__(self, data: bytes, maximum_values: int) -> None:
        self.position = 0
        self._data = data
        self._maximum_values = maximum_values
        self._value_count = 0

    def read(self, depth: int) -> Value:
        if depth > MAXIMUM_DEPTH:
            raise NotCanonical(f"nested deeper than {MAXIMUM_DEPTH} levels at byte {self.position}")
        self._value_count += 1
        if self._value_count > self._maximum_values:
            raise NotCanonical(f"more than {self._maximum_values:,} values at byte {self.position}")
        start = self.position
        kind, argument = self._read_head()
        if kind == _UNSIGNED:
            return argument
        if kind == _BYTES:
            return self._take(argument)
        if kind == _TEXT:
            return self._decode_text(start, argument)
        if kind == _ARRAY:
            return [self.read(depth + 1) for _ in range(argument)]
        if kind == _MAP:
            return self._read_map(argument, depth)
        raise NotCanonical(f"unsupported type {kind} at byte {start}")

    def _read_map(self, count: int, depth: int) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        previous = b""
        for _ in range(count):
            start = self.position
            key = self.read(depth + 1)
            if not isinstance(key, str):
                raise NotCanonical(f"the key at byte {start} is not text")
            encoded = self._data[start : self.position]
            if encoded <= previous:
                raise NotCanonical(f"key {key!a} at byte {start} is repeated or out of order")
            previous = encoded
            fields[key] = self.read(depth + 1)
        return fields

    def _decode_text(self, start: int, length: int) -> str:
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotCanonical(f"the text at byte {start} is not UTF-8") from error

    def _read_head(self) -> tuple[int, int]:
        start = self.position
        (initial,) = self._take(1)
        kind, information = initial >> 5, initial & 31
        if information < 24:
            return kind, information
        if information > 27:
            raise NotCanonical(f"indefinite or reserved length at byte {start}")
        width = 1 << (information - 24)
        argument = int.from_bytes(self._take(width), "big")
        if argument < _SMALLEST_WITH_LENGTH[width]:
            raise NotCanonical(f"the length or number at byte {start} is not in its shortest form")
        return kind, argument

    def _take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self._data):
            raise NotCanonical(f"the data ends within the value at byte {self.position}")
        taken = self._data[self.position : end]
        self.position = end
        return taken
