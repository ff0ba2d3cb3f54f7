"""ExactEngine on a small exact model: lazy loading, validation with the place, deterministic answers."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from proofmill.jobs import (
    EmbeddingAnswer,
    EmbeddingRequest,
    Engine,
    ExactEmbedder,
    ExactEngine,
    InvalidRequest,
    ModelMismatch,
    UnknownModel,
    minilm_engine,
)


@dataclass(frozen=True)
class Limits:
    vocabulary_size: int = 1000
    maximum_tokens: int = 8
    embedding_size: int = 4
    fraction_bits: int = 24


class PolynomialEmbedder:
    """An exact model of four integer features: the value of the sequence, read as a polynomial, modulo primes."""

    limits = Limits()
    primes = (16_777_213, 16_777_199, 16_777_183, 16_777_153)

    def __init__(self, name: str = "polynomial") -> None:
        self.model_id = hashlib.sha256(name.encode()).digest()

    def embed(
        self,
        sequences: Sequence[Sequence[int]],
        *,
        batch_size: int = 32,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray[Any, np.dtype[np.int32]]:
        rows: list[list[int]] = []
        for ids in sequences:
            row = [0] * len(self.primes)
            for token in ids:
                row = [(1009 * value + token) % prime for value, prime in zip(row, self.primes, strict=True)]
            rows.append(row)
            if progress is not None:
                progress(len(rows), len(sequences))
        return np.array(rows, np.int32)


MODEL = PolynomialEmbedder().model_id


def _request(*sequences: tuple[int, ...], model_id: bytes = MODEL) -> bytes:
    return EmbeddingRequest(model_id, sequences).to_bytes()


@pytest.fixture
def engine() -> ExactEngine:
    return ExactEngine({MODEL: PolynomialEmbedder})


def test_execute__valid_request__gives_the_answer_blob(engine: ExactEngine) -> None:
    typed: Engine = engine  # the seam that workers and oracles are written against
    answer = EmbeddingAnswer.from_bytes(typed.execute(MODEL, _request((1, 2), (999,))))
    assert answer.fraction_bits == 24
    assert answer.embeddings.tolist() == [[1011] * 4, [999] * 4]
    assert typed.execute(MODEL, _request((1, 2), (999,))) == answer.to_bytes()


def test_execute__progress__is_reported(engine: ExactEngine) -> None:
    seen: list[tuple[int, int]] = []
    engine.execute(MODEL, _request((1,), (2,)), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_execute__unknown_model__names_the_known_ones(engine: ExactEngine) -> None:
    assert engine.model_ids() == frozenset({MODEL})
    with pytest.raises(UnknownModel) as caught:
        engine.execute(bytes(32), _request((1,), model_id=bytes(32)))
    assert MODEL.hex() in caught.value.remedy


@pytest.mark.parametrize(
    ("request_blob", "place"),
    [
        (b"garbage", "CBOR"),
        (_request((1,), model_id=bytes(32)), "model_id"),
        (_request((1,), (1,) * 9), r"sequences\[1\]: 9 tokens are over the limit of 8"),
        (_request((1,), (1, 2), (3, 1000)), r"sequences\[2\]\[1\]: token id 1000 is outside"),
    ],
)
def test_execute__request_it_cannot_answer__names_the_place(
    engine: ExactEngine, request_blob: bytes, place: str
) -> None:
    with pytest.raises(InvalidRequest, match=place):
        engine.execute(MODEL, request_blob)
    with pytest.raises(InvalidRequest, match=place):
        engine.validate(MODEL, request_blob)


def test_validate__valid_request__is_returned(engine: ExactEngine) -> None:
    assert engine.validate(MODEL, _request((1, 2))).sequences == ((1, 2),)


def test_execute__malformed_request__does_not_load_the_model() -> None:
    def load() -> ExactEmbedder:
        raise AssertionError("loaded")

    with pytest.raises(InvalidRequest):
        ExactEngine({MODEL: load}).execute(MODEL, b"garbage")


def test_execute__many_threads__load_once_and_one_at_a_time() -> None:
    other = PolynomialEmbedder("other").model_id
    loading: list[str] = []
    most: list[int] = []

    def loader(name: str) -> Callable[[], ExactEmbedder]:
        def load() -> ExactEmbedder:
            loading.append(name)
            most.append(len(loading))
            time.sleep(0.05)
            loading.remove(name)
            return PolynomialEmbedder(name)

        return load

    engine = ExactEngine({MODEL: loader("polynomial"), other: loader("other")})
    threads = [
        threading.Thread(target=engine.execute, args=(model, _request((1,), model_id=model)))
        for model in (MODEL, other) * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1]


def test_execute__load_fails_once__is_tried_again() -> None:
    attempts: list[int] = []

    def load() -> ExactEmbedder:
        attempts.append(1)
        if len(attempts) == 1:
            raise ModelMismatch("files are missing", remedy="Fetch them.")
        return PolynomialEmbedder()

    engine = ExactEngine({MODEL: load})
    with pytest.raises(ModelMismatch):
        engine.execute(MODEL, _request((1,)))
    assert engine.execute(MODEL, _request((1,)))


def test_execute__model_of_other_fraction_bits__is_refused() -> None:
    class Coarse(PolynomialEmbedder):
        limits = Limits(fraction_bits=23)

    with pytest.raises(ModelMismatch, match="23 fraction bits"):
        ExactEngine({MODEL: Coarse}).execute(MODEL, _request((1,)))


def test_execute__loader_gives_another_model__is_refused() -> None:
    engine = ExactEngine({MODEL: lambda: PolynomialEmbedder("other")})
    with pytest.raises(ModelMismatch, match=MODEL.hex()):
        engine.execute(MODEL, _request((1,)))


@pytest.mark.parametrize(
    "result", [np.zeros((1, 4), np.int64), np.zeros((2, 4), np.int32), np.zeros((1, 3), np.int32)]
)
def test_execute__model_breaks_its_limits__is_refused(result: np.ndarray) -> None:  # type: ignore[type-arg]
    class Broken(PolynomialEmbedder):
        def embed(self, sequences, *, batch_size=32, progress=None):  # type: ignore[no-untyped-def]
            return result

    with pytest.raises(ModelMismatch, match="instead of int32"):
        ExactEngine({MODEL: Broken}).execute(MODEL, _request((1,)))


def test_minilm_engine__not_asked_yet__lists_the_pinned_model_without_loading_it() -> None:
    (model_id,) = minilm_engine().model_ids()
    assert len(model_id) == 32


@pytest.mark.slow
def test_minilm_engine__real_model__answers_equally_in_any_company() -> None:
    engine = minilm_engine()
    (model_id,) = engine.model_ids()
    words, number = (101, 7592, 2088, 102), (101, 2028, 102)
    together = EmbeddingAnswer.from_bytes(
        engine.execute(model_id, _request(words, number, model_id=model_id))
    )
    alone = EmbeddingAnswer.from_bytes(engine.execute(model_id, _request(number, model_id=model_id)))
    assert together.embeddings.shape == (2, 384)
    assert together.embeddings[1].tolist() == alone.embeddings[0].tolist()
    with pytest.raises(InvalidRequest, match=r"sequences\[0\]\[1\]: token id 30522"):
        engine.execute(model_id, _request((101, 30522), model_id=model_id))
