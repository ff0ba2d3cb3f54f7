"""``python -m tools.run_tests``: the whole suite in three parts, of which two run at a time.

The part with real chains and processes waits for blocks much of the time and comes first; then the contracts, then the rest.
Their lines are shown as they come, with the name of the part in front; the exit status is 1 if any fails. For a part of the suite
call pytest itself.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
AT_ONCE: Final = 2
INTEGRATION: Final = ("tests/integration",)
CONTRACTS: Final = (
    "tests/unit/contracts",
    "tests/property/contracts",
    "tests/property/disputes",
    "tests/stateful",
)
PARTS: Final = {
    "integration": list(INTEGRATION),
    "contracts": list(CONTRACTS),
    "rest": ["tests", *(f"--ignore={folder}" for folder in INTEGRATION + CONTRACTS)],
}
_printing = threading.Lock()


def main(arguments: list[str]) -> int:
    """Runs all parts with the same further arguments of pytest."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = dict(zip(PARTS, pool.map(lambda name: _run(name, arguments), PARTS), strict=True))
    for name, (status, seconds) in ended.items():
        verdict = "passed" if status == 0 else f"failed, exit status {status}"
        print(f"{name}: {verdict} in {seconds // 60:.0f} min {seconds % 60:.0f} s")
    return int(any(status for status, _ in ended.values()))


def _run(name: str, arguments: list[str]) -> tuple[int, float]:
    """Exit status and seconds of one part."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pytest", *PARTS[name], *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        with _printing:
            print(f"{name:>11} | {line}", end="", flush=True)
    return process.wait(), time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
