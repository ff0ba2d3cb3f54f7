"""``python -m worker --config worker.toml``: one worker until it is told to stop."""

from pathlib import Path

import click

from proofmill.failures import report_failures
from proofmill.jobs import minilm_engine
from worker.config import WorkerSettings
from worker.run import run_worker


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file; PROOFMILL_WORKER_* overrides it.")
@report_failures
def main(config: Path | None) -> None:
    """Claim funded jobs, compute them in exact integers, submit the answers."""
    run_worker(WorkerSettings.load(config), minilm_engine())


if __name__ == "__main__":
    main()
