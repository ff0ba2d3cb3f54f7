"""A worker or oracle as a child process: configured by a file, logged to a file, ready when it says so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from proofmill.devnet.child_process import die_with_parent
from proofmill.errors import ProofmillError

READY_TIMEOUT_SECONDS = 300.0  # a machine with much else to do imports PyTorch in minutes
STOP_TIMEOUT_SECONDS = 15.0


class NodeFailed(ProofmillError):
    """A node process ended or did not become ready; the message has the end of its log."""


@dataclass
class NodeProcess:
    """``python -m <module> --config <config>``, listening at `url`."""

    name: str
    module: str
    config: Path
    url: str
    log_file: Path
    process: subprocess.Popen[bytes] | None = None
    _is_asked_to_end: bool = False

    def start(self) -> None:
        """Start the process; it dies with this one."""
        self._is_asked_to_end = False
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def wait_until_ready(self) -> None:
        """Return once the node has finished a cycle.

        Raises:
            NodeFailed: it ended, or is not ready after five minutes.
        """
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise NodeFailed(
                    f"{self.name} ended with status {self.process.returncode}:\n{self.log_tail()}",
                    remedy=f"Read {self.log_file}.",
                )
            if self._is_ready():
                return
            time.sleep(0.1)
        raise NodeFailed(
            f"{self.name} is not ready after {READY_TIMEOUT_SECONDS:.0f} s:\n{self.log_tail()}",
            remedy=f"Read {self.log_file}.",
        )

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2.0, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def ask_to_end(self) -> None:
        """Ask once for an orderly end; a node takes a second request as an order to drop everything."""
        if self.process is not None and self.process.poll() is None and not self._is_asked_to_end:
            self._is_asked_to_end = True
            self.process.terminate()

    def stop(self) -> None:
        """Wait for an orderly end, and insist if it does not come."""
        self.ask_to_end()
        if self.process is None:
            return
        try:
            self.process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text("utf-8", errors="replace").splitlines()[-lines:])
