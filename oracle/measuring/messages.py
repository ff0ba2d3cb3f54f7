"""What members say to each other about devices, as JSON: observations, and a report of them that wants signatures.

A proposal carries no figures: every member computes the report from the observations and signs what it gets.
"""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

from proofmill.chain.reports import MAXIMUM_MEASUREMENTS
from proofmill.chain.types import MAXIMUM_UINT64
from proofmill.measuring.messages import MAXIMUM_MEMBERS, Address, SignatureHex, Word, from_hex, to_hex
from proofmill.measuring.observations import Observation, Outcome, SignedObservation

MAXIMUM_EVIDENCE_BYTES: Final = 4 << 20
MAXIMUM_OBSERVATIONS: Final = 4_096  # 256 operators of 16 devices
MAXIMUM_WINDOWS: Final = 10


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ObservationMessage(_Message):
    config_digest: Word
    rules_digest: Word
    window: int = Field(ge=0, le=MAXIMUM_UINT64)
    beacon: Word
    operator: Address
    device_id: Word
    device_class: int = Field(ge=0, le=1)
    outcome: int = Field(ge=min(Outcome), le=max(Outcome))
    operations_per_second: str = Field(pattern=r"(0|[1-9][0-9]{0,28})")  # beyond what JSON numbers hold
    memory_bytes: int = Field(ge=0, le=MAXIMUM_UINT64)
    picojoules_per_operation: int = Field(ge=0, le=MAXIMUM_UINT64)
    observed_at: int = Field(ge=0, le=MAXIMUM_UINT64)
    signature: SignatureHex

    @classmethod
    def of(cls, signed: SignedObservation) -> Self:
        found = signed.observation
        return cls(
            config_digest=to_hex(found.config_digest),
            rules_digest=to_hex(found.rules_digest),
            window=found.window,
            beacon=to_hex(found.beacon),
            operator=found.operator,
            device_id=to_hex(found.device_id),
            device_class=found.device_class,
            outcome=int(found.outcome),
            operations_per_second=str(found.operations_per_second),
            memory_bytes=found.memory_bytes,
            picojoules_per_operation=found.picojoules_per_operation,
            observed_at=found.observed_at,
            signature=to_hex(signed.signature),
        )

    def signed(self) -> SignedObservation:
        """The observation; raises InvalidValue where its fields contradict each other."""
        observation = Observation(
            config_digest=from_hex(self.config_digest),
            rules_digest=from_hex(self.rules_digest),
            window=self.window,
            beacon=from_hex(self.beacon),
            operator=self.operator,  # type: ignore[arg-type]  # becomes an address where it is checked
            device_id=from_hex(self.device_id),
            device_class=self.device_class,
            outcome=Outcome(self.outcome),
            operations_per_second=int(self.operations_per_second),
            memory_bytes=self.memory_bytes,
            picojoules_per_operation=self.picojoules_per_operation,
            observed_at=self.observed_at,
        )
        return SignedObservation(observation, from_hex(self.signature))


class ObservationsWanted(_Message):
    """Asks a member for what it saw in a window, named by the beacon's hash."""

    beacon: Word


class Observations(_Message):
    """All that a member saw in a window; nothing until it is over."""

    observations: list[ObservationMessage] = Field(max_length=MAXIMUM_OBSERVATIONS)


class DeviceEvidence(_Message):
    """What a measurement rests on: the observations of a device's newest window, or of those in which it failed, oldest first."""

    windows: list[list[ObservationMessage]] = Field(min_length=1, max_length=MAXIMUM_WINDOWS)

    def signed(self) -> list[list[SignedObservation]]:
        """The observations of each window."""
        return [[message.signed() for message in window[:MAXIMUM_MEMBERS]] for window in self.windows]


class MeasurementProposal(_Message):
    """A leader asks for signatures of the report that follows from this evidence, and gives its own."""

    config_digest: Word
    sequence: int = Field(ge=1, le=MAXIMUM_UINT64)
    observed_at: int = Field(ge=0, le=MAXIMUM_UINT64)
    devices: list[DeviceEvidence] = Field(min_length=1, max_length=MAXIMUM_MEASUREMENTS)
    signature: SignatureHex


class MeasurementEndorsement(_Message):
    signature: SignatureHex
