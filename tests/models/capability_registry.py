"""What the capability registry must know after any history of measurements, in plain Python.

Written from the specification, not from the contract: it keeps whole measurements and searches them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.models.oracle_committee import Measurement

MAX_TIERS = 7
MAX_DEVICES = 32
MAX_LIFETIME = 30 * 86_400


class Refused(Exception):
    """The specification forbids this call; the text is the contract's reason."""


def require(condition: bool, why: str) -> None:
    if not condition:
        raise Refused(why)


@dataclass
class RegistryModel:
    """Tiers are (least operations per second, least memory), from 1 upwards without gaps."""

    tiers: list[tuple[int, int]] = field(default_factory=list)
    latest: dict[bytes, Measurement] = field(default_factory=dict)
    tier_of: dict[bytes, int] = field(default_factory=dict)
    lists: dict[str, list[bytes]] = field(default_factory=dict)

    # ------------------------------------------------------------ tiers
    def set_tier(self, tier: int, speed: int, memory: int) -> None:
        require(1 <= tier <= MAX_TIERS, "registry: no such tier")
        require(speed < 2**96, "registry: speed out of range")
        require(memory < 2**64, "registry: memory out of range")
        if speed == 0:
            require(memory == 0, "registry: tier without speed")
            require(len(self.tiers) <= tier, "registry: higher tier is set")
            del self.tiers[tier - 1 :]
            return
        require(len(self.tiers) >= tier - 1, "registry: lower tier is not set")
        if tier > 1:
            below = self.tiers[tier - 2]
            require(speed >= below[0], "registry: slower than lower tier")
            require(memory >= below[1], "registry: less than lower tier")
        if len(self.tiers) > tier:
            above = self.tiers[tier]
            require(speed <= above[0], "registry: above the higher tier")
            require(memory <= above[1], "registry: over the higher tier")
        self.tiers[tier - 1 : tier] = [(speed, memory)]

    def reached(self, speed: int, memory: int) -> int:
        """A device has a tier when it has what that tier asks for; the best of those."""
        return max(
            (tier for tier, least in enumerate(self.tiers, 1) if speed >= least[0] and memory >= least[1]),
            default=0,
        )

    # ------------------------------------------------------------ measurements
    def record(self, item: Measurement, now: int) -> int:
        require(any(item.device_id), "registry: no device")
        require(int(item.operator, 16) != 0, "registry: no operator")
        require(item.device_class <= 1, "registry: unknown class")
        require(item.operations_per_second < 2**96, "registry: too many operations")
        require(item.memory_bytes < 2**64, "registry: too much memory")
        require(item.picojoules_per_operation < 2**64, "registry: too much energy")
        require(item.observed_at <= now, "registry: from the future")
        require(item.expires_at > item.observed_at, "registry: expires too early")
        require(item.expires_at - item.observed_at <= MAX_LIFETIME, "registry: expires too late")
        require(item.expires_at < 2**32, "registry: after the year 2106")
        known = self.latest.get(item.device_id)
        require(item.observed_at > (known.observed_at if known is not None else 0), "registry: not newer")

        stays = item.operations_per_second > 0
        holder = item.operator if stays else ""
        if stays and item.device_id not in self.devices_of(holder):
            self.enlist(holder, item.device_id, now)
        for operator in self.lists:
            if operator != holder:
                self.unlist(operator, item.device_id)
        self.latest[item.device_id] = item
        self.tier_of[item.device_id] = (
            self.reached(item.operations_per_second, item.memory_bytes) if stays else 0
        )
        return self.tier_of[item.device_id]

    def enlist(self, operator: str, device_id: bytes, now: int) -> None:
        devices = self.lists.setdefault(operator, [])
        if len(devices) < MAX_DEVICES:
            devices.append(device_id)
            return
        expired = [place for place, device in enumerate(devices) if self.latest[device].expires_at < now]
        require(bool(expired), "registry: too many devices")
        devices[expired[0]] = device_id

    def unlist(self, operator: str, device_id: bytes) -> None:
        """The last one takes the place of the one that goes."""
        devices = self.lists[operator]
        if device_id in devices:
            place, last = devices.index(device_id), devices.pop()
            devices[place : place + 1] = [last] if place < len(devices) else []

    # ------------------------------------------------------------ views
    def devices_of(self, operator: str) -> list[bytes]:
        return self.lists.get(operator, [])

    def is_listed(self, device_id: bytes) -> bool:
        return any(device_id in devices for devices in self.lists.values())

    def tier_at(self, operator: str, time: int) -> int:
        return max(
            (
                self.tier_of[device]
                for device in self.devices_of(operator)
                if self.latest[device].expires_at >= time
            ),
            default=0,
        )
