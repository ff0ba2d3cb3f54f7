"""Runs the stateful machines of tests/stateful until they have made so many contract calls, successful or refused.

python -m tools.fuzz 1000000
python -m tools.fuzz --machine SuiteAgainstModels --seed 17     reproduces one batch

Resumable: counts, seeds and failures are kept in .cache/fuzz and count again as long as contracts, models and machines are the
same. Exit status 1 after any failure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tools.fuzz_plugin import ORDERS_VARIABLE, Batch, Orders

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".cache" / "fuzz"
MACHINES: Final = "tests/stateful"
JUDGED: Final = (
    "contracts/**/*.vy*",
    "tests/stateful/**/*.py",
    "tests/suite/**/*.py",
    "tests/models/**/*.py",
)
REPORT_SECONDS: Final = 10.0
MAXIMUM_BATCH_SECONDS: Final = 12 * 3_600


def sources_digest(root: Path) -> str:
    """One name for everything that decides what a seed does."""
    total = hashlib.sha256()
    for pattern in JUDGED:
        for path in sorted(root.glob(pattern)):
            total.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]


def read_batches(folder: Path) -> list[Batch]:
    """What all workers have done; a line that a stopped run left half is skipped."""
    batches = []
    for journal in sorted(folder.glob("worker-*.jsonl")):
        for line in journal.read_text("utf-8").splitlines():
            try:
                batches.append(Batch(**json.loads(line)))
            except ValueError:
                continue
    return batches


def next_seed(batches: Iterable[Batch], worker: int, processes: int, base: int) -> int:
    """Each worker has seeds of its own: no two batches are ever the same."""
    used = max((batch.seed for batch in batches), default=base - 1)
    first = max(base, used + 1)
    return first + (worker - first) % processes


def summary(batches: list[Batch]) -> str:
    """Calls, refusals and the rate, for each machine and in all."""
    lines = []
    for name in sorted({batch.machine for batch in batches}):
        mine = [batch for batch in batches if batch.machine == name]
        calls, refused = sum(b.calls for b in mine), sum(b.refused for b in mine)
        rate = calls / max(sum(b.seconds for b in mine), 1e-9)
        lines.append(
            f"{name}: {calls:,} calls, {refused:,} of them refused, {len(mine)} seeds, {rate:,.0f}/s a process"
        )
    return "\n".join(lines)


def start(orders: Orders, log: Path) -> subprocess.Popen[bytes]:
    """One worker."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        MACHINES,
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tools.fuzz_plugin",
    ]
    command += ["-o", f"timeout={MAXIMUM_BATCH_SECONDS}"]
    environment = dict(os.environ) | {
        ORDERS_VARIABLE: json.dumps(asdict(orders)),
        "PROOFMILL_HYPOTHESIS_PROFILE": "deep",
        "PYTHONPATH": str(ROOT),
    }
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)


def fuzz(target: int, processes: int, base: int) -> int:
    """Runs workers until the target is reached or a machine fails."""
    folder = FOLDER / sources_digest(ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    before = read_batches(folder)
    done = sum(batch.calls for batch in before)
    if before:
        print(f"fuzz: goes on after {done:,} calls", file=sys.stderr)
    # A round may fall short where a test has no machine: then another one does what is left.
    while done < target and not any(batch.failure for batch in before):
        quota = -(-(target - done) // processes)
        workers = []
        for worker in range(processes):
            journal = folder / f"worker-{worker}.jsonl"
            seed = next_seed(before, worker, processes, base)
            orders = Orders(journal=str(journal), quota=quota, first_seed=seed, seed_step=processes)
            workers.append(start(orders, folder / f"worker-{worker}.log"))
        statuses = _watch(workers, folder, done, target)
        crashed = [n for n, status in enumerate(statuses) if status != 0]
        before = read_batches(folder)
        after = sum(batch.calls for batch in before)
        if (crashed or after == done) and not any(batch.failure for batch in before):
            print((folder / f"worker-{(crashed or [0])[0]}.log").read_text("utf-8")[-3_000:], file=sys.stderr)
            print("fuzz: a worker failed before or between its machines", file=sys.stderr)
            return 1
        done = after
    batches = read_batches(folder)
    print(summary(batches))
    failures = [batch for batch in batches if batch.failure]
    for batch in failures:
        print(batch.failure)
        print(f"reproduce: python -m tools.fuzz --machine {batch.machine} --seed {batch.seed}")
    total = sum(batch.calls for batch in batches)
    print(f"fuzz: {total:,} contract calls in {len(batches)} batches, {len(failures)} failures")
    return 1 if failures or total < target else 0


def _watch(workers: list[subprocess.Popen[bytes]], folder: Path, before: int, target: int) -> list[int]:
    started = reported = time.monotonic()
    try:
        while any(worker.poll() is None for worker in workers):
            time.sleep(0.2)
            if time.monotonic() - reported >= REPORT_SECONDS:
                reported = time.monotonic()
                batches = read_batches(folder)
                calls = sum(batch.calls for batch in batches)
                rate = (calls - before) / (reported - started)
                left = (target - calls) / rate if rate > 0 else 0.0
                failures = sum(bool(batch.failure) for batch in batches)
                told = f"fuzz: {calls:,} of {target:,} calls, {rate:,.0f}/s, {max(0.0, left):,.0f} s left"
                print(f"{told}, {failures} failures", file=sys.stderr, flush=True)
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()
        statuses = [worker.wait() for worker in workers]
    return statuses


def reproduce(machine: str, seed: int) -> int:
    """One batch again, with what it finds on the terminal."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    journal = FOLDER / f"reproduced-{seed}.jsonl"
    journal.unlink(missing_ok=True)
    orders = Orders(
        journal=str(journal), quota=1, first_seed=seed, seed_step=1, only_seed=seed, only_machine=machine
    )
    log = FOLDER / f"reproduced-{seed}.log"
    status = start(orders, log).wait()
    batches = (
        [Batch(**json.loads(line)) for line in journal.read_text("utf-8").splitlines()]
        if journal.exists()
        else []
    )
    if not batches:
        print(log.read_text("utf-8")[-3_000:], file=sys.stderr)
        print(f"fuzz: no machine {machine} ran", file=sys.stderr)
        return 1
    print(summary(batches))
    print("\n".join(batch.failure for batch in batches))
    return 1 if status != 0 or any(batch.failure for batch in batches) else 0


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", nargs="?", type=int, default=1_000_000, help="contract calls in all")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--base-seed", type=int, default=1)
    parser.add_argument("--machine", default="", help="with --seed: the machine to run")
    parser.add_argument("--seed", type=int, help="reproduce the batch of this seed")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that workers are ended too
    if arguments.seed is not None:
        return reproduce(arguments.machine, arguments.seed)
    return fuzz(arguments.calls, arguments.processes, arguments.base_seed)


if __name__ == "__main__":
    sys.exit(main())
