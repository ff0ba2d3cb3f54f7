"""``python -m bench.exact [model …]``: faithfulness to the float models and speed beside them, as JSON.

Exit status 1 if a model's quality falls below the floor of its profile.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from bench.exact import llama_body
from bench.exact.encoder import EncoderBench
from bench.exact.image_classifier import ImageClassifierBench
from bench.exact.language_model import LanguageModelBench
from bench.exact.timing import seconds
from proofmill.exact.classifier import Classifier
from proofmill.exact.embedder import Embedder
from proofmill.exact.models.catalogue import KNOWN_MODELS
from proofmill.exact.models.loading import AnyModel, load_model


class Benches:
    """Each family's text or images and float models, made when first needed and shared by its profiles."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._encoder: EncoderBench | None = None
        self._language_model: LanguageModelBench | None = None
        self._image_classifier: ImageClassifierBench | None = None

    def report(self, model: AnyModel, runs: int) -> tuple[dict[str, Any], list[str]]:
        """Figures of one model, and the floors they fall below."""
        if isinstance(model, Embedder):
            self._encoder = self._encoder or EncoderBench(self._threads)
            return self._encoder.report(model, runs)
        if isinstance(model, Classifier):
            self._image_classifier = self._image_classifier or ImageClassifierBench()
            return self._image_classifier.report(model, runs)
        self._language_model = self._language_model or LanguageModelBench()
        return self._language_model.report(model, runs)


def measure_loading(name: str) -> dict[str, float]:
    """Seconds to load a model with an empty cache and again with what that left there."""
    with tempfile.TemporaryDirectory() as directory:
        cache = Path(directory)
        converting = seconds(lambda: load_model(name, cache_directory=cache))
        cached = seconds(lambda: load_model(name, cache_directory=cache))
    return {"converting": round(converting, 3), "from_cache": round(cached, 3)}


def main() -> int:
    parser = argparse.ArgumentParser(description="quality and speed of exact models, as JSON")
    parser.add_argument(
        "models", nargs="*", metavar="model", help=f"all unless named: {', '.join(KNOWN_MODELS)}"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5, help="timed runs; 0 measures quality alone")
    parser.add_argument("--carrier", default=None)
    options = parser.parse_args()
    unknown = set(options.models) - set(KNOWN_MODELS)
    if unknown:
        parser.error(f"no model {min(unknown)!r}")
    torch.set_num_threads(options.threads)
    benches, reports, failures = Benches(options.threads), {}, []
    carrier = ""
    for name in options.models or KNOWN_MODELS:
        load_seconds = measure_loading(name)
        model = load_model(name, carrier=options.carrier)
        carrier = model.carrier
        figures, below = benches.report(model, options.runs)
        reports[name] = {
            "model_id": model.model_id.hex(),
            "load_seconds": load_seconds,
            **figures,
        }
        failures += [f"{name}: {failure}" for failure in below]
    report = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "threads": options.threads,
            "torch": torch.__version__,
            "carrier": carrier,
            "peak_resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
        "models": reports,
    }
    if options.runs and not options.models:
        report["llama_1b_body"] = llama_body.report(options.runs, options.carrier)
    print(json.dumps(report, indent=2))
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
