"""Evidence that is not sound: each reverts by its own reason, and none of it can stand in for a violation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest

from proofmill.disputes.evidence import CHECK_NUMBERS, Arguments
from proofmill.exact.commitment.keccak import hash_leaf
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import CHECKS
from proofmill.exact.trace.geometry import Leaf
from tests.suite.deployment import deploy
from tests.unit.contracts.step_verifiers.row_scene import (
    KINDS,
    RowScene,
    averaged,
    normalised,
    quantised,
    random_rows,
    scene_of,
)

HUGE = 2**256 - 1
CODES = {"layer_norm": 3, "rms_norm": 4, "quantise": 5, "unit_mean": 15}


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("RowVerifier.vy")


def arguments_of(scene: RowScene, step: Step) -> Arguments:
    arguments, violated = scene.judge(step)
    assert violated is False
    return arguments


def small(kind: str) -> RowScene:
    return scene_of(kind, random_rows(3, 70, 20, 8))


def test_violates__leaf_not_opened(verifier: Any) -> None:
    """Whichever of the leaves a step asks for is left out."""
    for kind in KINDS:
        for name in CHECKS[kind]:
            if kind != "unit_mean" and name == "supplement_form" and kind != "quantise":
                continue
            if kind == "quantise" and name == "witness_form":
                continue
            arguments = arguments_of(small(kind), Step(name, 0))
            for kept in range(len(arguments.openings)):
                with boa.reverts("row: leaf is not opened"):
                    verifier.violates(*arguments._replace(openings=arguments.openings[:kept]))


def test_violates__more_leaves_than_asked_for__are_not_looked_at(verifier: Any) -> None:
    arguments = arguments_of(small("rms_norm"), Step("scalars", 1))
    assert verifier.violates(*arguments._replace(openings=[*arguments.openings, (b"stray", [])])) is False


@pytest.mark.parametrize("kind", KINDS)
def test_violates__leaf_of_another_place(verifier: Any, kind: str) -> None:
    """Honest leaves of the wrong row, element or part do not open where the step asks for them."""
    scene = small(kind)
    for name in CHECKS[kind]:
        if name.endswith("form"):
            continue
        arguments = arguments_of(scene, Step(name, 0, index=1))
        for which, (data, path) in enumerate(arguments.openings):
            changed = [*arguments.openings]
            changed[which] = (data[:-1] + bytes([data[-1] ^ 1]), path)
            table = kind in ("layer_norm", "rms_norm") and which == 3
            with boa.reverts("step: table does not open" if table else "trace: leaf does not open"):
                verifier.violates(*arguments._replace(openings=changed))
            changed[which] = (data, path[:-1])
            wrong = "step: table path of wrong depth" if table else "trace: path of another depth"
            with boa.reverts(wrong):
                verifier.violates(*arguments._replace(openings=changed))
            changed[which] = (data, [*path, bytes(32)])
            with boa.reverts(wrong):
                verifier.violates(*arguments._replace(openings=changed))
        if len(arguments.openings) > 1:
            with boa.reverts():
                verifier.violates(*arguments._replace(openings=arguments.openings[::-1]))


@pytest.mark.parametrize(
    ("kind", "name", "row", "section", "index", "reason"),
    [
        ("quantise", "element", 3, 0, 0, "step: no such row"),
        ("quantise", "element", HUGE, 0, 0, "step: no such row"),
        ("quantise", "element", 0, 1, 0, "trace: no such place"),
        ("quantise", "greater", 0, HUGE, 0, "trace: no such place"),
        ("quantise", "element", 0, 0, 70, "row: no such element"),
        ("quantise", "greater", 0, 0, HUGE, "row: no such element"),
        ("quantise", "column", 1, 0, 0, "step: no such row"),
        ("quantise", "column", HUGE, 0, 0, "step: no such row"),
        ("quantise", "column", 0, 0, 3, "step: no such element"),
        ("quantise", "form", 0, 0, 1, "step: no such element"),
        ("quantise", "form", 0, 0, HUGE, "step: no such element"),
        ("quantise", "form", 0, 1, 0, "trace: no such place"),
        ("quantise", "witness_form", 0, 0, 0, "step: no such row"),
        ("quantise", "supplement_form", 1, 0, 0, "step: no such row"),
        ("layer_norm", "supplement_form", 0, 0, 0, "step: no such row"),
        ("layer_norm", "witness_form", 0, 1, 0, "trace: no such place"),
        ("layer_norm", "element", 0, 0, 70, "step: no such element"),
        ("layer_norm", "greater", 0, 0, 70, "step: no such element"),
        ("layer_norm", "sum", 0, 0, 2, "norm: no such block"),
        ("layer_norm", "sum", 0, 0, HUGE, "norm: no such block"),
        ("layer_norm", "square", 3, 0, 0, "step: no such row"),
        ("rms_norm", "square", 0, 0, 2, "norm: no such block"),
        ("rms_norm", "square", 0, 0, HUGE, "norm: no such block"),
        ("rms_norm", "scalars", 3, 0, 0, "step: no such row"),
        ("unit_mean", "scalars", 1, 0, 0, "step: no such row"),
        ("unit_mean", "element", 1, 0, 0, "step: no such row"),
        ("unit_mean", "running", 3, 0, 0, "step: no such row"),
        ("unit_mean", "running", HUGE, 0, 0, "step: no such row"),
        ("unit_mean", "running", 0, 0, 70, "step: no such element"),
        ("unit_mean", "square", 0, 0, 2, "norm: no such block"),
        ("unit_mean", "supplement_form", 0, 0, 1, "step: no such element"),
    ],
)
def test_violates__place_outside_the_operator(
    verifier: Any, kind: str, name: str, row: int, section: int, index: int, reason: str
) -> None:
    scene = small(kind)
    arguments = arguments_of(scene, Step("running" if name == "running" else "form", 0))
    if name not in ("form", "witness_form", "supplement_form") and (row, section) == (0, 0):
        arguments = arguments_of(scene, Step(name, 0))
    with boa.reverts(reason):
        verifier.violates(*arguments._replace(step=(CHECK_NUMBERS[name], row, section, index, 0)))


def test_violates__checks_of_other_kinds(verifier: Any) -> None:
    for kind in KINDS:
        arguments = arguments_of(small(kind), Step("maximum", 0))
        for name, number in [*CHECK_NUMBERS.items(), ("none", 14), ("none", HUGE)]:
            if name not in CHECKS[kind]:
                with boa.reverts("row: no such check"):
                    verifier.violates(*arguments._replace(step=(number, 0, 0, 0, 0)))


def test_violates__operators_of_other_kinds(verifier: Any) -> None:
    arguments = arguments_of(small("rms_norm"), Step("scalars", 0))
    for code in (*{*range(23)} - {*CODES.values()}, HUGE):
        descriptor = code.to_bytes(32, "big") + arguments.descriptor[32:]
        context = arguments.context._replace(descriptor_hash=hash_leaf(descriptor))
        with boa.reverts("row: no such kind"):
            verifier.violates(*arguments._replace(descriptor=descriptor, context=context))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: a._replace(descriptor=a.descriptor[:-1] + b"\1"), "step: another descriptor"),
        (
            lambda a: a._replace(context=a.context._replace(descriptor_hash=bytes(32))),
            "step: another descriptor",
        ),
        (lambda a: a._replace(context=a.context._replace(first_number=1)), "step: another first input"),
        (
            lambda a: a._replace(context=a.context._replace(output_root=bytes(32))),
            "trace: leaf does not open",
        ),
        (lambda a: a._replace(context=a.context._replace(first_root=bytes(32))), "trace: leaf does not open"),
        (lambda a: a._replace(context=a.context._replace(length=1)), "trace: path of another depth"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_violates__another_context(
    verifier: Any, kind: str, change: Callable[[Arguments], Arguments], reason: str
) -> None:
    name = "running" if kind == "unit_mean" else "element"
    with boa.reverts(reason):
        verifier.violates(*change(arguments_of(small(kind), Step(name, 0))))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"", bytes(279), bytes(281), bytes(1024), bytes(2113)])
def test_violates__input_of_another_length(verifier: Any, kind: str, data: bytes) -> None:
    """It is another operator's leaf, so it proves nothing here."""
    scene = small(kind)
    for row in range(3):
        scene.input.leaves[Leaf("values", row)] = data
    for name in CHECKS[kind]:
        if name in ("maximum", "greater", "element", "sum", "square", "running"):
            arguments, violated = scene.judge(Step(name, 0))
            if kind == "unit_mean" and name != "running":
                assert verifier.violates(*arguments) is violated is False
                continue
            assert violated is None
            with boa.reverts("row: input of another length"):
                verifier.violates(*arguments)


def test_violates__pairs_of_another_length(verifier: Any) -> None:
    """A table may be of any bytes whose root somebody has registered."""
    scene = normalised(random_rows(1, 5, 20), "layer_norm")
    for data in (b"", bytes(8), bytes(39), bytes(41), bytes(128), bytes(2113)):
        arguments = arguments_of(scene, Step("element", 0, index=4))
        table = scene.operator.table
        assert table is not None
        forged = replace(scene.operator, table=replace(table, root=hash_leaf(data))).encode()
        openings = [*arguments.openings[:3], (data, [])]
        context = arguments.context._replace(descriptor_hash=hash_leaf(forged))
        with boa.reverts("row: pairs of another length"):
            verifier.violates(*arguments._replace(context=context, descriptor=forged, openings=openings))


def test_violates__leaf_longer_than_any_that_is_revealed(verifier: Any) -> None:
    arguments = arguments_of(small("rms_norm"), Step("scalars", 0))
    with boa.reverts():
        verifier.violates(*arguments._replace(openings=[(bytes(16449), arguments.openings[0][1])]))


def test_violates__a_violation_does_not_need_what_follows_it(verifier: Any) -> None:
    """A number that no honest output holds decides before the next leaf is asked for."""
    for kind in ("layer_norm", "rms_norm", "unit_mean"):
        scene = small(kind)
        scene.output.set(Leaf("witness", 0), 0, 70)
        scene.output.set(Leaf("witness", 0), 1, 63)
        for name, asked in (("maximum", 1), ("greater", 1), ("square", 1), ("scalars", 1), ("element", 2)):
            arguments, violated = scene.judge(Step(name, 0, index=1))
            assert len(arguments.openings) == asked
            assert verifier.violates(*arguments) is violated is True
    scene = quantised(random_rows(1, 6, 20), 3)
    scene.output.set(Leaf("values", 0, 1), 1, 3)
    scene.output.set(Leaf("values", 0, 1), 0, -1)
    for name in ("maximum", "greater", "element"):
        arguments, violated = scene.judge(Step(name, 0, 1, 2))
        assert len(arguments.openings) == 1
        assert verifier.violates(*arguments) is violated is True


def test_violates__step_of_one_row_with_leaves_of_another(verifier: Any) -> None:
    scene = averaged(random_rows(4, 9, 20))
    arguments = arguments_of(scene, Step("running", 2, index=3))
    for row in (0, 1, 3):
        with boa.reverts("trace: leaf does not open"):
            verifier.violates(*arguments._replace(step=(CHECK_NUMBERS["running"], row, 0, 3, 0)))
