"""Moves of a challenger against an operator that is right: questions of all kinds, true steps, evidence that is none."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from proofmill.disputes.challenger import ContradictionTuple, QuestionTuple
from proofmill.disputes.claim import DisputedClaim
from proofmill.disputes.claimed_value import PART_NUMBERS, array_of, path_above, tree_shape
from proofmill.disputes.evidence import Accusation, accusation, evidence_tail, values_tree
from proofmill.disputes.rerun import Rerun
from proofmill.exact.commitment.keccak import Bytes, hash_leaf, keccak256
from proofmill.exact.commitment.merkle import EMPTY, MerkleTree, Opening, roots
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.trace.checks.judgement import check_step
from proofmill.exact.trace.checks.suspects import accusation_order, form_step, suspects
from proofmill.exact.trace.codecs import DIGITS, OPERAND, REVERSED_DIGITS
from proofmill.exact.trace.evidence import Claim, Witnesses
from proofmill.exact.trace.geometry import Geometry, Grid, Leaf, Part

_ROUGH = (DIGITS, REVERSED_DIGITS, OPERAND)


class HostileAccuser:
    """Knows everything that an honest operator knows, and means harm.

    Args:
        rerun: the operator's own trace.
        answer: leaf hashes of its answer, uint8 [rows, sections, leaves, 32].
    """

    def __init__(self, claim: DisputedClaim, rerun: Rerun, answer: Bytes, generator: random.Random) -> None:
        self._claim, self._rerun, self._answer, self._random = claim, rerun, answer, generator

    # ------------------------------------------------------------------ what may be asked
    def question(self) -> QuestionTuple:
        """Any question about any node that is there."""
        number = self._random.randint(1, self._rerun.operators)
        kinds = [1, 3, 4, 9, 11]
        if self._rerun.geometry(number).supplement is not None:
            kinds += [5, 7]
        if tree_shape(self._rerun.geometry(number).values.rows)[0]:
            kinds.append(2)
        what = self._random.choice(kinds)
        return self._in_answer(what) if what >= 9 else self._in_value(what, number)

    def _in_value(self, what: int, number: int) -> QuestionTuple:
        commitment = self._rerun.trace.commitments[number]
        hashes = [each.tobytes() for each in commitment.row_hashes]
        row, part, section, leaf = 0, 0, 0, 0
        node: bytes
        path: Sequence[bytes]
        if what == 1:
            node, path = commitment.root, ()
        elif what == 2:
            level = tree_shape(len(hashes))[0]
            size = 1 << level
            groups = [
                bytes(roots(array_of(hashes[i : i + size]), level)) for i in range(0, len(hashes), size)
            ]
            place = self._random.randrange(len(groups))
            row, node = place * size, groups[place]
            path = (*path_above(groups, level, place), commitment.supplement_root)
        elif what == 3:
            row = self._random.randrange(len(hashes))
            node, path = hashes[row], (*MerkleTree(array_of(hashes)).path(row), commitment.supplement_root)
        elif what == 4:
            place_of = self._leaf(number)
            opening = self._rerun.rows(number).open(place_of)
            node, path = hash_leaf(opening.data), opening.path
            part, row, section, leaf = (
                PART_NUMBERS[place_of.part],
                place_of.row,
                place_of.section,
                place_of.leaf,
            )
        else:
            top = bytes(roots(commitment.row_hashes))
            if what == 5:
                node, path = commitment.supplement_root, (top,)
            else:
                row, node, path = self._supplement_row(number, top)
        return self._tuple(what, number, part, row, section, leaf, node, path)

    def _supplement_row(self, number: int, top: bytes) -> tuple[int, bytes, Sequence[bytes]]:
        """A row of a supplement: its node lies above the leaves, which the path of its first leaf tells."""
        grid = self._rerun.geometry(number).grid("supplement")
        row = self._random.randrange(grid.rows)
        opening = self._rerun.rows(number).open(Leaf("supplement", row))
        node = hash_leaf(opening.data)
        for sibling in opening.path[: grid.depth]:  # the first leaf is always on the left
            node = keccak256(node + sibling)
        return row, node, opening.path[grid.depth :]

    def _in_answer(self, what: int) -> QuestionTuple:
        nodes = [each.tobytes() for each in roots(roots(self._answer))]
        if what == 9 or tree_shape(len(nodes))[0]:
            return self._tuple(9, self._rerun.operators, 0, 0, 0, 0, self._claim.answer_root, ())
        row = self._random.randrange(len(nodes))
        return self._tuple(11, self._rerun.operators, 0, row, 0, 0, nodes[row], path_above(nodes, 0, row))

    def _tuple(
        self,
        what: int,
        number: int,
        part: int,
        row: int,
        section: int,
        leaf: int,
        node: bytes,
        path: Sequence[bytes],
    ) -> QuestionTuple:
        descriptor = self._rerun.program.open(number)
        root, above = EMPTY, tuple[bytes, ...]()
        if what < 8:
            root = self._rerun.trace.roots[number]
            above = values_tree(self._rerun.trace.roots).path(number)
        numbers = (part, row, section, leaf)
        return (
            what,
            number,
            descriptor.data,
            list(descriptor.path),
            root,
            list(above),
            *numbers,
            node,
            list(path),
        )

    # ------------------------------------------------------------------ what proves nothing
    def true_step(self) -> tuple[str, Accusation, bytes]:
        """A step of the trace with sound evidence that it is right: kind of the operator, accusation, evidence."""
        while True:
            number = self._random.randint(1, self._rerun.operators)
            place = self._leaf(number)
            operator = self._rerun.program.descriptors[number - 1]
            view = Witnesses(
                operator,
                self._claim.length,
                self._claim.sampling,
                self._rerun.rows(number),
                [self._rerun.rows(value.number) for value in operator.inputs],
                self._rerun.committed.table(number),
            )
            grid = self._rerun.geometry(number).grid(place.part)
            expected = grid.codec.decode(
                self._rerun.rows(number).data(place), grid.leaf_count(place.row, place.leaf)
            )
            steps = [
                form_step(place),
                *suspects(operator, grid, place, expected, self._other(grid, expected)),
            ]
            step = self._random.choice(steps)
            try:
                words = check_step(view, step)
            except (
                InvalidOpening
            ):  # what a wrong number would have made suspicious, a right one need not have
                continue
            assert words is None, words
            evidence = view.evidence(number, step, self._rerun.program)
            own = self._rerun.trace.roots
            claim = Claim(self._rerun.program.root, self._claim.length, self._claim.sampling, own)
            tail = evidence_tail(claim, evidence)
            return operator.kind, accusation(number, own, self._rerun.program), tail

    def _other(self, grid: Grid, expected: Sequence[int]) -> list[int]:
        """The leaf as a liar might have had it."""
        found = list(expected)
        at = self._random.randrange(len(found))
        found[at] += -1 if grid.codec in _ROUGH and found[at] > 0 else 1
        return found

    def garbage(self) -> Iterator[tuple[str, Accusation, bytes]]:
        """Evidence for a true step that was tampered with: what was done, accusation, evidence."""
        _, true, evidence = self.true_step()
        place = self._random.randrange(len(evidence))
        other = bytearray(evidence)
        other[place] ^= 1 << self._random.randrange(8)
        yield "a bit of the evidence", true, bytes(other)
        yield "evidence cut off", true, evidence[:place]
        yield "random evidence", true, self._random.randbytes(len(evidence))
        yield "no evidence", true, b""
        if true.output_path != true.first_path:
            swapped = true._replace(output_path=true.first_path, first_path=true.output_path)
            yield "swapped paths", swapped, evidence
        if true.output_root != true.first_root:
            swapped = true._replace(output_root=true.first_root, first_root=true.output_root)
            yield "swapped roots", swapped, evidence
        yield "another operator", true._replace(number=true.number % self._rerun.operators + 1), evidence
        yield "another kind", true._replace(kind=true.kind + 1), evidence
        yield "another output", true._replace(output_root=self._random.randbytes(32)), evidence

    def false_contradictions(self) -> Iterator[ContradictionTuple]:
        """Contradictions of every number between a trace and a claim that agree."""
        last, roots_of_values = self._rerun.operators, self._rerun.trace.roots
        tree = values_tree(roots_of_values)
        row = self._random.randrange(len(self._answer))
        nodes = [each.tobytes() for each in roots(roots(self._answer))]
        claimed_path = (*MerkleTree(self._answer[row, 0]).path(0), *path_above(nodes, 0, row))
        traced = self._rerun.rows(last).open(Leaf("values", self._claim.first_answer_row + row))
        for what in range(1, 9):
            number = last if what == 4 else 0
            descriptor = Opening(b"", 0, ())
            if what in (2, 3, 4):
                descriptor = self._rerun.program.open(number)
            opened = traced
            if what in (2, 3):
                opened = self._rerun.rows(0).open(Leaf("values", min(row, self._claim.length - 1)))
            yield (
                what,
                descriptor.data,
                list(descriptor.path),
                roots_of_values[number],
                list(tree.path(number)),
                row,
                0,
                0,
                hash_leaf(opened.data),
                list(opened.path),
                self._answer[row, 0, 0].tobytes(),
                list(claimed_path),
                self._random.randrange(2**16),
            )

    def _leaf(self, number: int) -> Leaf:
        geometry: Geometry = self._rerun.geometry(number)
        order: Sequence[Part] = accusation_order(self._rerun.program.descriptors[number - 1].kind)
        part = self._random.choice([part for part in order if getattr(geometry, part) is not None])
        grid = geometry.grid(part)
        row = self._random.randrange(grid.rows)
        reached = [leaf for leaf in range(grid.leaves) if grid.leaf_count(row, leaf)]
        return Leaf(part, row, self._random.randrange(grid.sections), self._random.choice(reached))
