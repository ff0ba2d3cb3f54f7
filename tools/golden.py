"""Compute the golden answers on every carrier, batch size and thread count, and compare them with the recorded ones.

Exit status 1 if any differs. A carrier that fails its self-test on this machine is shown as unavailable, which is not
a failure: it is never used here. ``--write`` records the answers instead, after checking that all agree.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from proofmill.errors import ProofmillError
from proofmill.exact import load_minilm
from proofmill.exact.carriers import carrier_fault
from proofmill.exact.golden import answer_sha256, golden_sequences

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden" / "minilm_e16.json"
CARRIERS = ("int8", "fp32", "fp64")
BATCH_SIZES = (1, 32)
THREADS = (1, 2)


def compute(carrier: str, batch_size: int, threads: int) -> dict[str, Any]:
    """What the golden file records, as this machine computes it."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        embedder = load_minilm(carrier=carrier)
        answer = embedder.embed(golden_sequences(), batch_size=batch_size)
    finally:
        torch.set_num_threads(before)
    return {
        "model_id": embedder.model_id.hex(),
        "answer_sha256": answer_sha256(answer),
        "first_components": answer[0, :4].tolist(),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="record the answers of this machine")
    options = parser.parse_args(arguments)
    expected = None if options.write else json.loads(GOLDEN.read_text("utf-8"))
    wrong = 0
    print(f"{'carrier':8} {'batch':>5} {'threads':>7} {'seconds':>7}  answer")
    for carrier in CARRIERS:
        fault = carrier_fault(carrier)
        if fault is not None:
            print(f"{carrier:8} unavailable here: {fault}")
            continue
        for batch_size in BATCH_SIZES:
            for threads in THREADS:
                start = time.perf_counter()
                answer = compute(carrier, batch_size, threads)
                seconds = time.perf_counter() - start
                expected = expected or answer
                verdict = "equal" if answer == expected else "DIFFERENT"
                wrong += answer != expected
                print(
                    f"{carrier:8} {batch_size:5} {threads:7} {seconds:7.2f}  {answer['answer_sha256']}  {verdict}"
                )
    if wrong:
        print(
            f"{wrong} answers differ from the golden one: this machine must not serve the model",
            file=sys.stderr,
        )
        return 1
    if options.write and expected is not None:
        GOLDEN.write_text(json.dumps(expected, indent=2) + "\n", "utf-8")
        print(f"recorded in {GOLDEN}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ProofmillError as error:
        print(f"{error}\n{error.remedy}", file=sys.stderr)
        sys.exit(1)
