"""``python -m adversaries.vanishing_worker --config …``: claims a job and dies before it answers, as by a power cut."""

import os
import signal
from pathlib import Path
from typing import NoReturn

import click

from adversaries.forwarding_engine import ForwardingEngine
from proofmill.failures import report_failures
from proofmill.jobs import minilm_engine
from proofmill.jobs.engine import Progress
from worker.config import WorkerSettings
from worker.run import run_worker


class VanishingEngine(ForwardingEngine):
    """Accepts every request the honest engine accepts, and kills the process instead of computing."""

    def execute(self, model_id: bytes, request: bytes, progress: Progress | None = None) -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process does not get here")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file; PROOFMILL_WORKER_* overrides it.")
@report_failures
def main(config: Path | None) -> None:
    """Claim funded jobs and vanish."""
    run_worker(WorkerSettings.load(config), VanishingEngine(minilm_engine()))


if __name__ == "__main__":
    main()
