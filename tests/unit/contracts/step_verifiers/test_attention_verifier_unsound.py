"""Evidence that is not sound: it reverts, whatever false numbers the leaves hold, and says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa
import pytest

from proofmill.disputes.evidence import Arguments
from proofmill.exact.commitment.keccak import hash_leaf
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.geometry import Leaf
from tests.suite.deployment import MAX_UINT256, deploy
from tests.unit.contracts.step_verifiers.attention_scene import OUTPUT, Heads, Row, Scene, operand

HEADS = Heads(heads=4, key_heads=2, head_size=3, length=65, causal=True)
ROW = Row(HEADS, 40, *operand(HEADS, 1))
#: Steps that are sound, with the number of leaves that each opens.
SOUND = [
    ("scores", Step("element", 40, 3, 40), 3),
    ("scores", Step("form", 40, 3), 1),
    ("softmax", Step("maximum", 40, 3), 1),
    ("softmax", Step("greater", 40, 3, 40), 3),
    ("softmax", Step("exponent", 40, 3), 2),
    ("softmax", Step("greater_exponent", 40, 3, 40), 2),
    ("softmax", Step("sum", 40, 3), 3),
    ("softmax", Step("reciprocal", 40, 3), 1),
    ("softmax", Step("element", 40, 3, 40), 5),
    ("softmax", Step("witness_form", 40, 3), 1),
    ("mix", Step("sum", 40, 3, 0, 2), 3),
    ("mix", Step("element", 40, 0, 11), 3),
]
each_sound_step = pytest.mark.parametrize(
    ("kind", "step", "opened"), SOUND, ids=[f"{kind}-{step.name}" for kind, step, _ in SOUND]
)


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("AttentionVerifier.vy")


def arguments_of(kind: str, step: Step) -> Arguments:
    arguments, violated = Scene(kind, ROW).judged(step)
    assert violated is False
    return arguments


def hostile(kind: str) -> Scene:
    """Every witness that the accused may be asked for is a violation in itself."""
    scene = Scene(kind, ROW)
    if kind == "softmax":
        scene.set((OUTPUT, Leaf("witness", 40, 3)), {0: 1 << 40, 1: -9, 2: -1, 4: 0})
    return scene


@each_sound_step
def test_violates__opens_every_leaf_it_counts(verifier: Any, kind: str, step: Step, opened: int) -> None:
    arguments = arguments_of(kind, step)
    assert len(arguments.openings) == opened
    for kept in range(opened):
        with boa.reverts("attention: leaf is not opened"):
            verifier.violates(*arguments._replace(openings=arguments.openings[:kept]))
    assert verifier.violates(*arguments._replace(openings=[*arguments.openings, (b"more", [])][:5])) is False


@each_sound_step
def test_violates__a_leaf_that_does_not_open(verifier: Any, kind: str, step: Step, opened: int) -> None:
    arguments = arguments_of(kind, step)
    for which, (data, path) in enumerate(arguments.openings):
        cases: list[tuple[bytes, list[bytes], str]] = [
            (bytes([data[0] ^ 1]) + data[1:], path, "trace: leaf does not open"),
            (data, [*path[:-1], bytes(32)], "trace: leaf does not open"),
            (data, [*path, bytes(32)], "trace: path of another depth"),
            (data, path[:-1], "trace: path of another depth"),
            (data, [], "trace: path of another depth"),
        ]
        for changed, other, reason in cases:
            openings = [*arguments.openings]
            openings[which] = (changed, other)
            with boa.reverts(reason):
                verifier.violates(*arguments._replace(openings=openings))


@each_sound_step
def test_violates__another_root(verifier: Any, kind: str, step: Step, opened: int) -> None:
    """Of the accused: its own leaves do not open; of each input that the step reads: neither do those."""
    scene = Scene(kind, ROW)
    arguments, _ = scene.judged(step)
    read = {which for which, _ in scene.asked}
    false, context = bytes(31) + b"\1", arguments.context
    contexts = {
        OUTPUT: context._replace(output_root=false),
        0: context._replace(first_root=false),
        1: context._replace(second_root=false),
    }
    for which, other in contexts.items():
        changed = arguments._replace(context=other)
        if which in read:
            with boa.reverts("trace: leaf does not open"):
                verifier.violates(*changed)
        else:
            assert verifier.violates(*changed) is False


def with_words(arguments: Arguments, words: dict[int, int]) -> Arguments:
    """Another descriptor, which the context agrees to."""
    data = bytearray(arguments.descriptor)
    for place, word in words.items():
        data[32 * place : 32 * place + 32] = word.to_bytes(32, "big")
    context = arguments.context._replace(descriptor_hash=hash_leaf(bytes(data)))
    return arguments._replace(descriptor=bytes(data), context=context)


def test_violates__another_descriptor(verifier: Any) -> None:
    arguments = arguments_of("softmax", Step("maximum", 40, 3))
    with boa.reverts("step: another descriptor"):
        verifier.violates(*arguments._replace(descriptor=arguments.descriptor[:-1] + b"\1"))
    with boa.reverts("step: another first input"):
        verifier.violates(*arguments._replace(context=arguments.context._replace(first_number=9)))
    with boa.reverts("step: another second input"):
        verifier.violates(*arguments._replace(context=arguments.context._replace(second_number=9)))


@pytest.mark.parametrize("kind", [0, 5, 11, 15, 21, MAX_UINT256])
def test_violates__another_kind(verifier: Any, kind: int) -> None:
    with boa.reverts("attention: another kind"):
        verifier.violates(*with_words(arguments_of("softmax", Step("maximum", 40, 3)), {0: kind}))


@pytest.mark.parametrize(
    ("kind", "checks", "reason"),
    [
        ("scores", (2, 4, 5, 6, 7, 8, 11, 12, 13, 14, MAX_UINT256), "attention: check of another kind"),
        ("mix", (2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, MAX_UINT256), "attention: check of another kind"),
        ("softmax", (2, 6, 8, 9, 10, 14, MAX_UINT256), "attention: no such check"),
        ("scores", (1,), "attention: no witness"),
    ],
)
def test_violates__a_check_that_the_kind_does_not_have(
    verifier: Any, kind: str, checks: tuple[int, ...], reason: str
) -> None:
    """Even if the leaf is a violation of another check."""
    scene = hostile(kind)
    step = Step("maximum", 40, 3) if kind == "softmax" else Step("form", 40)
    arguments, _ = scene.judged(step)
    for check in checks:
        with boa.reverts(reason):
            verifier.violates(*arguments._replace(step=(check, *arguments.step[1:])))


ROW_REASON, ELEMENT_REASON, PLACE_REASON = (
    "step: no such row",
    "step: no such element",
    "trace: no such place",
)


@pytest.mark.parametrize(
    ("kind", "name", "place", "reason"),
    [
        ("scores", "element", (65, 0, 0, 0), ROW_REASON),
        ("scores", "element", (MAX_UINT256, 0, 0, 0), ROW_REASON),
        ("scores", "element", (40, 0, 41, 0), ELEMENT_REASON),  # of which the row sees 0 to 40
        ("scores", "element", (40, 0, MAX_UINT256, 0), ELEMENT_REASON),
        ("scores", "element", (40, 4, 0, 0), PLACE_REASON),
        ("scores", "element", (40, MAX_UINT256, 0, 0), PLACE_REASON),
        ("scores", "form", (65, 0, 0, 0), "attention: no such row"),
        ("scores", "form", (MAX_UINT256, 0, 0, 0), "attention: no such row"),
        ("scores", "form", (40, 0, 1, 0), "attention: no such leaf"),
        ("scores", "form", (40, 0, MAX_UINT256, 0), "attention: no such leaf"),
        ("scores", "form", (40, 4, 0, 0), PLACE_REASON),
        ("softmax", "witness_form", (40, 3, 1, 0), "attention: no such leaf"),
        *(("softmax", name, (65, 3, 0, 0), ROW_REASON) for name in ("maximum", "greater", "exponent", "sum")),
        *(("softmax", name, (40, 4, 0, 0), PLACE_REASON) for name in ("maximum", "reciprocal", "element")),
        ("softmax", "greater", (40, 3, 41, 0), ELEMENT_REASON),
        ("softmax", "greater", (40, 3, MAX_UINT256, 0), ELEMENT_REASON),
        ("softmax", "greater_exponent", (40, 3, 41, 0), "attention: no such key"),
        ("softmax", "greater_exponent", (40, 3, MAX_UINT256, 0), "attention: no such key"),
        ("softmax", "sum", (40, 3, 1, 0), "attention: no such block"),
        ("softmax", "sum", (40, 3, MAX_UINT256, 0), "attention: no such block"),
        ("softmax", "element", (40, 3, 41, 0), ELEMENT_REASON),
        ("mix", "sum", (40, 3, 0, 3), "attention: no such component"),
        ("mix", "sum", (40, 3, 0, MAX_UINT256), "attention: no such component"),
        ("mix", "sum", (40, 3, 1, 0), "attention: no such key block"),
        ("mix", "sum", (40, 3, MAX_UINT256, 0), "attention: no such key block"),
        ("mix", "sum", (40, 4, 0, 0), PLACE_REASON),
        ("mix", "sum", (MAX_UINT256, 0, 0, 0), ROW_REASON),
        ("mix", "element", (40, 0, 12, 0), ELEMENT_REASON),
        ("mix", "element", (MAX_UINT256, 0, 0, 0), ROW_REASON),
    ],
)
def test_violates__a_place_that_is_not_there(
    verifier: Any, kind: str, name: str, place: tuple[int, int, int, int], reason: str
) -> None:
    """Nor does any number of the step overflow."""
    whole = {step.name: step for sound, step, _ in SOUND if sound == kind}[name]
    arguments = arguments_of(kind, whole)
    with boa.reverts(reason):
        verifier.violates(*arguments._replace(step=(arguments.step[0], *place)))


def test_violates__a_row_that_does_not_reach_the_block(verifier: Any) -> None:
    heads = Heads(heads=1, key_heads=1, head_size=2, length=513, causal=True)
    arguments, _ = Scene("mix", Row(heads, 511, *operand(heads, 1))).judged(Step("sum", 511, 0, 0, 1))
    with boa.reverts("step: no such element"):
        verifier.violates(*arguments._replace(step=(arguments.step[0], 511, 0, 1, 1)))


@pytest.mark.parametrize(
    "take",
    [
        lambda step: Step(step.name, step.row, step.section - 1, step.index),
        lambda step: Step(step.name, step.row, step.section, step.index - 1),
    ],
    ids=["of another head", "of another key"],
)
def test_violates__leaves_of_another_place(verifier: Any, take: Callable[[Step], Step]) -> None:
    """Honest leaves, of a row, head or key that the step does not name: an honest number is not made false."""
    for kind in ("scores", "softmax"):
        step = Step("element", 40, 3, 40)
        arguments = arguments_of(kind, take(step))
        with boa.reverts("trace: leaf does not open"):
            verifier.violates(*arguments._replace(step=arguments_of(kind, step).step))


def test_violates__leaves_in_another_order(verifier: Any) -> None:
    """A query for a key, the maximum for the suspect: each opens only where it stands."""
    for kind, step, swapped in (
        ("scores", Step("element", 40, 3, 39), (1, 2)),
        ("mix", Step("sum", 40, 3, 0, 2), (1, 2)),
        ("softmax", Step("element", 40, 3, 40), (0, 2)),
    ):
        arguments = arguments_of(kind, step)
        openings = [*arguments.openings]
        first, second = swapped
        openings[first], openings[second] = openings[second], openings[first]
        with boa.reverts():
            verifier.violates(*arguments._replace(openings=openings))
