"""The challenger's side of one claim: what to do next, given what the defender has published.

The first value whose root is not the challenger's own is the one to accuse, so all its inputs are agreed on; below it the first
row, part and leaf that differ. What is equal is known from the challenger's own run, so only differences are asked for.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from proofmill.disputes.claim import GENERATION, NO_STOP_TOKEN, DisputedClaim
from proofmill.disputes.claimed_answer import (
    ClaimedAnswer,
    ClaimedToken,
    path_root,
    readable_tokens,
    token_leaves,
    token_word,
)
from proofmill.disputes.claimed_choices import ClaimedChoices
from proofmill.disputes.claimed_value import ClaimedValue, Query, Unrevealed
from proofmill.disputes.evidence import Accusation, accusation, evidence_tail
from proofmill.disputes.rerun import Rerun
from proofmill.disputes.revealed import Revealed
from proofmill.disputes.trace_roots import TraceRoots
from proofmill.errors import ProofmillError
from proofmill.exact.commitment.keccak import Bytes, hash_leaf
from proofmill.exact.commitment.merkle import EMPTY, MerkleTree, Opening, roots
from proofmill.exact.trace.checks.facts import Step
from proofmill.exact.trace.checks.judgement import check_step
from proofmill.exact.trace.checks.suspects import accusation_order
from proofmill.exact.trace.commit import CommitmentBuilder, leaf_hashes
from proofmill.exact.trace.evidence import Claim, Evidence, Witnesses, accuse, judge
from proofmill.exact.trace.geometry import Leaf, geometry, input_geometry


class OwnRunIsWrong(ProofmillError):
    """What the challenger computed differs from the operator's trace and cannot be shown to be right."""


QuestionTuple = tuple[Any, ...]
ContradictionTuple = tuple[Any, ...]


@dataclass(frozen=True)
class AwaitTrace:
    """The operator has not posted its trace yet."""


@dataclass(frozen=True)
class Ask:
    """A question for ``IDisputeGame.ask``; ``key`` is what answers it."""

    question: QuestionTuple
    key: bytes
    words: str


@dataclass(frozen=True)
class Prove:
    """Arguments of ``IDisputeGame.prove`` after the claim."""

    accusation: Accusation
    evidence: bytes
    words: str
    kind: str  # of the operator
    check: str


@dataclass(frozen=True)
class Contradict:
    """Argument of ``IDisputeGame.contradict`` after the claim."""

    contradiction: ContradictionTuple
    words: str


@dataclass(frozen=True)
class Agree:
    """Nothing in the trace or the answer is wrong."""


Move = AwaitTrace | Ask | Prove | Contradict | Agree

_WORDS = {
    1: "the row hashes of value {number}",
    2: "the row hashes of value {number} from row {row} on",
    3: "the leaves of row {row} of value {number}",
    4: "one leaf of row {row} of value {number}",
    5: "the rows of what value {number} commits to by columns",
    6: "the same from row {row} on",
    7: "the leaves of its row {row}",
    8: "the roots of the values from {row} on",
    9: "the rows of the answer",
    10: "the rows of the answer from row {row} on",
    11: "the leaves of row {row} of the answer",
}


class Challenger:
    """Judges one claim.

    Args:
        claim: what the game says; claim_id: its id there.
        rerun: the challenger's own run. Of a generation, over the prompt and the *claimed* tokens but the last, or as many
            as come before the first that is none of the vocabulary.
        revealed: what the operator has published; it is looked at again at every move.
        tokens: the claimed tokens of a generation, whatever stands in their place; empty for a map.
    """

    def __init__(
        self,
        claim: DisputedClaim,
        claim_id: bytes,
        rerun: Rerun,
        revealed: Revealed,
        tokens: tuple[ClaimedToken, ...] = (),
    ) -> None:
        self._claim, self._claim_id, self._rerun = claim, claim_id, rerun
        self._revealed, self._tokens = revealed, tokens
        self._readable = readable_tokens(tokens, rerun.committed.vocabulary)

    def next_move(self) -> Move:
        """What to do now; the same until something more is revealed."""
        if not self._revealed.roots:
            return AwaitTrace()
        posted = TraceRoots(self._claim_id, self._rerun.trace.roots, self._revealed)
        try:
            return self._decide(posted)
        except Unrevealed as missing:
            return self._ask(missing.query, posted)

    def _decide(self, posted: TraceRoots) -> Move:
        if self._claim.kind == GENERATION and (objection := self._object_to_tokens(posted)):
            return objection
        number = posted.first_difference()
        if number == 0:
            return self._accuse_input(posted)
        if number is not None:
            return self._accuse_operator(posted, number)
        return self._compare_answer(posted)

    # ------------------------------------------------------------------------------------------------ the operators
    def _value(self, posted: TraceRoots, number: int) -> ClaimedValue:
        return ClaimedValue(
            self._claim_id,
            self._rerun.geometry(number),
            self._rerun.rows(number),
            self._rerun.trace.commitments[number],
            posted.root(number),
            self._revealed,
        )

    def _accuse_operator(self, posted: TraceRoots, number: int) -> Move:
        rerun = self._rerun
        operator = rerun.program.descriptors[number - 1]
        claimed = self._value(posted, number)
        place = claimed.first_difference(accusation_order(operator.kind))
        view = Witnesses(
            operator,
            self._claim.length,
            self._claim.sampling,
            claimed,
            [rerun.rows(value.number) for value in operator.inputs],
            rerun.committed.table(number),
        )
        evidence = accuse(view, number, place, rerun.rows(number), rerun.program)
        if evidence is None:
            raise OwnRunIsWrong(
                f"no step refutes {place} of operator {number}, a {operator.kind}: the own run is not exact",
                remedy="Check this machine with `proofmill model verify`, and install the model's files anew.",
            )
        return self._prove(posted, number, evidence)

    def _prove(self, posted: TraceRoots, number: int, evidence: Evidence) -> Prove:
        rerun = self._rerun
        operator = rerun.program.descriptors[number - 1]
        # Roots that are not looked at may be the challenger's own.
        known = list(rerun.trace.roots)
        for each in (number, *(value.number for value in operator.inputs)):
            known[each] = posted.root(each)
        claim = Claim(rerun.program.root, self._claim.length, self._claim.sampling, known)
        words = judge(claim, evidence)
        if words is None:
            raise OwnRunIsWrong(
                f"the evidence against operator {number} proves nothing",
                remedy="Check this machine with `proofmill model verify`, and install the model's files anew.",
            )
        paths = accusation(number, known, rerun.program)
        second = posted.path(operator.inputs[1].number) if len(operator.inputs) == 2 else ()
        paths = paths._replace(
            output_path=list(posted.path(number)),
            first_path=list(posted.path(operator.inputs[0].number)),
            second_path=list(second),
        )
        return Prove(
            paths,
            evidence_tail(claim, evidence),
            f"operator {number} ({operator.kind}): {words}",
            operator.kind,
            evidence.step.name,
        )

    # ------------------------------------------------------------------------------------------- input and answer
    def _accuse_input(self, posted: TraceRoots) -> Move:
        claim = self._claim
        if claim.kind != GENERATION:
            return self._contradict(1, posted, "the trace is of another input")
        claimed = self._value(posted, 0)
        place = claimed.first_difference(("values",))
        traced, traced_path = claimed.leaf_opening(place)
        if place.row < claim.prompt_rows:
            return self._contradict(
                2,
                posted,
                f"token {place.row} of the prompt is another one",
                row=place.row,
                traced=(traced, traced_path),
                claimed=_prompt_opening(self._rerun, claim.prompt_rows, place.row),
            )
        row = place.row - claim.prompt_rows
        return self._contradict(
            3,
            posted,
            f"token {row} of the answer is not what the trace goes on with",
            row=row,
            traced=(traced, traced_path),
            claimed=self._claimed_tokens.opening(row, 0, 0),
        )

    def _compare_answer(self, posted: TraceRoots) -> Move:
        claim, number = self._claim, self._rerun.operators
        own = answer_leaves(self._rerun, claim.first_answer_row)
        if len(own) != claim.answer_rows:
            return self._contradict(4, posted, f"{claim.answer_rows} rows are answered instead of {len(own)}")
        if path_root([node.tobytes() for node in roots(roots(own))]) == claim.answer_root:
            return Agree()
        claimed = self._claimed_answer(own)
        row, section, leaf = claimed.first_difference()
        traced = self._rerun.rows(number).open(Leaf("values", claim.first_answer_row + row, section, leaf))
        return self._contradict(
            4,
            posted,
            f"row {row} of the answer is not what the trace ends with",
            row=row,
            section=section,
            leaf=leaf,
            traced=(_hash_of(traced), traced.path),
            claimed=claimed.opening(row, section, leaf),
        )

    def _claimed_answer(self, own: Bytes) -> ClaimedAnswer:
        grid = self._rerun.geometry(self._rerun.operators).values
        return ClaimedAnswer(self._claim_id, grid, own, self._claim.answer_root, self._revealed)

    # ----------------------------------------------------------------------------------------- answers that are tokens
    def _object_to_tokens(self, posted: TraceRoots) -> Move | None:
        """What is wrong with the tokens of a generation before any run is looked at."""
        claim, tokens = self._claim, self._readable
        if claim.answer_rows > claim.maximum_new_tokens:
            return self._contradict(
                5, None, f"{claim.answer_rows} tokens instead of {claim.maximum_new_tokens}"
            )
        if self._is_unreadable:
            return self._show_no_token(posted)
        stops = [place for place, token in enumerate(tokens) if token == claim.stop_token]
        if claim.stop_token != NO_STOP_TOKEN and stops and stops[0] < len(tokens) - 1:
            row, what, words = stops[0], 7, "the answer goes on after the token that ends it"
        elif claim.answer_rows < claim.maximum_new_tokens and not stops:
            row, what, words = len(tokens) - 1, 6, "the answer ends before its time"
        else:
            return None
        opening = self._claimed_tokens.opening(row, 0, 0)
        return self._contradict(what, None, words, row=row, claimed=opening, token=tokens[row])

    def _show_no_token(self, posted: TraceRoots) -> Move:
        """The first row of the answer that is no token: no run goes on from there, and none is needed.

        An integer of four bytes is refuted by itself. Of other bytes only the hash is known: either the trace ends with another
        leaf there, or the operator has to reveal what its program is said to have chosen.
        """
        row, number = len(self._readable), self._rerun.operators
        token, vocabulary = self._tokens[row], self._rerun.committed.vocabulary
        if vocabulary == 0:
            return self._contradict(4, posted, "the model chooses no tokens")
        if isinstance(token, int):
            return self._contradict(
                8,
                None,
                f"token {row} of the answer is {token}, which is none of {vocabulary}",
                row=row,
                claimed=self._claimed_tokens.opening(row, 0, 0),
                token=token_word(token),
            )
        operator, length = self._rerun.program.descriptors[-1], self._claim.length
        shape, place = geometry(operator, length), Leaf("values", self._claim.first_answer_row + row)
        choices = ClaimedChoices(self._claim_id, shape, posted.root(number), place.row, token, self._revealed)
        traced = choices.leaf_opening()
        if traced[0] != token:
            words = f"row {row} of the answer is no token, and not what the trace ends with"
            claimed = self._claimed_tokens.opening(row, 0, 0)
            return self._contradict(4, posted, words, row=row, traced=traced, claimed=claimed)
        view = Witnesses(operator, length, self._claim.sampling, choices, (), None)
        step = Step("maximum", place.row)
        if check_step(view, step) is None:
            raise OwnRunIsWrong(
                f"row {row} of the answer is a token of the vocabulary",
                remedy="Read the answer again, and dispute it by its tokens.",
            )
        return self._prove(posted, number, view.evidence(number, step, self._rerun.program))

    @property
    def _is_unreadable(self) -> bool:
        """Whether a row of the answer is no token."""
        return len(self._readable) < len(self._tokens)

    @functools.cached_property
    def _claimed_tokens(self) -> ClaimedAnswer:
        """The answer of a generation, which the challenger has as tokens."""
        return self._claimed_answer(token_leaves(self._tokens))

    def _contradict(
        self,
        what: int,
        posted: TraceRoots | None,
        words: str,
        *,
        row: int = 0,
        section: int = 0,
        leaf: int = 0,
        traced: tuple[bytes, tuple[bytes, ...]] = (EMPTY, ()),
        claimed: tuple[bytes, tuple[bytes, ...]] = (EMPTY, ()),
        token: int = 0,
    ) -> Contradict:
        number = self._rerun.operators if what in (4, 8) else 0
        descriptor = self._rerun.program.open(number) if what in (2, 3, 4, 8) else Opening(b"", 0, ())
        root, root_path = (EMPTY, ()) if posted is None else (posted.root(number), posted.path(number))
        contradiction = (
            what,
            descriptor.data,
            list(descriptor.path),
            root,
            list(root_path),
            row,
            section,
            leaf,
            traced[0],
            list(traced[1]),
            claimed[0],
            list(claimed[1]),
            token,
        )
        return Contradict(contradiction, words)

    # --------------------------------------------------------------------------------------------------- questions
    def _ask(self, query: Query, posted: TraceRoots) -> Ask:
        number = self._rerun.operators
        if query.what == 8:
            number = query.row
        elif query.what < 8:
            number = self._number_asked(posted)
        descriptor, root, root_path = Opening(b"", 0, ()), EMPTY, tuple[bytes, ...]()
        if query.what != 8:
            descriptor = self._rerun.program.open(number)
        if query.what < 8:
            root, root_path = posted.root(number), posted.path(number)
        question = (
            query.what,
            number,
            descriptor.data,
            list(descriptor.path),
            root,
            list(root_path),
            query.part,
            query.row if query.what != 8 else 0,
            query.section,
            query.leaf,
            query.node,
            list(query.path),
        )
        words = _WORDS[query.what].format(number=number, row=query.row)
        return Ask(question, query.key, words)

    def _number_asked(self, posted: TraceRoots) -> int:
        if self._is_unreadable:
            return self._rerun.operators
        number = posted.first_difference()
        assert number is not None  # only values that differ are asked about
        return number


def answer_leaves(rerun: Rerun, first_row: int) -> Bytes:
    """Leaf hashes of the right answer, uint8 [rows, sections, leaves, 32]: the last value's rows from ``first_row`` on."""
    rows, grid = rerun.rows(rerun.operators), rerun.geometry(rerun.operators).values
    hashes = list[Bytes]()
    for row in range(first_row, grid.rows):
        integers = rows.integers(Leaf("values", row))
        assert integers is not None  # every operator has values
        hashes.append(leaf_hashes(grid, integers, row)[0])
    return np.stack(hashes)


def _hash_of(opening: Opening) -> bytes:
    return hash_leaf(opening.data)


def _prompt_opening(rerun: Rerun, rows: int, row: int) -> tuple[bytes, tuple[bytes, ...]]:
    """Leaf hash of a token of the prompt, and the siblings up to the root of value 0 of the prompt alone."""
    builder = CommitmentBuilder(input_geometry(rerun.committed.model.program.input, rows))
    builder.append(rerun.trace.run.input[:rows, None].numpy(), None)
    commitment = builder.finish(None)
    own = rerun.rows(0).open(Leaf("values", row))
    return _hash_of(own), (EMPTY, *MerkleTree(commitment.row_hashes).path(row), EMPTY)
