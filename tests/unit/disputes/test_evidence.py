"""Evidence as calldata: what a contract decodes from it, and that its paths lead to the roots."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi.abi import decode
from eth_utils.crypto import keccak

from proofmill.disputes.evidence import (
    CHECKS,
    accusation,
    call_arguments,
    context,
    evidence_tail,
    step_tuple,
    trace_tuple,
)
from proofmill.exact.commitment.keccak import hash_leaf
from proofmill.exact.commitment.merkle import EMPTY, root_from_path
from proofmill.exact.program.kinds import KINDS
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import CHECKS as CHECKS_BY_KIND
from proofmill.exact.trace.evidence import Claim, Evidence
from tests.suite.deployment import deploy
from tests.suite.steps import Scene
from tests.suite.traces import honest_run

CONTEXT = "(uint256,uint256,uint256,bytes32,bytes32,uint256,bytes32,uint256,bytes32)"
STEP = "(uint256,uint256,uint256,uint256,uint256)"
VIOLATES = keccak(f"violates({CONTEXT},{STEP},bytes,(bytes,bytes32[])[])".encode())[:4]


@pytest.fixture(scope="module")
def verifier() -> Any:
    return deploy("ElementVerifier.vy")


def number_of(name: str, kind: str) -> int:
    descriptors = honest_run(name).program.descriptors
    return next(i for i, operator in enumerate(descriptors, start=1) if operator.kind == kind)


def prepared(name: str, kind: str, step: Step) -> tuple[Claim, Evidence]:
    scene = Scene(name, number_of(name, kind))
    scene.case(step)
    return scene.claim, scene.view.evidence(scene.number, step, scene.honest.program)


def test_checks__every_check_has_a_number() -> None:
    assert {name for checks in CHECKS_BY_KIND.values() for name in checks} == set(CHECKS)
    assert CHECKS.index("element") == 3
    assert CHECKS.index("reciprocal") == 13
    assert step_tuple(Step("sum", 1, 2, 3, 4)) == (7, 1, 2, 3, 4)


def test_context__of_one_input_and_of_two() -> None:
    claim, evidence = prepared("decoder", "gated_silu", Step("element", 0))
    found = context(claim, evidence)
    assert claim.sampling is not None
    drawing = (claim.sampling.inverse_temperature, claim.sampling.seed)
    assert found[:3] == (claim.length, *drawing)
    assert (found.second_number, found.second_root) == (0, EMPTY)
    claim, evidence = prepared("encoder", "position_embedding", Step("element", 0))
    found = context(claim, evidence)
    assert found[:3] == (claim.length, 0, 0)
    assert (found.first_number, found.first_root) == (0, claim.roots[0])
    assert (found.second_number, found.second_root) == (1, claim.roots[1])
    assert found.output_root == claim.roots[2]


def test_evidence_tail__is_the_rest_of_the_calldata(verifier: Any) -> None:
    claim, evidence = prepared("encoder", "add", Step("element", 0, index=3))
    arguments = call_arguments(claim, evidence)
    head = b"".join(
        word if isinstance(word, bytes) else word.to_bytes(32, "big") for word in arguments.context
    )
    calldata = VIOLATES + head + evidence_tail(claim, evidence)
    assert calldata == verifier.violates.prepare_calldata(*arguments)
    result = boa.env.raw_call(verifier.address, data=calldata)
    assert result.is_success
    assert decode(["bool"], result.output) == (False,)


@pytest.mark.parametrize("kind", ["mix", "embedding", "choose"])
def test_accusation__opens_against_the_program_and_the_trace(kind: str) -> None:
    honest, number = honest_run("decoder"), number_of("decoder", kind)
    roots, program = honest.trace.roots, honest.program
    trace = trace_tuple(honest.claim)
    found = accusation(number, roots, program)
    assert (found.kind, found.number) == (KINDS[kind].code, number)
    assert trace.operators == len(roots) - 1 == len(program.descriptors)
    assert root_from_path(found.descriptor_hash, number, found.descriptor_path) == trace.program_root
    assert found.descriptor_hash == hash_leaf(program.descriptors[number - 1].encode())
    assert root_from_path(found.output_root, number, found.output_path) == trace.trace_root
    assert root_from_path(found.first_root, found.first_number, found.first_path) == trace.trace_root
    if kind == "mix":
        assert root_from_path(found.second_root, found.second_number, found.second_path) == trace.trace_root
    else:
        assert (found.second_number, found.second_root, found.second_path) == (0, EMPTY, [])
    depth = trace.operators.bit_length()
    assert len(found.descriptor_path) == len(found.output_path) == depth
