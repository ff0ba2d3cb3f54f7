"""``python -m bench.capability``: cost of checking and speed of proving, as JSON on stdout and a table on stderr.

Processor times are per run and for all threads: divided by the threads they say what an idle machine needs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from typing import Any

import torch

from bench.capability import checks, proving
from proofmill.capability.sizes import CELLS, CLASSES, device_class


def table(report: dict[str, Any]) -> str:
    """The figures people ask for, one per line."""
    check, prover, memory = report["check"], report["prover"], report["memory"]
    lines = [("n", "what", "least s", "median s", "processor s / thread")]
    for name in ("cells", "whole_product", "bare_products", "generation"):
        lines.append((f"{check['size']}", f"check: {name}", *_seconds(check[name])))
    for name in ("challenge", "bare_products"):
        lines.append((f"{prover['size']}", f"prover: {name}", *_seconds(prover[name])))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    rows = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(
        [
            *rows,
            f"prover reaches {prover['share_of_peak']:.0%} of the bare products of {report['machine']['device']}",
            f"a block costs {memory['generation_to_product']} times the product over it, "
            f"{memory['generation_to_step']} times a whole step",
        ]
    )


def _seconds(figures: dict[str, float]) -> tuple[str, str, str]:
    names = ("least_seconds", "median_seconds", "processor_seconds_per_thread")
    return tuple(f"{figures[name]:.3f}" for name in names)  # type: ignore[return-value]


def main() -> int:
    parser = argparse.ArgumentParser(description="cost of checking and speed of proving, as JSON and a table")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=8192, help="n of the challenge that is checked")
    parser.add_argument("--cells", type=int, default=CELLS)
    parser.add_argument("--segments", type=int, default=1, help="of 32 rounds, that the prover computes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    on_processor = options.device == "cpu"
    chosen = device_class("processor") if on_processor else CLASSES[-1]
    report: dict[str, Any] = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "device": "cpu" if on_processor else torch.cuda.get_device_name(options.device),
            "threads": options.threads,
            "load_average": round(os.getloadavg()[0], 2),
            "torch": torch.__version__,
        },
        "check": checks.report(options.size, options.cells, options.runs, options.threads),
        "prover": proving.prover_report(
            chosen.size, options.segments, options.runs, options.device, options.threads
        ),
        "memory": proving.memory_report(chosen, max(options.runs, 3), options.device),
    }
    print(json.dumps(report, indent=2))
    print(table(report), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
