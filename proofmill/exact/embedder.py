"""Embedder: what the rest of Proofmill sees of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from proofmill.exact.bert import Encoder
from proofmill.exact.errors import InvalidOperand, InvalidSequence, InvalidText
from proofmill.exact.manifest import Manifest, ModelLimits


class Embedder:
    """An exact sentence encoder. Immutable; its methods may be called from several threads at once."""

    def __init__(self, manifest: Manifest, encoder: Encoder, tokenizer: Tokenizer, carrier: str) -> None:
        self._manifest = manifest.to_bytes()
        self._model_id = manifest.model_id
        self._limits = manifest.limits
        self._encoder = encoder
        self._tokenizer = tokenizer
        self._carrier = carrier

    @property
    def model_id(self) -> bytes:
        """sha256 of :attr:`manifest`, 32 bytes."""
        return self._model_id

    @property
    def manifest(self) -> bytes:
        """The canonical manifest."""
        return self._manifest

    @property
    def limits(self) -> ModelLimits:
        """What sequences may hold, and the format of embeddings."""
        return self._limits

    @property
    def carrier(self) -> str:
        """The machine arithmetic in use; it decides the speed, never the answer."""
        return self._carrier

    def embed(
        self,
        sequences: Sequence[Sequence[int]],
        *,
        batch_size: int = 32,
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.int32]:
        """Embeddings as int32 [n, embedding_size] in Q.24, in the order given; components are within ±(2^24 +
        1).

        Sequences are computed in batches of similar length; neither batch size nor order nor company changes
        a bit. ``progress(done, total)`` is called in this thread after each batch.
        """
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
            raise InvalidOperand(f"batch size {batch_size!r}", remedy="Use a batch size of at least 1.")
        checked = [self._check(index, sequence) for index, sequence in enumerate(sequences)]
        answer = np.zeros((len(checked), self._limits.embedding_size), dtype=np.int32)
        order = sorted(range(len(checked)), key=lambda index: len(checked[index]))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            with torch.inference_mode():
                rows = self._encoder.run([checked[index] for index in batch])
                answer[batch] = rows.to(torch.int32).numpy()
            if progress is not None:
                progress(start + len(batch), len(order))
        return answer

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, with the special tokens; nothing is cut, a text that is too long is an
        error.
        """
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise InvalidText(f"text {index} is a {type(text).__name__}", remedy="Pass strings.")
            try:
                text.encode("utf-8")
            except UnicodeEncodeError as error:
                raise InvalidText(
                    f"text {index} is not valid Unicode: {error}", remedy="Remove lone surrogates."
                ) from error
        sequences = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        for index, sequence in enumerate(sequences):
            if len(sequence) > self._limits.maximum_tokens:
                raise InvalidText(
                    f"text {index} has {len(sequence)} tokens, at most {self._limits.maximum_tokens}",
                    remedy="Split the text into shorter ones.",
                )
        return sequences

    def _check(self, index: int, sequence: Sequence[int]) -> list[int]:
        limits = self._limits
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


def _is_integer(token: object) -> bool:
    """Python and numpy integers; a truth value is not an id."""
    return isinstance(token, Integral) and not isinstance(token, bool)
