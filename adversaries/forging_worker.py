"""``python -m adversaries.forging_worker --config …``: a worker that lies inside of a computation, and defends its lie.

One number in the first matrix product of its first sequence is false; everything after it is computed from there, as it should
be. So the answer belongs to a trace that is consistent with it, and this worker posts and opens that trace when it is challenged:
only the arithmetic of that one product shows the lie.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from torch import Tensor

from adversaries.forged_run import ForgedRun, Lie
from adversaries.forwarding_engine import ForwardingEngine
from proofmill.disputes.claim import DisputedClaim
from proofmill.disputes.matter import KnownModels, Matter, ModelShelf, Reruns, sequences_as_inputs
from proofmill.disputes.rerun import CommittedModel, Rerun
from proofmill.exact.trace.geometry import Leaf
from proofmill.failures import report_failures
from proofmill.jobs import EmbeddingAnswer, EmbeddingRequest, Engine, minilm_engine
from proofmill.jobs.engine import Progress
from worker.config import WorkerSettings
from worker.run import run_worker

FALSE_SEQUENCE = 0
LIED_ABOUT = "linear"  # the first operator of this kind
FIRST_LEAF = Leaf("values", 0)
ERROR = 1 << 20


class ForgedReruns(Reruns):
    """Traces of a liar: false for one sequence of each job, honest for the others."""

    def __init__(self, models: ModelShelf) -> None:
        super().__init__(models)
        self._shelf = models
        self._last: tuple[bytes, Rerun] | None = None  # what it was made of; asked for once more in a dispute

    def load(self, model_ids: frozenset[bytes]) -> None:
        """Load and commit to the models now, not when the first job waits."""
        for model_id in model_ids:
            self._shelf.committed(model_id)

    def of(self, claim_id: bytes, claim: DisputedClaim, matter: Matter) -> Rerun:
        if claim.item != FALSE_SEQUENCE:
            return super().of(claim_id, claim, matter)
        return self._forged(matter.model_id, matter.input_of(claim))

    def answer(self, model_id: bytes, sequence: Tensor) -> npt.NDArray[np.int32]:
        """What the false run over ids [T] ends with: int32 [embedding size]."""
        rerun = self._forged(model_id, sequence)
        integers = rerun.rows(rerun.operators).integers(FIRST_LEAF)
        assert integers is not None, "an embedding is a row of integers"
        return np.array(integers[0, 0], dtype=np.int32)

    def _forged(self, model_id: bytes, sequence: Tensor) -> Rerun:
        made_of = model_id + sequence.numpy().tobytes()
        if self._last is None or self._last[0] != made_of:
            self._last = made_of, self._forge(self._shelf.committed(model_id), sequence)
        return self._last[1]

    @staticmethod
    def _forge(committed: CommittedModel, sequence: Tensor) -> Rerun:
        """The trace of a run in which one number is false."""
        honest = Rerun.of(committed, sequence)
        kinds = [descriptor.kind for descriptor in honest.program.descriptors]
        number = kinds.index(LIED_ABOUT) + 1
        integers = honest.rows(number).integers(FIRST_LEAF)
        assert integers is not None, "a linear operator has integers in every row"
        lie = Lie(number, "values", row=0, section=0, index=0, value=int(integers[0, 0, 0]) + ERROR)
        return Rerun.of_run(committed, ForgedRun(committed.model, sequence, [lie]))


class ForgingEngine(ForwardingEngine):
    """Answers with another's result, but for the sequence that is lied about."""

    def __init__(self, honest: Engine, reruns: ForgedReruns) -> None:
        super().__init__(honest)
        self._reruns = reruns

    def load(self) -> None:
        super().load()
        self._reruns.load(self.model_ids())

    def execute(self, model_id: bytes, request: bytes, progress: Progress | None = None) -> bytes:
        answer = EmbeddingAnswer.from_bytes(super().execute(model_id, request, progress))
        sequences = sequences_as_inputs(EmbeddingRequest.from_bytes(request).sequences)
        embeddings = np.array(answer.embeddings)
        embeddings[FALSE_SEQUENCE] = self._reruns.answer(model_id, sequences[FALSE_SEQUENCE])
        return EmbeddingAnswer(embeddings, answer.fraction_bits).to_bytes()


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file; PROOFMILL_WORKER_* overrides it.")
@report_failures
def main(config: Path | None) -> None:
    """Claim funded jobs, lie in one number of the computation, and defend the lie to the end."""
    reruns = ForgedReruns(KnownModels())
    run_worker(WorkerSettings.load(config), ForgingEngine(minilm_engine(), reruns), reruns)


if __name__ == "__main__":
    main()
