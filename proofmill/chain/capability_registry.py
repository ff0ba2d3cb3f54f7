"""The typed client of ``CapabilityRegistry``."""

from __future__ import annotations

from typing import ClassVar

from eth_typing import ChecksumAddress

from proofmill.chain.ownable import OwnableClient
from proofmill.chain.reports import Measurement
from proofmill.chain.types import BlockReference, ContractCall, address, bytes32


class CapabilityRegistry(OwnableClient):
    """What attested devices can do, until their measurement expires."""

    name: ClassVar[str] = "CapabilityRegistry"

    # ------------------------------------------------------------------ committee
    def record(self, measurement: Measurement) -> ContractCall:
        """Records what a device was measured to do (committee only)."""
        return self._build("record", measurement.to_abi())

    # ------------------------------------------------------------------ owner
    def set_tier(
        self, tier: int, minimum_operations_per_second: int, minimum_memory_bytes: int
    ) -> ContractCall:
        """Says what a device must do to be of a tier."""
        return self._build("set_tier", tier, minimum_operations_per_second, minimum_memory_bytes)

    def set_committee(self, committee: str) -> ContractCall:
        """Names who may record."""
        return self._build("set_committee", address(committee))

    # ------------------------------------------------------------------ views
    def tier(self, operator: str, *, block: BlockReference = "latest") -> int:
        """The best tier that some device of the operator has now; 0 for none."""
        return int(self._read("tier", address(operator), block=block))

    def tier_at(self, operator: str, time: int, *, block: BlockReference = "latest") -> int:
        """The best tier that some device of the operator still has at a time."""
        return int(self._read("tier_at", address(operator), time, block=block))

    def measurement(self, device_id: bytes, *, block: BlockReference = "latest") -> Measurement:
        """What is known of a device."""
        return Measurement.from_abi(self._read("measurement", bytes32(device_id), block=block))

    def devices_of(self, operator: str, *, block: BlockReference = "latest") -> list[bytes]:
        """The devices of an operator."""
        return [bytes(device) for device in self._read("devices_of", address(operator), block=block)]

    def tier_requirement(self, tier: int, *, block: BlockReference = "latest") -> tuple[int, int]:
        """Least operations per second and least memory of a tier."""
        operations, memory = self._read("tier_requirement", tier, block=block)
        return int(operations), int(memory)

    def committee(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Who may record."""
        return address(self._read("committee", block=block))
