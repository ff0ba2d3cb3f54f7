"""Llama models as Hugging Face folders: config.json, safetensors (single or sharded) and tokenizer.json."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer
from torch import Tensor

from proofmill.exact.importers.llama_source import (
    LlamaConfig,
    LlamaSource,
    LlamaText,
    RenamedTensors,
    file_names,
    refuse_unknown_tensors,
)
from proofmill.exact.importers.packing import refuse
from proofmill.exact.importers.rotation import llama3_divisors
from proofmill.exact.importers.safetensors_reader import (
    exact_number,
    positive_integer,
    read_json,
    read_safetensors_folder,
    unreadable,
)

_LAYER_NAMES: Final = {
    "attention_norm": "input_layernorm",
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "attention_output": "self_attn.o_proj",
    "feed_forward_norm": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
_OTHER_NAMES: Final = {"embedding": "model.embed_tokens", "output_norm": "model.norm", "head": "lm_head"}
_BIASED: Final = {
    "attention_bias": tuple(f"self_attn.{part}_proj" for part in "qkvo"),
    "mlp_bias": tuple(f"mlp.{part}_proj" for part in ("gate", "up", "down")),
}
_DEFAULT_THETA: Final = Fraction(10000)
_EXPECTED: Final = {"model_type": "llama", "hidden_act": "silu"}


def read_huggingface(folder: Path) -> LlamaSource:
    """A folder with config.json and model.safetensors (or shards with their index); tokenizer.json is optional.

    Raises:
        ModelUnavailable: a file is missing, truncated or damaged.
        ModelRefused: the model is no Llama, or has a setting or tensor that is not supported; the message names it.
    """
    document = read_json(folder / "config.json")
    config = _config(document)
    tensors = read_safetensors_folder(folder)
    names = file_names(config.layers, "model.layers.", _LAYER_NAMES, _OTHER_NAMES)
    # Files of old versions carry the rotary frequencies, which follow from the configuration.
    frequencies = {f"model.layers.{n}.self_attn.rotary_emb.inv_freq" for n in range(config.layers)}
    refuse_unknown_tensors(tensors, frozenset(names.values()) | frequencies)
    _check_biases(document, config.layers, tensors)
    half_split = frozenset(
        f"layer.{layer}.{name}.{part}"
        for layer in range(config.layers)
        for name in ("query", "key")
        for part in ("weight", "bias")
    )
    renamed = RenamedTensors(tensors, names, half_split, config.head_size)
    return LlamaSource(config, renamed, _text(folder, document))


def _check_biases(document: Mapping[str, Any], layers: int, tensors: Mapping[str, Tensor]) -> None:
    """Transformers follows the config: it ignores biases that are not announced and starts announced ones at random."""
    for key, modules in _BIASED.items():
        announced = document.get(key) is True
        for layer in range(layers):
            for module in modules:
                name = f"model.layers.{layer}.{module}.bias"
                if (name in tensors) != announced:
                    raise refuse(name, f"{'is missing' if announced else 'exists'}, but {key} is {announced}")


def _config(document: Mapping[str, Any]) -> LlamaConfig:
    for key, value in _EXPECTED.items():
        if document.get(key) != value:
            raise refuse("config.json", f"{key} is {document.get(key)!r}, only {value!r} is supported")
    size, heads = positive_integer(document, "hidden_size"), positive_integer(document, "num_attention_heads")
    if document.get("head_dim") is not None:
        head_size = positive_integer(document, "head_dim")
    elif size % heads:
        raise refuse("config.json", f"hidden_size {size} does not split into {heads} num_attention_heads")
    else:
        head_size = size // heads
    grouped = document.get("num_key_value_heads") is not None
    theta, divisors = _rotary(document, head_size)
    return LlamaConfig(
        vocabulary_size=positive_integer(document, "vocab_size"),
        positions=positive_integer(document, "max_position_embeddings"),
        size=size,
        inner_size=positive_integer(document, "intermediate_size"),
        layers=positive_integer(document, "num_hidden_layers"),
        heads=heads,
        key_heads=positive_integer(document, "num_key_value_heads") if grouped else heads,
        head_size=head_size,
        epsilon=exact_number(document, "rms_norm_eps"),
        theta=theta,
        divisors=divisors,
        tied=document.get("tie_word_embeddings") is True,
    )


def _rotary(document: Mapping[str, Any], head_size: int) -> tuple[Fraction, tuple[Fraction, ...] | None]:
    """Base and frequency divisors, from ``rope_theta`` and ``rope_scaling`` or from the newer ``rope_parameters``."""
    scaling = document.get("rope_parameters") or document.get("rope_scaling") or {}
    if not isinstance(scaling, dict):
        raise refuse("config.json", f"rope_scaling is {scaling!r}, expected an object")
    settings = {**document, **scaling}
    theta = exact_number(settings, "rope_theta") if "rope_theta" in settings else _DEFAULT_THETA
    if document.get("partial_rotary_factor", 1) != 1 or scaling.get("partial_rotary_factor", 1) != 1:
        raise refuse("config.json", "partial_rotary_factor other than 1 is not supported")
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "default":
        return theta, None
    if kind == "linear":
        return theta, (exact_number(scaling, "factor"),) * (head_size // 2)
    if kind == "llama3":
        divisors = llama3_divisors(
            head_size,
            theta,
            exact_number(scaling, "factor"),
            exact_number(scaling, "low_freq_factor"),
            exact_number(scaling, "high_freq_factor"),
            positive_integer(scaling, "original_max_position_embeddings"),
        )
        return theta, divisors
    raise refuse("config.json", f"rope_scaling of type {kind!r} is not supported")


def _text(folder: Path, document: Mapping[str, Any]) -> LlamaText | None:
    path = folder / "tokenizer.json"
    if not path.exists():
        return None
    try:
        data = path.read_bytes()
        tokenizer = Tokenizer.from_str(data.decode("utf-8"))
    except Exception as error:  # tokenizers raises nothing narrower
        raise unreadable(path, error) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    settings = _optional(folder / "tokenizer_config.json")
    generation = _optional(folder / "generation_config.json")
    ends = generation.get("eos_token_id", document.get("eos_token_id"))
    template = settings.get("chat_template", "")
    begin = document.get("bos_token_id")
    if isinstance(ends, int):
        ends = [ends]
    return LlamaText(
        tokenizer=tokenizer,
        digest=hashlib.sha256(data).hexdigest(),
        begin_token=begin if isinstance(begin, int) else None,
        adds_begin_token=settings.get("add_bos_token") is True,
        end_tokens=tuple(token for token in ends or () if isinstance(token, int)),
        chat_template=template if isinstance(template, str) else "",
    )


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}
