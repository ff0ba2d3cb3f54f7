"""A small BERT in integers answers as in floats, and what cannot be proved is refused by name."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from bench.exact.float_bert import FloatBert
from proofmill.exact import ModelRefused, ModelUnavailable
from proofmill.exact.importers.bert import import_bert
from proofmill.exact.importers.safetensors_reader import read_json, read_safetensors
from proofmill.exact.program import interpreter
from proofmill.exact.program.model import Profile
from tests.unit.exact.published_models import BERT_CONFIG, bert_tensors

SEQUENCES = ([3, 14, 15, 9, 2, 6], [7], list(range(24)))
WORD = "embeddings.word_embeddings.weight"
UP = "encoder.layer.0.intermediate.dense.weight"


@pytest.mark.parametrize(("profile", "floor"), [("E16", 0.9995), ("E16x", 0.9999999)])
def test_the_integer_answer_is_the_float_answer(profile: Profile, floor: float) -> None:
    tensors = bert_tensors()
    model = import_bert(tensors, BERT_CONFIG, profile, name="tiny", tokenizer="ab" * 32)
    reference = FloatBert(tensors, torch.float64, heads=4).embed(SEQUENCES)
    for sequence, expected in zip(SEQUENCES, reference, strict=True):
        answer = interpreter.run(model, torch.tensor(sequence))[-1]
        assert isinstance(answer, torch.Tensor)
        embedding = answer[0].double() / (1 << model.description.output_fraction_bits)
        assert float(embedding @ expected) > floor
        assert abs(float(embedding.norm()) - 1) < 1e-5


def test_the_description_is_that_of_the_config() -> None:
    model = import_bert(bert_tensors(), BERT_CONFIG, "E16", name="tiny", tokenizer="ab" * 32)
    description = model.description
    assert (description.vocabulary_size, description.maximum_tokens) == (50, 24)
    assert (description.name, description.task, description.tokenizer) == ("tiny", "embedding", "ab" * 32)
    kinds = [operator.kind for operator in model.program.operators]
    assert (kinds.count("linear"), kinds.count("layer_norm"), kinds.count("softmax")) == (8, 5, 2)


def test_a_shorter_position_table_computes_the_same() -> None:
    tensors = bert_tensors()
    whole = import_bert(tensors, BERT_CONFIG, "E16", name="tiny")
    cut = import_bert(tensors, BERT_CONFIG, "E16", name="tiny", maximum_tokens=6)
    assert cut.description.maximum_tokens == 6
    ids = torch.tensor(SEQUENCES[0])
    first, second = (interpreter.run(model, ids)[-1] for model in (whole, cut))
    assert isinstance(first, torch.Tensor)
    assert isinstance(second, torch.Tensor)
    assert torch.equal(first, second)


def test_a_prefix_and_half_precision_change_no_integer() -> None:
    halves = {name: tensor.half() for name, tensor in bert_tensors().items()}
    singles = {f"bert.{name}": tensor.float() for name, tensor in halves.items()}
    first, second = (import_bert(source, BERT_CONFIG, "E16", name="tiny") for source in (halves, singles))
    assert first.program.operators == second.program.operators
    assert all(torch.equal(first.tensors[name], second.tensors[name]) for name in first.tensors)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        (WORD, lambda t: t * float("nan"), "not finite"),
        (WORD, lambda t: t / 0.0, "not finite"),
        (WORD, lambda t: t * 1e6, "beyond"),
        (WORD, lambda t: t[:-1], "expected"),
        (WORD, lambda t: t.to(torch.int32), "int32"),
        (UP, lambda t: t * 1e9, "no shift"),
        (UP, lambda t: torch.cat([t[:1] * 1e-9, t[1:]]), "channel 0 vanish"),
        ("encoder.layer.0.intermediate.dense.bias", lambda t: t + 1e5, "beyond"),
        ("encoder.layer.0.output.LayerNorm.weight", lambda t: t * 1e4, "beyond"),
    ],
)
def test_what_cannot_be_proved_is_refused_by_name(name: str, change: Any, reason: str) -> None:
    source = bert_tensors()
    source[name] = change(source[name])
    with pytest.raises(ModelRefused, match=reason) as refusal:
        import_bert(source, BERT_CONFIG, "E16", name="tiny")
    assert any(part in str(refusal.value) for part in (name, "layer.0.up", "word_embeddings"))


def test_a_missing_tensor_is_named() -> None:
    source = bert_tensors()
    del source[UP]
    with pytest.raises(ModelRefused, match=UP):
        import_bert(source, BERT_CONFIG, "E16", name="tiny")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_act", "relu"),
        ("model_type", "llama"),
        ("position_embedding_type", "relative_key"),
        ("num_attention_heads", 3),
        ("num_attention_heads", 0),
        ("hidden_size", 8192),
        ("vocab_size", None),
        ("vocab_size", True),
        ("layer_norm_eps", 1e-12),
        ("layer_norm_eps", Decimal("NaN")),
        ("layer_norm_eps", Decimal(-1)),
        ("layer_norm_eps", Decimal(10) ** 9),
    ],
)
def test_other_architectures_are_refused(key: str, value: object) -> None:
    with pytest.raises(ModelRefused, match="epsilon|eps" if "eps" in key else key):
        import_bert(bert_tensors(), {**BERT_CONFIG, key: value}, "E16", name="tiny")


def test_files_are_read_or_named_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(bert_tensors(), path)
    found = read_safetensors(path)
    assert torch.equal(found[WORD], bert_tensors()[WORD])
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors"):
        read_safetensors(path)
    path.write_bytes(b"\xff" * 64)
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors"):
        read_safetensors(path)
    with pytest.raises(ModelUnavailable, match="absent"):
        read_safetensors(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100000, '"x"'])
def test_a_config_that_is_no_object_is_damaged(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        read_json(path)
    path.write_text(json.dumps({"layer_norm_eps": 1e-12}))
    assert read_json(path) == {"layer_norm_eps": Decimal("1e-12")}
