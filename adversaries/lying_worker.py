"""``python -m adversaries.lying_worker --config …``: an ordinary worker whose answers are wrong by the least possible.

It claims, computes and submits like any other, but one integer of its answer is off by one: the smallest lie there is, 2^-24
of one component of one embedding, far below what any tolerance would notice.
"""

from pathlib import Path

import click
import numpy as np

from adversaries.forwarding_engine import ForwardingEngine
from proofmill.failures import report_failures
from proofmill.jobs import EmbeddingAnswer, minilm_engine
from proofmill.jobs.engine import Progress
from worker.config import WorkerSettings
from worker.run import run_worker


class LyingEngine(ForwardingEngine):
    """Answers with another's result, the first integer increased by one."""

    def execute(self, model_id: bytes, request: bytes, progress: Progress | None = None) -> bytes:
        answer = EmbeddingAnswer.from_bytes(super().execute(model_id, request, progress))
        embeddings = np.array(answer.embeddings)
        embeddings[0, 0] += 1
        return EmbeddingAnswer(embeddings, answer.fraction_bits).to_bytes()


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file; PROOFMILL_WORKER_* overrides it.")
@report_failures
def main(config: Path | None) -> None:
    """Claim funded jobs, compute them, and submit an answer that is off by one."""
    run_worker(WorkerSettings.load(config), LyingEngine(minilm_engine()))


if __name__ == "__main__":
    main()
