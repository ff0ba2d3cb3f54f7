"""The converter packs what it can prove and refuses the rest by name."""

from decimal import Decimal
from typing import Any

import pytest
import torch
from torch import Tensor

from proofmill.exact import ModelRefused
from proofmill.exact.convert import convert_bert, pack_linear

CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "intermediate_size": 16,
    "vocab_size": 11,
    "max_position_embeddings": 5,
    "type_vocab_size": 2,
    "layer_norm_eps": Decimal("1e-12"),
}


def small_source() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    size, inner = 8, 16
    layer = "encoder.layer.0"
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (11, size),
        "embeddings.position_embeddings.weight": (5, size),
        "embeddings.token_type_embeddings.weight": (2, size),
        f"{layer}.intermediate.dense.weight": (inner, size),
        f"{layer}.intermediate.dense.bias": (inner,),
        f"{layer}.output.dense.weight": (size, inner),
        f"{layer}.output.dense.bias": (size,),
    }
    for name in ("self.query", "self.key", "self.value", "output.dense"):
        shapes[f"{layer}.attention.{name}.weight"] = (size, size)
        shapes[f"{layer}.attention.{name}.bias"] = (size,)
    for name in ("embeddings", f"{layer}.attention.output", f"{layer}.output"):
        shapes[f"{name}.LayerNorm.weight"] = shapes[f"{name}.LayerNorm.bias"] = (size,)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def test_weights_are_the_nearest_multiples_of_their_channel() -> None:
    weight = torch.tensor([[1.0, -0.5, 0.25], [0.0, 0.0, 0.0], [-3.0, 3.0, 1.0]], dtype=torch.float64)
    packed, exponent = pack_linear("test", weight, torch.zeros(3, dtype=torch.float64))
    assert packed["weight"].tolist() == [[127, -64, 32], [0, 0, 0], [-127, 127, 42]]
    real = packed["weight"].double() * packed["multiplier"].double()[:, None] * 2.0**-exponent
    assert torch.allclose(real, weight, atol=3 / 127 / 2)
    assert int(packed["multiplier"].max()) < 2**24
    assert packed["multiplier"][1] == 0


def test_the_exponent_is_the_greatest_that_is_proved() -> None:
    weight = torch.ones((1, 4096), dtype=torch.float64)
    packed, exponent = pack_linear("test", weight, torch.zeros(1, dtype=torch.float64))
    accumulator, multiplier = 127 * 4096 * 2**14, int(packed["multiplier"][0])
    assert accumulator * multiplier + 2**exponent <= 2**53
    assert accumulator * round(2 ** (exponent + 1) / 127) + 2 ** (exponent + 1) > 2**53


def test_conversion_gives_every_tensor_and_shift() -> None:
    from proofmill.exact.bert import tensor_layout

    converted = convert_bert(small_source(), CONFIG)
    found = {
        name: (str(t.dtype).removeprefix("torch."), tuple(t.shape)) for name, t in converted.tensors.items()
    }
    assert found == tensor_layout(converted.dimensions)
    assert converted.constants.layer_norm_epsilon == 0
    assert all(18 <= shift <= 53 for shift in converted.shifts.values())


WORD = "embeddings.word_embeddings.weight"
UP = "encoder.layer.0.intermediate.dense.weight"


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        (WORD, lambda t: t * float("nan"), "not finite"),
        (WORD, lambda t: t / 0.0, "not finite"),
        (WORD, lambda t: t * 1e6, "beyond"),
        (WORD, lambda t: t[:-1], "expected"),
        (WORD, lambda t: t.to(torch.float16), "float16"),
        (UP, lambda t: t * 1e9, "no shift"),
        (UP, lambda t: torch.cat([t[:1] * 1e-9, t[1:]]), "vanishes"),
        ("encoder.layer.0.intermediate.dense.bias", lambda t: t + 1e5, "beyond"),
        ("encoder.layer.0.output.LayerNorm.weight", lambda t: t * 1e4, "beyond"),
    ],
)
def test_what_cannot_be_proved_is_refused_by_name(name: str, change: Any, reason: str) -> None:
    source = small_source()
    source[name] = change(source[name])
    with pytest.raises(ModelRefused, match=reason):
        convert_bert(source, CONFIG)


def test_a_missing_tensor_is_named() -> None:
    source = small_source()
    del source[UP]
    with pytest.raises(ModelRefused, match=UP):
        convert_bert(source, CONFIG)


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
        ("layer_norm_eps", 1e-12),
        ("layer_norm_eps", Decimal(-1)),
        ("layer_norm_eps", Decimal(10) ** 9),
    ],
)
def test_other_architectures_are_refused(key: str, value: object) -> None:
    with pytest.raises(ModelRefused, match=key if key != "num_attention_heads" else "heads"):
        convert_bert(small_source(), {**CONFIG, key: value})
