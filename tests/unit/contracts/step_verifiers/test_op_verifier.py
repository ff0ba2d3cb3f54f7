"""Who judges which operator, what is opened before it is asked, and what its answer may look like."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import boa
import pytest

from proofmill.disputes.evidence import (
    Accusation,
    Arguments,
    TraceTuple,
    accusation,
    tail_of,
    trace_tuple,
    values_tree,
)
from proofmill.exact.commitment.merkle import tree_depth
from proofmill.exact.program.kinds import KINDS
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.geometry import Leaf
from tests.suite.deployment import NOBODY, deploy
from tests.suite.steps import Scene, operators, set_integers

TRUE, FALSE = (1).to_bytes(32, "big"), bytes(32)

KNOWN = (
    {"linear"},
    {"embedding", "position_embedding", "add", "relu", "rotate", "pixels", "patches", "flatten"},
    {"gelu", "gated_silu"},
    {"quantise", "layer_norm", "rms_norm", "unit_mean"},
    {"scores", "softmax", "mix"},
    {"max_pool", "average_pool", "choose"},
)


class Case(NamedTuple):
    """Arguments of the contract, and those of the verifier that it asks."""

    trace: TraceTuple
    accusation: Accusation
    arguments: Arguments

    @property
    def call(self) -> tuple[TraceTuple, Accusation, bytes]:
        return self.trace, self.accusation, tail_of(self.arguments)

    def accusing(self, **changes: Any) -> Case:
        return self._replace(accusation=self.accusation._replace(**changes))

    def tracing(self, **changes: Any) -> Case:
        return self._replace(trace=self.trace._replace(**changes))


def case_of(scene: Scene, step: Step) -> Case:
    arguments = scene.case(step).arguments
    accused = accusation(scene.number, scene.claim.roots, scene.honest.program)
    return Case(trace_tuple(scene.claim), accused, arguments)


def scene_of(kind: str) -> Scene:
    return Scene(*operators(kind)[0])


@pytest.fixture(scope="module")
def linear() -> Any:
    return deploy("LinearVerifier.vy")


def answering(answers: Sequence[bytes]) -> list[Any]:
    return [deploy("mocks/MockStepVerifier.vy", answer) for answer in answers]


@pytest.fixture(scope="module")
def verifier(linear: Any) -> Any:
    """All kinds but linear are judged by a contract that finds every step a violation."""
    return deploy("OpVerifier.vy", linear, *answering([TRUE] * 5))


@pytest.fixture(scope="module")
def element() -> Case:
    """Of an honest linear operator."""
    return case_of(scene_of("linear"), Step("element", 1, 0, 2))


@pytest.fixture(scope="module")
def false_element() -> Case:
    """Of a linear operator one of whose numbers is wrong by one."""
    scene = scene_of("linear")
    place = Leaf("values", 1)
    number = scene.output.geometry.values.codec.decode(
        scene.output.data(place), scene.output.geometry.values.leaf_count(1, 0)
    )[2]
    set_integers(scene.output, place, {2: number + 1})
    return case_of(scene, Step("element", 1, 0, 2))


@pytest.fixture(scope="module")
def sum_of_two() -> Case:
    """Of an operator with two inputs."""
    return case_of(scene_of("add"), Step("element", 1, 0, 2))


# -------------------------------------------------------------------------------------------- the table


def test_verifier_of__every_kind() -> None:
    steps = answering([FALSE] * 6)
    contract = deploy("OpVerifier.vy", *steps)
    expected = {kind: step.address for kinds, step in zip(KNOWN, steps, strict=True) for kind in kinds}
    assert {name: contract.verifier_of(kind.code) for name, kind in KINDS.items()} == expected


@pytest.mark.parametrize("kind", [0, 22, 2**255, 2**256 - 1])
def test_verifier_of__unknown_kind(verifier: Any, element: Case, kind: int) -> None:
    assert verifier.verifier_of(kind) == NOBODY
    with boa.reverts("operators: no such kind"):
        verifier.violates(*element.accusing(kind=kind).call)


@pytest.mark.parametrize("place", range(6))
def test_init__not_a_contract(place: int) -> None:
    verifiers: list[Any] = [*answering([FALSE] * 6)]
    for nobody in (NOBODY, boa.env.generate_address()):
        verifiers[place] = nobody
        with boa.reverts("operators: not a contract"):
            deploy("OpVerifier.vy", *verifiers)


# ------------------------------------------------------------------------------------------- the judgement


def test_violates__honest_element(verifier: Any, element: Case) -> None:
    assert verifier.violates(*element.call) is False


def test_violates__false_element(verifier: Any, false_element: Case) -> None:
    assert verifier.violates(*false_element.call) is True


def test_violates__operator_of_two_inputs(verifier: Any, sum_of_two: Case) -> None:
    assert sum_of_two.accusation.second_number != 0
    assert verifier.violates(*sum_of_two.call) is True  # which its verifier says of everything


def test_violates__every_kind_goes_to_its_own(linear: Any) -> None:
    """All but one find no violation; the one that does is asked for its kinds only."""
    for place, kinds in enumerate(KNOWN):
        answers = [FALSE] * 6
        answers[place] = TRUE
        contract = deploy("OpVerifier.vy", *answering(answers))
        for kind in ("linear", "add", "gelu", "quantise", "softmax", "choose"):
            scene = scene_of(kind)
            accused = accusation(scene.number, scene.claim.roots, scene.honest.program)
            assert contract.violates(trace_tuple(scene.claim), accused, b"") is (kind in kinds)


@pytest.mark.parametrize("size", [0, 1, 6144, 6145, 14336, 14337, 40960])
def test_violates__call_of_the_verifier(verifier: Any, linear: Any, sum_of_two: Case, size: int) -> None:
    """Selector, context, evidence: byte for byte, whatever the evidence is and however long."""
    evidence = random.Random(size).randbytes(size)
    assert verifier.violates(sum_of_two.trace, sum_of_two.accusation, evidence)
    (call,) = verifier._computation.children
    context = linear.violates.prepare_calldata(*sum_of_two.arguments)[: 4 + 9 * 32]
    assert call.msg.data == context + evidence
    assert call.msg.is_static


def test_violates__call_as_the_interface_encodes_it(verifier: Any, linear: Any, element: Case) -> None:
    verifier.violates(*element.call)
    assert verifier._computation.children[0].msg.data == linear.violates.prepare_calldata(*element.arguments)


def test_violates__evidence_without_room(verifier: Any, element: Case) -> None:
    with boa.reverts():
        verifier.violates(element.trace, element.accusation, bytes(40961))


# ---------------------------------------------------------------------------------------------- the answer


@pytest.mark.parametrize("answer", [b"", TRUE[:31], TRUE + b"\x00", TRUE + TRUE, TRUE * 3, b"\x01"])
@pytest.mark.parametrize("size", [0, 7000, 20000])
def test_violates__answer_that_is_no_word(sum_of_two: Case, answer: bytes, size: int) -> None:
    contract = deploy("OpVerifier.vy", *answering([answer] * 6))
    with boa.reverts("operators: no answer"):
        contract.violates(sum_of_two.trace, sum_of_two.accusation, bytes(size))


@pytest.mark.parametrize("number", [2, 3, 256, 1 << 255, (1 << 256) - 1])
def test_violates__answer_that_is_no_bool(sum_of_two: Case, number: int) -> None:
    contract = deploy("OpVerifier.vy", *answering([number.to_bytes(32, "big")] * 6))
    with boa.reverts("operators: senseless answer"):
        contract.violates(*sum_of_two.call)


def test_violates__reason_of_the_verifier(verifier: Any, false_element: Case) -> None:
    """What the verifier refuses is refused in its own words."""
    openings = false_element.arguments.openings
    with boa.reverts("linear: a leaf is missing"):
        verifier.violates(
            *false_element._replace(arguments=false_element.arguments._replace(openings=openings[:2])).call
        )
    for evidence in (b"", bytes(31), b"\xff" * 600):  # nothing that decodes
        with boa.reverts():
            verifier.violates(false_element.trace, false_element.accusation, evidence)


def test_violates__operator_of_another_kind(verifier: Any, sum_of_two: Case) -> None:
    """Sent to a verifier that does not know its kind."""
    with boa.reverts("linear: another kind"):
        verifier.violates(*sum_of_two.accusing(kind=KINDS["linear"].code).call)


def test_violates__other_inputs_than_its_own(verifier: Any, false_element: Case) -> None:
    """A value that opens against the trace, but is not the one that the operator reads."""
    claim = scene_of("linear")
    number = false_element.accusation.first_number - 1
    tree = values_tree(
        [
            *claim.claim.roots[: false_element.accusation.number],
            false_element.accusation.output_root,
            *claim.claim.roots[false_element.accusation.number + 1 :],
        ]
    )
    assert tree.root == false_element.trace.trace_root
    changed = false_element.accusing(
        first_number=number, first_root=claim.claim.roots[number], first_path=list(tree.path(number))
    )
    with boa.reverts("linear: another input"):
        verifier.violates(*changed.call)


# --------------------------------------------------------------------------------------- what does not open


def longer(case: Case, name: str) -> Case:
    return case.accusing(**{name: [*getattr(case.accusation, name), bytes(32)]})


def shorter(case: Case, name: str) -> Case:
    return case.accusing(**{name: getattr(case.accusation, name)[:-1]})


def other(case: Case, name: str) -> Case:
    """Another sibling at the top."""
    return case.accusing(**{name: [*getattr(case.accusation, name)[:-1], b"\x01" * 32]})


def in_a_wider_tree(case: Case) -> Case:
    """More operators than the program has, so that the depth is another."""
    return case.tracing(operators=2 * case.trace.operators + 2)


UNSOUND: dict[str, list[Callable[[Case], Case]]] = {
    "operators: no such operator": [
        lambda c: c.accusing(number=0),
        lambda c: c.accusing(number=c.trace.operators + 1),
        lambda c: c.accusing(number=2**256 - 1),
        lambda c: c.tracing(operators=0),
    ],
    "operators: no such value": [
        lambda c: c.accusing(first_number=c.trace.operators + 1),
        lambda c: c.accusing(second_number=c.trace.operators + 1),
        lambda c: c.accusing(
            first_number=c.accusation.first_number + (1 << tree_depth(c.trace.operators + 1))
        ),
    ],
    "operators: no such descriptor": [
        lambda c: longer(c, "descriptor_path"),
        lambda c: shorter(c, "descriptor_path"),
        lambda c: other(c, "descriptor_path"),
        lambda c: c.accusing(descriptor_hash=bytes(32)),
        lambda c: c.accusing(number=c.accusation.number - 1),
        lambda c: c.tracing(program_root=bytes(32)),
        in_a_wider_tree,
    ],
    "operators: output does not open": [
        lambda c: longer(c, "output_path"),
        lambda c: shorter(c, "output_path"),
        lambda c: other(c, "output_path"),
        lambda c: c.accusing(output_root=bytes(32)),
        lambda c: c.tracing(trace_root=bytes(32)),
    ],
    "operators: input does not open": [
        lambda c: longer(c, "first_path"),
        lambda c: shorter(c, "first_path"),
        lambda c: other(c, "first_path"),
        lambda c: c.accusing(first_root=bytes(32)),
        lambda c: c.accusing(first_number=c.accusation.number),
    ],
    "operators: second does not open": [
        lambda c: longer(c, "second_path"),
        lambda c: shorter(c, "second_path"),
        lambda c: other(c, "second_path"),
        lambda c: c.accusing(second_root=bytes(32)),
        lambda c: c.accusing(second_number=c.accusation.number),
    ],
    "operators: stray second input": [
        lambda c: c.accusing(second_number=0),
        lambda c: c.accusing(second_number=0, second_root=bytes(32)),
        lambda c: c.accusing(second_number=0, second_path=[]),
    ],
}


@pytest.mark.parametrize(
    ("reason", "number"), [(reason, i) for reason, changes in UNSOUND.items() for i in range(len(changes))]
)
def test_violates__what_does_not_open(verifier: Any, sum_of_two: Case, reason: str, number: int) -> None:
    assert verifier.violates(*sum_of_two.call)
    with boa.reverts(reason):
        verifier.violates(*UNSOUND[reason][number](sum_of_two).call)


def test_violates__second_input_left_out(verifier: Any, sum_of_two: Case) -> None:
    """Nothing here says that an operator has two inputs: the verifier sees that from the descriptor."""
    changed = sum_of_two.accusing(second_number=0, second_root=bytes(32), second_path=[])
    assert verifier.violates(*changed.call) is True  # of the mock
    assert verifier._computation.children[0].msg.data[4 + 7 * 32 : 4 + 9 * 32] == bytes(64)
