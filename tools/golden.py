"""Compute every model's golden answer on each carrier, batch size and thread count, and compare it with the recorded one.

Exit status 1 if any differs. A carrier that fails its self-test on this machine is shown as unavailable, which is not
a failure: it is never used here. ``--isa`` repeats everything in processes whose libraries are told to stay below an
instruction set (``ONEDNN_MAX_CPU_ISA``), as a processor without it would. ``--write`` prints what agreed in the form in which
``proofmill/exact/models/golden.py`` records it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import torch

from proofmill.errors import ProofmillError
from proofmill.exact.kernels.selection import CARRIER_CHOICES, carrier_fault
from proofmill.exact.models.catalogue import KNOWN_MODELS, load_packed
from proofmill.exact.models.golden import GOLDEN_ANSWERS, golden_answer
from proofmill.exact.models.loading import make

BATCH_SIZES = (1, 32)
THREADS = (1, 2)
#: int64 matrix products of a language model take minutes; its small models show the carrier right all the same.
SLOW = {("int64", "smollm2-e16"), ("int64", "smollm2-e16x")}


def compute(name: str, carrier: str, batch_size: int, threads: int, device: str = "cpu") -> str:
    """A model's golden answer as this machine computes it."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        manifest, model = load_packed(KNOWN_MODELS[name])
        return golden_answer(
            make(manifest, model, None, carrier=carrier, device=device), batch_size=batch_size
        )
    finally:
        torch.set_num_threads(before)


def compare(
    names: Sequence[str],
    carriers: Sequence[str],
    batch_sizes: Sequence[int] = BATCH_SIZES,
    threads: Sequence[int] = THREADS,
    device: str = "cpu",
) -> tuple[dict[str, str], int]:
    """Print a line per run; the answers found first, by model, and how many runs differed."""
    answers: dict[str, str] = {}
    wrong = 0
    print(f"{'model':13} {'carrier':8} {'batch':>5} {'threads':>7} {'seconds':>7}  answer", flush=True)
    for carrier in carriers:
        fault = carrier_fault(carrier, device)
        if fault is not None:
            print(f"{'':13} {carrier:8} unavailable here: {fault}", flush=True)
            continue
        for name in names:
            if (carrier, name) in SLOW:
                continue
            recorded = GOLDEN_ANSWERS.get(KNOWN_MODELS[name].model_id.hex())
            for batch_size in batch_sizes:
                for count in threads:
                    start = time.perf_counter()
                    answer = compute(name, carrier, batch_size, count, device)
                    seconds = time.perf_counter() - start
                    expected = recorded or answers.setdefault(name, answer)
                    verdict = "equal" if answer == expected else "DIFFERENT"
                    wrong += answer != expected
                    print(
                        f"{name:13} {carrier:8} {batch_size:5} {count:7} {seconds:7.2f}  {answer}  {verdict}",
                        flush=True,
                    )
    return answers, wrong


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", choices=list(KNOWN_MODELS), default=list(KNOWN_MODELS))
    parser.add_argument("--carriers", nargs="+", choices=CARRIER_CHOICES, default=list(CARRIER_CHOICES))
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--isa", nargs="*", default=[], help="values of ONEDNN_MAX_CPU_ISA, such as AVX2 SSE41"
    )
    parser.add_argument(
        "--write", action="store_true", help="print the answers of this machine for recording"
    )
    options = parser.parse_args(arguments)
    answers, wrong = compare(options.models, options.carriers, device=options.device)
    for isa in options.isa:
        print(f"\nONEDNN_MAX_CPU_ISA={isa}, as a processor without newer instructions", flush=True)
        command = [sys.executable, __file__, "--models", *options.models, "--carriers", *options.carriers]
        environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa, "ATEN_CPU_CAPABILITY": "default"}
        wrong += subprocess.run(command, env=environment, check=False).returncode != 0
    if wrong:
        print(f"{wrong} answers differ: this machine must not serve these models", file=sys.stderr)
        return 1
    if options.write:
        for name, answer in answers.items():
            print(f'    "{KNOWN_MODELS[name].model_id.hex()}": (  # {name}\n        "{answer}"\n    ),')
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ProofmillError as error:
        print(f"{error}\n{error.remedy}", file=sys.stderr)
        sys.exit(1)
