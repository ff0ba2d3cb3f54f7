"""Job blobs and documents under random values, random bytes and mutations."""

from __future__ import annotations

import contextlib

import cbor2
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from proofmill.jobs import (
    EmbeddingAnswer,
    EmbeddingRequest,
    InvalidAnswer,
    InvalidDocument,
    InvalidRequest,
    sentences_of,
)
from proofmill.jobs.canonical_cbor import NotCanonical, decode, encode

token_ids = st.integers(0, 2**32 - 1)
requests = st.builds(
    EmbeddingRequest,
    st.binary(min_size=32, max_size=32),
    st.lists(st.lists(token_ids, min_size=1, max_size=20).map(tuple), min_size=1, max_size=30).map(tuple),
)
answers = st.builds(
    EmbeddingAnswer,
    hnp.arrays(np.int32, st.tuples(st.integers(1, 20), st.integers(1, 20))),
)
values = st.recursive(
    st.integers(0, 2**64 - 1) | st.binary(max_size=300) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=30), inner, max_size=5),
    max_leaves=12,
)
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.binary() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=10,
)


@given(requests)
def test_request__any_value__round_trips(request: EmbeddingRequest) -> None:
    data = request.to_bytes()
    assert EmbeddingRequest.from_bytes(data) == request
    assert cbor2.loads(data)["model_id"] == request.model_id


@given(answers)
def test_answer__any_value__round_trips(answer: EmbeddingAnswer) -> None:
    data = answer.to_bytes()
    assert EmbeddingAnswer.from_bytes(data) == answer
    assert np.array_equal(EmbeddingAnswer.from_bytes(data).embeddings, answer.embeddings)


@given(
    st.binary(max_size=400)
    | anything.map(cbor2.dumps)
    | anything.map(lambda v: cbor2.dumps(v, canonical=True))
)
def test_from_bytes__garbage__raises_only_the_typed_error(data: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        EmbeddingRequest.from_bytes(data)
    with contextlib.suppress(InvalidAnswer):
        EmbeddingAnswer.from_bytes(data)


@settings(max_examples=300)
@given(requests, st.data())
def test_request__one_byte_mutated__is_refused_or_another_request(
    request: EmbeddingRequest, draw: st.DataObject
) -> None:
    data = bytearray(request.to_bytes())
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    try:
        mutated = EmbeddingRequest.from_bytes(bytes(data))
    except InvalidRequest:
        return
    assert mutated != request
    assert mutated.to_bytes() == data
    assert mutated.root != request.root, "a field that the root does not bind"


@settings(max_examples=300)
@given(answers, st.data())
def test_answer__one_byte_mutated__is_refused_or_another_answer(
    answer: EmbeddingAnswer, draw: st.DataObject
) -> None:
    data = bytearray(answer.to_bytes())
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    try:
        mutated = EmbeddingAnswer.from_bytes(bytes(data))
    except InvalidAnswer:
        return
    assert mutated != answer
    assert mutated.to_bytes() == data
    assert mutated.root != answer.root, "a field that the root does not bind"


@given(answers, st.data())
def test_answer__truncated_or_extended__is_refused(answer: EmbeddingAnswer, draw: st.DataObject) -> None:
    data = answer.to_bytes()
    cut = draw.draw(st.integers(0, len(data) - 1))
    for wrong in (data[:cut], data + draw.draw(st.binary(min_size=1, max_size=5))):
        try:
            EmbeddingAnswer.from_bytes(wrong)
        except InvalidAnswer:
            continue
        raise AssertionError("accepted")


@given(values)
def test_encode__any_supported_value__round_trips_and_agrees_with_cbor2(value: object) -> None:
    data = encode(value)  # type: ignore[arg-type]
    assert cbor2.loads(data) == value
    with contextlib.suppress(NotCanonical):  # it may be nested deeper than the reader allows
        assert decode(data, maximum_values=10_000) == value


@settings(max_examples=500)
@given(st.binary(max_size=60))
@example(b"\xa2\x61b\x00\x61a\x00")
@example(b"\x18\x17")
@example(b"\x7f\x61a\xff")
def test_decode__any_bytes__is_refused_or_the_one_encoding(data: bytes) -> None:
    try:
        value = decode(data, maximum_values=100)
    except NotCanonical:
        return
    assert encode(value) == data


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=300)
    | st.binary(max_size=300)
    | st.text("abc .!?\n#*_`-|>[]()<!~=0123\u3042\u201c\U0001f600", max_size=300)
)
def test_sentences_of__any_input__gives_sentences_or_the_typed_error(text: str | bytes) -> None:
    try:
        sentences = sentences_of(text)
    except InvalidDocument:
        return
    assert sentences
    assert all(sentence == " ".join(sentence.split()) and sentence for sentence in sentences)
    assert sentences == sentences_of(text)


@given(
    st.lists(
        st.sampled_from(["The mill turns slowly.", "Water drives its wheel!", "Who checks the flour?"]),
        min_size=1,
    )
)
def test_sentences_of__plain_sentences__keep_their_order_however_wrapped(sentences: list[str]) -> None:
    assert sentences_of(" ".join(sentences)) == sentences
    assert sentences_of("\n".join(" ".join(sentences).split(" "))) == sentences
    assert sentences_of("\n\n".join(sentences)) == sentences
