"""Attention in the EVM against the Python judge, the definition and plain integers, on whatever numbers there are."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact import ops
from proofmill.exact.tables import EXP2_TABLE
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.codecs import DIGITS, REVERSED_DIGITS
from tests.suite.deployment import deploy
from tests.suite.steps import check_case, check_unsound, limits, random_case, violation
from tests.unit.contracts.step_verifiers.attention_scene import Heads, Row, Scene, operand
from tools import write_exponential_table

KINDS = ("scores", "softmax", "mix")


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("AttentionVerifier.vy")


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/AttentionHarness.vy")


# ------------------------------------------------------------------ the table


def test_exponential_table__is_what_the_tool_writes() -> None:
    assert write_exponential_table.MODULE.read_text("utf-8") == write_exponential_table.source()
    assert len(EXP2_TABLE) == 257


def test_negative_powers__every_entry_and_between(harness: Any) -> None:
    """At each of the 257 points and within its interval, for a shift of 0, for others at some of them, and where all is zero."""
    distances = [index << 8 | rest for index in range(256) for rest in (0, 1, 128, 255)]
    distances += [whole << 16 | rest for whole in range(1, 27) for rest in (0, 1, 0x7F80, 0xFFFF)]
    distances += [(1 << 32) - 1, (1 << 32) - 2]
    expected = ops.negative_power_of_two(torch.tensor(distances)).tolist()
    for at in range(0, len(distances), 64):
        assert harness.negative_powers(distances[at : at + 64]) == expected[at : at + 64]


@given(st.lists(st.integers(0, (1 << 32) - 1) | st.integers(0, 26 << 16), min_size=1, max_size=64))
@settings(max_examples=15, deadline=None)
def test_negative_powers__are_those_of_the_definition(harness: Any, distances: list[int]) -> None:
    expected = ops.negative_power_of_two(torch.tensor(distances, dtype=torch.int64)).tolist()
    assert harness.negative_powers(distances) == expected


# ------------------------------------------------------------------ products of digits


def digits(generator: random.Random, size: int, edge: bool) -> bytes:
    """Any bytes, or only those whose products are greatest."""
    if edge:
        return (
            bytes(generator.choice((0x80, 0x7F)) for _ in range(size))
            if generator.random() < 0.5
            else b"\x80" * size
        )
    return generator.randbytes(size)


@given(
    st.integers(1, 512),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 32]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=30, deadline=None)
def test_product__is_that_of_the_numbers(
    harness: Any, count: int, is_reversed: bool, edge: bool, start: int, generator: random.Random
) -> None:
    """Of any bytes, numbers beyond 16 bits and stray padding among them; y may go on behind the last."""
    x = digits(generator, DIGITS.size(count), edge)
    y = digits(generator, DIGITS.size(min(512, count + generator.choice((0, 0, 40)))), edge)
    left = DIGITS.read(x, count)
    codec = REVERSED_DIGITS if is_reversed else DIGITS
    right = codec.read(y, len(y) // 2)
    expected = sum(a * b for a, b in zip(left, right, strict=False))
    head = generator.randbytes(start)
    assert harness.product(head + x, head + y, start, count, is_reversed) == expected


@pytest.mark.parametrize("byte", [0x00, 0x7F, 0x80, 0xFF])
def test_product__no_lane_runs_over(harness: Any, byte: int) -> None:
    leaf = bytes([byte]) * 1024
    number = int(np.int8(np.uint8(byte))) * 257
    assert harness.product(leaf, leaf, 0, 512, True) == 512 * number**2


# ------------------------------------------------------------------ steps


@pytest.mark.parametrize("kind", KINDS)
@given(st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None)
def test_violates__as_the_judge_says(verifier: Any, kind: str, generator: random.Random) -> None:
    """Of small traced models with false leaves anywhere."""
    check_case(verifier, random_case(kind, generator))


@pytest.mark.parametrize("kind", KINDS)
@given(st.randoms(use_true_random=False))
@settings(max_examples=4, deadline=None)
def test_violates__what_an_accuser_sends(verifier: Any, kind: str, generator: random.Random) -> None:
    case = violation(kind, generator)
    assert verifier.violates(*case.arguments) is True
    check_unsound(verifier, case, generator)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """Any shape of attention, numbers small and large."""
    key_heads = draw(st.integers(1, 3))
    heads = Heads(
        key_heads * draw(st.integers(1, 3)),
        key_heads,
        draw(st.sampled_from([1, 2, 3, 8, 32])),
        draw(st.sampled_from([1, 2, 31, 64, 65, 129, 257, 300])),
        draw(st.booleans()),
    )
    size, exponents = draw(st.sampled_from([0, 3, 14])), draw(st.sampled_from([0, 9, 17]))
    values = operand(heads, draw(st.integers(0, 2**32)), size=size, exponents=exponents)
    return Row(heads, draw(st.integers(0, heads.length - 1)), *values)


def random_step(row: Row, kind: str, generator: random.Random) -> Step:
    head, key = generator.randrange(row.heads.heads), generator.randrange(row.visible)
    t, size = row.row, row.heads.head_size
    if kind == "scores":
        return Step("element", t, head, key)
    if kind == "mix":
        component = generator.randrange(size)
        if generator.random() < 0.5:
            return Step("element", t, 0, head * size + component)
        return Step("sum", t, head, key // 512, component)
    names = ("maximum", "greater", "exponent", "greater_exponent", "sum", "reciprocal", "element")
    name = generator.choice(names)
    return Step(name, t, head, key // 64 if name == "sum" else key)


@given(rows(), st.sampled_from(KINDS), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_violates__any_number_that_a_step_reads(
    verifier: Any, row: Row, kind: str, generator: random.Random
) -> None:
    """The honest row is none; with one number of a leaf changed that the step opens, it is what Python says."""
    scene = Scene(kind, row)
    step = random_step(row, kind, generator)
    arguments, violated = scene.judged(step)
    assert verifier.violates(*arguments) is violated is False
    place = generator.choice(scene.asked)
    codec = scene.geometry(place[0]).grid(place[1].part).codec
    integers = scene.integers(place)
    at = generator.randrange(min(len(integers), generator.choice((4, len(integers)))))
    low, high = limits(codec, at)
    new = generator.choice((integers[at] + 1, integers[at] ^ 1 << generator.randrange(14), low, high, 0, -1))
    scene.set(place, {at: max(low, min(high, new))})
    arguments, violated = scene.judged(step)
    assert verifier.violates(*arguments) is violated
