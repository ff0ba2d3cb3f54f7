"""Steps for the contracts that verify them: honest, false and senseless ones, with what the judgement in Python says of each.

A :class:`Scene` is one operator of a small traced model whose output and inputs may be falsified leaf by leaf. Because
a step looks at nothing but a few leaves and the roots they open against, the leaves of a scene may hold anything.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import boa
import numpy as np

from proofmill.disputes.evidence import CHECK_NUMBERS, Arguments, call_arguments
from proofmill.exact.commitment.merkle import EMPTY
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import CHECKS, FORM_STEPS, check_step
from proofmill.exact.trace.codecs import FIELDS, INTEGERS, OPERAND, OPERAND_HEADER, Codec
from proofmill.exact.trace.evidence import Claim, accuse, first_difference, judge
from proofmill.exact.trace.geometry import Geometry, Leaf, Part
from tests.suite.traces import MODELS, Forgery, Honest, forge, honest_run, places

FORMS = tuple(FORM_STEPS)


@dataclass(frozen=True)
class Case:
    """A step as a contract takes it. ``violated`` is None for evidence that is not sound, which must revert."""

    arguments: Arguments
    violated: bool | None
    step: Step
    words: str


@functools.cache
def operators(kind: str) -> tuple[tuple[str, int], ...]:
    """All operators of a kind in the models, by model and number."""
    return tuple(
        (name, number)
        for name in MODELS
        for number, operator in enumerate(MODELS[name]("E16", 3).program.operators, start=1)
        if operator.kind == kind
    )


class Scene:
    """An operator with its output and inputs, to be falsified."""

    def __init__(self, name: str, number: int) -> None:
        self.honest: Honest = honest_run(name)
        self.number = number
        self.operator = self.honest.program.descriptors[number - 1]
        self.length = self.honest.trace.run.length
        self.sampling = self.honest.trace.run.sampling
        self.output = forge(self.honest, number)
        read = {value.number for value in self.operator.inputs}
        self.values: dict[int, Forgery] = {value: forge(self.honest, value) for value in sorted(read)}
        self.view = replace(
            self.honest.view(number, self.output),
            sources=[self.input(i) for i in range(len(self.operator.inputs))],
        )

    @classmethod
    def of(cls, kind: str, generator: random.Random) -> Scene:
        """An operator of this kind."""
        return cls(*generator.choice(operators(kind)))

    def input(self, which: int) -> Forgery:
        return self.values[self.operator.inputs[which].number]

    @property
    def claim(self) -> Claim:
        """Roots of values that the operator does not know are empty."""
        roots = [EMPTY] * len(self.honest.trace.roots)
        roots[self.number] = self.output.root
        for number, value in self.values.items():
            roots[number] = value.root
        return replace(self.honest.claim, roots=roots)

    def case(self, step: Step) -> Case:
        """The step, with all leaves that it asks for."""
        self.view.asked.clear()
        words: str | None
        violated: bool | None
        try:
            words = check_step(self.view, step)
            violated = words is not None
        except InvalidOpening as error:
            words, violated = str(error), None
        evidence = self.view.evidence(self.number, step, self.honest.program)
        claim = self.claim
        if violated is not None:
            assert judge(claim, evidence) == words
        return Case(call_arguments(claim, evidence), violated, step, words or "")

    def accused(self) -> Case | None:
        """The step that an accuser sends of the first leaf that is false, None if no leaf is; inputs must be honest."""
        true = forge(self.honest, self.number)
        place = first_difference(self.operator, self.length, true, self.output)
        if place is None:
            return None
        evidence = accuse(self.view, self.number, place, true, self.honest.program)
        assert evidence is not None, (self.operator.kind, place)
        return self.case(evidence.step)


def integers_of(value: Forgery, place: Leaf) -> list[int]:
    """The integers of a leaf, whatever stands between them."""
    grid = value.geometry.grid(place.part)
    return grid.codec.read(value.data(place), grid.leaf_count(place.row, place.leaf))


def set_integers(value: Forgery, place: Leaf, changes: dict[int, int]) -> None:
    """Write integers, by their place in the leaf, reduced to what the layout can hold."""
    codec, integers = value.geometry.grid(place.part).codec, integers_of(value, place)
    for at, new in changes.items():
        low, high = limits(codec, at)
        integers[at] = low + (new - low) % (high - low + 1)
    value.leaves[place] = codec.encode(np.array(integers, dtype=np.int64)).tobytes()


def limits(codec: Codec, at: int) -> tuple[int, int]:
    """Least and greatest integer number ``at`` of a leaf."""
    if codec is INTEGERS:
        return -(1 << 31), (1 << 31) - 1
    if codec is FIELDS or (codec is OPERAND and at < OPERAND_HEADER):
        return -(1 << 63), (1 << 63) - 1
    return -(1 << 15), 32639


def element_place(value: Forgery, row: int, index: int, section: int = 0) -> tuple[Leaf, int]:
    """The leaf of an element of the values, and its place there."""
    chunk = value.geometry.values.chunk
    return Leaf("values", row, section, index // chunk), index % chunk


def corrupt(value: Forgery, generator: random.Random, place: Leaf | None = None) -> tuple[Leaf, int]:
    """Change one integer of a leaf: by little, by a bit, to an edge of what the layout holds, or to anything.

    Which one.
    """
    place = place or generator.choice(list(value.leaves))
    codec, integers = value.geometry.grid(place.part).codec, integers_of(value, place)
    at = generator.randrange(min(len(integers), generator.choice((6, len(integers)))))
    low, high = limits(codec, at)
    new = generator.choice(
        (
            integers[at] + generator.choice((1, -1, 2, 63, 64, 1 << 12)),
            integers[at] ^ 1 << generator.randrange(high.bit_length()),
            -integers[at],
            generator.choice((low, low + 1, -1, 0, 1, high - 1, high)),
            generator.randint(low, high),
        )
    )
    set_integers(value, place, {at: new})
    return place, at


def disfigure(value: Forgery, generator: random.Random) -> None:
    """Give a leaf another length, or set bits where perhaps no number stands."""
    place = generator.choice(list(value.leaves))
    data = bytearray(value.data(place))
    match generator.randrange(4):
        case 0:
            data = data[:-1]
        case 1:
            data += bytes(32)
        case 2:
            data[-1] ^= 1
        case _:
            data[generator.randrange(len(data))] ^= 0x80
    value.leaves[place] = bytes(data)


def step_names(scene: Scene, generator: random.Random) -> list[str]:
    """Checks of the operator's kind; seldom the forms of parts that it does not have."""
    geometry = scene.output.geometry
    return [
        name
        for name in CHECKS[scene.operator.kind]
        if name not in FORMS or getattr(geometry, FORM_STEPS[name]) is not None or generator.random() < 0.1
    ]


def random_step(
    scene: Scene, generator: random.Random, near: tuple[Leaf, int] | None = None, name: str | None = None
) -> Step:
    """A step of the operator that mostly points somewhere, and perhaps at integer ``near`` of a leaf."""
    name = name or generator.choice(step_names(scene, generator))
    geometry = scene.output.geometry
    part = _part_of(name, geometry)
    if near is None or near[0].part != part or name == "maximum":
        place = generator.choice([place for place in places(geometry) if place.part == part])
        at = generator.randrange(geometry.grid(part).leaf_count(place.row, place.leaf))
    else:
        place, at = near
    row, section, index, other = _target(name, scene, place, at, generator)
    if generator.random() < 0.1:  # nowhere, perhaps
        match generator.randrange(4):
            case 0:
                row += generator.choice((1, 1 << 16))
            case 1:
                section += generator.choice((1, 1 << 9))
            case 2:
                index += generator.choice((1, 64, 1 << 20))
            case _:
                other += generator.choice((1, 1 << 30))
    return Step(name, row, section, index, other)


def _part_of(name: str, geometry: Geometry) -> Part:
    """The part whose row and section a step names."""
    if name in FORMS:
        part = FORM_STEPS[name]
        return part if getattr(geometry, part) is not None else "values"
    if name in ("column", "running") and geometry.supplement is not None:
        return "supplement"
    return "values" if name == "element" or geometry.witness is None else "witness"


def _target(
    name: str, scene: Scene, place: Leaf, at: int, generator: random.Random
) -> tuple[int, int, int, int]:
    """Row, section, index and other of a step, near integer ``at`` of a leaf."""
    grid = scene.output.geometry.grid(place.part)
    row, section, kind = place.row, place.section, scene.operator.kind
    element = place.leaf * grid.chunk + at
    width = scene.output.geometry.values.count(min(row, scene.output.geometry.values.rows - 1))
    if name in FORMS:
        return row, section, place.leaf, 0
    if name == "sum" and kind == "mix":
        return row, section, place.leaf, at
    if name in ("sum", "square"):
        blocks = -(-(scene.input(0).geometry.values.count(row) if kind == "softmax" else width) // 64)
        return row, section, generator.randrange(blocks), 0
    if name == "element" and kind == "quantise":
        return row, section, max(0, element - OPERAND_HEADER), 0
    if name == "greater":
        size = scene.operator.constants.get("size", 1)
        count = scene.operator.constants.get("group", width)
        count = scene.input(0).geometry.values.count(row) if kind in ("softmax", "choose") else count
        return row, section, generator.randrange(count), generator.randrange(size * size)
    if name == "greater_exponent":
        return row, section, generator.randrange(scene.input(0).geometry.values.count(row)), 0
    return row, section, element, 0


def honest_case(kind: str, generator: random.Random) -> Case:
    """A step against an honest trace: never a violation."""
    scene = Scene.of(kind, generator)
    case = scene.case(random_step(scene, generator))
    assert not case.violated, case
    return case


def violation(kind: str, generator: random.Random) -> Case:
    """What an accuser sends who has found some false integers, or bytes that are no integers, in an output."""
    while True:
        scene = Scene.of(kind, generator)
        for _ in range(generator.choice((1, 1, 1, 3))):
            corrupt(scene.output, generator)
        if generator.random() < 0.15:
            disfigure(scene.output, generator)
        case = scene.accused()
        if case is not None:
            assert case.violated
            return case


def random_case(kind: str, generator: random.Random) -> Case:
    """A step against an output and inputs with any falsehoods: a violation, none, or evidence that is not sound."""
    scene = Scene.of(kind, generator)
    for value in scene.values.values():
        for _ in range(generator.choice((0, 1, 4))):
            corrupt(value, generator)
    changed = [corrupt(scene.output, generator) for _ in range(generator.choice((0, 1, 1, 4)))]
    if generator.random() < 0.1:
        disfigure(generator.choice([scene.output, *scene.values.values()]), generator)
    near = generator.choice(changed) if changed and generator.random() < 0.8 else None
    return scene.case(random_step(scene, generator, near))


def unsound(case: Case, generator: random.Random) -> Iterator[tuple[str, Arguments]]:
    """The same step with evidence that is not sound in one way, each of which must revert; ``case`` is sound."""
    context, step, descriptor, openings = case.arguments
    assert case.violated is not None
    assert openings
    which = generator.randrange(len(openings))
    data, path = openings[which]

    def with_opening(data: bytes, path: list[bytes]) -> Arguments:
        changed = [*openings]
        changed[which] = (data, path)
        return case.arguments._replace(openings=changed)

    flipped = bytearray(data)
    flipped[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
    yield "an opening is missing", case.arguments._replace(openings=openings[:-1])
    yield "another leaf", with_opening(bytes(flipped), path)
    yield "a longer path", with_opening(data, [*path, EMPTY])
    if path:
        level = generator.randrange(len(path))
        other = [*path]
        other[level] = bytes([other[level][0] ^ 1]) + other[level][1:]
        yield "another path", with_opening(data, other)
        yield "a shorter path", with_opening(data, path[:-1])
    other_descriptor = bytearray(descriptor)
    other_descriptor[generator.randrange(len(descriptor))] ^= 1
    yield "another descriptor", case.arguments._replace(descriptor=bytes(other_descriptor))
    yield "another output", case.arguments._replace(context=context._replace(output_root=bytes(32)))
    yield (
        "another first input",
        case.arguments._replace(context=context._replace(first_number=context.first_number + 1)),
    )
    yield "no such row", case.arguments._replace(step=(step[0], 1 << 20, *step[2:]))
    yield "no such check", case.arguments._replace(step=(len(CHECK_NUMBERS), *step[1:]))


# ------------------------------------------------------------------ what a verifier must say


def check_case(verifier: Any, case: Case) -> None:
    """The contract finds what the Python judge finds, and refuses what that refuses."""
    if case.violated is None:
        with boa.reverts():
            verifier.violates(*case.arguments)
    else:
        assert verifier.violates(*case.arguments) is case.violated, (case.step, case.words)


def check_unsound(verifier: Any, case: Case, generator: random.Random) -> None:
    """Whatever is bent in the evidence of a case, the contract reverts."""
    for what, arguments in unsound(case, generator):
        try:
            found = verifier.violates(*arguments)
        except boa.BoaError:
            continue
        raise AssertionError(f"{what}: {found}")
