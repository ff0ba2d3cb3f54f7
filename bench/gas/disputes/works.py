"""What operators are asked in the games: real models with an input each, and the right answer."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adversaries.forged_run import ForgedRun, Lie
from proofmill.disputes.rerun import CommittedModel, Rerun
from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.kernels.selection import choose_kernels
from proofmill.exact.models.catalogue import known_model, load_packed
from proofmill.exact.trace.claims import (
    AnswerCommitment,
    RequestCommitment,
    RequestKind,
    answer_item,
    answer_tokens,
    input_item,
)
from proofmill.exact.trace.geometry import Leaf

Integers = NDArray[Any]

TOKENS: Final = 128  # rows of a sequence
FEW_TOKENS: Final = 32  # of one that a larger model is asked about
NEW_TOKENS: Final = 4  # of them, in a generation


@dataclass(frozen=True)
class Work:
    """One sequence and the honest trace of it. Of a generation ``prompt`` is continued by ``tokens``; a map has none."""

    name: str
    committed: CommittedModel
    prompt: Tensor  # ids [P] or bytes [rows, channels]
    honest: Rerun
    tokens: tuple[int, ...] = ()
    kernels: Kernels | None = None

    @property
    def request(self) -> RequestCommitment:
        kind = RequestKind.GENERATION if self.tokens else RequestKind.MAP
        return RequestCommitment(kind, [input_item(self.prompt.numpy())], maximum_new_tokens=len(self.tokens))

    @property
    def first_row(self) -> int:
        """Of the last value's rows, the first that is answered."""
        return len(self.prompt) - 1 if self.tokens else 0

    def answer(self, rerun: Rerun) -> Integers:
        """Rows of a run's last value that are its answer: integers [R, W]."""
        rows, last, found = rerun.rows(rerun.operators), rerun.operators, []
        for row in range(self.first_row, rerun.geometry(last).values.rows):
            integers = rows.integers(Leaf("values", row))
            assert integers is not None
            found.append(integers[0, 0])
        return np.stack(found)

    def commitment(self, answer: Integers) -> AnswerCommitment:
        item = answer_tokens(answer[:, 0]) if self.tokens else answer_item(answer)
        return AnswerCommitment([item])

    def forged(self, lies: Sequence[Lie]) -> Rerun:
        """The trace of an operator that lies about some integers."""
        run = self.honest.trace.run
        return Rerun.of_run(
            self.committed, ForgedRun(self.committed.model, run.input, lies, self.kernels, run.sampling)
        )

    def number_of(self, kind: str, table: str = "") -> int:
        """The first operator of a kind that reads a table whose name ends so."""
        operators = self.committed.model.program.operators
        return next(
            number
            for number, operator in enumerate(operators, start=1)
            if operator.kind == kind and operator.table.endswith(table)
        )


@functools.cache
def _kernels() -> Kernels:
    return choose_kernels(None, "cpu")


@functools.cache
def committed(name: str) -> CommittedModel:
    """A model of the catalogue with the tree over its program."""
    return CommittedModel.of(load_packed(known_model(name))[1])


def map_of(name: str, model: CommittedModel, prompt: Tensor) -> Work:
    """The model is run once."""
    return Work(name, model, prompt, Rerun.of(model, prompt, None, _kernels()), (), _kernels())


def _ids(count: int, vocabulary: int) -> Tensor:
    """Tokens as text has them: spread over the vocabulary, some of them often."""
    return torch.tensor([(place * place * 97 + 11 * place) % vocabulary for place in range(count)])


@functools.cache
def minilm() -> Work:
    """The embedding of 128 tokens."""
    model = committed("minilm-e16")
    return map_of("MiniLM", model, _ids(TOKENS, model.model.description.vocabulary_size))


@functools.cache
def smollm() -> Work:
    """The next token after each of 32."""
    model = committed("smollm2-e16")
    return map_of("SmolLM2, prefill", model, _ids(FEW_TOKENS, model.model.description.vocabulary_size))


@functools.cache
def smollm_generation() -> Work:
    """Four new tokens after as many as make 32 rows."""
    model = committed("smollm2-e16")
    prompt = _ids(FEW_TOKENS + 1 - NEW_TOKENS, model.model.description.vocabulary_size)
    tokens = tuple[int, ...]()
    while True:
        ids = torch.cat([prompt, torch.tensor(tokens, dtype=prompt.dtype)])
        work = Work(
            "SmolLM2, generation", model, prompt, Rerun.of(model, ids, None, _kernels()), (0,), _kernels()
        )
        tokens = tuple(int(row[0]) for row in work.answer(work.honest))
        if len(tokens) == NEW_TOKENS:
            return Work(work.name, model, prompt, work.honest, tokens, _kernels())


@functools.cache
def digits() -> Work:
    """The digit of a picture of 28 by 28."""
    pixels = [(place * place * 31 + 7 * place) % 256 for place in range(784)]
    return map_of("digits", committed("digits-e16"), torch.tensor(pixels, dtype=torch.uint8)[:, None])
