"""Quantise, norms and the unit mean: every step as the Python judge, the definition and big integers have it."""

from __future__ import annotations

import random
from typing import Any

import boa
import pytest

from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import CHECKS
from proofmill.exact.trace.checks.suspects import suspects
from proofmill.exact.trace.codecs import OPERAND
from proofmill.exact.trace.geometry import Leaf
from tests.suite.deployment import deploy
from tests.unit.contracts.step_verifiers.row_scene import (
    FIELD_EDGES,
    GREATEST,
    KINDS,
    RowScene,
    averaged,
    normalised,
    quantised,
    random_rows,
    scene_of,
)


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("RowVerifier.vy")


def verdict(verifier: Any, scene: RowScene, step: Step) -> bool | None:
    """What the contract says, None if it reverts; it must be what the judgement in Python says."""
    arguments, expected = scene.judge(step)
    try:
        found: bool | None = verifier.violates(*arguments)
    except boa.BoaError:
        found = None
    assert found == expected, (scene.operator.kind, step)
    return found


def assert_honest(verifier: Any, scene: RowScene, seed: int = 0, elements: int = 2) -> None:
    for step in scene.steps(seed, elements):
        assert verdict(verifier, scene, step) is False, step


EDGES = {
    "zeros": [[0] * 70],
    "ones": [[1]],
    "one negative": [[-1]],
    "one row of all equal": [[12345] * 65],
    "all equal, negative": [[-(2**20)] * 33, [-(2**20)] * 33],
    "ties of both signs": [[-7, 7, -7, 7, 3] * 13, [3, 7, -7, 7, -7] * 13],
    "greatest": [[GREATEST] * 66, [-GREATEST] * 66],
    "greatest of both signs": [[GREATEST, -GREATEST] * 64],
    "one great among zeros": [[0] * 63 + [-GREATEST] + [0] * 6],
    "rounds up to 2^14": [[2**15 - 1, 1, -(2**15) + 1, 2**14 - 1, 2**14]],
    "halves": [[2**14 + 1, -(2**14) - 1, 3, -3, 1, -1] * 11],
    "bits at both ends": [[2**i for i in range(31)], [-(2**i) for i in range(31)]],
    "mean of halves": [[0, 1] * 40, [0, -1] * 40],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", EDGES.values(), ids=EDGES)
def test_violates__honest_edges__never(verifier: Any, kind: str, rows: list[list[int]]) -> None:
    assert_honest(verifier, scene_of(kind, rows), len(rows[0]))


@pytest.mark.parametrize("width", [33, 64, 257])
@pytest.mark.parametrize("kind", KINDS)
def test_violates__honest_widths__never(verifier: Any, kind: str, width: int) -> None:
    assert_honest(verifier, scene_of(kind, random_rows(2, width, 24, width)), width)


@pytest.mark.parametrize("epsilon", [0, 1, 2**26, 2**52 - 1])
@pytest.mark.parametrize("kind", ["layer_norm", "rms_norm"])
def test_violates__honest_epsilons__never(verifier: Any, kind: str, epsilon: int) -> None:
    for bits in (0, 31):
        scene = normalised(random_rows(1, 66, bits), kind, epsilon)
        for step in (Step("scalars", 0), Step("element", 0, 0, 65)):
            assert verdict(verifier, scene, step) is False


def test_violates__honest_groups_and_columns__never(verifier: Any) -> None:
    for group, first, columns in ((8, 5, 19), (24, 0, 24), (1, 23, 1), (12, 12, 12)):
        assert_honest(verifier, quantised(random_rows(3, 24, 30, group), group, first, columns), group, 3)
    assert_honest(verifier, quantised(random_rows(515, 2, 20), 2, 1, 1), 9)  # two leaves of keys


@pytest.mark.parametrize("kind", KINDS)
def test_violates__each_number_off__is_found(verifier: Any, kind: str) -> None:
    """By one, by a bit, by much: some step of those that read it proves it, and all are judged as in Python."""
    generator = random.Random(kind)
    rows = random_rows(2, 70, 22, 3)
    clean = scene_of(kind, rows)
    for place in clean.output.leaves:
        if place.row == 0 and place.part != "values":
            continue  # the other row's witness, the last sums
        grid = clean.output.geometry.grid(place.part)
        count = grid.leaf_count(place.row, place.leaf)
        honest = [clean.output.get(place, at) for at in range(count)]
        for at in {0, 1, generator.randrange(2, count), count - 1} if count > 9 else range(count):
            scene = scene_of(kind, rows)
            scene.output.set(place, at, honest[at] + generator.choice((1, -1, 64, -(2**13))))
            claimed = [scene.output.get(place, i) for i in range(count)]
            steps = list(suspects(scene.operator, grid, place, honest, claimed))
            assert True in [verdict(verifier, scene, step) for step in steps], (place, at)


@pytest.mark.parametrize("kind", ["layer_norm", "rms_norm", "unit_mean"])
def test_violates__hostile_witness__as_in_python(verifier: Any, kind: str) -> None:
    """Every field at every edge of 64 bits, alone and all together: judged, never reverted."""
    rows, generator = random_rows(2, 70, 31, 1), random.Random(kind)
    place = Leaf("witness", 0)
    fields = scene_of(kind, rows).output.geometry.grid("witness").elements
    checks = [name for name in CHECKS[kind] if not name.endswith("form") and name != "running"]
    for at in [*range(fields), None]:
        for name in checks:
            for value in generator.sample(FIELD_EDGES, 5 if at is None else 1):
                scene = scene_of(kind, rows)
                for field in range(fields) if at is None else [at]:
                    scene.output.set(place, field, value)
                assert verdict(verifier, scene, Step(name, 0, 0, 1)) is not None


def test_violates__hostile_drop_and_lift__are_shifts_of_0_to_62(verifier: Any) -> None:
    """A shift outside is a violation wherever it is met, one inside is compared."""
    for kind in ("layer_norm", "rms_norm", "unit_mean"):
        fall = 38 if kind == "unit_mean" else 39
        for at, value in ((1, -1), (1, 63), (3, fall + 1), (3, fall - 63), (3, 2**63 - 1), (1, -(2**63))):
            scene = scene_of(kind, [[0] * 5])  # every shift of zeros is zero
            scene.output.set(Leaf("witness", 0), at, value)
            assert verdict(verifier, scene, Step("element", 0, 0, 2)) is True
        for at, value in ((1, 0), (1, 62), (3, fall), (3, fall - 62)):
            scene = scene_of(kind, [[0] * 5])
            scene.output.set(Leaf("witness", 0), at, value)
            assert verdict(verifier, scene, Step("element", 0, 0, 2)) is False


@pytest.mark.parametrize("kind", ["layer_norm", "rms_norm", "unit_mean"])
def test_violates__scalars_of_a_lie_that_goes_on__are_found(verifier: Any, kind: str) -> None:
    """A root one too great or too small whose reciprocal fits it, and an energy of 63 bits, whose lift would be below 0."""
    place = Leaf("witness", 0)
    for change in (1, -1, 0):
        scene = scene_of(kind, random_rows(1, 70, 12, 9))
        root = scene.output.get(place, 4) + change
        numerator = 1 << 62 if kind == "unit_mean" else scene.operator.constants["root"] << 35
        scene.output.set(place, 4, root)
        scene.output.set(place, 5, numerator // root)
        assert verdict(verifier, scene, Step("scalars", 0)) is (change != 0)
    for energy in (2**62, 2**63 - 2):
        scene = scene_of(kind, random_rows(1, 70, 12, 9))
        last = scene.output.geometry.grid("witness").elements - 1
        epsilon = scene.operator.constants.get("epsilon", 0)
        for at, value in ((1, 0), (2, energy), (3, -1), (last, energy - epsilon)):
            scene.output.set(place, at, value)
        assert verdict(verifier, scene, Step("scalars", 0)) is True


def test_violates__hostile_sums_of_a_unit_mean__as_in_python(verifier: Any) -> None:
    for value in FIELD_EDGES[::3]:
        for row in (0, 1):
            scene = averaged(random_rows(2, 130, 31, 2))
            scene.output.set(Leaf("supplement", row, 0, 1), 1, value)
            assert verdict(verifier, scene, Step("running", row, 0, 129)) is True
            for name, index in (("element", 129), ("greater", 129), ("square", 2), ("running", 129)):
                assert verdict(verifier, scene, Step(name, 0, 0, index)) is not None
    scene = averaged([[5] * 3])
    for at in range(3):
        scene.output.set(Leaf("supplement", 0), at, -(2**63))
    scene.output.set(Leaf("witness", 0), 1, 2**63 - 1)
    assert verdict(verifier, scene, Step("maximum", 0)) is True
    scene.output.set(Leaf("witness", 0), 1, 64 - 24)
    assert verdict(verifier, scene, Step("maximum", 0)) is False  # |-2^63| has 64 bits


@pytest.mark.parametrize("value", FIELD_EDGES)
@pytest.mark.parametrize("at", [0, 1])
def test_violates__hostile_header_of_an_operand__as_in_python(verifier: Any, at: int, value: int) -> None:
    scene = quantised([[4, -9, 9, 2**17]], 4, 0, 4)
    scene.output.set(Leaf("values", 0), at, value)
    for step in (
        Step("greater", 0, index=1),
        Step("element", 0, index=3),
        Step("column", 2),
        Step("form", 0),
    ):
        assert verdict(verifier, scene, step) is not None
    is_honest = scene.output.get(Leaf("values", 0), at) == (4, 3)[at]
    assert verdict(verifier, scene, Step("maximum", 0)) is (not is_honest)


@pytest.mark.parametrize("value", [-(2**31), 2**31 - 1])
@pytest.mark.parametrize("kind", KINDS)
def test_violates__inputs_no_activation_holds__as_in_python(verifier: Any, kind: str, value: int) -> None:
    """What an operator commits to as its input may be any 32 bits."""
    scene = scene_of(kind, random_rows(2, 70, 10, 4))
    scene.input.set(Leaf("values", 1), 69, value)
    for step in scene.steps(1):
        assert verdict(verifier, scene, step) is not None


def test_violates__maximum_of_an_operand__is_the_lowest_of_the_greatest(verifier: Any) -> None:
    scene = quantised([[1, -7, 7, -7, 2]], 5)
    for index, named in ((0, 2), (2, 1), (3, 1), (4, 2)):
        scene.output.set(Leaf("values", 0), 1, index)
        assert verdict(verifier, scene, Step("greater", 0, 0, 1)) is True
        assert verdict(verifier, scene, Step("greater", 0, 0, named)) is (index in (0, 4) or named < index)
    scene.output.set(Leaf("values", 0), 1, 1)
    for other in range(5):
        assert verdict(verifier, scene, Step("greater", 0, 0, other)) is False


def test_violates__form_of_a_row__sees_every_byte_that_means_nothing(verifier: Any) -> None:
    """Behind the header, behind each half of the digits, and hi = -128 with lo < 0."""
    rows, place = [[5] * 67], Leaf("values", 0)
    clean = quantised(rows, 67).output.data(place)
    assert len(clean) == 32 + 96 + 96
    for byte in (0, 15, 16, 31, 32, 98, 99, 127, 128, 194, 195, 223):
        scene = quantised(rows, 67)
        data = bytearray(clean)
        data[byte] ^= 1
        scene.output.leaves[place] = bytes(data)
        stray = 16 <= byte < 32 or 32 + 67 <= byte < 128 or byte >= 128 + 67
        assert verdict(verifier, scene, Step("form", 0)) is stray
    for element in (0, 33, 66):
        for high, low, is_malformed in (
            (128, 255, True),
            (128, 128, True),
            (128, 127, False),
            (129, 255, False),
        ):
            scene = quantised(rows, 67)
            data = bytearray(clean)
            data[32 + element], data[128 + element] = high, low
            scene.output.leaves[place] = bytes(data)
            assert verdict(verifier, scene, Step("form", 0)) is is_malformed


def test_violates__form_of_columns__sees_every_byte_that_means_nothing(verifier: Any) -> None:
    rows, place = [[5, 6]] * 39, Leaf("supplement", 0)
    clean = quantised(rows, 2, 1, 1).output.data(place)
    assert len(clean) == 128
    for byte in (0, 28, 31, 32, 59, 60, 63, 64, 88, 95, 120, 123):
        scene = quantised(rows, 2, 1, 1)
        data = bytearray(clean)
        data[byte] ^= 64
        scene.output.leaves[place] = bytes(data)
        digit = byte % 32 % 4 + 4 * (7 - byte % 32 // 4) + byte % 64 // 32 * 32
        assert verdict(verifier, scene, Step("supplement_form", 0)) is (digit >= 39)
    for byte in (0, 31, 60):
        scene = quantised(rows, 2, 1, 1)
        data = bytearray(clean)
        data[byte], data[64 + byte] = 128, 200
        scene.output.leaves[place] = bytes(data)
        assert verdict(verifier, scene, Step("supplement_form", 0)) is True


@pytest.mark.parametrize("width", [64, 128, 192, 256])
def test_violates__form_of_fields__sees_the_last_word(verifier: Any, width: int) -> None:
    for kind in ("layer_norm", "rms_norm", "unit_mean"):
        place = Leaf("witness", 0)
        clean = scene_of(kind, [[3] * width]).output
        used = 8 * clean.geometry.grid("witness").elements
        data = clean.data(place)
        for byte in {used - 1, min(used, len(data) - 1), len(data) - 1}:
            scene = scene_of(kind, [[3] * width])
            scene.output.leaves[place] = data[:byte] + bytes([data[byte] ^ 128]) + data[byte + 1 :]
            assert verdict(verifier, scene, Step("witness_form", 0)) is (byte >= used)


@pytest.mark.parametrize("size", [0, 31, 2113, 16448])
@pytest.mark.parametrize("kind", KINDS)
def test_violates__own_leaf_of_another_length__whatever_the_step(verifier: Any, kind: str, size: int) -> None:
    scene = scene_of(kind, random_rows(2, 70, 9))
    for step in scene.steps(1, 1):
        place = scene.first_own(step)
        if place is None or size == len(scene.output.data(place)):
            continue
        before, scene.output.leaves[place] = scene.output.data(place), bytes(size)
        assert verdict(verifier, scene, step) is True, step
        scene.output.leaves[place] = before


#: Execution alone, at widths 384, 2,048 and 8,192; the data of the call is paid for besides.
GAS_LIMIT = {"form": 160_000, "sum": 110_000, "square": 125_000}


@pytest.mark.parametrize("width", [384, 2048, 8192])
@pytest.mark.parametrize("kind", KINDS)
def test_violates__wide_rows__gas(verifier: Any, kind: str, width: int) -> None:
    rows = random_rows(2, min(width, 8191) if kind == "unit_mean" else width, 30, 5)
    scene = scene_of(kind, rows)
    for step in scene.steps(1, 1):
        arguments, expected = scene.judge(step)
        assert verifier.violates(*arguments) is expected is False
        assert verifier.call_trace().gas_used < GAS_LIMIT.get(step.name, 95_000), step


def test_violates__widest_operand__each_end_is_read(verifier: Any) -> None:
    rows = random_rows(1, 8192, 30, 6)
    for element in (0, 31, 32, 8191):
        scene = quantised(rows, 8192)
        assert scene.output.geometry.values.codec is OPERAND
        value = scene.output.get(Leaf("values", 0), 2 + element)
        scene.output.set(Leaf("values", 0), 2 + element, value + 1)
        assert verdict(verifier, scene, Step("element", 0, 0, element)) is True
        assert verdict(verifier, scene, Step("element", 0, 0, element ^ 1)) is False
