"""Compute every model's golden answer on each carrier, batch size and thread count, and compare it with the recorded one.

Exit status 1 if any differs. A carrier that fails its self-test on this machine is shown as unavailable, which is not
a failure: it is never used here. ``--older`` repeats everything as processors without newer instructions would: libraries
are told to stay below an instruction set (``ONEDNN_MAX_CPU_ISA``), the native kernels are compiled for it. ``--write`` prints
what agreed in the form in which ``proofmill/exact/models/golden.py`` records it.
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
from proofmill.exact.kernels.interface import Kernels
from proofmill.exact.kernels.native.kernels import NativeKernels
from proofmill.exact.kernels.selection import CARRIER_CHOICES, carrier_fault, choose_kernels
from proofmill.exact.models.catalogue import KNOWN_MODELS, load_packed
from proofmill.exact.models.golden import GOLDEN_ANSWERS, golden_answer
from proofmill.exact.models.loading import make

BATCH_SIZES = (1, 32)
THREADS = (1, 2)

#: int64 matrix products of a language model take minutes; the other models show the carrier right all the same.
SLOW = {("int64", "smollm2-e16"), ("int64", "smollm2-e16x")}

#: ONEDNN_MAX_CPU_ISA and the architecture for which the native kernels are compiled.
OLDER_PROCESSORS = {"AVX2": "x86-64-v3", "SSE41": "x86-64-v2"}


def compute(name: str, kernels: Kernels, batch_size: int) -> str:
    """A model's golden answer as these kernels compute it."""
    manifest, model = load_packed(KNOWN_MODELS[name])
    return golden_answer(make(manifest, model, None, kernels), batch_size=batch_size)


def make_kernels(carrier: str, device: str, architecture: str | None) -> Kernels:
    """Kernels by carrier; the native ones for another architecture than this processor's if asked for."""
    if carrier == "native" and architecture is not None:
        return NativeKernels((f"-march={architecture}",))
    return choose_kernels(carrier, device)


def compare(
    names: Sequence[str],
    carriers: Sequence[str],
    batch_sizes: Sequence[int] = BATCH_SIZES,
    threads: Sequence[int] = THREADS,
    device: str = "cpu",
    architecture: str | None = None,
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
            for count in threads:
                torch.set_num_threads(count)
                kernels = make_kernels(carrier, device, architecture)
                for batch_size in batch_sizes:
                    start = time.perf_counter()
                    answer = compute(name, kernels, batch_size)
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
    parser.add_argument("--older", nargs="*", choices=list(OLDER_PROCESSORS), default=[])
    parser.add_argument("--architecture", choices=list(OLDER_PROCESSORS.values()))
    parser.add_argument(
        "--write", action="store_true", help="print the answers of this machine for recording"
    )
    options = parser.parse_args(arguments)
    before = torch.get_num_threads()
    try:
        answers, wrong = compare(
            options.models, options.carriers, device=options.device, architecture=options.architecture
        )
    finally:
        torch.set_num_threads(before)
    for isa in options.older:
        architecture = OLDER_PROCESSORS[isa]
        print(f"\nONEDNN_MAX_CPU_ISA={isa}, native kernels for {architecture}", flush=True)
        command = [sys.executable, __file__, "--models", *options.models, "--carriers", *options.carriers]
        command += ["--architecture", architecture]
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
