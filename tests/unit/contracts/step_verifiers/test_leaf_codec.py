"""Numbers in leaves, the form of leaves, and the arithmetic, at the edges of what they hold."""

from __future__ import annotations

from typing import Any

import boa
import numpy as np
import pytest

from proofmill.exact.errors import InvalidOpening
from proofmill.exact.trace.codecs import DIGITS, FIELDS, INTEGERS, OPERAND, REVERSED_DIGITS, Codec
from tests.suite.deployment import deploy

CODES: dict[str, tuple[int, Codec]] = {
    "integers": (1, INTEGERS),
    "fields": (2, FIELDS),
    "digits": (3, DIGITS),
    "reversed_digits": (4, REVERSED_DIGITS),
    "operand": (5, OPERAND),
}
EDGES = {1: [-(1 << 31), -1, 0, 1, (1 << 31) - 1], 2: [-(1 << 63), -1, 0, 1, (1 << 63) - 1]}
DIGIT_EDGES = [-32768, -32767, -129, -128, -1, 0, 127, 128, 16384, 32639]


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/TraceGeometryHarness.vy")


def encoded(codec: Codec, values: list[int]) -> bytes:
    return codec.encode(np.array(values, dtype=np.int64)).tobytes()


def is_malformed(codec: Codec, count: int, leaf: bytes) -> bool:
    try:
        codec.decode(leaf, count)
    except InvalidOpening:
        return True
    return False


def test_integer_and_field__edges(harness: Any) -> None:
    for i, value in enumerate(EDGES[1]):
        assert harness.integer(encoded(INTEGERS, EDGES[1]), i) == value
    for i, value in enumerate(EDGES[2]):
        assert harness.field(encoded(FIELDS, EDGES[2]), i) == value


def test_digits__edges_and_reversed_places(harness: Any) -> None:
    values = DIGIT_EDGES * 7
    straight, turned = encoded(DIGITS, values), encoded(REVERSED_DIGITS, values)
    for i, value in enumerate(values):
        assert harness.digits(straight, 0, 96, i) == value
        assert harness.digits(turned, 0, 96, harness.reversed_place(i)) == value
    assert harness.digits(bytes(32) + straight, 32, 96, 9) == values[9]


def test_integer__outside_the_leaf(harness: Any) -> None:
    with boa.reverts():
        harness.integer(bytes(16), 4)


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("count", [3, 4, 5, 34, 35, 64, 66])
def test_is_malformed__lengths(harness: Any, name: str, count: int) -> None:
    code, codec = CODES[name]
    leaf = encoded(codec, [1] * count)
    assert harness.is_malformed(code, count, leaf) is False
    for changed in (leaf[:-1], leaf + b"\0", leaf + bytes(32), b""):
        assert harness.is_malformed(code, count, changed) is True


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("count", [5, 34, 35])
def test_is_malformed__every_byte(harness: Any, name: str, count: int) -> None:
    """A set bit is stray exactly where Python says that no number stands."""
    code, codec = CODES[name]
    leaf = encoded(codec, [-3] * count)
    stray = 0
    for at in range(len(leaf)):
        changed = leaf[:at] + bytes([leaf[at] ^ 1]) + leaf[at + 1 :]
        expected = is_malformed(codec, count, changed)
        assert harness.is_malformed(code, count, changed) is expected, at
        stray += expected
    used = {"integers": 4 * count, "fields": 8 * count, "operand": 16 + 2 * (count - 2)}.get(name, 2 * count)
    assert stray == len(leaf) - used


@pytest.mark.parametrize(("name", "first"), [("digits", 0), ("reversed_digits", 0), ("operand", 2)])
@pytest.mark.parametrize(
    "digits", [(-128, -1), (-128, -128), (-128, 0), (-128, 127), (-127, -128), (127, -1)]
)
def test_is_malformed__digits_below_any_number(
    harness: Any, name: str, first: int, digits: tuple[int, int]
) -> None:
    """hi = -128 with lo < 0 would be less than -32768."""
    code, codec = CODES[name]
    count = first + 45
    for place in (0, 17, 44):
        leaf = bytearray(encoded(codec, [0] * count))
        width, start = 64, 32 if first else 0
        within = harness.reversed_place(place) if name == "reversed_digits" else place
        leaf[start + within], leaf[start + width + within] = (digit % 256 for digit in digits)
        expected = digits[0] == -128 and digits[1] < 0
        assert is_malformed(codec, count, bytes(leaf)) is expected
        assert harness.is_malformed(code, count, bytes(leaf)) is expected


def test_is_malformed__the_widest_operand(harness: Any) -> None:
    leaf = encoded(OPERAND, [0, 5, *DIGIT_EDGES * 819, 7, 8])
    assert len(leaf) == 16_416
    assert harness.is_malformed(5, 8194, leaf) is False
    assert harness.is_malformed(5, 8193, leaf) is True
    assert harness.is_malformed(5, 8194, leaf[:31] + b"\1" + leaf[32:]) is True


@pytest.mark.parametrize(
    ("x", "shift", "expected"), [(5, 0, 5), (5, 1, 3), (-5, 1, -2), (-6, 2, -1), (6, 2, 2)]
)
def test_rounding_shift__halves_up(harness: Any, x: int, shift: int, expected: int) -> None:
    assert harness.rounding_shift(x, shift) == expected
    assert harness.rounding_shift(x << 62, shift + 62 if shift == 0 else 62) == x


def test_scalars__edges(harness: Any) -> None:
    limit = (1 << 31) - 1
    assert [harness.saturate(x) for x in (-(1 << 31), -limit, 0, limit, 1 << 31, 1 << 200)] == [
        -limit,
        -limit,
        0,
        limit,
        limit,
        limit,
    ]
    assert [harness.bit_length(x) for x in (0, 1, -1, -256, 255, 1 << 200)] == [0, 1, 1, 9, 8, 201]
    assert [harness.is_shift(x) for x in (-(1 << 255), -1, 0, 62, 63)] == [False, False, True, True, False]
