"""Embedder: what the rest of Proofmill sees of a model."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from numbers import Integral
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from proofmill.exact.errors import InvalidOperand, InvalidSequence, ModelUnavailable
from proofmill.exact.execution.executor import Executor
from proofmill.exact.loaded import LoadedModel
from proofmill.exact.program.model import Description
from proofmill.exact.text import tokenize

#: Tokens in a batch: no more than stays in cache, no fewer than keep an operator busy.
MOST_TOKENS: Final = 512
MOST_TOKENS_DIVIDED: Final = 2048
FEWEST_TOKENS: Final = 64


@dataclass(frozen=True)
class EmbeddingLimits:
    """What sequences may hold, and the format of embeddings."""

    vocabulary_size: int
    maximum_tokens: int
    embedding_size: int
    fraction_bits: int


class Embedder(LoadedModel):
    """An exact sentence encoder. Immutable; its methods may be called from several threads at once."""

    def __init__(
        self,
        model_id: bytes,
        description: Description,
        executor: Executor,
        embedding_size: int,
        tokenizer: Tokenizer | None,
    ) -> None:
        super().__init__(model_id, description, executor)
        self._limits = EmbeddingLimits(
            description.vocabulary_size,
            description.maximum_tokens,
            embedding_size,
            description.output_fraction_bits,
        )
        self._tokenizer = tokenizer
        divided = executor.kernels.divides_work
        self._threads = 1 if divided else torch.get_num_threads()
        self._most_tokens = MOST_TOKENS_DIVIDED if divided else MOST_TOKENS

    @property
    def limits(self) -> EmbeddingLimits:
        """What sequences may hold, and the format of embeddings."""
        return self._limits

    def embed(
        self,
        sequences: Sequence[Sequence[int]],
        *,
        batch_size: int = 32,
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.int32]:
        """Embeddings as int32 [n, embedding_size] in Q.24, in the order given; components are within ±(2^24 +
        1).

        Sequences are computed in batches of similar length, at most ``batch_size`` at once in each of the threads
        PyTorch was given when the model was loaded; neither batch size nor order nor company changes a bit.
        ``progress(done, total)`` is called in this thread after each batch.
        """
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
            raise InvalidOperand(f"batch size {batch_size!r}", remedy="Use a batch size of at least 1.")
        checked = [self._check(index, sequence) for index, sequence in enumerate(sequences)]
        answer = np.zeros((len(checked), self._limits.embedding_size), dtype=np.int32)
        batches = _batches(
            [len(sequence) for sequence in checked], batch_size, self._threads, self._most_tokens
        )

        def compute(batch: list[int]) -> npt.NDArray[np.int32]:
            with torch.inference_mode():
                rows = self._executor.run_tokens([checked[index] for index in batch])
                numbers: npt.NDArray[np.int32] = rows.cpu().numpy()
            return numbers

        done = 0
        results: Iterable[npt.NDArray[np.int32]]
        with ExitStack() as stack:
            if self._threads == 1:
                results = map(compute, batches)
            else:
                results = stack.enter_context(closing(_in_threads(compute, batches, self._threads)))
            for batch, numbers in zip(batches, results, strict=True):
                answer[batch] = numbers
                done += len(batch)
                if progress is not None:
                    progress(done, len(checked))
        return answer

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, see :func:`proofmill.exact.text.tokenize`; ModelUnavailable if the model came without one."""
        if self._tokenizer is None:
            raise ModelUnavailable(
                f"no tokenizer is known for model {self._description.name}",
                remedy="Pass token ids, made with the tokenizer of the model.",
            )
        return tokenize(self._tokenizer, texts, self._limits.maximum_tokens)

    def _check(self, index: int, sequence: Sequence[int]) -> list[int]:
        limits = self._limits
        if not isinstance(sequence, (Sequence, np.ndarray)) or isinstance(sequence, (str, bytes)):
            raise InvalidSequence(
                f"sequence {index} is a {type(sequence).__name__}", remedy="Pass lists of token ids."
            )
        if len(sequence) == 0:
            raise InvalidSequence(f"sequence {index} is empty", remedy="Pass at least one token id.")
        if len(sequence) > limits.maximum_tokens:
            raise InvalidSequence(
                f"sequence {index} has {len(sequence)} tokens, at most {limits.maximum_tokens}",
                remedy="Split it into shorter sequences.",
            )
        for place, token in enumerate(sequence):
            if not _is_integer(token) or not 0 <= token < limits.vocabulary_size:
                raise InvalidSequence(
                    f"sequence {index}, token {place}: {token!r} is not an id of the vocabulary,"
                    f" 0 to {limits.vocabulary_size - 1}",
                    remedy="Use token ids of this model's tokenizer.",
                )
        return [int(token) for token in sequence]


def _batches(lengths: Sequence[int], batch_size: int, threads: int, most_tokens: int) -> list[list[int]]:
    """Indices of sequences, longest first, cut into batches of similar length and enough of them for the threads."""
    if threads > 1:
        share = -(-sum(lengths) // (2 * threads))
        most_tokens = max(FEWEST_TOKENS, min(most_tokens, share))
    batches: list[list[int]] = []
    tokens = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        tokens += lengths[index]
        if not batches or len(batches[-1]) == batch_size or tokens > most_tokens:
            batches.append([])
            tokens = lengths[index]
        batches[-1].append(index)
    return batches


def _in_threads(
    compute: Callable[[list[int]], npt.NDArray[np.int32]], batches: list[list[int]], threads: int
) -> Generator[npt.NDArray[np.int32], None, None]:
    """Results in order, each batch computed by one of several threads that do not divide its operators further.

    PyTorch would rather divide every operator among OpenMP threads, which wait for each other by spinning: as soon as
    another process wants a core, thousands of such meetings a second each lose a time slice and work nearly stops.
    """
    before = torch.get_num_threads()
    workers = ThreadPoolExecutor(
        max(1, min(threads, len(batches))),
        "proofmill-exact",
        initializer=torch.set_num_threads,
        initargs=(1,),
    )
    try:
        yield from workers.map(compute, batches)
    finally:
        workers.shutdown(cancel_futures=True)
        # The setting holds for one thread, but also becomes the default of threads yet to start: put that back.
        torch.set_num_threads(before)


def _is_integer(token: object) -> bool:
    """Python and numpy integers; a truth value is not an id."""
    return isinstance(token, Integral) and not isinstance(token, bool)
