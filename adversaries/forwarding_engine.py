"""An engine that does what another does: the base of those that deviate in one thing."""

from proofmill.jobs import Engine
from proofmill.jobs.engine import Progress


class ForwardingEngine:
    """Forwards every call to `honest`."""

    def __init__(self, honest: Engine) -> None:
        self.honest = honest

    def model_ids(self) -> frozenset[bytes]:
        return self.honest.model_ids()

    def load(self) -> None:
        self.honest.load()

    def validate(self, model_id: bytes, request: bytes) -> object:
        return self.honest.validate(model_id, request)

    def execute(self, model_id: bytes, request: bytes, progress: Progress | None = None) -> bytes:
        return self.honest.execute(model_id, request, progress)
