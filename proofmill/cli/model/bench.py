"""``proofmill model bench``: how fast this machine runs a model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np
import torch
from rich.markup import escape

from proofmill.cli.console import json_option, print_json, progress_console, result_console
from proofmill.cli.model.source import model_argument, read_model, step
from proofmill.exact.classifier import Classifier
from proofmill.exact.embedder import Embedder
from proofmill.exact.generation import GenerationRequest
from proofmill.exact.generator import Generator
from proofmill.exact.kernels.selection import CARRIER_CHOICES, choose_kernels
from proofmill.exact.models.loading import AnyModel, make
from proofmill.failures import report_failures

#: Each measurement: what it is called, how many things one run does, what things, and the run.
Work = tuple[str, int, str, Callable[[], object]]


@click.command()
@model_argument
@click.option(
    "--carrier",
    type=click.Choice(CARRIER_CHOICES),
    help="Machine arithmetic; default: the fastest exact one.",
)
@click.option("--device", default="cpu", show_default=True, help="Where to compute: cpu or cuda.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Processor threads; default: all.")
@click.option(
    "--runs", type=click.IntRange(1), default=5, show_default=True, help="Runs of each measurement."
)
@json_option
@report_failures
def bench(name: str, carrier: str | None, device: str, threads: int | None, runs: int, as_json: bool) -> None:
    """Time MODEL on this machine: medians of alternating runs."""
    if threads is not None:
        torch.set_num_threads(threads)
    with step(f"reading {name} and hashing every weight"):
        manifest, model = read_model(name)
    with step("preparing the kernels"):
        loaded = make(manifest, model, None, choose_kernels(carrier, device))
    works = _works(loaded)
    samples: dict[str, list[float]] = {label: [] for label, *_ in works}
    with progress_console().status("measuring"):
        for run in range(runs + 1):
            for label, _, _, work in works:
                start = time.perf_counter()
                work()
                if run:  # the first warms caches up
                    samples[label].append(time.perf_counter() - start)
    results: dict[str, Any] = {
        label: {
            "per_second": round(count / statistics.median(samples[label]), 1),
            "unit": unit,
            "milliseconds": round(1e3 * statistics.median(samples[label]), 2),
        }
        for label, count, unit, _ in works
    }
    report = {
        "model_id": manifest.model_id.hex(),
        "carrier": loaded.carrier,
        "threads": torch.get_num_threads(),
        "runs": runs,
        "results": results,
    }
    if as_json:
        print_json(report)
        return
    console = result_console()
    console.print(f"{escape(name)} on {loaded.carrier}, {report['threads']} threads, medians of {runs} runs")
    for label, result in results.items():
        console.print(
            f"  {label:28} {result['per_second']:>10,} {result['unit']}/s   {result['milliseconds']:,} ms a run"
        )


def _works(model: AnyModel) -> list[Work]:
    if isinstance(model, Embedder):
        return _embedding_works(model)
    if isinstance(model, Generator):
        return _generation_works(model)
    return _classification_works(model)


def _embedding_works(model: Embedder) -> list[Work]:
    length = min(22, model.limits.maximum_tokens)
    sentences = [
        [(7 * row + place) % model.limits.vocabulary_size for place in range(length)] for row in range(32)
    ]
    return [
        (f"32 sentences of {length} tokens", 32 * length, "tokens", lambda: model.embed(sentences)),
        (f"one sentence of {length} tokens", length, "tokens", lambda: model.embed(sentences[:1])),
    ]


def _generation_works(model: Generator) -> list[Work]:
    description = model.description
    positions = description.maximum_tokens
    prompt = tuple(place % description.vocabulary_size for place in range(min(256, positions)))
    # A quarter of a short model's positions is prompt, the rest is for new tokens.
    start = prompt[: max(1, min(32, positions // 4))]
    new = min(32, positions - len(start) + 1)

    def decode(count: int) -> Callable[[], object]:
        return lambda: model.generate([GenerationRequest(start, new)] * count, batch_size=count)

    return [
        (
            f"prefill of {len(prompt)} tokens",
            len(prompt),
            "tokens",
            lambda: model.logits(prompt, first=len(prompt) - 1),
        ),
        ("decode, 1 sequence", new, "tokens", decode(1)),
        ("decode, 8 sequences", 8 * new, "tokens", decode(8)),
    ]


def _classification_works(model: Classifier) -> list[Work]:
    rows, channels = model.input_size
    images = (np.arange(64 * rows * channels) % 251).astype(np.uint8).reshape(64, rows, channels)
    return [
        ("64 images", 64, "images", lambda: model.logits(images)),
        ("one image", 1, "images", lambda: model.logits(images[:1])),
    ]
