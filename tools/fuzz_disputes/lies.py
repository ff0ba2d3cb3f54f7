"""Every kind of lie, told about one piece of work: what the operator answers, and the trace that it defends."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch

from adversaries.forged_run import ForgedRun, Lie, RowSwap
from adversaries.forged_trace import GarbledRerun, MisorderedRerun, with_other_table
from proofmill.disputes.claimed_answer import ClaimedToken, readable_tokens
from proofmill.disputes.rerun import Rerun
from proofmill.errors import ProofmillError
from proofmill.exact.commitment.keccak import hash_leaf
from proofmill.exact.trace.codecs import DIGITS, FIELDS, INTEGERS, OPERAND_HEADER, Codec
from proofmill.exact.trace.geometry import NORM_FIELDS, SOFTMAX_FIELDS, Leaf, Part
from proofmill.exact.trace.tracing import Run
from tests.suite.disputes import rows_of_answer
from tools.fuzz_disputes.subjects import Integers, Subject, Work

_PARTS: Final[tuple[Part, ...]] = ("values", "witness", "supplement")
_ATTENTION: Final = ("scores", "softmax", "mix")
_GREATEST_DIGITS: Final = 1 << 13  # beyond it kernels are free to compute anything
_EXPONENTS: Final = 18
_TRIES: Final = 200


@dataclass(frozen=True)
class Told:
    """A lie: ``own`` is the challenger's run of the same claim. ``operator`` is the kind that was lied about, or "answer"."""

    kind: str
    operator: str
    words: str
    own: Rerun
    defended: Rerun
    answer: Integers
    tokens: tuple[ClaimedToken, ...] = ()
    leaves: tuple[bytes, ...] = ()  # of an answer that is not all tokens
    is_garbled: bool = False
    is_silent: bool = False

    def differs(self, work: Work) -> bool:
        """Whether the answer or the trace is not what the definition gives."""
        same_answer = self.tokens == work.tokens and np.array_equal(self.answer, work.answer)
        return self.is_silent or not same_answer or self.defended.trace.roots != work.honest.trace.roots


class Liar:
    """Tells lies about one piece of work."""

    def __init__(self, subject: Subject, work: Work, generator: random.Random) -> None:
        self._subject, self._work, self._random = subject, work, generator

    def tell(self, kind: str, operator: str) -> Told | None:
        """A lie of this kind, about an operator of that kind where it is about one; None if there is none to tell."""
        told = LIES[kind](self, self._number(operator))
        return None if told is None else replace(told, kind=kind)

    # ------------------------------------------------------------------ about numbers
    def by_one(self, number: int) -> Told | None:
        return self._about_numbers(number, lambda old, codec: old + self._random.choice((1, -1)))

    def by_a_bit(self, number: int) -> Told | None:
        return self._about_numbers(
            number, lambda old, codec: old ^ 1 << self._random.randrange(13 if _is_digits(codec) else 30)
        )

    def large(self, number: int) -> Told | None:
        def change(old: int, codec: Codec) -> int:
            return self._random.choice((-old - 1, *_limits(codec), self._random.randint(*_limits(codec))))

        return self._about_numbers(number, change)

    def not_continued(self, number: int) -> Told | None:
        """What later operators read is the truth."""

        def change(old: int, codec: Codec) -> int:
            return self._random.choice((old + 1, old - 1, self._random.randint(*_limits(codec))))

        return self._about_numbers(number, change, is_continued=False)

    def header(self, number: int) -> Told | None:
        """The exponent and the index of a group of digits, or the fields before the sums of a witness."""
        geometry = self._work.honest.geometry(number)
        kind = self._kind(number)
        part: Part = "values"
        if kind == "quantise":
            fields = OPERAND_HEADER
        elif geometry.witness is not None:
            part, grid = "witness", geometry.witness
            fields = {"softmax": len(SOFTMAX_FIELDS), "layer_norm": len(NORM_FIELDS) + 1}.get(
                kind, len(NORM_FIELDS)
            )
            fields = min(fields, grid.count(0))
        else:
            return None

        def change(old: int, codec: Codec) -> int:
            return old + self._random.choice((1, -1, 2, 64))

        return self._about_numbers(
            number, change, part=part, below=fields, is_continued=self._random.random() < 0.5
        )

    def _about_numbers(
        self,
        number: int,
        change: Callable[[int, Codec], int],
        *,
        part: Part | None = None,
        below: int | None = None,
        is_continued: bool = True,
    ) -> Told | None:
        for _ in range(_TRIES):
            lie = self._lie(number, change, part, below, is_continued)
            if lie is not None:
                return self._forge(number, f"{lie}", lies=[lie])
        return None

    def _lie(
        self,
        number: int,
        change: Callable[[int, Codec], int],
        part: Part | None,
        below: int | None,
        is_continued: bool,
    ) -> Lie | None:
        own, kind = self._work.honest, self._kind(number)
        geometry = own.geometry(number)
        parts: list[Part] = [each for each in _PARTS if getattr(geometry, each) is not None]
        chosen: Part = self._random.choice(parts) if part is None else part
        grid = geometry.grid(chosen)
        row, section = self._random.randrange(grid.rows), self._random.randrange(grid.sections)
        index = self._random.randrange(min(grid.count(row), below or grid.count(row)))
        integers = own.rows(number).integers(Leaf(chosen, row))
        assert integers is not None
        old = int(integers[row if chosen == "supplement" else 0, section, index])
        low, high = _limits(grid.codec)
        new = change(old, grid.codec)
        if kind == "quantise" and chosen == "values" and index == 0:
            new = new % _EXPONENTS
        elif kind == "quantise" and chosen == "values" and index == 1:
            low, high = 0, (1 << 31) - 1
        elif kind == "quantise" and is_continued:
            low, high = -_GREATEST_DIGITS, _GREATEST_DIGITS
        elif kind == "choose" and self._work.tokens:
            new = new % self._subject.vocabulary  # it is the next thing that the model reads
        new = max(low, min(high, new))
        return None if new == old else Lie(number, chosen, row, section, index, new, is_continued)

    # ------------------------------------------------------------------ about whole rows, values and weights
    def swapped_rows(self, number: int) -> Told | None:
        if self._kind(number) in _ATTENTION and self._is_causal(number):
            return None  # a causal row is longer than those before it
        hashes = self._work.honest.trace.commitments[number].row_hashes
        if len({each.tobytes() for each in hashes}) < 2:
            return None
        while True:
            first, second = (self._random.randrange(len(hashes)) for _ in range(2))
            if hashes[first].tobytes() != hashes[second].tobytes():
                return self._forge(number, f"rows {first} and {second}", swap=RowSwap(number, first, second))

    def other_order(self, number: int) -> Told | None:
        own = self._work.honest
        others = [
            each for each in range(1, own.operators + 1) if own.trace.roots[each] != own.trace.roots[number]
        ]
        other = self._random.choice(others)
        defended = MisorderedRerun(own, number, other)
        return self._told(number, f"values {number} and {other}", defended=defended, is_garbled=True)

    def other_weights(self, number: int) -> Told | None:
        operator = self._subject.model.program.operators[number - 1]
        if not operator.table:
            return None
        other = with_other_table(self._subject.model, operator.table)
        return self._continue(
            number, operator.table, lambda ids: Run(other, ids, self._subject.kernels, self._work.sampling)
        )

    # ------------------------------------------------------------------ about the claim
    def truncated(self, number: int) -> Told | None:
        """Fewer tokens, fewer rows, or shorter rows where there is but one."""
        work = self._work
        if len(work.tokens) > 1:
            kept = self._random.randrange(1, len(work.tokens))
            tokens = work.tokens[:kept]
            own = self._subject.rerun(np.array([*work.prompt, *tokens[:-1]]), work.sampling)
            words = f"{kept} of {len(work.tokens)} tokens"
            return self._about_answer(words, work.answer[:kept], tokens, own=own, defended=own)
        if len(work.answer) > 1:
            kept = self._random.randrange(1, len(work.answer))
            return self._about_answer(f"{kept} of {len(work.answer)} rows", work.answer[:kept])
        width = work.answer.shape[1]
        if width == 1:
            return None
        kept = self._random.randrange(width - width % 256 if width % 256 else width - 255, width)
        return self._about_answer(f"{max(1, kept)} of {width} numbers", work.answer[:, : max(1, kept)])

    def answer_only(self, number: int) -> Told | None:
        """The trace is right, the answer is another."""
        work = self._work
        answer = np.array(work.answer)
        row, column = (self._random.randrange(size) for size in answer.shape)
        if not work.tokens:
            answer[row, column] += self._random.choice((1, -1, 1 << 12))
            return self._about_answer(f"number {column} of row {row}", answer)
        answer[row, 0] = (
            answer[row, 0] + self._random.randrange(1, self._subject.vocabulary)
        ) % self._subject.vocabulary
        tokens = tuple(int(each) for each in answer[:, 0])
        own = self._subject.rerun(np.array([*work.prompt, *tokens[:-1]]), work.sampling)
        # The trace may be over what was answered, or over what should have been.
        defended = self._random.choice((own, work.honest))
        return self._about_answer(f"token {row}", answer, tokens, own=own, defended=defended)

    def no_token(self, number: int) -> Told | None:
        """A leaf of the answer is of fewer or more bytes, or an integer that is none of the vocabulary."""
        if not self._work.tokens:
            return None
        generator = self._random
        integers = (
            self._subject.vocabulary,
            generator.randrange(self._subject.vocabulary, 1 << 32),
            (1 << 32) - 1,
        )
        leaves = [
            generator.randbytes(3),
            generator.randbytes(5),
            *(each.to_bytes(4, "big") for each in integers),
        ]
        leaf = generator.choice(leaves)
        return self.leaf(
            generator.randrange(len(self._work.tokens)),
            leaf,
            is_known=len(leaf) == 4 and generator.random() < 0.5,
            is_traced=generator.random() < 0.5,
        )

    def leaf(self, place: int, leaf: bytes, *, is_known: bool, is_traced: bool) -> Told:
        """A leaf of any bytes stands in the answer, known to the challenger as an integer or by its hash alone.

        The trace holds the very same bytes, or it is that of the right tokens.
        """
        work = self._work
        leaves = [token.to_bytes(4, "big") for token in work.tokens]
        claimed: list[ClaimedToken] = list(work.tokens)
        leaves[place], claimed[place] = leaf, int.from_bytes(leaf, "big") if is_known else hash_leaf(leaf)
        readable = readable_tokens(claimed[:-1], self._subject.vocabulary)
        own = self._subject.rerun(np.array([*work.prompt, *readable]), work.sampling)
        defended = GarbledRerun(work.honest, leaves, len(work.prompt)) if is_traced else work.honest
        words = f"token {place} is {leaf.hex()}"
        told = self._about_answer(words, work.answer, tuple(claimed), own=own, defended=defended)
        return replace(told, leaves=tuple(leaves), is_garbled=False)

    def other_input(self, number: int) -> Told | None:
        work = self._work
        prompt = np.array(work.prompt)
        place = tuple(self._random.randrange(size) for size in prompt.shape)
        limit = self._subject.vocabulary or 256
        prompt[place] = (prompt[place] + self._random.randrange(1, limit)) % limit
        ids = np.array([*prompt, *work.tokens[:-1]]) if work.tokens else prompt
        defended = self._subject.rerun(ids, work.sampling)
        answer = work.answer if work.tokens else rows_of_answer(defended)
        return self._about_answer(f"place {place[0]}", answer, work.tokens, defended=defended)

    def silence(self, number: int) -> Told | None:
        """The right answer, but no trace."""
        return replace(self._told(number, "", defended=self._work.honest), operator=ANSWER, is_silent=True)

    def nothing(self, number: int) -> Told | None:
        return replace(self._told(number, "", defended=self._work.honest), operator=ANSWER)

    # ------------------------------------------------------------------ what follows
    def _forge(
        self, number: int, words: str, *, lies: list[Lie] | None = None, swap: RowSwap | None = None
    ) -> Told | None:
        subject, work = self._subject, self._work

        def run(ids: torch.Tensor) -> Run:
            return ForgedRun(subject.model, ids, lies or [], subject.kernels, work.sampling, swap)

        try:
            return self._continue(number, words, run)
        except (ProofmillError, RuntimeError):
            # Nothing can be computed from this lie, so nothing is.
            if not lies or not lies[0].is_continued:
                raise
            return self._forge(number, words, lies=[replace(lie, is_continued=False) for lie in lies])

    def _continue(self, number: int, words: str, run: Callable[[torch.Tensor], Run]) -> Told:
        """The answer that such a run gives; of a generation, tokens that it goes on with itself."""
        work, committed = self._work, self._subject.committed
        if not work.tokens:
            defended = Rerun.of_run(committed, run(torch.tensor(work.prompt)))
            return self._told(number, words, defended=defended, answer=rows_of_answer(defended))
        tokens = work.tokens
        for _ in range(len(tokens) + 1):
            ids = np.array([*work.prompt, *tokens[:-1]])
            defended = Rerun.of_run(committed, run(torch.tensor(ids)))
            answer = rows_of_answer(defended, len(work.prompt) - 1)
            chosen = tuple(int(each) % self._subject.vocabulary for each in answer[:, 0])
            if chosen == tokens:
                break
            tokens = chosen
        own = work.honest if tokens == work.tokens else self._subject.rerun(ids, work.sampling)
        return self._told(
            number, words, own=own, defended=defended, answer=np.array(tokens)[:, None], tokens=tokens
        )

    def _told(
        self,
        number: int,
        words: str,
        *,
        defended: Rerun,
        own: Rerun | None = None,
        answer: Integers | None = None,
        tokens: tuple[ClaimedToken, ...] | None = None,
        is_garbled: bool = False,
    ) -> Told:
        work = self._work
        return Told(
            "",
            self._kind(number),
            f"operator {number}: {words}",
            own or work.honest,
            defended,
            work.answer if answer is None else answer,
            work.tokens if tokens is None else tokens,
            is_garbled=is_garbled,
        )

    def _about_answer(
        self,
        words: str,
        answer: Integers,
        tokens: tuple[ClaimedToken, ...] = (),
        *,
        own: Rerun | None = None,
        defended: Rerun | None = None,
    ) -> Told:
        told = self._told(
            1, words, own=own, defended=defended or self._work.honest, answer=answer, tokens=tokens
        )
        return replace(told, operator=ANSWER, words=words, is_garbled=True)

    def _number(self, kind: str) -> int:
        operators = enumerate(self._subject.model.program.operators, start=1)
        return self._random.choice([number for number, operator in operators if operator.kind == kind])

    def _kind(self, number: int) -> str:
        return self._subject.model.program.operators[number - 1].kind

    def _is_causal(self, number: int) -> bool:
        return bool(self._work.honest.program.descriptors[number - 1].constants["causal"])


def _is_digits(codec: Codec) -> bool:
    return codec is not INTEGERS and codec is not FIELDS


def _limits(codec: Codec) -> tuple[int, int]:
    """What a lie may be, so that the layout can hold it."""
    if codec is INTEGERS:
        return -(1 << 31), (1 << 31) - 1
    if codec is FIELDS:
        return -(1 << 62), (1 << 62) - 1
    return (0 if codec is DIGITS else -(1 << 14)), 1 << 14


ANSWER: Final = "answer"
NOTHING: Final = "nothing"
Telling = Callable[[Liar, int], Told | None]
#: Lies about an operator, with how often each is told.
ABOUT_OPERATORS: Final[Mapping[str, tuple[Telling, int]]] = {
    "by one": (Liar.by_one, 4),
    "by a bit": (Liar.by_a_bit, 3),
    "large": (Liar.large, 3),
    "not continued": (Liar.not_continued, 3),
    "header only": (Liar.header, 3),
    "swapped rows": (Liar.swapped_rows, 2),
    "program order": (Liar.other_order, 2),
    "other weights": (Liar.other_weights, 2),
}
ABOUT_ANSWERS: Final[Mapping[str, tuple[Telling, int]]] = {
    "truncated": (Liar.truncated, 2),
    "answer only": (Liar.answer_only, 2),
    "other input": (Liar.other_input, 1),
    "silence": (Liar.silence, 1),
    NOTHING: (Liar.nothing, 3),
}
#: Of models that choose tokens.
ABOUT_TOKENS: Final[Mapping[str, tuple[Telling, int]]] = {"no token": (Liar.no_token, 2)}
LIES: Final[Mapping[str, Telling]] = {
    name: telling for name, (telling, _) in {**ABOUT_OPERATORS, **ABOUT_ANSWERS, **ABOUT_TOKENS}.items()
}


def kinds_of_lies(generator: random.Random, *, about_tokens: bool) -> Iterator[str]:
    """Kinds without end, each in each round as often as its weight."""
    told = {**ABOUT_OPERATORS, **ABOUT_ANSWERS, **(ABOUT_TOKENS if about_tokens else {})}
    while True:
        kinds = [name for name, (_, weight) in told.items() for _ in range(weight)]
        generator.shuffle(kinds)
        yield from kinds
