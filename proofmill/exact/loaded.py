"""What every loaded model tells of itself."""

from __future__ import annotations

from proofmill.exact.execution.executor import Executor
from proofmill.exact.program.model import Description


class LoadedModel:
    """A model that can run: base of Embedder, Generator and Classifier. Immutable."""

    def __init__(self, model_id: bytes, description: Description, executor: Executor) -> None:
        self._model_id = model_id
        self._description = description
        self._executor = executor

    @property
    def model_id(self) -> bytes:
        """Of the model's manifest, 32 bytes."""
        return self._model_id

    @property
    def description(self) -> Description:
        return self._description

    @property
    def carrier(self) -> str:
        """The machine arithmetic in use; it decides the speed, never the answer."""
        return self._executor.kernels.name
