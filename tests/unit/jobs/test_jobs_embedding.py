"""The blobs of an embedding job: known bytes, limits, and refusals that name the field."""

from __future__ import annotations

import dataclasses
import re
import struct
from pathlib import Path

import cbor2
import numpy as np
import pytest

from proofmill.jobs import (
    MAXIMUM_ANSWER_BYTES,
    MAXIMUM_REQUEST_BYTES,
    MAXIMUM_SEQUENCES,
    MAXIMUM_TOKENS_PER_JOB,
    EmbeddingAnswer,
    EmbeddingRequest,
    InvalidAnswer,
    InvalidRequest,
)
from proofmill.jobs.embedding import ANSWER_KIND, REQUEST_KIND

MODEL = bytes(range(32))
REQUEST = EmbeddingRequest(MODEL, ((101, 7592, 102), (2**32 - 1,)))
ANSWER = EmbeddingAnswer(np.array([[1, -2], [2**31 - 1, -(2**31)]], np.int32), 24)
REQUEST_HEX = (
    "a3"
    "646b696e64"
    + "781d"
    + b"proofmill/embedding-request/1".hex()
    + "686d6f64656c5f6964"
    + "5820"
    + MODEL.hex()
    + ""
    "6973657175656e636573" + "82" + "4c" + "65000000a81d000066000000" + "44" + "ffffffff"
)
ANSWER_HEX = (
    "a5"
    "646b696e64" + "781c" + b"proofmill/embedding-answer/1".hex() + "6473697a65" + "02"
    "65636f756e74" + "02" + "6a656d62656464696e6773" + "50" + "01000000feffffffffffff7f00000080"
    "6d6672616374696f6e5f62697473" + "1818"
)


def _request_with(**changes: object) -> bytes:
    fields: dict[str, object] = {"kind": REQUEST_KIND, "model_id": MODEL, "sequences": [struct.pack("<I", 1)]}
    fields.update(changes)
    return cbor2.dumps({k: v for k, v in fields.items() if v is not ...}, canonical=True)


def _answer_with(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "kind": ANSWER_KIND,
        "count": 1,
        "size": 2,
        "fraction_bits": 24,
        "embeddings": bytes(8),
    }
    fields.update(changes)
    return cbor2.dumps({k: v for k, v in fields.items() if v is not ...}, canonical=True)


def test_request__known_value__has_the_documented_bytes() -> None:
    assert REQUEST.to_bytes().hex() == REQUEST_HEX
    assert EmbeddingRequest.from_bytes(bytes.fromhex(REQUEST_HEX)) == REQUEST
    assert REQUEST.token_count == 4


def test_answer__known_value__has_the_documented_bytes() -> None:
    assert ANSWER.to_bytes().hex() == ANSWER_HEX
    assert EmbeddingAnswer.from_bytes(bytes.fromhex(ANSWER_HEX)) == ANSWER


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": ...}, "kind: None"),
        ({"kind": "proofmill/embedding-request/2"}, "kind: 'proofmill/embedding-request/2'"),
        ({"kind": ANSWER_KIND}, "kind"),
        ({"kind": 7}, "kind"),
        ({"model_id": ...}, "model_id: missing"),
        ({"model_id": bytes(31)}, "model_id"),
        ({"model_id": "0" * 32}, "model_id"),
        ({"sequences": ...}, "sequences: missing"),
        ({"sequences": []}, "sequences: there are none"),
        ({"sequences": b"1234"}, "sequences: not an array"),
        ({"sequences": [b""]}, r"sequences\[0\]: empty"),
        ({"sequences": [b"1234", b"12345"]}, r"sequences\[1\]"),
        ({"sequences": [[1, 2]]}, r"sequences\[0\]"),
        ({"sequences": [b"1234"] * (MAXIMUM_SEQUENCES + 1)}, "sequences: 1,025 are over the limit of 1,024"),
        ({"sequences": [bytes(4 * MAXIMUM_TOKENS_PER_JOB + 4)]}, "sequences: 262,145 tokens are over"),
        ({"extra": 1}, "extra: unknown field"),
        ({"\x1b[2J": 1}, r"\\x1b\[2J: unknown field"),
    ],
)
def test_request_from_bytes__wrong_field__is_named(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest, match=field) as caught:
        EmbeddingRequest.from_bytes(_request_with(**changes))
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": REQUEST_KIND}, "kind"),
        ({"count": 0}, "count: 0 is outside"),
        ({"count": b"1"}, "count: not an unsigned integer"),
        ({"count": MAXIMUM_SEQUENCES + 1}, "count: 1025 is outside"),
        ({"count": 2**63}, "count"),
        ({"size": 0}, "size: 0 is outside"),
        ({"size": "2"}, "size: not an unsigned integer"),
        ({"size": 2**40}, "size"),
        ({"size": 1}, "embeddings: not a byte string of 1 × 1 × 4 bytes"),
        ({"count": 1024, "size": 65536}, "embeddings: 1024 × 65536 do not fit"),
        ({"fraction_bits": 23}, "fraction_bits: 23 is not 24"),
        ({"fraction_bits": 2**32 + 24}, "fraction_bits"),
        ({"fraction_bits": "24"}, "fraction_bits"),
        ({"embeddings": "12345678"}, "embeddings"),
        ({"embeddings": [0, 0]}, "embeddings"),
        ({"embeddings": ...}, "embeddings: missing"),
        ({"signature": b""}, "signature: unknown field"),
    ],
)
def test_answer_from_bytes__wrong_field__is_named(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidAnswer, match=field) as caught:
        EmbeddingAnswer.from_bytes(_answer_with(**changes))
    assert caught.value.remedy


CANONICAL = _request_with()
KEYS = {"kind": REQUEST_KIND, "model_id": MODEL, "sequences": [b"1234"]}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the data ends"),
        (CANONICAL[:-1], "the data ends"),
        (CANONICAL + b"\0", "1 bytes follow"),
        (b"\xbf" + CANONICAL[1:] + b"\xff", "indefinite"),
        (b"\xb8\x03" + CANONICAL[1:], "shortest form"),
        (cbor2.dumps(dict(reversed(KEYS.items()))), "out of order"),
        (b"\xa4" + cbor2.dumps("kind") + cbor2.dumps(REQUEST_KIND) + CANONICAL[1:], "repeated"),
        (cbor2.dumps(cbor2.CBORTag(55799, KEYS), canonical=True), "unsupported type 6"),
        (_request_with(sequences=[-1]), "unsupported type 1"),
        (_request_with(sequences=[1.5]), "unsupported type 7"),
        (_request_with(sequences=None), "unsupported type 7"),
        (b"\xa1\x01\x02", "not text"),
        (b"\xa1\x61\xff\x02", "not UTF-8"),
        (b"\x81" * 100, "nested deeper"),
        (b"\x9b" + b"\xff" * 8, "the data ends"),
        (b"\x5b" + b"\xff" * 8, "the data ends"),
        (b"\x9a\x00\x3f\xff\xf0" + bytes(0x3FFFF0), "more than 1,088 values"),
        (cbor2.dumps([]), "not a map"),
        (bytes(MAXIMUM_REQUEST_BYTES + 1), "over the limit of 4,194,304"),
    ],
)
def test_request_from_bytes__not_deterministic__is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        EmbeddingRequest.from_bytes(data)


@pytest.mark.parametrize(
    ("model_id", "sequences", "field"),
    [
        (bytes(31), ((1,),), "model_id"),
        ("m" * 32, ((1,),), "model_id"),
        (MODEL, (), "sequences"),
        (MODEL, ((1,), ()), r"sequences\[1\]: empty"),
        (MODEL, ((-1,),), r"sequences\[0\]"),
        (MODEL, ((1, 2**32),), r"sequences\[0\]"),
        (MODEL, ((1.0,),), r"sequences\[0\]"),
        (MODEL, (("1",),), r"sequences\[0\]"),
        (MODEL, ((1,),) * (MAXIMUM_SEQUENCES + 1), "sequences"),
        (MODEL, ((1,) * (MAXIMUM_TOKENS_PER_JOB + 1),), "sequences"),
    ],
)
def test_request__invalid_value__cannot_be_built(model_id: bytes, sequences: tuple, field: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InvalidRequest, match=field):
        EmbeddingRequest(model_id, sequences)


def test_request__at_every_limit__round_trips() -> None:
    size = MAXIMUM_TOKENS_PER_JOB // MAXIMUM_SEQUENCES
    request = EmbeddingRequest(MODEL, ((2**32 - 1,) * size,) * MAXIMUM_SEQUENCES)
    data = request.to_bytes()
    assert len(data) < MAXIMUM_REQUEST_BYTES
    assert EmbeddingRequest.from_bytes(data) == request


def test_request__lists_and_numpy_integers__become_tuples_of_int() -> None:
    request = EmbeddingRequest(MODEL, [[np.int64(5), 6]])  # type: ignore[arg-type]
    assert request == EmbeddingRequest(MODEL, ((5, 6),))
    assert hash(request) == hash(EmbeddingRequest(MODEL, ((5, 6),)))
    assert type(request.sequences[0][0]) is int


def test_request__assignment__is_refused() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        REQUEST.model_id = bytes(32)  # type: ignore[misc]


@pytest.mark.parametrize(
    "embeddings",
    [
        np.zeros((1, 2), np.int64),
        np.zeros((1, 2), np.float32),
        np.zeros(2, np.int32),
        np.zeros((0, 2), np.int32),
        np.zeros((1, 0), np.int32),
        np.zeros((1024, 4096), np.int32),
        [[1, 2]],
    ],
)
def test_answer__invalid_array__cannot_be_built(embeddings: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(InvalidAnswer):
        EmbeddingAnswer(embeddings, 24)


@pytest.mark.parametrize("fraction_bits", [-1, 0, 23, 25, 24.0, True, None])
def test_answer__invalid_fraction_bits__cannot_be_built(fraction_bits: int) -> None:
    with pytest.raises(InvalidAnswer, match="fraction_bits"):
        EmbeddingAnswer(np.zeros((1, 1), np.int32), fraction_bits)


def test_answer__source_array_changes__is_not_affected() -> None:
    source = np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3))
    answer = EmbeddingAnswer(source, 24)
    source[:] = 0
    assert answer.embeddings.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="read-only"):
        answer.embeddings[0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        answer.embeddings.setflags(write=True)


def test_answer__equality__is_by_value() -> None:
    same = EmbeddingAnswer(ANSWER.embeddings.copy(), 24)
    assert same == ANSWER
    assert hash(same) == hash(ANSWER)
    assert EmbeddingAnswer(ANSWER.embeddings + np.int32(1)) != ANSWER
    assert ANSWER != "answer"


def test_answer__largest_minilm_answer__round_trips() -> None:
    generator = np.random.default_rng(1)
    answer = EmbeddingAnswer(generator.integers(-(2**24), 2**24, (MAXIMUM_SEQUENCES, 384), np.int32), 24)
    data = answer.to_bytes()
    assert len(data) < MAXIMUM_ANSWER_BYTES
    assert EmbeddingAnswer.from_bytes(data) == answer


def test_documentation__byte_by_byte_examples__are_what_the_code_writes() -> None:
    text = (Path(__file__).parents[3] / "docs" / "JOBS.md").read_text("utf-8")
    examples = re.findall(r"```\n(a[35] .*?)```", text, re.DOTALL)
    # The bytes are the left part of each line; two spaces separate them from their explanation.
    documented = [
        "".join(re.split(r" {2,}", line.strip())[0] for line in example.splitlines()) for example in examples
    ]
    assert [digits.replace(" ", "") for digits in documented] == [REQUEST_HEX, ANSWER_HEX]
    for blob in (REQUEST, ANSWER):
        assert f"{len(blob.to_bytes())} bytes, root `0x{blob.root.hex()}`" in text


def test_documentation__roots_of_the_examples__are_what_the_code_makes() -> None:
    text = (Path(__file__).parents[3] / "docs" / "JOBS.md").read_text("utf-8")
    section = text[text.index("## Roots") :]
    request, answer = REQUEST.commitment, ANSWER.commitment
    made = [*(item.root for item in request.items), request.items_root]
    made += [*(item.root for item in answer.items), answer.answers_root]
    assert re.findall(r"= 0x([0-9a-f]{64})", section) == [root.hex() for root in made]
