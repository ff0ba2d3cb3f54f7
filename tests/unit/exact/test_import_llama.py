"""A small Llama: both file formats give the same integers, and these answer as the float model does."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import BPE
from torch import Tensor
from torch.nn.functional import linear, silu

from bench.exact.float_llama import FloatCache, FloatLlama
from proofmill.exact import ModelRefused, ModelUnavailable
from proofmill.exact.importers.calibration import (
    LlamaFractions,
    calibrate,
    fitting_fraction_bits,
    measure_ranges,
)
from proofmill.exact.importers.gguf_reader import read_gguf
from proofmill.exact.importers.huggingface_reader import read_huggingface
from proofmill.exact.importers.llama import import_llama
from proofmill.exact.importers.llama_source import LlamaSource, RenamedTensors
from proofmill.exact.program import interpreter
from proofmill.exact.program.model import Model, Profile
from tests.unit.exact.published_models import (
    LLAMA_CONFIG,
    llama_tensors,
    write_gguf,
    write_huggingface,
)

IDS = [3, 14, 15, 9, 2, 6, 5, 35, 8, 9, 7, 9]
FRACTIONS = LlamaFractions(residual=14, hidden=15, logits=13)
LLAMA3_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


def float_logits(
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    ids: list[int],
    frequencies: Tensor | None = None,
) -> Tensor:
    """The model in float64 as Hugging Face defines it, with rotary pairs half a head apart; written without the importer."""
    heads, key_heads = config["num_attention_heads"], config["num_key_value_heads"]
    size = config["hidden_size"] // heads
    if frequencies is None:
        frequencies = config["rope_theta"] ** (-torch.arange(0, size, 2).double() / size)
    angles = torch.outer(torch.arange(len(ids)).double(), frequencies).repeat(1, 2)
    visible = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()

    def get(name: str) -> Tensor:
        return tensors[name].double()

    def norm(x: Tensor, name: str) -> Tensor:
        root = (x.square().mean(-1, keepdim=True) + float(config["rms_norm_eps"])).sqrt()
        return x / root * get(name)

    def turn(x: Tensor) -> Tensor:
        first, second = x.chunk(2, -1)
        return x * angles.cos() + torch.cat((-second, first), -1) * angles.sin()

    x = get("model.embed_tokens.weight")[ids]
    for index in range(config["num_hidden_layers"]):
        layer = f"model.layers.{index}"
        y = norm(x, f"{layer}.input_layernorm.weight")

        def project(y: Tensor, name: str, layer: str = layer) -> Tensor:
            bias = tensors.get(f"{layer}.{name}.bias")
            return linear(y, get(f"{layer}.{name}.weight"), None if bias is None else bias.double())

        query, key, value = (
            project(y, f"self_attn.{name}_proj").view(len(ids), -1, size).transpose(0, 1) for name in "qkv"
        )
        key, value = (part.repeat_interleave(heads // key_heads, 0) for part in (key, value))
        scores = turn(query) @ turn(key).transpose(1, 2) / math.sqrt(size)
        mixed = scores.masked_fill(~visible, -math.inf).softmax(-1) @ value
        x = x + project(mixed.transpose(0, 1).flatten(1), "self_attn.o_proj")
        y = norm(x, f"{layer}.post_attention_layernorm.weight")
        x = x + project(silu(project(y, "mlp.gate_proj")) * project(y, "mlp.up_proj"), "mlp.down_proj")
    head = "model.embed_tokens.weight" if config["tie_word_embeddings"] else "lm_head.weight"
    return norm(x, "model.norm.weight") @ get(head).T


def exact_logits(model: Model, ids: list[int]) -> Tensor:
    logits = interpreter.run(model, torch.tensor(ids))[-2]
    assert isinstance(logits, Tensor)
    return logits.double() / (1 << model.description.output_fraction_bits)


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.fixture(scope="module")
def huggingface(tmp_path_factory: pytest.TempPathFactory) -> LlamaSource:
    folder = tmp_path_factory.mktemp("huggingface")
    return read_huggingface(write_huggingface(folder, llama_tensors(), LLAMA_CONFIG))


@pytest.mark.parametrize(("profile", "ceiling"), [("E16", 0.04), ("E16x", 0.0008)])
def test_the_integer_logits_are_the_float_logits(
    huggingface: LlamaSource, profile: Profile, ceiling: float
) -> None:
    model = import_llama(huggingface, profile, name="tiny")
    expected = float_logits(llama_tensors(), LLAMA_CONFIG, IDS)
    assert relative_error(exact_logits(model, IDS), expected) < ceiling
    choice = interpreter.run(model, torch.tensor(IDS))[-1]
    assert isinstance(choice, Tensor)
    assert choice.tolist() == exact_logits(model, IDS).argmax(1).tolist()


@pytest.mark.parametrize("tied", [False, True])
def test_both_file_formats_give_the_same_model(tmp_path: Path, tied: bool) -> None:
    config = {**LLAMA_CONFIG, "tie_word_embeddings": tied}
    tensors = llama_tensors(config)
    first = read_huggingface(write_huggingface(tmp_path / "model", tensors, config))
    second = read_gguf(write_gguf(tmp_path / "model.gguf", tensors, config))
    assert first.config == second.config
    models = [import_llama(source, "E16", name="tiny", fractions=FRACTIONS) for source in (first, second)]
    assert models[0].program.operators == models[1].program.operators
    assert models[0].description == models[1].description
    assert set(models[0].tensors) == set(models[1].tensors)
    for name, tensor in models[0].tensors.items():
        assert torch.equal(tensor, models[1].tensors[name]), name
    expected = float_logits(tensors, config, IDS)
    assert relative_error(exact_logits(models[1], IDS), expected) < 0.04


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_quantised_files_are_the_model_of_the_floats_they_stand_for(tmp_path: Path, kind: str) -> None:
    quantisation = GGMLQuantizationType[kind]
    path = write_gguf(tmp_path / "m.gguf", llama_tensors(), LLAMA_CONFIG, quantisation=quantisation)
    model = import_llama(read_gguf(path), "E16", name="tiny", fractions=FRACTIONS)
    rounded = {
        # Rows are quantised one by one, so their order does not matter.
        name: torch.from_numpy(dequantize(quantize(tensor.numpy(), quantisation), quantisation).copy())
        if tensor.ndim == 2 and tensor.shape[1] % 32 == 0
        else tensor
        for name, tensor in llama_tensors().items()
    }
    assert not torch.equal(rounded["lm_head.weight"], llama_tensors()["lm_head.weight"])
    source = read_huggingface(write_huggingface(tmp_path / "floats", rounded, LLAMA_CONFIG))
    expected = import_llama(source, "E16", name="tiny", fractions=FRACTIONS)
    assert model.program.operators == expected.program.operators
    assert all(torch.equal(tensor, expected.tensors[name]) for name, tensor in model.tensors.items())


def test_shards_are_one_model(tmp_path: Path, huggingface: LlamaSource) -> None:
    tensors = llama_tensors()
    folder = write_huggingface(tmp_path / "sharded", tensors, LLAMA_CONFIG)
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for shard, held in shards.items():
        save_file({name: tensors[name] for name in held}, folder / shard)
    places = {name: shard for shard, held in shards.items() for name in held}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    found = read_huggingface(folder)
    assert set(found.tensors) == set(huggingface.tensors)
    assert all(torch.equal(found.tensors[name], huggingface.tensors[name]) for name in found.tensors)
    index.write_text(json.dumps({"weight_map": {**places, "model.norm.weight": "../a.safetensors"}}))
    with pytest.raises(ModelRefused, match="not in the model's folder"):
        read_huggingface(folder)
    index.write_text(json.dumps({"weight_map": {**places, "lost": "a.safetensors"}}))
    with pytest.raises(ModelUnavailable, match="lost"):
        read_huggingface(folder)


def test_biases_are_kept_and_reordered(tmp_path: Path) -> None:
    config = {**LLAMA_CONFIG, "attention_bias": True, "mlp_bias": True}
    tensors = llama_tensors()
    generator = torch.Generator().manual_seed(8)
    for name in [name for name in tensors if "_proj" in name]:
        tensors[name.replace("weight", "bias")] = torch.randn(len(tensors[name]), generator=generator)
    source = read_huggingface(write_huggingface(tmp_path / "biased", tensors, config))
    model = import_llama(source, "E16x", name="tiny")
    expected = float_logits(tensors, config, IDS)
    assert relative_error(exact_logits(model, IDS), expected) < 0.0008
    for key in ("attention_bias", "mlp_bias"):
        with pytest.raises(ModelRefused, match=f"exists, but {key} is False"):
            read_huggingface(write_huggingface(tmp_path / "ignored", tensors, {**config, key: False}))
        with pytest.raises(ModelRefused, match=f"is missing, but {key} is True"):
            read_huggingface(
                write_huggingface(tmp_path / "announced", llama_tensors(), {**LLAMA_CONFIG, key: True})
            )


def test_the_tokenizer_of_a_folder_is_read(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path, llama_tensors(), LLAMA_CONFIG)
    tokenizer = Tokenizer(BPE({letter: place for place, letter in enumerate("abcdefgh")}, []))
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(folder / "tokenizer.json"))
    text = read_huggingface(folder).text
    assert text is not None
    assert text.digest == hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    assert text.tokenizer.encode("cab").ids == [2, 0, 1]
    assert (text.begin_token, text.adds_begin_token, text.end_tokens, text.chat_template) == (
        None,
        False,
        (2,),
        "",
    )
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 7]}))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": "{{ x }}", "add_bos_token": True})
    )
    (folder / "config.json").write_text(json.dumps({**LLAMA_CONFIG, "bos_token_id": 1}))
    source = read_huggingface(folder)
    text = source.text
    assert text is not None
    assert (text.begin_token, text.adds_begin_token, text.end_tokens) == (1, True, (2, 7))
    assert text.chat_template == "{{ x }}"
    assert import_llama(source, "E16", name="tiny").description.tokenizer == text.digest


@pytest.mark.parametrize("kind", ["llama3", "linear"])
def test_stretched_contexts_divide_frequencies(tmp_path: Path, kind: str) -> None:
    scaling = {**LLAMA3_SCALING, "rope_type": kind}
    config = {**LLAMA_CONFIG, "rope_scaling": scaling}
    source = read_huggingface(write_huggingface(tmp_path, llama_tensors(), config))
    # Written as in the reference code of Llama 3.1, in floats.
    frequencies = 10000.0 ** (-torch.arange(0, 8, 2).double() / 8)
    scaled = []
    for frequency in frequencies.tolist():
        length = 2 * math.pi / frequency
        smooth = (16 / length - 1.0) / 3.0
        if kind == "linear" or length > 16 / 1.0:
            scaled.append(frequency / 8)
        elif length < 16 / 4.0:
            scaled.append(frequency)
        else:
            scaled.append((1 - smooth) * frequency / 8 + smooth * frequency)
    model = import_llama(source, "E16x", name="tiny")
    expected = float_logits(llama_tensors(), config, IDS, torch.tensor(scaled, dtype=torch.float64))
    assert relative_error(exact_logits(model, IDS), expected) < 0.0008
    angles = torch.outer(torch.arange(40).double(), torch.tensor(scaled, dtype=torch.float64))
    assert int((model.tensors["rotation.cosine"] - (angles.cos() * 2**20).round()).abs().max()) <= 1
    assert int((model.tensors["rotation.sine"] - (angles.sin() * 2**20).round()).abs().max()) <= 1


def test_frequency_divisors_of_a_gguf_file_are_used(tmp_path: Path) -> None:
    divisors = torch.tensor([1.0, 2.0, 4.0, 8.0])
    tensors = {**llama_tensors(), "rope_freqs.weight": divisors}
    model = import_llama(
        read_gguf(write_gguf(tmp_path / "m.gguf", tensors, LLAMA_CONFIG)), "E16x", name="tiny"
    )
    frequencies = 10000.0 ** (-torch.arange(0, 8, 2).double() / 8) / divisors
    expected = float_logits(tensors, LLAMA_CONFIG, IDS, frequencies)
    assert relative_error(exact_logits(model, IDS), expected) < 0.0008


def test_the_rotation_table_ends_where_the_caller_says(huggingface: LlamaSource) -> None:
    model = import_llama(huggingface, "E16", name="tiny", maximum_tokens=7, fractions=FRACTIONS)
    assert model.description.maximum_tokens == 7
    assert model.tensors["rotation.cosine"].shape == (7, 4)
    whole = import_llama(huggingface, "E16", name="tiny", fractions=FRACTIONS)
    assert whole.description.maximum_tokens == LLAMA_CONFIG["max_position_embeddings"]
    assert torch.equal(whole.tensors["rotation.sine"][:7], model.tensors["rotation.sine"])
    with pytest.raises(ModelRefused, match="maximum_tokens"):
        import_llama(huggingface, "E16", name="tiny", maximum_tokens=0)


def test_calibration_leaves_room_for_eight_times_what_it_sees(huggingface: LlamaSource) -> None:
    ranges = measure_ranges(huggingface, [IDS])
    logits = float_logits(llama_tensors(), LLAMA_CONFIG, IDS)
    assert ranges.logits == pytest.approx(float(logits.abs().max()), rel=1e-4)
    assert min(ranges.residual, ranges.hidden, ranges.gate_and_up) > 0
    assert fitting_fraction_bits("x", 4095.9) == 16
    assert fitting_fraction_bits("x", 4096.1) == 15
    assert fitting_fraction_bits("x", 25545) == 13
    assert fitting_fraction_bits("x", 0) == 16
    for value in (1e9, math.inf, math.nan):
        with pytest.raises(ModelRefused, match="hidden"):
            fitting_fraction_bits("hidden", value)
    assert calibrate(huggingface, [IDS]) == calibrate(huggingface)
    with pytest.raises(ModelRefused, match="residual fraction bits"):
        LlamaFractions(residual=17, hidden=16, logits=16)


def test_a_large_residual_stream_takes_fraction_bits(tmp_path: Path) -> None:
    tensors = llama_tensors()
    tensors["model.embed_tokens.weight"] = tensors["model.embed_tokens.weight"] * 40000
    source = read_huggingface(write_huggingface(tmp_path, tensors, LLAMA_CONFIG))
    fractions = calibrate(source)
    assert fractions.residual == 13
    model = import_llama(source, "E16x", name="tiny")
    expected = float_logits(tensors, LLAMA_CONFIG, IDS)
    assert relative_error(exact_logits(model, IDS), expected) < 0.0008


def test_the_float_baseline_is_the_same_model(huggingface: LlamaSource) -> None:
    expected = float_logits(llama_tensors(), LLAMA_CONFIG, IDS)
    baseline = FloatLlama(huggingface, torch.float64)
    assert relative_error(baseline.logits(torch.tensor([IDS]))[0], expected) < 1e-9
    cache = FloatCache()
    parts = [
        baseline.logits(torch.tensor([IDS[start:stop]]), cache) for start, stop in ((0, 5), (5, 6), (6, 12))
    ]
    assert relative_error(torch.cat(parts, 1)[0], expected) < 1e-9
    assert baseline.generate(IDS, 1) == [int(expected[-1].argmax())]


CONFIG_REFUSALS = [
    ({"model_type": "mistral"}, "model_type"),
    ({"hidden_act": "gelu"}, "hidden_act"),
    ({"num_key_value_heads": 3}, "key heads"),
    ({"num_attention_heads": 0}, "num_attention_heads"),
    ({"hidden_size": 30}, "hidden_size"),
    ({"head_dim": 7}, "heads of 7"),
    ({"rms_norm_eps": None}, "rms_norm_eps"),
    ({"rms_norm_eps": 1e12}, "epsilon"),
    ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "yarn"),
    ({"rope_scaling": {**LLAMA3_SCALING, "low_freq_factor": 4.0}}, "rope_scaling"),
    ({"rope_scaling": [1]}, "rope_scaling"),
    ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
    ({"num_hidden_layers": 3}, r"layer\.2\."),
    ({"num_hidden_layers": 1}, r"model\.layers\.1\..* is no tensor"),
    ({"vocab_size": 65}, r"embedding\.weight"),
    ({"intermediate_size": 47}, r"layer\.0\.gate"),
]


@pytest.mark.parametrize(("change", "reason"), CONFIG_REFUSALS)
def test_other_configurations_are_refused_by_name(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    folder = write_huggingface(tmp_path, llama_tensors(), {**LLAMA_CONFIG, **change})
    with pytest.raises(ModelRefused, match=reason):
        import_llama(read_huggingface(folder), "E16", name="tiny", fractions=FRACTIONS)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("model.layers.0.mlp.up_proj.weight", math.nan, "not finite"),
        ("model.layers.1.input_layernorm.weight", 2000.0, "beyond"),
        ("model.layers.1.self_attn.o_proj.weight", 1e9, "no shift"),
        ("model.embed_tokens.weight", 1e8, "beyond"),
    ],
)
def test_tensors_that_cannot_be_proved_are_refused(
    tmp_path: Path, name: str, value: float, reason: str
) -> None:
    tensors = llama_tensors()
    tensors[name] = torch.full_like(tensors[name], value)
    source = read_huggingface(write_huggingface(tmp_path, tensors, LLAMA_CONFIG))
    with pytest.raises(ModelRefused, match=reason):
        import_llama(source, "E16", name="tiny", fractions=FRACTIONS)


def test_unknown_tensors_and_architectures_of_gguf_are_refused(tmp_path: Path) -> None:
    tensors = llama_tensors()
    with pytest.raises(ModelRefused, match="'qwen2'"):
        read_gguf(write_gguf(tmp_path / "a.gguf", tensors, LLAMA_CONFIG, architecture="qwen2"))
    path = write_gguf(
        tmp_path / "b.gguf", {**tensors, "blk.0.attn_q_norm.weight": torch.ones(8)}, LLAMA_CONFIG
    )
    with pytest.raises(ModelRefused, match=r"blk\.0\.attn_q_norm"):
        read_gguf(path)
    path = write_gguf(
        tmp_path / "c.gguf", tensors, LLAMA_CONFIG, metadata={"llama.rope.scaling.type": "yarn"}
    )
    with pytest.raises(ModelRefused, match="yarn"):
        read_gguf(path)


def test_damaged_gguf_files_are_named(tmp_path: Path) -> None:
    whole = write_gguf(tmp_path / "whole.gguf", llama_tensors(), LLAMA_CONFIG).read_bytes()
    for number, length in enumerate((0, 3, 4, 20, 100, 500, len(whole) // 2, len(whole) - 200)):
        path = tmp_path / f"cut{number}.gguf"
        path.write_bytes(whole[:length])
        with pytest.raises(ModelUnavailable, match=path.name):
            read_gguf(path)
    for number, place in enumerate((0, 4, 8, 16, 24, 60)):
        path = tmp_path / f"changed{number}.gguf"
        path.write_bytes(whole[:place] + b"\xff" * 8 + whole[place + 8 :])
        with pytest.raises((ModelUnavailable, ModelRefused)):
            read_gguf(path)
    with pytest.raises(ModelUnavailable, match="absent"):
        read_gguf(tmp_path / "absent.gguf")


def test_damaged_folders_are_named(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path, llama_tensors(), LLAMA_CONFIG)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json"):
        read_huggingface(folder)
    (folder / "tokenizer.json").unlink()
    path = folder / "model.safetensors"
    data = path.read_bytes()
    path.unlink()
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors"):
        read_huggingface(folder)
    path.write_bytes(data[:-8])
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors"):
        read_huggingface(folder)
    (folder / "config.json").unlink()
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        read_huggingface(folder)


def test_asking_for_names_reads_no_tensor() -> None:
    class Unreadable(dict[str, Tensor]):
        def __getitem__(self, name: str) -> Tensor:
            raise AssertionError(f"{name} was read")

    found = RenamedTensors(
        Unreadable({"a.weight": torch.ones(2)}), {"first": "a.weight", "second": "b.weight"}
    )
    assert "first" in found
    assert "second" not in found
    assert list(found) == ["first"]
    assert len(found) == 1
