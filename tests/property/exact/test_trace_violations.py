"""Whatever is false in what a trace commits to, some step proves it, and no step convicts an honest trace."""

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proofmill.exact.commitment.descriptor import ProgramTree
from proofmill.exact.commitment.keccak import hash_leaf, keccak256
from proofmill.exact.commitment.leaves import TableTree
from proofmill.exact.commitment.merkle import Opening
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.program.kinds import KINDS, Shape
from proofmill.exact.program.model import Model
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import CHECKS, check_step
from proofmill.exact.trace.codecs import DIGITS, OPERAND, REVERSED_DIGITS
from proofmill.exact.trace.evidence import Claim, Witnesses, accuse, first_difference, judge
from proofmill.exact.trace.geometry import Geometry, Leaf, Part
from proofmill.exact.trace.tracing import Rows, Trace, commit_tables, table_tree, trace
from tests.property.exact.test_exact_programs import ARCHITECTURES, Builder, sample_of

PARTS: tuple[Part, ...] = ("values", "witness", "supplement")
EMPTY = bytes(32)


def wide_encoder(profile: str, seed: int) -> Model:
    """Rows of several leaves and blocks, and more keys than one block of a softmax has."""
    b = Builder(Shape("tokens", None, 1), "E16", seed)
    x = b.program.add("embedding", 0, table=b.matrix("word", 9, 300))
    x = b.norm(x, "norm", "layer_norm", 300)
    x = b.attention(b.linear(x, "query_key_value", 24, 300, 30), 2, 2, 4, causal=False)
    b.program.add("unit_mean", x)
    return b.model()


def wide_decoder(profile: str, seed: int) -> Model:
    b = Builder(Shape("tokens", None, 1), "E16", seed)
    x = b.program.add("embedding", 0, table=b.matrix("word", 9, 8))
    x = b.attention(b.linear(x, "query_key_value", 8, 8, 30), 2, 1, 2, causal=True)
    x = b.norm(b.linear(x, "up", 70, 4, 29), "norm", "rms_norm", 70)
    b.program.add("choose", b.linear(x, "head", 300, 70, 31), fraction_bits=16)
    return b.model()


MODELS = {**ARCHITECTURES, "wide_encoder": wide_encoder, "wide_decoder": wide_decoder}
LENGTHS = {"wide_encoder": 70, "wide_decoder": 67}
SAMPLING = {"decoder": Sampling(40_000, 77)}


@dataclass
class Honest:
    """A traced model with everything an accuser has."""

    model: Model
    trace: Trace
    program: ProgramTree
    tables: dict[str, TableTree]

    @property
    def claim(self) -> Claim:
        return Claim(self.program.root, self.trace.run.length, self.trace.run.sampling, self.trace.roots)

    def view(self, number: int, claimed: "Forgery | Rows") -> Witnesses:
        operator = self.program.descriptors[number - 1]
        name = self.model.program.operators[number - 1].table
        sources = [forge(self, value.number) for value in operator.inputs]
        run = self.trace.run
        return Witnesses(
            operator, run.length, run.sampling, claimed, sources, self.tables[name] if name else None
        )


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Operators of a few numbers lose more to threads than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


_ROWS: dict[tuple[int, int], Rows] = {}


def rows_of(honest: Honest, number: int) -> Rows:
    return _ROWS.setdefault(
        (id(honest), number), Rows(honest.trace.run, number, honest.trace.commitments[number])
    )


@functools.cache
def honest_run(name: str) -> Honest:
    model = MODELS[name]("E16x" if name == "encoder" else "E16", 3)
    sample = sample_of(model, 5)
    if name in LENGTHS:
        sample = [random.Random(i).randrange(9) for i in range(LENGTHS[name])]
    traced = trace(model, torch.tensor(sample), sampling=SAMPLING.get(name))
    program = ProgramTree(model.program, commit_tables(model))
    return Honest(model, traced, program, {table: table_tree(model, table) for table in model.program.tables})


# Forgeries differ in a few leaves, so most of their hashes have been computed before.
leaf_hash = functools.lru_cache(maxsize=1 << 18)(hash_leaf)
node_hash = functools.lru_cache(maxsize=1 << 18)(keccak256)


def nested_root(nodes: list[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Root and levels of a tree by its definition, one hash at a time."""
    size = 1
    while size < len(nodes):
        size *= 2
    levels = [nodes + [EMPTY] * (size - len(nodes))]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i] + below[i + 1]) for i in range(0, len(below), 2)])
    return levels[-1][0], levels


def nested_path(levels: list[list[bytes]], index: int) -> list[bytes]:
    return [level[(index >> height) ^ 1] for height, level in enumerate(levels[:-1])]


class Forgery:
    """An output whose leaves may be set to any bytes, hashed as docs/TRACE.md says by code of its own."""

    def __init__(self, geometry: Geometry, rows: Rows) -> None:
        self.geometry = geometry
        self.leaves = dict(honest_leaves(rows))

    def data(self, place: Leaf) -> bytes:
        return self.leaves[place]

    def _hash(self, place: Leaf) -> bytes:
        return leaf_hash(self.leaves[place]) if place in self.leaves else EMPTY

    def _part(self, part: Part, row: int) -> bytes:
        return self._part_trees(part, row)[0]

    def _part_trees(self, part: Part, row: int) -> tuple[bytes, list[list[bytes]], list[list[list[bytes]]]]:
        if getattr(self.geometry, part) is None:
            return EMPTY, [], []
        grid = self.geometry.grid(part)
        sections = [
            nested_root([self._hash(Leaf(part, row, section, leaf)) for leaf in range(grid.leaves)])
            for section in range(grid.sections)
        ]
        root, levels = nested_root([section[0] for section in sections])
        return root, levels, [section[1] for section in sections]

    def _rows(self) -> tuple[bytes, list[list[bytes]]]:
        rows = range(self.geometry.values.rows)
        return nested_root(
            [node_hash(self._part("values", row) + self._part("witness", row)) for row in rows]
        )

    def _supplement(self) -> tuple[bytes, list[list[bytes]]]:
        if self.geometry.supplement is None:
            return EMPTY, []
        return nested_root([self._part("supplement", row) for row in range(self.geometry.supplement.rows)])

    @property
    def root(self) -> bytes:
        return node_hash(self._rows()[0] + self._supplement()[0])

    def open(self, place: Leaf) -> Opening:
        _, sections, leaves = self._part_trees(place.part, place.row)
        path = nested_path(leaves[place.section], place.leaf) + nested_path(sections, place.section)
        if place.part == "supplement":
            path += [*nested_path(self._supplement()[1], place.row), self._rows()[0]]
        else:
            other: Part = "witness" if place.part == "values" else "values"
            path += [
                self._part(other, place.row),
                *nested_path(self._rows()[1], place.row),
                self._supplement()[0],
            ]
        return Opening(self.data(place), self.geometry.locate(place)[0], tuple(path))


@functools.cache
def honest_leaves(rows: Rows) -> dict[Leaf, bytes]:
    return {place: rows.data(place) for place in places(rows.geometry)}


def places(geometry: Geometry) -> Iterator[Leaf]:
    for part in PARTS:
        if getattr(geometry, part) is not None:
            grid = geometry.grid(part)
            for row in range(grid.rows):
                for section in range(grid.sections):
                    for leaf in range(grid.leaves):
                        if grid.leaf_count(row, leaf):
                            yield Leaf(part, row, section, leaf)


def forge(honest: Honest, number: int) -> Forgery:
    """The honest output, to be falsified."""
    return Forgery(honest.trace.run.geometry(number), rows_of(honest, number))


def convict(honest: Honest, number: int, forgery: Forgery) -> str | None:
    """Play the end of a game: find the leaf, choose the step, open what it needs, judge it."""
    operator, length = honest.program.descriptors[number - 1], honest.trace.run.length
    true = forge(honest, number)
    place = first_difference(operator, length, true, forgery)
    assert place is not None
    view = honest.view(number, forgery)
    evidence = accuse(view, number, place, true, honest.program)
    if evidence is None:
        return None
    roots = [*honest.trace.roots]
    roots[number] = forgery.root
    return judge(replace(honest.claim, roots=roots), evidence)


OPERATORS = [
    (name, number) for name in MODELS for number in range(1, len(honest_run(name).program.descriptors) + 1)
]


def falsify(forgery: Forgery, place: Leaf, at: int, change: int) -> bool:
    """Add to one integer of a leaf, within what its layout can say; whether anything changed."""
    grid = forgery.geometry.grid(place.part)
    integers = grid.codec.decode(forgery.data(place), grid.leaf_count(place.row, place.leaf))
    if grid.codec is DIGITS or grid.codec is REVERSED_DIGITS or (grid.codec is OPERAND and at > 1):
        integers[at] = (integers[at] + change + 2**14) % 2**15 - 2**14
    else:
        integers[at] = (integers[at] + change + 2**31) % 2**32 - 2**31
    before, forgery.leaves[place] = forgery.data(place), grid.codec.encode(np.array(integers)).tobytes()
    return forgery.leaves[place] != before


def chosen_leaves(geometry: Geometry, part: Part, generator: random.Random) -> list[Leaf]:
    all_places = [place for place in places(geometry) if place.part == part]
    return [all_places[-1], generator.choice(all_places)] if all_places else []


def test_every_kind_of_operator_is_here() -> None:
    kinds = {honest_run(name).program.descriptors[number - 1].kind for name, number in OPERATORS}
    assert kinds == set(KINDS) == set(CHECKS)


@pytest.mark.parametrize("name", MODELS)
def test_each_number_of_a_leaf_is_proved_false(name: str) -> None:
    honest, generator = honest_run(name), random.Random(name)
    for number in range(1, len(honest.program.descriptors) + 1):
        for part in PARTS:
            for place in chosen_leaves(honest.trace.run.geometry(number), part, generator):
                count = honest.trace.run.geometry(number).grid(part).leaf_count(place.row, place.leaf)
                for at in {
                    *range(min(count, 8 if part == "witness" else 3)),
                    generator.randrange(count),
                    count - 1,
                }:
                    forgery = forge(honest, number)
                    assert falsify(forgery, place, at, generator.choice((1, -1, 2**12)))
                    assert convict(honest, number, forgery), (number, place, at)


def long_decoder() -> Model:
    b = Builder(Shape("tokens", None, 1), "E16", 1)
    b.attention(b.program.add("embedding", 0, table=b.matrix("word", 9, 6)), 1, 1, 2, causal=True)
    return b.model()


def test_sums_over_several_blocks_of_keys_are_proved_false() -> None:
    model = long_decoder()
    traced = trace(model, torch.arange(520) % 9)
    program = ProgramTree(model.program, commit_tables(model))
    honest = Honest(model, traced, program, {"word": table_tree(model, "word")})
    mix = len(program.descriptors)
    for number, place in (
        (mix, Leaf("witness", 519, leaf=1)),
        (mix, Leaf("witness", 511)),
        (mix, Leaf("values", 515)),
        (mix - 1, Leaf("values", 519, leaf=1)),
        (mix - 3, Leaf("supplement", 1, leaf=1)),
    ):
        forgery = forge(honest, number)
        assert falsify(forgery, place, 1, 1)
        assert convict(honest, number, forgery), (number, place)


@given(
    st.sampled_from(OPERATORS),
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from([1, -1, 2, 255, -(2**14), 2**30 - 1]), min_size=1, max_size=5),
)
@settings(max_examples=100, deadline=None)
def test_any_set_of_false_numbers_is_proved(
    operator: tuple[str, int], generator: random.Random, changes: list[int]
) -> None:
    name, number = operator
    honest = honest_run(name)
    forgery = forge(honest, number)
    all_places = list(forgery.leaves)
    for change in changes:
        place = generator.choice(all_places)
        count = forgery.geometry.grid(place.part).leaf_count(place.row, place.leaf)
        falsify(forgery, place, generator.randrange(count), change)
    if forgery.leaves != honest_leaves(rows_of(honest, number)):
        assert convict(honest, number, forgery)


@given(st.sampled_from(OPERATORS), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_malformed_bytes_are_proved(operator: tuple[str, int], generator: random.Random) -> None:
    """Leaves cut short, made longer, or with a bit set where no number stands."""
    name, number = operator
    honest = honest_run(name)
    forgery = forge(honest, number)
    place = generator.choice(list(forgery.leaves))
    data = bytearray(forgery.data(place))
    match generator.randrange(3):
        case 0:
            data = data[:-1]
        case 1:
            data += bytes(32)
        case _:
            data[-1] ^= 1  # in a leaf with padding this is no number
    forgery.leaves[place] = bytes(data)
    assert convict(honest, number, forgery)


@given(st.sampled_from(OPERATORS), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_rows_of_another_place_are_proved(operator: tuple[str, int], generator: random.Random) -> None:
    """Two rows swapped, values with their witnesses."""
    name, number = operator
    honest = honest_run(name)
    forgery = forge(honest, number)
    first, second = (generator.randrange(forgery.geometry.values.rows) for _ in range(2))
    original = dict(forgery.leaves)
    for place in original:
        if place.part != "supplement" and place.row in (first, second):
            other = replace(place, row=first + second - place.row)
            if other in original:
                forgery.leaves[place] = original[other]
    if forgery.leaves != original:
        assert convict(honest, number, forgery)


@pytest.mark.parametrize("name", MODELS)
def test_no_step_convicts_an_honest_trace(name: str) -> None:
    """Neither a sensible step nor a senseless one; those that point nowhere are refused."""
    honest, generator = honest_run(name), random.Random(name)
    judged = 0
    for number, operator in enumerate(honest.program.descriptors, start=1):
        view = honest.view(number, rows_of(honest, number))
        geometry = honest.trace.run.geometry(number)
        for step in CHECKS[operator.kind]:
            for _ in range(12):
                place = generator.choice(list(places(geometry)))
                index = generator.choice(
                    (0, 1, generator.randrange(geometry.values.elements), place.leaf, -1)
                )
                asked = Step(step, place.row, place.section, index, generator.randrange(4))
                try:
                    assert check_step(view, asked) is None, (number, asked)
                    judged += 1
                except InvalidOpening:
                    continue
    assert judged > 5 * len(honest.program.descriptors)


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_evidence_that_does_not_open_is_refused(name: str) -> None:
    honest = honest_run(name)
    number = next(i for i, o in enumerate(honest.program.descriptors, start=1) if o.kind == "linear")
    forgery = forge(honest, number)
    assert falsify(forgery, Leaf("values", 0), 3, 1)
    view = honest.view(number, forgery)
    evidence = accuse(view, number, Leaf("values", 0), rows_of(honest, number), honest.program)
    assert evidence is not None
    roots = [*honest.trace.roots]
    roots[number] = forgery.root
    claim = replace(honest.claim, roots=roots)
    right, false = (
        int.from_bytes(source.data(Leaf("values", 0))[12:16], "big", signed=True)
        for source in (rows_of(honest, number), forgery)
    )
    assert judge(claim, evidence) == f"element 3 of row 0 is {right}, the trace says {false}"
    with pytest.raises(InvalidOpening, match="does not open"):
        judge(honest.claim, evidence)  # the honest trace does not hold the forged leaf
    with pytest.raises(InvalidOpening, match="does not open"):
        judge(replace(claim, program_root=EMPTY), evidence)
    with pytest.raises(InvalidOpening, match="not opened"):
        judge(claim, replace(evidence, inputs={}))
    with pytest.raises(InvalidOpening, match="not opened"):
        judge(claim, replace(evidence, table={}))
    with pytest.raises(InvalidOpening, match="no check"):
        judge(claim, replace(evidence, step=Step("invented", 0)))
    moved = {key: replace(opening, index=opening.index ^ 1) for key, opening in evidence.table.items()}
    with pytest.raises(InvalidOpening, match="does not open"):
        judge(claim, replace(evidence, table=moved))
    with pytest.raises(InvalidOpening, match="not among"):
        judge(claim, replace(evidence, step=replace(evidence.step, row=10**6)))
