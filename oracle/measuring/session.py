"""One operator in one window: what it said, and this member's clock beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from eth_typing import ChecksumAddress

from oracle.measuring.device_challenge import ChallengeSize
from proofmill.measuring.messages import Begin, DeviceClaim, DeviceRoots, Nonce, Roots
from proofmill.measuring.observations import Outcome

ROUND_TRIP_SHARE: Final = 10  # of the time, at most one in so many is counted as round trip


class Refused(Exception):
    """Why a message of a worker is not taken. ``code`` is for its program, the text for its owner."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Nonces(Protocol):
    """What survives a restart: that an operator was given a nonce in a window."""

    def claim(self, beacon: bytes, operator: ChecksumAddress, window: int) -> bool:
        """Whether this is the first nonce for the operator in this window; the answer is yes only once."""
        ...


class Registry(Protocol):
    """Who may act for whom, and whose devices are whose."""

    def may_act(self, key: ChecksumAddress, operator: ChecksumAddress) -> bool:
        """Whether a key is the operator's or one of its hot keys, and the operator has stake."""
        ...

    def holder(self, device_id: bytes) -> ChecksumAddress | None:
        """The operator that a device was last measured for and that is still believed; None for nobody."""
        ...


@dataclass(slots=True)
class Session:
    """One operator in one window."""

    begin: Begin
    reply: Nonce
    started_at: float
    token: str
    token_said_at: float
    round_trips: list[float] = field(default_factory=list)
    roots: Roots | None = None
    elapsed: float | None = None
    openings: dict[str, bytes] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def claims(self) -> dict[str, DeviceClaim]:
        return {claim.device_id: claim for claim in self.begin.devices}

    def roots_of(self, device_id: str) -> DeviceRoots | None:
        found = () if self.roots is None else self.roots.devices
        return next((device for device in found if device.device_id == device_id), None)

    def seconds(self) -> float:
        """The time that the work took, less the round trip as far as it is believed."""
        assert self.elapsed is not None
        round_trip = min(self.round_trips, default=0.0)
        return self.elapsed - min(round_trip, self.elapsed / ROUND_TRIP_SHARE)


@dataclass(frozen=True, slots=True)
class Due:
    """An opening that waits to be checked; made and taken back by the thread that computes."""

    operator: ChecksumAddress
    device_id: str
    size: ChallengeSize
    seed: bytes
    roots: tuple[bytes, ...]
    sample: bytes
    proof: bytes
