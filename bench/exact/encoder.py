"""all-MiniLM-L6-v2: embeddings against the float64 model, speed beside the float32 model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bench.exact.float_bert import FloatBert
from bench.exact.quality import embedding_quality
from bench.exact.sentences import real_sentences
from bench.exact.timing import alternating_medians
from proofmill.exact.embedder import Embedder
from proofmill.exact.importers.safetensors_reader import read_safetensors
from proofmill.exact.models import minilm

#: Least mean cosine with the float64 model, by profile.
FLOORS = {"E16": 0.9995, "E16x": 0.999999}


class EncoderBench:
    """The sentences and what the float models make of them, computed once for all profiles."""

    def __init__(self, threads: int, sentences: int = 256) -> None:
        self._threads = threads
        tokenizer = minilm.load_tokenizer()
        self._ids = [encoding.ids for encoding in tokenizer.encode_batch(real_sentences(sentences))]
        source = read_safetensors(minilm.FILES.path("model/model.safetensors"))
        self._reference = FloatBert(source, torch.float64).embed(self._ids)
        self._single = FloatBert(source, torch.float32)
        self._compiled = FloatBert(source, torch.float32, compiled=True)
        self._half = embedding_quality(FloatBert(source, torch.bfloat16).embed(self._ids), self._reference)

    def report(self, embedder: Embedder, runs: int) -> tuple[dict[str, Any], list[str]]:
        """Figures, and the floors they fall below."""
        exact = embedding_quality(
            torch.from_numpy(embedder.embed(self._ids).astype(np.float64)), self._reference
        )
        profile = embedder.description.profile
        figures = {
            "text": {
                "source": "sentences of the documentation strings of Python's standard library",
                "sentences": len(self._ids),
                "tokens": sum(map(len, self._ids)),
                "longest": max(map(len, self._ids)),
            },
            "quality_against_float64": {
                "exact": exact,
                "float32": embedding_quality(self._single.embed(self._ids), self._reference),
                "bfloat16": self._half,
            },
            "speed": self._speed(embedder, runs) if runs else {},
        }
        found = exact["cosine_mean"]
        return figures, [f"mean cosine {found} below {FLOORS[profile]}"] if found < FLOORS[profile] else []

    def _speed(self, embedder: Embedder, runs: int) -> dict[str, Any]:
        """Float32 runs eager with divided operators, eager with a batch per thread, and compiled; ratios are to the fastest."""
        ids, single, compiled, threads = self._ids, self._single, self._compiled, self._threads
        tokens = sum(map(len, ids))
        works: list[Callable[[], object]] = [
            lambda: embedder.embed(ids),
            lambda: single.embed(ids),
            lambda: single.embed(ids, threads=threads),
            lambda: compiled.embed(ids),
        ]
        exact, divided, batched, fused = alternating_medians(works, runs)
        one = ids[len(ids) // 2 : len(ids) // 2 + 1]
        exact_one, *float32_one = alternating_medians(
            [
                lambda: embedder.embed(one),
                lambda: single.embed(one),
                lambda: single.embed(one, threads=1),
                lambda: compiled.embed(one),
            ],
            4 * runs,
        )
        return {
            "runs": runs,
            "batch_size": 32,
            "exact_tokens_per_second": round(tokens / exact),
            "float32_sdpa_divided_operators_tokens_per_second": round(tokens / divided),
            "float32_sdpa_batch_per_thread_tokens_per_second": round(tokens / batched),
            "float32_compiled_tokens_per_second": round(tokens / fused),
            "exact_over_fastest_float32": round(min(divided, batched, fused) / exact, 3),
            "exact_milliseconds_one_sentence": round(exact_one * 1e3, 2),
            "fastest_float32_milliseconds_one_sentence": round(min(float32_one) * 1e3, 2),
        }
