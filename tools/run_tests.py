"""``python -m tools.run_tests``: the whole suite in two processes, one for the contracts and one for everything else.

Neither uses more than one core for long, so two of them take little more than half the time of one. Their lines are shown as they
come, with the name of the part in front; the exit status is 1 if either fails. For a part of the suite call pytest itself.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).resolve().parents[1]
CONTRACTS: Final = (
    "tests/unit/contracts",
    "tests/property/contracts",
    "tests/property/disputes",
    "tests/stateful",
)
PARTS: Final = {
    "contracts": list(CONTRACTS),
    "rest": ["tests", *(f"--ignore={folder}" for folder in CONTRACTS)],
}


def main(arguments: list[str]) -> int:
    """Runs both parts with the same further arguments of pytest."""
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-u", "-m", "pytest", *paths, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, paths in PARTS.items()
    }
    printing = threading.Lock()
    readers = []
    for name, process in processes.items():
        assert process.stdout is not None
        reader = threading.Thread(target=_show, args=(name, process.stdout, printing))
        reader.start()
        readers.append(reader)
    for reader in readers:
        reader.join()
    statuses = {name: process.wait() for name, process in processes.items()}
    for name, status in statuses.items():
        print(f"{name}: {'passed' if status == 0 else f'failed, exit status {status}'}")
    return int(any(statuses.values()))


def _show(name: str, lines: IO[str], printing: threading.Lock) -> None:
    for line in lines:
        with printing:
            print(f"{name:>9} | {line}", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
