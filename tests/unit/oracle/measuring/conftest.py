"""One member with a clock of its own, a committee of four, and workers that speak its language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak

from oracle.measuring.device_challenge import ChallengeSize
from oracle.measuring.sessions import Sessions
from proofmill.chain.typed_data import sign_digest
from proofmill.chain.types import address
from proofmill.measuring.figures import Panel
from proofmill.measuring.messages import (
    Begin,
    DeviceClaim,
    DeviceRoots,
    Nonce,
    Opening,
    Roots,
    devices_digest,
    from_hex,
    message_digest,
    nonce_digest,
    roots_digest,
    to_hex,
)
from proofmill.measuring.rules import MeasuringRules
from proofmill.measuring.windows import Phase, Window

CHAIN_ID = 31_337
COMMITTEE = address("0x" + "c0" * 20)
BEACON = b"\xbe" * 32
SAMPLE = b"\x5a" * 32
NOW = 1_700_000_000
SEGMENTS = 2
DEADLINE = 20.0
OPERATIONS = 4 * 10**12


def account(number: int) -> LocalAccount:
    made: LocalAccount = Account.from_key(bytes([7] * 31 + [number]))
    return made


MEMBERS = tuple(account(number) for number in range(1, 5))
WORKER, RIVAL, STRANGER = account(11), account(12), account(13)
DEVICES = (b"\xd1" * 32, b"\xd2" * 32)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class HashChallenge:
    """A challenge in which the right opening is a hash of all that it must be bound to."""

    def size(self, name: str) -> ChallengeSize | None:
        if name != "small":
            return None
        return ChallengeSize("small", 1, OPERATIONS, 1 << 30, SEGMENTS, DEADLINE, 64)

    def seed(
        self,
        beacon: bytes,
        operator: ChecksumAddress,
        device_id: bytes,
        size: str,
        nonces: Sequence[tuple[int, bytes]],
    ) -> bytes:
        drawn = b"".join(bytes([member]) + value for member, value in nonces)
        return keccak(beacon + bytes.fromhex(operator[2:]) + device_id + size.encode() + drawn)

    def opening(self, seed: bytes, roots: Sequence[bytes], sample: bytes) -> bytes:
        return keccak(seed + b"".join(roots) + sample)

    def problem_with(
        self, size: str, seed: bytes, roots: Sequence[bytes], sample: bytes, proof: bytes
    ) -> str | None:
        return None if proof == self.opening(seed, roots, sample) else "the opening is another one"


@dataclass
class FirstOnly:
    """Remembers which nonces were given."""

    given: set[tuple[bytes, ChecksumAddress]] = field(default_factory=set)

    def claim(self, beacon: bytes, operator: ChecksumAddress, window: int) -> bool:
        is_first = (beacon, operator) not in self.given
        self.given.add((beacon, operator))
        return is_first


@dataclass
class Register:
    """Two operators with stake, and what the registry has on record."""

    holders: dict[bytes, ChecksumAddress] = field(default_factory=dict)

    def may_act(self, key: ChecksumAddress, operator: ChecksumAddress) -> bool:
        return key == operator and operator in (WORKER.address, RIVAL.address)

    def holder(self, device_id: bytes) -> ChecksumAddress | None:
        return self.holders.get(device_id)


@dataclass
class Prover:
    """What a worker says; each message can be made with something changed."""

    key: LocalAccount = WORKER
    rules: MeasuringRules = field(default_factory=MeasuringRules)
    beacon: bytes = BEACON
    device_ids: tuple[bytes, ...] = DEVICES

    @property
    def operator(self) -> str:
        return str(self.key.address)

    def sign(self, kind: str, content: bytes, key: LocalAccount | None = None) -> str:
        digest = message_digest(
            kind,  # type: ignore[arg-type]
            self.beacon,
            self.operator,
            content,
            chain_id=CHAIN_ID,
            committee=COMMITTEE,
        )
        return to_hex(sign_digest(digest, key or self.key))

    def claims(self, **changes: object) -> list[DeviceClaim]:
        usual = {"device_class": 1, "size": "small", "memory_bytes": 80 << 30, **changes}
        return [DeviceClaim.model_validate({"device_id": to_hex(name), **usual}) for name in self.device_ids]

    def begin(self, *, key: LocalAccount | None = None, **changes: object) -> Begin:
        claims = self.claims(**changes)
        return Begin(
            beacon=to_hex(self.beacon),
            operator=self.operator,
            rules=to_hex(self.rules.digest()),
            devices=claims,
            signature=self.sign("begin", devices_digest(claims), key),
        )

    def nonce_of(self, member: LocalAccount, nonce: bytes | None = None) -> Nonce:
        value = keccak(bytes.fromhex(member.address[2:])) if nonce is None else nonce
        digest = nonce_digest(
            self.beacon,
            self.operator,
            devices_digest(self.claims()),
            value,
            chain_id=CHAIN_ID,
            committee=COMMITTEE,
        )
        return Nonce(
            member=member.address,
            nonce=to_hex(value),
            echo=to_hex(bytes(32)),
            signature=to_hex(sign_digest(digest, member)),
        )

    def device_roots(self, count: int = SEGMENTS) -> list[DeviceRoots]:
        return [
            DeviceRoots(
                device_id=to_hex(name),
                roots=[to_hex(keccak(name + bytes([n]))) for n in range(count)],
                energy_millijoules=1_000,
            )
            for name in self.device_ids
        ]

    def roots(self, nonces: list[Nonce], devices: list[DeviceRoots] | None = None) -> Roots:
        found = self.device_roots() if devices is None else devices
        return Roots(
            beacon=to_hex(self.beacon),
            operator=self.operator,
            nonces=nonces,
            devices=found,
            signature=self.sign("roots", roots_digest(nonces, found)),
        )

    def opening(self, device_id: bytes, proof: bytes) -> Opening:
        return Opening(
            beacon=to_hex(self.beacon),
            operator=self.operator,
            device_id=to_hex(device_id),
            proof=to_hex(keccak(proof)),
            signature=self.sign("openings", keccak(device_id + keccak(proof))),
        )

    def right_proof(
        self, test: HashChallenge, device_id: bytes, nonces: list[Nonce], sample: bytes = SAMPLE
    ) -> bytes:
        places = [[str(member.address) for member in MEMBERS].index(item.member) for item in nonces]
        drawn = [(place, from_hex(item.nonce)) for place, item in zip(places, nonces, strict=True)]
        seed = test.seed(self.beacon, address(self.operator), device_id, "small", drawn)
        device = next(item for item in self.device_roots() if item.device_id == to_hex(device_id))
        return test.opening(seed, [from_hex(root) for root in device.roots], sample)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry() -> Register:
    return Register()


@pytest.fixture
def nonces() -> FirstOnly:
    return FirstOnly()


MakeSessions = Callable[[], Sessions]


@pytest.fixture
def make_sessions(clock: Clock, registry: Register, nonces: FirstOnly) -> MakeSessions:
    """The sessions of the first member in window 7; made again, they are those of a process that was restarted."""

    def make() -> Sessions:
        keys = tuple(address(member.address) for member in MEMBERS)
        sessions = Sessions(
            window=Window(7, MeasuringRules()),
            beacon=BEACON,
            account=MEMBERS[0],
            panel=Panel(CHAIN_ID, COMMITTEE, b"\x0d" * 32, keys, 1),
            challenge=HashChallenge(),
            nonces=nonces,
            registry=registry,
            clock=clock,
        )
        sessions.turn(Phase.BEGINNING, None)
        return sessions

    return make


@pytest.fixture
def sessions(make_sessions: MakeSessions) -> Sessions:
    return make_sessions()
