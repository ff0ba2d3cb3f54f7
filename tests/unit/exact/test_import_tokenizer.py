"""Tokenizers out of GGUF metadata give the ids their pre-tokenizer's rules call for."""

from __future__ import annotations

from typing import Any

import pytest

from proofmill.exact import ModelRefused
from proofmill.exact.importers.gguf_tokenizer import read_text

MERGES = ["a b", "ab c", "1 2", "12 3", "Ġ ab", "Ã ¶"]


def metadata(pre: str, **changes: Any) -> dict[str, Any]:
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool>"]
    tokens += [*"abc123!", "Ġ", "Ċ", "Ã", "¶", *(merge.replace(" ", "") for merge in MERGES)]
    types = [3, 3, 3, 4] + [1] * (len(tokens) - 4)
    found: dict[str, Any] = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": "{{ messages }}",
    }
    return {key: value for key, value in {**found, **changes}.items() if value is not None}


def pieces(pre: str, text: str) -> list[str]:
    return list(read_text(metadata(pre)).tokenizer.encode(text).tokens)


@pytest.mark.parametrize(
    ("pre", "number"), [("smollm", ["1", "2", "3"]), ("gpt-2", ["123"]), ("llama-bpe", ["123"])]
)
def test_numbers_are_cut_as_the_pre_tokenizer_says(pre: str, number: list[str]) -> None:
    assert pieces(pre, "123") == number
    assert pieces(pre, "abc ab!") == ["abc", "Ġab", "!"]
    assert pieces(pre, "ö") == ["Ã¶"]


def test_llama_cuts_numbers_after_three_digits_and_takes_whole_words() -> None:
    assert pieces("llama-bpe", "1231") == ["123", "1"]
    assert pieces("gpt-2", "1231") == ["123", "1"]
    assert pieces("llama-bpe", "12312") == ["123", "12"]
    changes = {"tokenizer.ggml.merges": ["1 2"]}
    # "123" is a word of the vocabulary that no merge makes.
    assert read_text(metadata("llama-bpe", **changes)).tokenizer.encode("123").tokens == ["123"]
    assert read_text(metadata("gpt-2", **changes)).tokenizer.encode("123").tokens == ["12", "3"]


@pytest.mark.parametrize("pre", ["smollm", "gpt-2", "llama-bpe"])
def test_special_tokens_stand_for_themselves_and_text_returns(pre: str) -> None:
    tokenizer = read_text(metadata(pre)).tokenizer
    text = "<|im_start|>ab 12\nc<tool>ö<|im_end|>"
    encoded = tokenizer.encode(text)
    assert encoded.tokens[0] == "<|im_start|>"
    assert encoded.tokens[-1] == "<|im_end|>"
    assert "<tool>" in encoded.tokens
    assert tokenizer.decode(encoded.ids, skip_special_tokens=False) == text
    assert tokenizer.decode(encoded.ids) == "ab 12\nc<tool>ö"


def test_ends_beginning_and_template_come_from_the_metadata() -> None:
    text = read_text(metadata("smollm"))
    assert text.end_tokens == (0, 2)
    assert (text.begin_token, text.adds_begin_token) == (1, False)
    assert text.chat_template == "{{ messages }}"
    assert read_text(metadata("llama-bpe")).adds_begin_token
    assert not read_text(metadata("llama-bpe", **{"tokenizer.ggml.add_bos_token": False})).adds_begin_token
    assert read_text(metadata("smollm", **{"tokenizer.ggml.eot_token_id": 5})).end_tokens == (0, 2, 5)


def test_the_digest_changes_with_whatever_decides_the_ids() -> None:
    digest = read_text(metadata("smollm")).digest
    assert digest == read_text(metadata("smollm", **{"tokenizer.chat_template": None})).digest
    changed = [
        metadata("gpt-2"),
        metadata("smollm", **{"tokenizer.ggml.merges": MERGES[:-1]}),
        metadata("smollm", **{"tokenizer.ggml.token_type": [1] * len(metadata("smollm")["tokenizer.ggml.tokens"])}),
    ]  # fmt: skip
    digests = {read_text(one).digest for one in changed}
    assert len(digests | {digest}) == 4


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "llama"),
        ("pre", "deepseek"),
        ("pre", None),
        ("tokens", None),
        ("tokens", ["a", 1]),
        ("tokens", ["a", "a"]),
        ("merges", ["a z"]),
        ("merges", ["ab"]),
        ("merges", [1]),
        ("token_type", [1]),
    ],
)
def test_other_tokenizers_are_refused_by_key(key: str, value: object) -> None:
    changes: dict[str, Any] = {f"tokenizer.ggml.{key}": value}
    if key == "tokens":
        changes["tokenizer.ggml.token_type"] = None
    with pytest.raises(ModelRefused, match=f"tokenizer.ggml.{key}"):
        read_text(metadata("smollm", **changes))
