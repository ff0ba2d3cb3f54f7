"""The blobs of an embedding job: what is asked and what is answered. docs/JOBS.md gives them byte by byte.

One value has one encoding and one root, and a root belongs to one blob: every field of a blob is bound by it, or is the
same in all blobs of its kind. Limits that depend on the model (vocabulary, length of a sequence) are the engine's to check;
these are the limits of the format.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from proofmill.errors import ProofmillError
from proofmill.exact.trace.claims import (
    MAXIMUM_ITEMS,
    AnswerCommitment,
    RequestCommitment,
    RequestKind,
    answer_items,
    input_items,
)
from proofmill.jobs.canonical_cbor import NotCanonical, Value, decode, encode
from proofmill.jobs.errors import InvalidAnswer, InvalidRequest

REQUEST_KIND = "proofmill/embedding-request/1"
ANSWER_KIND = "proofmill/embedding-answer/1"
MODEL_ID_BYTES = 32
MAXIMUM_SEQUENCES = MAXIMUM_ITEMS
MAXIMUM_TOKENS_PER_JOB = 262_144
MAXIMUM_TOKEN_ID = 2**32 - 1
MAXIMUM_REQUEST_BYTES = 4 * 1024 * 1024
MAXIMUM_ANSWER_BYTES = 16 * 1024 * 1024
MAXIMUM_EMBEDDING_SIZE = 65_536
FRACTION_BITS = 24  # of what `unit_mean` makes; an answer's root has no place for another

_TOKEN_BYTES = 4
_ELEMENT_BYTES = 4
_MAXIMUM_OTHER_VALUES = 64  # beside the sequences: the map, its keys and the other fields
_REBUILD_REQUEST = "Build the request with EmbeddingRequest(…).to_bytes() and send those bytes unchanged."
_REBUILD_ANSWER = "Build the answer with EmbeddingAnswer(…).to_bytes() and send those bytes unchanged."
_SPLIT = "Split the work into several jobs."


@dataclass(frozen=True)
class EmbeddingRequest:
    """Token id sequences to embed with one model. Immutable; invalid values raise ``InvalidRequest``."""

    model_id: bytes
    sequences: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        _validate_model_id(self.model_id)
        _validate_sequence_count(len(self.sequences))
        _validate_token_count(sum(len(sequence) for sequence in self.sequences))
        sequences = tuple(_validate_sequence(place, ids) for place, ids in enumerate(self.sequences))
        object.__setattr__(self, "sequences", sequences)

    @property
    def token_count(self) -> int:
        """Tokens in all sequences together."""
        return sum(len(sequence) for sequence in self.sequences)

    @functools.cached_property
    def commitment(self) -> RequestCommitment:
        """What the contracts know of the request. Its seed, which no map draws with, is the model's id as a number."""
        items = input_items([np.array(ids, dtype=np.uint32) for ids in self.sequences])
        return RequestCommitment(RequestKind.MAP, items, seed=int.from_bytes(self.model_id, "big"))

    @property
    def root(self) -> bytes:
        """The 32 bytes by which the request is known: the job's input root."""
        return self.commitment.root

    def to_bytes(self) -> bytes:
        """Return the request blob."""
        packed: list[Value] = [np.array(ids, dtype="<u4").tobytes() for ids in self.sequences]
        return encode({"kind": REQUEST_KIND, "model_id": self.model_id, "sequences": packed})

    @classmethod
    def from_bytes(cls, data: bytes) -> EmbeddingRequest:
        """Return the request of which ``data`` is the blob; ``InvalidRequest`` names the field at fault."""
        fields = _read_fields(
            data,
            REQUEST_KIND,
            ("model_id", "sequences"),
            MAXIMUM_REQUEST_BYTES,
            InvalidRequest,
            _REBUILD_REQUEST,
        )
        model_id, packed = fields["model_id"], fields["sequences"]
        if not isinstance(model_id, bytes):
            raise InvalidRequest("model_id: not a byte string", remedy=_REBUILD_REQUEST)
        if not isinstance(packed, list):
            raise InvalidRequest("sequences: not an array", remedy=_REBUILD_REQUEST)
        _validate_sequence_count(len(packed))
        token_count = 0
        for place, ids in enumerate(packed):
            if not isinstance(ids, bytes) or len(ids) % _TOKEN_BYTES:
                raise InvalidRequest(
                    f"sequences[{place}]: not a byte string of {_TOKEN_BYTES} bytes a token",
                    remedy=_REBUILD_REQUEST,
                )
            token_count += len(ids) // _TOKEN_BYTES
        _validate_token_count(token_count)  # before unpacking: a token takes far more memory unpacked
        unpacked = tuple(
            tuple(np.frombuffer(ids, "<u4").tolist()) for ids in packed if isinstance(ids, bytes)
        )
        return cls(model_id, unpacked)


@dataclass(frozen=True, eq=False)
class EmbeddingAnswer:
    """One embedding per sequence: int32 ``(sequences, embedding size)``, each element × 2^-fraction_bits, which is 24.

    The array is a read-only copy backed by immutable bytes. Invalid values raise ``InvalidAnswer``.
    """

    embeddings: npt.NDArray[np.int32]
    fraction_bits: int = FRACTION_BITS

    def __post_init__(self) -> None:
        embeddings = self.embeddings
        if not isinstance(embeddings, np.ndarray) or embeddings.dtype != np.int32 or embeddings.ndim != 2:
            raise InvalidAnswer(
                "embeddings: not an int32 array of two dimensions",
                remedy="Pass what Embedder.embed returned.",
            )
        _validate_shape(*embeddings.shape)
        object.__setattr__(self, "fraction_bits", _validate_fraction_bits(self.fraction_bits))
        object.__setattr__(
            self, "embeddings", _unpack_embeddings(_pack_embeddings(embeddings), *embeddings.shape)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EmbeddingAnswer) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    @functools.cached_property
    def commitment(self) -> AnswerCommitment:
        """What the contracts know of the answer: each embedding is an item of one row."""
        return AnswerCommitment(answer_items(list(self.embeddings[:, None])))

    @property
    def root(self) -> bytes:
        """The 32 bytes by which the answer is known: the job's deliverable."""
        return self.commitment.root

    def to_bytes(self) -> bytes:
        """Return the answer blob."""
        count, size = self.embeddings.shape
        return encode(
            {
                "kind": ANSWER_KIND,
                "count": count,
                "size": size,
                "fraction_bits": self.fraction_bits,
                "embeddings": _pack_embeddings(self.embeddings),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> EmbeddingAnswer:
        """Return the answer of which ``data`` is the blob; ``InvalidAnswer`` names the field at fault."""
        names = ("count", "size", "fraction_bits", "embeddings")
        fields = _read_fields(data, ANSWER_KIND, names, MAXIMUM_ANSWER_BYTES, InvalidAnswer, _REBUILD_ANSWER)
        count, size, packed = fields["count"], fields["size"], fields["embeddings"]
        if not isinstance(count, int):
            raise InvalidAnswer("count: not an unsigned integer", remedy=_REBUILD_ANSWER)
        if not isinstance(size, int):
            raise InvalidAnswer("size: not an unsigned integer", remedy=_REBUILD_ANSWER)
        _validate_shape(count, size)
        fraction_bits = _validate_fraction_bits(fields["fraction_bits"])
        if not isinstance(packed, bytes) or len(packed) != count * size * _ELEMENT_BYTES:
            raise InvalidAnswer(
                f"embeddings: not a byte string of {count} × {size} × {_ELEMENT_BYTES} bytes",
                remedy=_REBUILD_ANSWER,
            )
        return cls(_unpack_embeddings(packed, count, size), fraction_bits)


def _read_fields(
    data: bytes,
    kind: str,
    names: tuple[str, ...],
    maximum_bytes: int,
    error_type: type[ProofmillError],
    remedy: str,
) -> dict[str, Value]:
    if len(data) > maximum_bytes:
        raise error_type(f"{len(data):,} bytes are over the limit of {maximum_bytes:,}", remedy=_SPLIT)
    try:
        fields = decode(bytes(data), maximum_values=MAXIMUM_SEQUENCES + _MAXIMUM_OTHER_VALUES)
    except NotCanonical as error:
        raise error_type(f"not deterministic CBOR: {error}", remedy=remedy) from error
    if not isinstance(fields, dict):
        raise error_type("not a map of fields", remedy=remedy)
    if fields.get("kind") != kind:
        raise error_type(f"kind: {ascii(fields.get('kind'))[:80]} is not {kind!r}", remedy=remedy)
    expected = {"kind", *names}
    for name in sorted(expected - fields.keys()):
        raise error_type(f"{name}: missing", remedy=remedy)
    for name in sorted(fields.keys() - expected):
        raise error_type(f"{ascii(name)[1:-1][:80]}: unknown field", remedy=remedy)
    return fields


def _validate_model_id(model_id: object) -> None:
    if not isinstance(model_id, bytes) or len(model_id) != MODEL_ID_BYTES:
        raise InvalidRequest(
            f"model_id: not {MODEL_ID_BYTES} bytes", remedy="Use the id that the model's manifest gives."
        )


def _validate_sequence_count(count: int) -> None:
    if count == 0:
        raise InvalidRequest("sequences: there are none", remedy="Ask for at least one sequence.")
    if count > MAXIMUM_SEQUENCES:
        raise InvalidRequest(
            f"sequences: {count:,} are over the limit of {MAXIMUM_SEQUENCES:,}", remedy=_SPLIT
        )


def _validate_token_count(count: int) -> None:
    if count > MAXIMUM_TOKENS_PER_JOB:
        raise InvalidRequest(
            f"sequences: {count:,} tokens are over the limit of {MAXIMUM_TOKENS_PER_JOB:,} a job",
            remedy=_SPLIT,
        )


def _validate_sequence(place: int, ids: Sequence[int]) -> tuple[int, ...]:
    if len(ids) == 0:
        raise InvalidRequest(f"sequences[{place}]: empty", remedy="Leave empty sequences out.")
    try:
        plain = tuple(operator.index(token) for token in ids)
    except TypeError as error:
        raise InvalidRequest(f"sequences[{place}]: {error}", remedy="Token ids are integers.") from error
    if min(plain) < 0 or max(plain) > MAXIMUM_TOKEN_ID:
        raise InvalidRequest(
            f"sequences[{place}]: a token id is outside 0 … {MAXIMUM_TOKEN_ID}",
            remedy="Use the model's tokenizer.",
        )
    return plain


def _validate_shape(count: int, size: int) -> None:
    if not 1 <= count <= MAXIMUM_SEQUENCES:
        raise InvalidAnswer(f"count: {count} is outside 1 … {MAXIMUM_SEQUENCES}", remedy=_SPLIT)
    if not 1 <= size <= MAXIMUM_EMBEDDING_SIZE:
        raise InvalidAnswer(
            f"size: {size} is outside 1 … {MAXIMUM_EMBEDDING_SIZE}",
            remedy="Use a model with smaller embeddings.",
        )
    # 1 KiB is ample for the fields around the embeddings, so whatever passes here also passes from_bytes.
    if count * size * _ELEMENT_BYTES > MAXIMUM_ANSWER_BYTES - 1024:
        raise InvalidAnswer(
            f"embeddings: {count} × {size} do not fit an answer of {MAXIMUM_ANSWER_BYTES:,} bytes",
            remedy=_SPLIT,
        )


def _validate_fraction_bits(value: object) -> int:
    if not isinstance(value, int) or value != FRACTION_BITS:
        raise InvalidAnswer(
            f"fraction_bits: {ascii(value)[:40]} is not {FRACTION_BITS}",
            remedy="Use a model whose embeddings are unit vectors in Q.24.",
        )
    return value


def _pack_embeddings(embeddings: npt.NDArray[np.int32]) -> bytes:
    return embeddings.astype("<i4", order="C").tobytes(order="C")


def _unpack_embeddings(packed: bytes, count: int, size: int) -> npt.NDArray[np.int32]:
    # frombuffer on bytes: not even setflags can make the array writeable; astype copies only on big-endian.
    return np.frombuffer(packed, "<i4").reshape(count, size).astype(np.int32, copy=False)
