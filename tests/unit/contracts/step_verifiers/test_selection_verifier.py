"""Steps of pools and choices: each check on small images and rows of logits, edges of what leaves hold, each revert."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from proofmill.disputes.evidence import CHECK_NUMBERS, Arguments
from proofmill.exact.commitment.keccak import hash_leaf
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.geometry import Leaf
from tests.suite.deployment import deploy
from tests.suite.steps import Case, Scene, integers_of, operators, set_integers
from tools import write_gumbel_table

EDGES = (2**63 - 1, -(2**63), 2**62, -1)
EMPTY = bytes(32)


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("SelectionVerifier.vy")


def scene_of(kind: str, model: str | None = None) -> Scene:
    """A fresh scene, honest as long as nothing is set in it."""
    return next(Scene(name, number) for name, number in operators(kind) if model in (None, name))


def violates(verifier: Any, case: Case) -> bool:
    """What the contract says, which is what the judgement says."""
    said: bool = verifier.violates(*case.arguments)
    assert said is case.violated, (case.step, case.words)
    return said


def with_step(case: Case, **changes: int) -> Arguments:
    names = ("check", "row", "section", "index", "other")
    step = dict(zip(names, case.arguments.step, strict=True)) | changes
    return case.arguments._replace(step=tuple(step[name] for name in names))  # type: ignore[arg-type]


def test_gumbel_table__is_the_pinned_one() -> None:
    assert write_gumbel_table.MODULE.read_text("utf-8") == write_gumbel_table.source()


def test_code__fits_a_contract(verifier: Any) -> None:
    assert 0 < len(boa.env.get_code(verifier.address)) < 24_576


# -------------------------------------------------------------------------------------------------------- max pool


def window(scene: Scene, row: int) -> list[tuple[Leaf, int]]:
    """Leaf and place of channel 1 under each place of a window of the small model's pools."""
    c = scene.operator.constants
    across = (c["width"] - c["size"]) // c["stride"] + 1
    y, x = row // across * c["stride"], row % across * c["stride"]
    places = [(y + dy) * c["width"] + x + dx for dy in range(c["size"]) for dx in range(c["size"])]
    return [(Leaf("values", place), 1) for place in places]


def fill(scene: Scene, row: int, numbers: list[int]) -> None:
    for (place, at), number in zip(window(scene, row), numbers, strict=True):
        set_integers(scene.input(0), place, {at: number})


@pytest.mark.parametrize(
    ("numbers", "named", "other", "expected"),
    [
        ([1, 5, 5, 2], 1, 2, False),  # as much, but later
        ([1, 5, 5, 2], 2, 1, True),  # as much and earlier
        ([1, 5, 5, 2], 1, 1, False),  # itself
        ([1, 5, 6, 2], 1, 2, True),
        ([-(2**31), -(2**31), -(2**31), -(2**31) + 1], 0, 3, True),
        ([2**31 - 1, -(2**31), 0, 0], 0, 1, False),
    ],
)
def test_max_pool__greater(verifier: Any, numbers: list[int], named: int, other: int, expected: bool) -> None:
    scene = scene_of("max_pool")
    fill(scene, 4, numbers)
    set_integers(scene.output, Leaf("witness", 4), {1: named})
    assert violates(verifier, scene.case(Step("greater", 4, 0, 1, other))) is expected


def test_max_pool__element_is_what_stands_at_the_named_place(verifier: Any) -> None:
    scene = scene_of("max_pool")
    fill(scene, 8, [7, -7, 70, 0])
    for named, number in enumerate([7, -7, 70, 0]):
        set_integers(scene.output, Leaf("witness", 8), {1: named})
        set_integers(scene.output, Leaf("values", 8), {1: number})
        assert not violates(verifier, scene.case(Step("element", 8, 0, 1)))
        set_integers(scene.output, Leaf("values", 8), {1: number + 1})
        assert violates(verifier, scene.case(Step("element", 8, 0, 1)))


@pytest.mark.parametrize("place", [4, -1, *EDGES])
@pytest.mark.parametrize("check", ["element", "greater"])
def test_max_pool__a_place_outside_the_window_is_a_violation(verifier: Any, place: int, check: str) -> None:
    """And needs no leaf of the input."""
    scene = scene_of("max_pool")
    set_integers(scene.output, Leaf("witness", 0), {0: place})
    case = scene.case(Step(check, 0))
    assert len(case.arguments.openings) == 1 + (check == "element")
    assert violates(verifier, case)


# ---------------------------------------------------------------------------------------------------- average pool


def test_average_pool__running_sums(verifier: Any) -> None:
    scene = scene_of("average_pool")
    fill(scene, 3, [10, -4, 2**31 - 1, -(2**31)])
    total = 0
    for section, number in enumerate([10, -4, 2**31 - 1, -(2**31)]):
        total += number
        set_integers(scene.output, Leaf("witness", 3, section), {1: total})
        assert not violates(verifier, scene.case(Step("running", 3, section, 1)))
        set_integers(scene.output, Leaf("witness", 3, section), {1: total - 1})
        assert violates(verifier, scene.case(Step("running", 3, section, 1)))
        set_integers(scene.output, Leaf("witness", 3, section), {1: total})


@pytest.mark.parametrize("before", EDGES)
@pytest.mark.parametrize("after", EDGES)
def test_average_pool__sums_at_the_edges_never_overflow(verifier: Any, before: int, after: int) -> None:
    scene = scene_of("average_pool")
    fill(scene, 0, [0, 2**31 - 1, 0, 0])
    set_integers(scene.output, Leaf("witness", 0, 0), {1: before})
    set_integers(scene.output, Leaf("witness", 0, 1), {1: after})
    assert violates(verifier, scene.case(Step("running", 0, 1, 1)))


@pytest.mark.parametrize(
    ("total", "mean"),
    [
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 1),
        (5, 1),
        (6, 2),
        (-1, 0),
        (-2, 0),
        (-3, -1),
        (-6, -1),
        (-7, -2),
        (-8, -2),
    ],
)
def test_average_pool__element_rounds_halves_up(verifier: Any, total: int, mean: int) -> None:
    scene = scene_of("average_pool")
    set_integers(scene.output, Leaf("witness", 1, 3), {2: total})
    for claimed in (mean - 1, mean, mean + 1):
        set_integers(scene.output, Leaf("values", 1), {2: claimed})
        assert violates(verifier, scene.case(Step("element", 1, 0, 2))) is (claimed != mean)


@pytest.mark.parametrize("total", EDGES)
def test_average_pool__element_of_a_total_at_the_edge(verifier: Any, total: int) -> None:
    scene = scene_of("average_pool")
    set_integers(scene.output, Leaf("witness", 1, 3), {2: total})
    set_integers(scene.output, Leaf("values", 1), {2: 12_345})
    assert violates(verifier, scene.case(Step("element", 1, 0, 2)))


# ---------------------------------------------------------------------------------------------------------- choose


@pytest.mark.parametrize("token", [-(2**31), -1, 9, 10, 2**31 - 1])
@pytest.mark.parametrize("check", ["maximum", "greater"])
def test_choose__a_token_that_does_not_exist_is_a_violation(verifier: Any, token: int, check: str) -> None:
    scene = scene_of("choose", "decoder")
    set_integers(scene.output, Leaf("values", 0), {0: token})
    case = scene.case(Step(check, 0))
    assert len(case.arguments.openings) == 1
    assert violates(verifier, case)


def test_choose__maximum_of_a_token_that_exists(verifier: Any) -> None:
    scene = scene_of("choose", "decoder")
    for token in (0, 8):
        set_integers(scene.output, Leaf("values", 0), {0: token})
        assert not violates(verifier, scene.case(Step("maximum", 0)))


@pytest.mark.parametrize("model", ["decoder", "wide_decoder"])
def test_choose__only_the_chosen_token_has_none_greater(verifier: Any, model: str) -> None:
    """Drawn in one model, the greatest logit in the other; the last token of the other lies in a second leaf."""
    scene = scene_of("choose", model)
    tokens = scene.operator.inputs[0].shape.width
    honest = integers_of(scene.output, Leaf("values", 2))[0]
    for other in {0, 1, honest, tokens - 1}:
        assert not violates(verifier, scene.case(Step("greater", 2, 0, other)))
    for token in {0, 1, tokens - 1} - {honest}:
        set_integers(scene.output, Leaf("values", 2), {0: token})
        assert violates(verifier, scene.case(Step("greater", 2, 0, honest)))


def test_choose__ties_go_to_the_lowest_token(verifier: Any) -> None:
    scene = scene_of("choose", "wide_decoder")
    set_integers(scene.input(0), Leaf("values", 0), {3: 2**31 - 1, 7: 2**31 - 1})
    for token, other, expected in ((3, 7, False), (7, 3, True)):
        set_integers(scene.output, Leaf("values", 0), {0: token})
        assert violates(verifier, scene.case(Step("greater", 0, 0, other))) is expected


@pytest.mark.parametrize("logit", [2**31 - 1, -(2**31)])
def test_choose__drawn_with_the_greatest_numbers(verifier: Any, logit: int) -> None:
    scene = scene_of("choose", "decoder")
    set_integers(scene.input(0), Leaf("values", 0), {0: logit, 1: logit})
    set_integers(scene.output, Leaf("values", 0), {0: 1})
    case = scene.case(Step("greater", 0))
    for seed in (0, 2**64 - 1):
        context = case.arguments.context._replace(inverse_temperature=2**24, seed=seed)
        assert verifier.violates(*case.arguments._replace(context=context)) in (True, False)


# ----------------------------------------------------------------------------------------- leaves of another length


@pytest.mark.parametrize("length", [0, 11, 13, 2_000, 16_448])
@pytest.mark.parametrize("check", ["form", "element"])
def test_output_of_another_length__is_a_violation(verifier: Any, length: int, check: str) -> None:
    scene = scene_of("max_pool")
    scene.output.leaves[Leaf("values", 0)] = bytes(length)
    assert violates(verifier, scene.case(Step(check, 0)))


@pytest.mark.parametrize(
    ("kind", "step", "place"),
    [
        ("max_pool", Step("element", 0), Leaf("witness", 0)),
        ("max_pool", Step("greater", 0, other=1), Leaf("witness", 0)),
        ("average_pool", Step("running", 0, 1), Leaf("witness", 0, 1)),
        ("average_pool", Step("running", 0, 1), Leaf("witness", 0, 0)),
        ("average_pool", Step("element", 0), Leaf("witness", 0, 3)),
        ("average_pool", Step("element", 0), Leaf("values", 0)),
        ("choose", Step("maximum", 0), Leaf("values", 0)),
        ("choose", Step("greater", 0), Leaf("values", 0)),
    ],
)
def test_each_leaf_of_the_output_of_another_length__is_a_violation(
    verifier: Any, kind: str, step: Step, place: Leaf
) -> None:
    scene = scene_of(kind)
    scene.output.leaves[place] += bytes(32)
    assert violates(verifier, scene.case(step))


def test_witness_form__padding_must_be_zero(verifier: Any) -> None:
    scene = scene_of("max_pool")  # three fields in a word of four
    step = Step("witness_form", 0)
    assert not violates(verifier, scene.case(step))
    data = scene.output.leaves[Leaf("witness", 0)]
    scene.output.leaves[Leaf("witness", 0)] = data[:-1] + b"\1"
    assert violates(verifier, scene.case(step))
    assert not violates(verifier, scene.case(Step("greater", 0, other=0)))  # which looks at fields alone


def test_input_of_another_length__reverts(verifier: Any) -> None:
    scene = scene_of("max_pool")
    honest = scene.case(Step("element", 0))
    scene.input(0).leaves[Leaf("values", 0)] += bytes(4)
    set_integers(scene.output, Leaf("witness", 0), {0: 0})
    case = scene.case(Step("element", 0))
    assert honest.violated is False
    assert case.violated is None
    with boa.reverts("selection: input of other length"):
        verifier.violates(*case.arguments)


# ------------------------------------------------------------------------------------------------ unsound evidence


def test_unsound__another_kind(verifier: Any) -> None:
    case = scene_of("relu").case(Step("element", 0))
    with boa.reverts("selection: another kind"):
        verifier.violates(*case.arguments)


@pytest.mark.parametrize(
    ("kind", "check", "reason"),
    [
        ("max_pool", "running", "pool: no such check of a maximum"),
        ("average_pool", "greater", "pool: no such check of a mean"),
        ("choose", "element", "choice: no such check"),
    ],
)
def test_unsound__a_check_of_other_kinds(verifier: Any, kind: str, check: str, reason: str) -> None:
    case = scene_of(kind).case(Step("greater" if kind != "average_pool" else "element", 0))
    for number in (CHECK_NUMBERS[check], len(CHECK_NUMBERS), 2**256 - 1):
        with boa.reverts(reason):
            verifier.violates(*with_step(case, check=number))


def test_unsound__a_leaf_is_missing(verifier: Any) -> None:
    scene = scene_of("max_pool")
    case = scene.case(Step("element", 0))
    for count in range(3):
        with boa.reverts("selection: leaf is not opened"):
            verifier.violates(*case.arguments._replace(openings=case.arguments.openings[:count]))
    form = scene.case(Step("form", 0))
    with boa.reverts("selection: no leaf is opened"):
        verifier.violates(*form.arguments._replace(openings=[]))


def test_unsound__a_place_outside_the_window(verifier: Any) -> None:
    case = scene_of("max_pool").case(Step("greater", 0))
    for other in (4, 2**256 - 1):
        with boa.reverts("pool: no such place"):
            verifier.violates(*with_step(case, other=other))
    running = scene_of("average_pool").case(Step("running", 0, 3))
    with boa.reverts("trace: no such place"):
        verifier.violates(*with_step(running, section=4))


def test_unsound__rows_and_channels_that_do_not_exist(verifier: Any) -> None:
    case = scene_of("max_pool").case(Step("element", 0))
    for row in (9, 2**256 - 1):
        with boa.reverts("step: no such row"):
            verifier.violates(*with_step(case, row=row))
    for index in (3, 2**256 - 1):
        with boa.reverts("step: no such element"):
            verifier.violates(*with_step(case, index=index))
    choice = scene_of("choose", "decoder").case(Step("greater", 0))
    with boa.reverts("step: no such element"):
        verifier.violates(*with_step(choice, index=9))


def test_unsound__a_leaf_of_another_place(verifier: Any) -> None:
    case = scene_of("max_pool").case(Step("element", 0))
    for row in (1, 8):
        with boa.reverts("trace: leaf does not open"):
            verifier.violates(*with_step(case, row=row))
    (data, path), *others = case.arguments.openings
    with boa.reverts("trace: path of another depth"):
        verifier.violates(*case.arguments._replace(openings=[(data, [*path, EMPTY]), *others]))


def test_unsound__another_descriptor(verifier: Any) -> None:
    case = scene_of("max_pool").case(Step("element", 0))
    changed = case.arguments.descriptor[:-1] + b"\1"
    with boa.reverts("step: another descriptor"):
        verifier.violates(*case.arguments._replace(descriptor=changed))
    context = case.arguments.context._replace(first_number=99)
    with boa.reverts("step: another first input"):
        verifier.violates(*case.arguments._replace(context=context))


def test_unsound__a_temperature_that_no_request_has(verifier: Any) -> None:
    case = scene_of("choose", "decoder").case(Step("greater", 0))
    context = case.arguments.context._replace(inverse_temperature=2**24 + 1)
    with boa.reverts("choice: no such temperature"):
        verifier.violates(*case.arguments._replace(context=context))


# --------------------------------------------------------------------------------------------------------- what it costs


@pytest.mark.parametrize(
    ("kind", "model", "step"),
    [
        ("max_pool", "classifier", Step("element", 0)),
        ("max_pool", "classifier", Step("greater", 0, other=1)),
        ("average_pool", "classifier", Step("running", 0, 1)),
        ("average_pool", "classifier", Step("element", 0)),
        ("choose", "decoder", Step("maximum", 0)),
        ("choose", "decoder", Step("greater", 0)),
        ("choose", "wide_decoder", Step("greater", 0)),
    ],
)
def test_gas__of_every_step(verifier: Any, kind: str, model: str, step: Step) -> None:
    case = scene_of(kind, model).case(step)
    verifier.violates(*case.arguments)
    assert verifier._computation.get_gas_used() < 150_000
    assert hash_leaf(case.arguments.descriptor) == case.arguments.context.descriptor_hash
