"""Whether a job's answer can be disputed at all: only a model that is registered has a program that the game knows."""

from __future__ import annotations

from eth_typing import ChecksumAddress

from proofmill.chain import Job
from proofmill.chain.events import LogReader
from proofmill.chain.model_registry import ModelRegistry
from proofmill.chain.types import EMPTY_ADDRESS


class Registrations:
    """Knows since when models are registered. For one thread."""

    def __init__(self, registry: ModelRegistry, deployed_block: int) -> None:
        self._registry, self._deployed_block = registry, deployed_block
        self._reader = LogReader(registry.web3, [ChecksumAddress(registry.address)])
        self._since: dict[
            bytes, int
        ] = {}  # a block deep enough not to change; what is not registered is asked again

    def is_provable(self, job: Job) -> bool:
        """Whether a wrong answer to the job could be proved: no arbiter is asked, or its model was registered when it was posted.

        Later registrations do not count: what members find must not depend on when they look.
        """
        if job.terms.arbiter == EMPTY_ADDRESS:
            return True
        since = self._since.get(job.model_id)
        if since is None:
            since = self._registered_in(job.model_id, job.posted_block)
        return since is not None and since <= job.posted_block

    def _registered_in(self, model_id: bytes, last_block: int) -> int | None:
        """The block of the registration, None if it was not before or in `last_block`."""
        if not self._registry.is_registered(model_id):
            return None
        topics = [self._registry.decoder.topics(["ModelRegistered"]), "0x" + model_id.hex()]
        logs = self._reader.read(self._deployed_block, last_block, topics)
        if not logs:
            return None
        self._since[model_id] = int(logs[0]["blockNumber"])
        return self._since[model_id]
