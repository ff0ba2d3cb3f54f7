"""``python -m adversaries.vanishing_worker --config …``: claims a job and dies before it answers, as by a power cut."""

import os
import signal
from pathlib import Path
from typing import NoReturn

import click

from proofmill.cli.failures import report_failures
from proofmill.jobs import Engine, minilm_engine
from proofmill.jobs.engine import Progress
from worker.config import WorkerSettings
from worker.run import run_worker


class VanishingEngine:
    """Accepts every request the honest engine accepts, and kills the process instead of computing."""

    def __init__(self, honest: Engine) -> None:
        self._honest = honest

    def model_ids(self) -> frozenset[bytes]:
        return self._honest.model_ids()

    def load(self) -> None:
        self._honest.load()

    def validate(self, model_id: bytes, request: bytes) -> object:
        return self._honest.validate(model_id, request)

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
