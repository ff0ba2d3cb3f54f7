"""Evidence: a step with the opened leaves it needs, made by whoever accuses and judged by anyone who knows the roots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from proofmill.exact.commitment.descriptor import OperatorDescriptor, ProgramTree
from proofmill.exact.commitment.leaves import TableTree, table_depth
from proofmill.exact.commitment.merkle import Opening, tree_depth, verify_opening
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import check_step
from proofmill.exact.trace.checks.suspects import accusation_order, form_step, suspects
from proofmill.exact.trace.geometry import Geometry, Leaf, geometry, read_geometry

_REMEDY = "Prepare the evidence again from the claimed roots."


@dataclass(frozen=True)
class Claim:
    """What a judge knows beforehand: the model's program, the sequence's length, how tokens are drawn, and the claimed roots.

    ``roots`` are of values 0, 1, …, one more than the program has operators; the first is that of the claimed input and the
    last that of the claimed answer.
    """

    program_root: bytes
    length: int
    sampling: Sampling | None
    roots: Sequence[bytes]


@dataclass(frozen=True)
class Evidence:
    """Everything a judge of one step needs besides the claim.

    ``openings`` are in the order in which the check asks for leaves, one for each time it asks.
    """

    number: int  # of the operator
    step: Step
    descriptor: Opening
    openings: tuple[Opening, ...]

    @property
    def size(self) -> int:
        """Bytes of all leaves and paths."""
        return sum(opening.size for opening in (self.descriptor, *self.openings))


# -------------------------------------------------------------------------------------------------- the judge


def judge(claim: Claim, evidence: Evidence) -> str | None:
    """The violation the evidence proves against the claim, in words, or None.

    InvalidOpening if a leaf does not open against its root, is missing, or is not where the step says. Openings that the step
    does not ask for are not looked at.
    """
    number, count = evidence.number, len(claim.roots) - 1
    if not 1 <= number <= count or evidence.descriptor.index != number:
        raise InvalidOpening(f"operator {number} of {count}", remedy=_REMEDY)
    _verify("the descriptor", claim.program_root, tree_depth(count + 1), number, evidence.descriptor)
    operator = OperatorDescriptor.decode(evidence.descriptor.data)
    return check_step(_Opened(claim, evidence, operator), evidence.step)


def _verify(what: str, root: bytes, depth: int, index: int, opening: Opening) -> bytes:
    if opening.index != index or not verify_opening(root, depth, opening):
        raise InvalidOpening(f"{what} does not open against its root", remedy=_REMEDY)
    return opening.data


class _Opened:
    """A view of opened leaves; every leaf is verified when it is read."""

    def __init__(self, claim: Claim, evidence: Evidence, operator: OperatorDescriptor) -> None:
        self._claim, self._evidence, self.operator = claim, evidence, operator
        self.length, self.sampling = claim.length, claim.sampling
        self._openings = iter(evidence.openings)

    def output(self, place: Leaf) -> bytes:
        shape = geometry(self.operator, self.length)
        return self._next_leaf("the output", self._claim.roots[self._evidence.number], shape, place)

    def input(self, which: int, place: Leaf) -> bytes:
        shape = read_geometry(self.operator, which, self.length)
        root = self._claim.roots[self.operator.inputs[which].number]
        return self._next_leaf(f"input {which}", root, shape, place)

    def _next_leaf(self, what: str, root: bytes, shape: Geometry, place: Leaf) -> bytes:
        index, depth = shape.locate(place)
        what = f"{what} at {place}"
        return _verify(what, root, depth, index, self._next(what))

    def _next(self, what: str) -> Opening:
        opening = next(self._openings, None)
        if opening is None:
            raise InvalidOpening(f"{what} is not opened", remedy=_REMEDY)
        return opening

    def table(self, row: int, leaf: int) -> bytes:
        table, opening = self.operator.table, self._next(f"the table's leaf {leaf} of row {row}")
        if table is None:
            raise InvalidOpening(f"{self.operator.kind} has no table", remedy=_REMEDY)
        depth = table_depth(table.shape.layout, table.shape.rows, table.shape.columns)
        per_row = depth - table_depth("linear", table.shape.rows, 1) if table.shape.layout != "pairs" else 0
        return _verify("a table's leaf", table.root, depth, row << per_row | leaf, opening)


# ------------------------------------------------------------------------------------------------ the accuser


class Source(Protocol):
    """Rows of one value, honest or claimed, wherever they come from."""

    def data(self, place: Leaf) -> bytes: ...

    def open(self, place: Leaf) -> Opening: ...


@dataclass
class Witnesses:
    """A view from memory that notes what is asked for, so that exactly that is opened."""

    operator: OperatorDescriptor
    length: int
    sampling: Sampling | None
    claimed: Source
    sources: Sequence[Source]  # the inputs
    table_tree: TableTree | None
    asked: list[Callable[[], Opening]] = field(default_factory=list)

    def output(self, place: Leaf) -> bytes:
        self.asked.append(partial(self.claimed.open, place))
        return self.claimed.data(place)

    def input(self, which: int, place: Leaf) -> bytes:
        self.asked.append(partial(self.sources[which].open, place))
        return self.sources[which].data(place)

    def table(self, row: int, leaf: int) -> bytes:
        opening = self._tree.open(row, leaf)
        self.asked.append(lambda: opening)
        return opening.data

    @property
    def _tree(self) -> TableTree:
        if self.table_tree is None:
            raise InvalidOpening(f"{self.operator.kind} reads a table that was not given", remedy=_REMEDY)
        return self.table_tree

    def evidence(self, number: int, step: Step, program: ProgramTree) -> Evidence:
        """Open what was noted, in that order."""
        return Evidence(number, step, program.open(number), tuple(open_leaf() for open_leaf in self.asked))


def first_difference(
    operator: OperatorDescriptor, length: int, honest: Source, claimed: Source
) -> Leaf | None:
    """The leaf to accuse: the first that differs in the order of accusation, or None if the outputs are equal."""
    for place in _leaves(operator, length):
        if honest.data(place) != claimed.data(place):
            return place
    return None


def _leaves(operator: OperatorDescriptor, length: int) -> Iterator[Leaf]:
    shape = geometry(operator, length)
    for part in accusation_order(operator.kind):
        if getattr(shape, part) is None:
            continue
        grid = shape.grid(part)
        for row in range(grid.rows):
            for section in range(grid.sections):
                for leaf in range(grid.leaves):
                    if grid.leaf_count(row, leaf):
                        yield Leaf(part, row, section, leaf)


def accuse(
    view: Witnesses, number: int, place: Leaf, honest: Source, program: ProgramTree
) -> Evidence | None:
    """Evidence that the claimed leaf at ``place`` is false, given an honest run of the same inputs; None if none is found.

    ``place`` is that of :func:`first_difference`, or of the first differing leaf the game has reached.
    """
    grid = geometry(view.operator, view.length).grid(place.part)
    count = grid.leaf_count(place.row, place.leaf)
    expected = grid.codec.decode(honest.data(place), count)
    try:
        found = grid.codec.decode(view.claimed.data(place), count)
    except InvalidOpening:
        candidates: Sequence[Step] = [form_step(place)]
    else:
        candidates = list(suspects(view.operator, grid, place, expected, found))
    for step in candidates:
        view.asked.clear()
        if check_step(view, step) is not None:
            return view.evidence(number, step, program)
    return None
