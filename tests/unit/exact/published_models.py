"""Small models with random weights, as the files a user would import: BERT, and one Llama in both of its file formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from safetensors.torch import save_file
from torch import Tensor

BERT_CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
    "vocab_size": 50,
    "max_position_embeddings": 24,
    "type_vocab_size": 2,
    "layer_norm_eps": Decimal("1e-12"),
}

LLAMA_CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "max_position_embeddings": 40,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "eos_token_id": 2,
}

#: Hugging Face name of a tensor and its name in GGUF.
LLAMA_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def bert_tensors(config: Mapping[str, Any] = BERT_CONFIG, seed: int = 3) -> dict[str, Tensor]:
    """By Hugging Face names."""
    generator = torch.Generator().manual_seed(seed)
    size, inner = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], size),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], size),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], size),
    }
    norms = ["embeddings.LayerNorm"]
    for index in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{index}"
        linears = {
            "attention.self.query": (size, size),
            "attention.self.key": (size, size),
            "attention.self.value": (size, size),
            "attention.output.dense": (size, size),
            "intermediate.dense": (inner, size),
            "output.dense": (size, inner),
        }
        for name, shape in linears.items():
            shapes[f"{layer}.{name}.weight"], shapes[f"{layer}.{name}.bias"] = shape, shape[:1]
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    tensors = {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    for name in norms:
        tensors[f"{name}.weight"] = 1 + 0.1 * torch.randn(size, generator=generator)
        tensors[f"{name}.bias"] = 0.1 * torch.randn(size, generator=generator)
    return tensors


def llama_tensors(config: Mapping[str, Any] = LLAMA_CONFIG, seed: int = 5) -> dict[str, Tensor]:
    """By Hugging Face names, query and key rows in half-split order."""
    generator = torch.Generator().manual_seed(seed)
    size, inner = config["hidden_size"], config["intermediate_size"]
    head = size // config["num_attention_heads"]
    keys = head * config["num_key_value_heads"]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config["vocab_size"], size)}
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (config["vocab_size"], size)
    norms = ["model.norm.weight"]
    for index in range(config["num_hidden_layers"]):
        layer = f"model.layers.{index}"
        for name, shape in {
            "self_attn.q_proj": (size, size),
            "self_attn.k_proj": (keys, size),
            "self_attn.v_proj": (keys, size),
            "self_attn.o_proj": (size, size),
            "mlp.gate_proj": (inner, size),
            "mlp.up_proj": (inner, size),
            "mlp.down_proj": (size, inner),
        }.items():
            shapes[f"{layer}.{name}.weight"] = shape
        norms += [f"{layer}.input_layernorm.weight", f"{layer}.post_attention_layernorm.weight"]
    tensors = {name: 0.2 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    for name in norms:
        tensors[name] = 1 + 0.1 * torch.randn(size, generator=generator)
    return tensors


def write_huggingface(folder: Path, tensors: dict[str, Tensor], config: Mapping[str, Any]) -> Path:
    """config.json and model.safetensors in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    save_file(tensors, folder / "model.safetensors")
    return folder


def gguf_name(name: str) -> str:
    if name in LLAMA_NAMES:
        return LLAMA_NAMES[name]
    _, _, layer, *middle, part = name.split(".")
    return f"blk.{layer}.{LLAMA_NAMES['.'.join(middle)]}.{part}"


def write_gguf(
    path: Path,
    tensors: dict[str, Tensor],
    config: Mapping[str, Any],
    *,
    architecture: str = "llama",
    quantisation: GGMLQuantizationType = GGMLQuantizationType.F32,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """The same model as llama.cpp's converter would write it: query and key rows in interleaved order.

    Matrices whose rows divide into blocks of 32 are quantised as asked, everything else is float32.
    """
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    for key, value in (metadata or {}).items():
        writer.add_string(key, value)
    for name, tensor in tensors.items():
        values = tensor.float().numpy()
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(
            name.split(".")[-2], ""
        )
        if heads:
            halves = values.reshape(config[heads], 2, -1, *values.shape[1:])
            values = halves.swapaxes(1, 2).reshape(values.shape)
        blocks = tensor.ndim == 2 and tensor.shape[1] % 32 == 0
        kind = quantisation if blocks else GGMLQuantizationType.F32
        writer.add_tensor(
            gguf_name(name) if name.startswith(("model.", "lm_head")) else name,
            quantize(np.ascontiguousarray(values), kind),
            raw_dtype=kind,
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
