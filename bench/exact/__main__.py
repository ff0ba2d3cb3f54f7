"""``python -m bench.exact``: faithfulness to the float64 model and speed beside the float32 model, as JSON.

Exit status 1 if the mean cosine falls below the profile's floor of 0.9995.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import normalize

from bench.exact.float_bert import FloatBert
from bench.exact.sentences import real_sentences
from proofmill.exact import Embedder, load_minilm
from proofmill.exact.minilm import model_directory

MEAN_COSINE_FLOOR = 0.9995


def nearest(embeddings: Tensor) -> Tensor:
    """Index of each row's nearest other row by cosine."""
    similarity = embeddings @ embeddings.T
    return similarity.fill_diagonal_(-2).argmax(1)


def quality(answer: Tensor, reference: Tensor) -> dict[str, float]:
    """Agreement of embeddings with the float64 model's."""
    answer, reference = normalize(answer.double(), dim=-1), reference.double()
    cosine = (answer * reference).sum(-1)
    agreement = (nearest(answer) == nearest(reference)).double().mean()
    return {
        "cosine_mean": round(float(cosine.mean()), 7),
        "cosine_min": round(float(cosine.min()), 7),
        "top1_neighbour_agreement": round(float(agreement), 4),
    }


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternating_medians(works: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Median seconds of each, the runs interleaved so that a busy machine disturbs all alike."""
    for work in works:
        work()
    samples: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, sample in zip(works, samples, strict=True):
            sample.append(seconds(work))
    return [statistics.median(sample) for sample in samples]


def speed(
    embedder: Embedder, single: FloatBert, ids: list[list[int]], runs: int, threads: int
) -> dict[str, Any]:
    """Float32 runs both with divided operators and with whole batches per thread; the ratio is against the faster."""
    tokens = sum(map(len, ids))
    works: list[Callable[[], object]] = [
        lambda: embedder.embed(ids),
        lambda: single.embed(ids),
        lambda: single.embed(ids, threads=threads),
    ]
    exact, divided, batched = alternating_medians(works, runs)
    one = ids[len(ids) // 2 : len(ids) // 2 + 1]
    exact_one, float32_one = alternating_medians(
        [lambda: embedder.embed(one), lambda: single.embed(one, threads=1)], 4 * runs
    )
    return {
        "runs": runs,
        "batch_size": 32,
        "exact_tokens_per_second": round(tokens / exact),
        "float32_sdpa_divided_operators_tokens_per_second": round(tokens / divided),
        "float32_sdpa_batch_per_thread_tokens_per_second": round(tokens / batched),
        "exact_over_fastest_float32": round(min(divided, batched) / exact, 3),
        "exact_milliseconds_one_sentence": round(exact_one * 1e3, 2),
        "float32_milliseconds_one_sentence": round(float32_one * 1e3, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="quality and speed of the exact engine, as JSON")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as directory:
        cold = seconds(lambda: load_minilm(cache_directory=Path(directory)))
        warm = seconds(lambda: load_minilm(cache_directory=Path(directory)))
    embedder = load_minilm()
    ids = embedder.tokenize(real_sentences(options.sentences))
    exact = torch.from_numpy(embedder.embed(ids).astype(np.float64))
    source = load_file(model_directory() / "model.safetensors")
    reference = FloatBert(source, torch.float64).embed(ids)
    single = FloatBert(source, torch.float32)
    exact_quality = quality(exact, reference)
    report = {
        "model": "all-MiniLM-L6-v2",
        "profile": "E16",
        "model_id": embedder.model_id.hex(),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "threads": options.threads,
            "torch": torch.__version__,
            "carrier": embedder.carrier,
            "peak_resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
        "text": {"sentences": len(ids), "tokens": sum(map(len, ids)), "longest": max(map(len, ids))},
        "load_seconds": {"converting": round(cold, 3), "from_cache": round(warm, 3)},
        "quality_against_float64": {
            "exact": exact_quality,
            "float32": quality(single.embed(ids), reference),
            "bfloat16": quality(FloatBert(source, torch.bfloat16).embed(ids), reference),
        },
        "speed": speed(embedder, single, ids, options.runs, options.threads),
    }
    print(json.dumps(report, indent=2))
    if exact_quality["cosine_mean"] < MEAN_COSINE_FLOOR:
        print(f"mean cosine below {MEAN_COSINE_FLOOR}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
