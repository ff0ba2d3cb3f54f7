"""Byte-level BPE tokenizers out of GGUF metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Sequence, Split

from proofmill.exact.importers.llama_source import LlamaText
from proofmill.exact.importers.packing import refuse

_PREFIX: Final = "tokenizer.ggml."
_CONTROL: Final = 3
_USER_DEFINED: Final = 4

#: How Llama 3 cuts text into words before merging. Source: tokenizer of Llama 3 (Grattafiori et al., 2024), as in its
#: tokenizer.json.
_LLAMA3_WORDS: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

#: Names of control tokens that end a turn or a text, beside those the metadata lists; the set llama.cpp stops at, for these
#: families.
_END_NAMES: Final = frozenset({"<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>"})
_END_KEYS: Final = ("eos_token_id", "eot_token_id", "eom_token_id")


def read_text(metadata: Mapping[str, Any]) -> LlamaText:
    """The tokenizer that the metadata of a GGUF file describes.

    Byte-level BPE (``tokenizer.ggml.model`` = "gpt2") with the pre-tokenizers "smollm", "llama-bpe" and "gpt-2". The digest is
    the sha256 of the canonical JSON of everything that decides the ids.

    Raises:
        ModelRefused: another kind of tokenizer, or metadata that does not make one; the message names the key.
    """
    kind, pre = metadata.get(f"{_PREFIX}model"), metadata.get(f"{_PREFIX}pre")
    if kind != "gpt2":
        raise refuse(f"{_PREFIX}model", f"is {kind!r}, only byte-level BPE ('gpt2') is supported")
    pre_tokenizer = _pre_tokenizer(pre)
    tokens, merges = _strings(metadata, "tokens"), _strings(metadata, "merges")
    types = metadata.get(f"{_PREFIX}token_type", [1] * len(tokens))
    if not isinstance(types, list) or len(types) != len(tokens):
        raise refuse(f"{_PREFIX}token_type", f"does not give a type for each of {len(tokens)} tokens")
    if len(set(tokens)) != len(tokens):
        raise refuse(f"{_PREFIX}tokens", "a token occurs twice")
    # A merge is two tokens with a space between; the first may itself begin with one.
    pairs = [(merge[:place], merge[place + 1 :]) for merge, place in _places(merges)]
    try:
        model = BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=pairs,
            ignore_merges=pre == "llama-bpe",
        )
    except Exception as error:  # tokenizers raises nothing narrower
        raise refuse(f"{_PREFIX}merges", f"do not fit the tokens: {error}") from error
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = ByteLevelDecoder()
    added = [
        AddedToken(token, special=of_type == _CONTROL, normalized=False)
        for token, of_type in zip(tokens, types, strict=True)
        if of_type in (_CONTROL, _USER_DEFINED)
    ]
    tokenizer.add_special_tokens([token for token in added if token.special])
    tokenizer.add_tokens([token for token in added if not token.special])
    begin = metadata.get(f"{_PREFIX}bos_token_id")
    template = metadata.get("tokenizer.chat_template", "")
    digest = _digest({"model": kind, "pre": pre, "tokens": tokens, "merges": merges, "types": types})
    return LlamaText(
        tokenizer=tokenizer,
        digest=digest,
        begin_token=begin if isinstance(begin, int) else None,
        adds_begin_token=bool(metadata.get(f"{_PREFIX}add_bos_token", pre == "llama-bpe")),
        end_tokens=_end_tokens(metadata, tokens, types),
        chat_template=template if isinstance(template, str) else "",
    )


def _pre_tokenizer(pre: object) -> PreTokenizer:
    if pre == "gpt-2":
        return ByteLevel(add_prefix_space=False)
    if pre == "smollm":
        return Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    if pre == "llama-bpe":
        words = Split(Regex(_LLAMA3_WORDS), behavior="isolated")
        return Sequence([words, ByteLevel(add_prefix_space=False, use_regex=False)])
    raise refuse(f"{_PREFIX}pre", f"is {pre!r}, supported are 'smollm', 'llama-bpe' and 'gpt-2'")


def _strings(metadata: Mapping[str, Any], key: str) -> list[str]:
    values = metadata.get(_PREFIX + key)
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise refuse(_PREFIX + key, "is not a list of strings")
    return values


def _places(merges: list[str]) -> list[tuple[str, int]]:
    """Each merge with the place of the space that separates its parts."""
    places = [(merge, merge.find(" ", 1)) for merge in merges]
    for merge, place in places:
        if place < 0:
            raise refuse(f"{_PREFIX}merges", f"{merge!r} is no pair of tokens")
    return places


def _end_tokens(metadata: Mapping[str, Any], tokens: list[str], types: list[int]) -> tuple[int, ...]:
    listed = (metadata.get(_PREFIX + key) for key in _END_KEYS)
    named = (
        index
        for index, (token, of_type) in enumerate(zip(tokens, types, strict=True))
        if of_type == _CONTROL and token in _END_NAMES
    )
    return tuple(sorted({token for token in listed if isinstance(token, int)} | set(named)))


def _digest(described: dict[str, Any]) -> str:
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
