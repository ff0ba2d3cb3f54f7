"""The typed client of ``ModelRegistry``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from proofmill.chain.ownable import OwnableClient
from proofmill.chain.types import BlockReference, ContractCall, bytes32


class RegisteredModel(NamedTuple):
    """What the registry knows of a model; all zeros and False for one that nobody has named.

    ``program_root`` is known from the beginning of a registration, ``operators`` and ``bounds_version`` are 0 until its end.
    """

    program_root: bytes
    operators: int
    is_flagged: bool
    bounds_version: int


class ModelRegistry(OwnableClient):
    """The models whose answers can be disputed."""

    name: ClassVar[str] = "ModelRegistry"

    # ------------------------------------------------------------------ anyone
    def begin(
        self,
        program_root: bytes,
        tables_root: bytes,
        manifest_hash: bytes,
        head: bytes,
        head_path: Sequence[bytes],
        uri: str,
    ) -> ContractCall:
        """Opens the registration of a model, or says where else it can be had."""
        return self._build(
            "begin",
            bytes32(program_root),
            bytes32(tables_root),
            bytes32(manifest_hash),
            head,
            [bytes32(sibling) for sibling in head_path],
            uri,
        )

    def check(
        self, model_id: bytes, group: int, descriptors: Sequence[bytes], path: Sequence[bytes]
    ) -> ContractCall:
        """Checks a group of 16 leaves of the program; the last one registers the model."""
        return self._build(
            "check",
            bytes32(model_id),
            group,
            list(descriptors),
            [bytes32(sibling) for sibling in path],
            description=f"{self.name}.check of group {group}",
        )

    # ------------------------------------------------------------------ owner
    def flag(self, model_id: bytes, flagged: bool, reason: bytes) -> ContractCall:
        """Warns of a model, or takes the warning back."""
        return self._build("flag", bytes32(model_id), flagged, bytes32(reason))

    # ------------------------------------------------------------------ views
    def model(self, model_id: bytes, *, block: BlockReference = "latest") -> RegisteredModel:
        """What is known of a model."""
        program_root, operators, is_flagged, bounds_version = self._read(
            "model", bytes32(model_id), block=block
        )
        return RegisteredModel(bytes(program_root), int(operators), bool(is_flagged), int(bounds_version))

    def is_registered(self, model_id: bytes, *, block: BlockReference = "latest") -> bool:
        """Whether answers of the model can be disputed; also if it is flagged."""
        return bool(self._read("is_registered", bytes32(model_id), block=block))

    def checked_groups(self, model_id: bytes, *, block: BlockReference = "latest") -> int:
        """Bit i is 1 if group i of the model's leaves is checked."""
        return int(self._read("checked_groups", bytes32(model_id), block=block))
