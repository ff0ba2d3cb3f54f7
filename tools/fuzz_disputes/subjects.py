"""The models that are lied about, and pieces of work that they were asked for."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from proofmill.disputes.rerun import CommittedModel, Rerun
from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.kernels.selection import choose_kernels
from proofmill.exact.models.catalogue import known_model, load_packed
from proofmill.exact.program.model import Model
from proofmill.exact.program.sampling import Sampling
from tests.suite.disputes import rows_of_answer

Integers = NDArray[Any]
Task = Literal["map", "generation"]

WORKS_OF_A_TASK: Final = 3  # a trace of a real model takes seconds, so a few are lied about again and again
NEW_TOKENS: Final = 3
#: Least and greatest number of tokens asked about; a model of images has its own size.
LENGTHS: Final[Mapping[str, tuple[int, int]]] = {
    "minilm-e16": (6, 40),
    "minilm-e16x": (6, 40),
    "smollm2-e16": (6, 24),
    "digits-e16": (1, 1),
}


@dataclass(frozen=True)
class Work:
    """One sequence and the right answer to it; ``tokens`` of a generation, none of a map."""

    prompt: Integers  # ids [T] or bytes [rows, channels]
    sampling: Sampling | None
    honest: Rerun
    answer: Integers  # [R, W]
    tokens: tuple[int, ...] = ()

    @property
    def task(self) -> Task:
        return "generation" if self.tokens else "map"


@dataclass
class Subject:
    """A committed model with a few pieces of work."""

    name: str
    committed: CommittedModel
    lengths: tuple[int, int]
    kernels: Kernels | None = None
    vocabulary: int = 0
    _works: dict[Task, list[Work]] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        return self.committed.model

    @property
    def kinds(self) -> list[str]:
        """Kinds of operators in the program, each once."""
        return sorted({operator.kind for operator in self.model.program.operators})

    @property
    def tasks(self) -> tuple[Task, ...]:
        return ("map", "generation") if self.model.program.operators[-1].kind == "choose" else ("map",)

    def work(self, task: Task, generator: random.Random) -> Work:
        """One of a few, made when it is first asked for."""
        works = self._works.setdefault(task, [])
        place = generator.randrange(WORKS_OF_A_TASK)
        if place < len(works):
            return works[place]
        works.append(self._make(task, generator))
        return works[-1]

    def rerun(self, ids: Integers, sampling: Sampling | None) -> Rerun:
        """An honest trace."""
        return Rerun.of(self.committed, torch.tensor(ids), sampling, self.kernels)

    def _make(self, task: Task, generator: random.Random) -> Work:
        shape = self.model.program.input
        if shape.kind == "tokens":
            length = generator.randint(*self.lengths)
            prompt = np.array([generator.randrange(self.vocabulary) for _ in range(length)])
        else:
            assert shape.rows is not None
            pixels = [generator.randrange(256) for _ in range(shape.rows * shape.width)]
            prompt = np.array(pixels).reshape(shape.rows, shape.width)
        sampling = None
        if self.model.program.operators[-1].kind == "choose" and generator.random() < 0.5:
            sampling = Sampling(generator.randint(1, 1 << 18), generator.randrange(1 << 64))
        if task == "map":
            honest = self.rerun(prompt, sampling)
            return Work(prompt, sampling, honest, rows_of_answer(honest))
        tokens = tuple[int, ...]()
        while True:
            honest = self.rerun(np.array([*prompt, *tokens]), sampling)
            new = rows_of_answer(honest, len(prompt) - 1)
            tokens = tuple(int(row[0]) for row in new)
            if len(tokens) == NEW_TOKENS:
                return Work(prompt, sampling, honest, new, tokens)


def load_subject(name: str) -> Subject:
    """A model of the catalogue; converting or reading it takes seconds."""
    _, model = load_packed(known_model(name))
    kernels = choose_kernels(None, "cpu")
    vocabulary = model.description.vocabulary_size
    return Subject(name, CommittedModel.of(model), LENGTHS[name], kernels, vocabulary)


Loader = Callable[[str], Subject]
