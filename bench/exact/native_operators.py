"""How fast each native operator is, at the shapes of MiniLM and of Llama-3.2-1B, beside PyTorch's fp32 matrix product.

    python -m bench.exact.native_operators [threads]

Prints one JSON object. Times are the best of several runs, kernels and fp32 in turn, so that a busy machine disturbs both
alike; products also give tera-operations per second (a multiplication and an addition are two).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Final

import torch

from proofmill.exact.kernels.interface import AttentionShape, Form, LayerCache, Operand, Segment
from proofmill.exact.kernels.native.build import set_threads
from proofmill.exact.kernels.native.kernels import NativeKernels

_SECONDS: Final = 0.4  # for each measurement
#: name, rows, outputs, inputs
_PRODUCTS: Final = (
    ("minilm query_key_value", 640, 1152, 384),
    ("minilm attention_output", 640, 384, 384),
    ("minilm up", 640, 1536, 384),
    ("minilm down", 640, 384, 1536),
    ("minilm up, one sentence", 20, 1536, 384),
    ("llama attention_output", 256, 2048, 2048),
    ("llama gate_up", 256, 16384, 2048),
    ("llama down", 256, 2048, 8192),
    ("llama gate_up, decode", 1, 16384, 2048),
    ("llama down, decode", 1, 2048, 8192),
)


def _best(*functions: Callable[[], object]) -> list[float]:
    """The shortest time of each, the functions taking turns."""
    least = [float("inf")] * len(functions)
    for function in functions:
        function()
    deadline = time.perf_counter() + _SECONDS * len(functions)
    while time.perf_counter() < deadline:
        for index, function in enumerate(functions):
            start = time.perf_counter()
            function()
            least[index] = min(least[index], time.perf_counter() - start)
    return least


def _product(kernels: NativeKernels, rows: int, outputs: int, inputs: int) -> dict[str, object]:
    generator = torch.Generator().manual_seed(1)
    x = (torch.randn(rows, inputs, generator=generator) * 65536).to(torch.int32)
    operand = kernels.quantise(x, inputs)
    one, zero = torch.ones(outputs, dtype=torch.int32), torch.zeros(outputs, dtype=torch.int32)
    weights = [
        kernels.prepare_linear(
            torch.randint(-limit, limit + 1, (outputs, inputs), generator=generator).to(dtype), one, zero, 20
        )
        for limit, dtype in ((127, torch.int8), (16256, torch.int16))
    ]
    a, b = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    narrow, wide, single = _best(
        lambda: kernels.linear(operand, weights[0]),
        lambda: kernels.linear(operand, weights[1]),
        lambda: torch.nn.functional.linear(a, b),
    )
    operations = 2 * rows * outputs * inputs
    return {
        "rows": rows,
        "e16_us_per_token": narrow / rows * 1e6,
        "e16_tops": operations / narrow / 1e12,
        "e16_weight_gb_per_s": outputs * inputs / narrow / 1e9,
        "e16x_us_per_token": wide / rows * 1e6,
        "e16x_tops": operations / wide / 1e12,
        "fp32_tops": operations / single / 1e12,
        "e16_over_fp32": single / narrow,
        "e16x_over_fp32": single / wide,
    }


def _rows(kernels: NativeKernels) -> dict[str, float]:
    generator = torch.Generator().manual_seed(2)

    def normal(rows: int, width: int) -> torch.Tensor:
        return (torch.randn(rows, width, generator=generator) * 65536).to(torch.int32)

    x384, x1152, x1536, gate = normal(640, 384), normal(640, 1152), normal(640, 1536), normal(256, 16384)
    gamma, beta = torch.full((384,), 1 << 14), torch.zeros(384)
    norm = kernels.prepare_norm(gamma, beta, 1, 20547809, centred=True)
    stacked, positions = normal(256, 3072), torch.arange(256)
    angles = torch.randint(-(1 << 20), 1 << 20, (256, 32), generator=generator, dtype=torch.int32)
    calls: dict[str, tuple[int, Callable[[], object]]] = {
        "minilm quantise heads": (640, lambda: kernels.quantise(x1152, 32)),
        "minilm norm": (640, lambda: kernels.norm(x384, norm, Form(True, 384))),
        "minilm gelu": (640, lambda: kernels.gelu(x1536, Form(False, 1536))),
        "minilm add": (640, lambda: kernels.add(x384, x384)),
        "llama gated silu": (256, lambda: kernels.gated_silu(gate, 16, Form(False, 8192))),
        "llama rotate": (
            256,
            lambda: kernels.rotate(stacked, positions, angles, angles, 2560, 64, Form(False, 64)),
        ),
    }
    times = _best(*(call for _, call in calls.values()))
    return {name: least / rows * 1e6 for (name, (rows, _)), least in zip(calls.items(), times, strict=True)}


def _attention(kernels: NativeKernels) -> dict[str, float]:
    generator = torch.Generator().manual_seed(3)
    result = {}
    x = (torch.randn(640, 1152, generator=generator) * 65536).to(torch.int32)
    encoder = kernels.quantise(x, 32)
    shape = AttentionShape(12, 12, 32, 267423, causal=False)
    sentences = [Segment(20 * i, 20) for i in range(32)]
    (least,) = _best(lambda: kernels.attention(encoder, shape, sentences, Form(False, 384)))
    result["minilm, 32 sentences of 20"] = least / 640 * 1e6
    causal = AttentionShape(32, 8, 64, 189095, causal=True)
    for length in (256, 512, 2048):
        x = (torch.randn(length, 3072, generator=generator) * 65536).to(torch.int32)
        whole = kernels.quantise(x, 64)
        last = Operand(whole.values[-1:].contiguous(), whole.exponents[-1:].contiguous())
        cache = LayerCache(whole.values[:, 2048:].contiguous(), whole.exponents[:, 32:].contiguous())
        whole_segment, step = [Segment(0, length)], [Segment(0, 1, length - 1, cache)]
        prefill, decode = _best(
            lambda whole=whole, segment=whole_segment: kernels.attention(whole, causal, segment),  # type: ignore[misc]
            lambda last=last, step=step: kernels.attention(last, causal, step),  # type: ignore[misc]
        )
        result[f"llama, prefill of {length}"] = prefill / length * 1e6
        result[f"llama, decode at {length}"] = decode * 1e6
    return result


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else torch.get_num_threads()
    torch.set_num_threads(threads)
    kernels = NativeKernels()
    set_threads(threads)
    report = {
        "threads": threads,
        "products": {name: _product(kernels, *shape) for name, *shape in _PRODUCTS},
        "rows_us_per_token": _rows(kernels),
        "attention_us_per_token": _attention(kernels),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
