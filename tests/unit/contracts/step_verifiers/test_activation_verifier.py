"""Element steps of GELU and gated SiLU: the tables in the bytecode, the definition, and what reverts for which reason."""

from __future__ import annotations

from typing import Any

import boa
import pytest
import torch

from proofmill.exact import ops
from proofmill.exact.tables import PHI_TABLE, SIGMA_TABLE
from proofmill.exact.trace.checks.facts import Step
from tests.suite.deployment import ROOT, deploy
from tests.unit.contracts.step_verifiers.element_cases import OUTPUT, element, sketch
from tools.write_function_tables import FUNCTIONS

GREATEST = (1 << 31) - 1
LIMIT = 1 << 27
EDGES = (
    -GREATEST,
    -LIMIT - 1,
    -LIMIT,
    -(16 << 16),
    -(8 << 16) - 1,
    -(8 << 16),
    -70_000,
    -1,
    0,
    1,
    512,
    1023,
    1024,
)
FACTORS = (-GREATEST, -LIMIT, -3, 0, 1 << 16, LIMIT + 5)
STEP_GAS = 160_000


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("ActivationVerifier.vy")


@pytest.fixture(scope="module")
def harness() -> Any:
    return deploy("mocks/TraceGeometryHarness.vy")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tables__are_those_that_the_arithmetic_is_pinned_to(name: str) -> None:
    module = ROOT / "contracts" / "modules" / f"{name}.vy"
    assert module.read_text("utf-8") == FUNCTIONS[name].source()


@pytest.mark.parametrize(
    ("function", "table"), [("phi", PHI_TABLE.tolist()), ("sigma", SIGMA_TABLE.tolist())]
)
def test_functions__are_the_tables_at_their_points(harness: Any, function: str, table: list[int]) -> None:
    middle = len(table) // 2
    for i in {0, 1, middle - 8, middle - 1, middle, middle + 1, middle + 300, len(table) - 2}:
        assert getattr(harness, function)((i - middle) << 10) == table[i]
    below_the_end = getattr(harness, function)(1 << 30)
    assert table[-2] <= below_the_end <= table[-1]


@pytest.mark.parametrize("x", [*EDGES, *(-x for x in EDGES)])
def test_violates__gelu_is_that_of_the_definition(verifier: Any, x: int) -> None:
    operator = sketch("gelu", width=1536)
    expected = int(ops.gelu(torch.tensor([[x]])))
    operator.integers[0, 3, 1535] = x
    for claimed, violated in ((expected, False), (expected + 1, True), (expected - 1, True)):
        operator.integers[OUTPUT, 3, 1535] = claimed
        assert verifier.violates(*operator.case(element(3, 1535)).arguments) is violated
    assert 20_000 < verifier._computation.get_gas_used() < STEP_GAS


@pytest.mark.parametrize("gate", [*EDGES, *(-x for x in EDGES)])
def test_violates__gated_silu_is_that_of_the_definition(verifier: Any, gate: int) -> None:
    operator = sketch("gated_silu", width=1536, shift=16)
    for factor in FACTORS:
        expected = int(ops.gated_silu(torch.tensor([[gate, factor]]), 16))
        operator.integers.update({(0, 3, 0): gate, (0, 3, 1536): factor, (OUTPUT, 3, 0): expected})
        assert verifier.violates(*operator.case(element(3, 0)).arguments) is False
    operator.integers[OUTPUT, 3, 0] = expected ^ 1
    assert verifier.violates(*operator.case(element(3, 0)).arguments) is True
    assert 20_000 < verifier._computation.get_gas_used() < STEP_GAS


@pytest.mark.parametrize("kind", ["gelu", "gated_silu"])
def test_violates__an_output_of_another_length(verifier: Any, kind: str) -> None:
    operator = sketch(kind)
    for size in (0, 1020, 1028, 16_448):
        operator.leaves = {0: bytes(size)}
        for step in (element(3, 2), Step("form", 3)):
            assert verifier.violates(*operator.case(step).arguments) is True
    operator.leaves = {}
    assert verifier.violates(*operator.case(Step("form", 3)).arguments) is False


@pytest.mark.parametrize(("kind", "which"), [("gelu", 1), ("gated_silu", 1), ("gated_silu", 2)])
def test_violates__an_input_of_another_length(verifier: Any, kind: str, which: int) -> None:
    operator = sketch(kind, width=512)
    honest = operator.case(element(3, 2)).arguments.openings
    operator.leaves = {which: bytes(1028)}
    case = operator.case(element(3, 2))
    assert case.violated is None
    openings = case.arguments.openings[: which + 1] + honest[which + 1 :]
    with boa.reverts("element: input of false length"):
        verifier.violates(*case.arguments._replace(openings=openings))


@pytest.mark.parametrize("kind", ["gelu", "gated_silu"])
def test_violates__missing_leaves(verifier: Any, kind: str) -> None:
    arguments = sketch(kind).case(element(3, 2)).arguments
    for count in range(1, len(arguments.openings)):
        with boa.reverts("activation: leaf not opened"):
            verifier.violates(*arguments._replace(openings=arguments.openings[:count]))
    with boa.reverts("activation: nothing opened"):
        verifier.violates(*arguments._replace(openings=[]))


def test_violates__no_such_check_and_no_such_kind(verifier: Any) -> None:
    arguments = sketch("gelu").case(element(3, 2)).arguments
    with boa.reverts("activation: no such check"):
        verifier.violates(*arguments._replace(step=(4, *arguments.step[1:])))
    with boa.reverts("activation: not such a kind"):
        verifier.violates(*sketch("relu").case(element(3, 2)).arguments)
