"""The sessions of one window: who began when, what came back after how long, and what each device is found to be.

The clock is this member's own and nobody else's word enters a time. A restart forgets the clocks: the member then observes
nothing in that window, which 2f + 1 others do. It never hands out a second nonce for one window, whose clock would start anew.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak

from oracle.measuring.device_challenge import ChallengeSize, DeviceChallenge
from oracle.measuring.session import Due, Nonces, Refused, Registry, Session
from proofmill.chain.errors import InvalidSignature
from proofmill.chain.typed_data import recover_digest_signer, sign_digest
from proofmill.chain.types import address
from proofmill.measuring.figures import Panel
from proofmill.measuring.messages import (
    Accepted,
    Begin,
    DeviceClaim,
    DeviceRoots,
    Echo,
    NextEcho,
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
from proofmill.measuring.observations import Observation, Outcome
from proofmill.measuring.rules import MeasuringRules
from proofmill.measuring.windows import Phase, Window

MAXIMUM_SESSIONS: Final = 256  # of one window; each has at most 16 devices
MAXIMUM_ECHOES: Final = 16
NONCE_BYTES: Final = 32


class Sessions:
    """One window as one member sees it. Safe for several threads: HTTP asks, the cycle turns, the judge checks."""

    def __init__(
        self,
        *,
        window: Window,
        beacon: bytes,
        account: LocalAccount,
        panel: Panel,
        challenge: DeviceChallenge,
        nonces: Nonces,
        registry: Registry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.window = window
        self.beacon = beacon
        self._account = account
        self._panel = panel
        self._challenge = challenge
        self._nonces = nonces
        self._registry = registry
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[ChecksumAddress, Session] = {}
        self._phase = Phase.CONFIRMING
        self._sample: bytes | None = None

    @property
    def rules(self) -> MeasuringRules:
        return self.window.rules

    def turn(self, phase: Phase, sample: bytes | None) -> None:
        """The chain has moved: what is taken now, and the randomness of the sample block once it is confirmed."""
        with self._lock:
            self._phase, self._sample = phase, sample

    # ---------------------------------------------------------------- what workers say
    def begin(self, message: Begin) -> Nonce:
        """Hand out a nonce and start the clock; the same message again gets the same answer, and the clock runs on.

        Raises:
            Refused: says why.
        """
        operator = self._check_window(message.beacon, message.operator)
        if from_hex(message.rules) != self.rules.digest():
            raise Refused("rules", "this member follows other rules; see `python -m oracle status`")
        devices = devices_digest(message.devices)
        self._check_key("begin", operator, devices, message.signature)
        self._check_claims(operator, message.devices)
        with self._lock:
            session = self._sessions.get(operator)
            if session is not None:
                if session.begin != message:
                    raise Refused("begun", "work has begun already, with other devices")
                return session.reply
            if self._phase is not Phase.BEGINNING:
                raise Refused(
                    "phase", f"work begins in another part of the window, this is {self._phase.value}"
                )
            if len(self._sessions) >= MAXIMUM_SESSIONS:
                raise Refused("busy", "this member observes as many operators as it can")
            if not self._nonces.claim(self.beacon, operator, self.window.number):
                raise Refused("begun", "this member was restarted and cannot take your time in this window")
            nonce = secrets.token_bytes(NONCE_BYTES)
            digest = nonce_digest(
                self.beacon,
                operator,
                devices,
                nonce,
                chain_id=self._panel.chain_id,
                committee=self._panel.committee,
            )
            token = to_hex(secrets.token_bytes(NONCE_BYTES))
            reply = Nonce(
                member=address(self._account.address),
                nonce=to_hex(nonce),
                echo=token,
                signature=to_hex(sign_digest(digest, self._account)),
            )
            # The last thing before it is said: what came before is this member's own time.
            now = self._clock()
            self._sessions[operator] = Session(message, reply, now, token, now)
            return reply

    def echo(self, message: Echo, arrived_at: float) -> NextEcho:
        """A token came back: one round trip. Only the newest token counts, and only once."""
        operator = self._check_window(message.beacon, message.operator)
        with self._lock:
            session = self._session(operator)
            if not secrets.compare_digest(message.token, session.token):
                raise Refused("token", "this is not the newest token")
            if len(session.round_trips) >= MAXIMUM_ECHOES:
                raise Refused("echoes", f"{MAXIMUM_ECHOES} round trips are enough")
            session.round_trips.append(arrived_at - session.token_said_at)
            session.token = to_hex(secrets.token_bytes(NONCE_BYTES))
            session.token_said_at = self._clock()
            return NextEcho(token=session.token)

    def take_roots(self, message: Roots, arrived_at: float) -> Accepted:
        """The roots of all devices; the first message that is sound ends the time."""
        operator = self._check_window(message.beacon, message.operator)
        content = roots_digest(message.nonces, message.devices)
        self._check_key("roots", operator, content, message.signature)
        with self._lock:
            session = self._session(operator)
            if session.roots is not None:
                if session.roots != message:
                    raise Refused("roots", "other roots were taken before")
            elif self._phase not in (Phase.BEGINNING, Phase.WORKING):
                raise Refused(
                    "phase", f"roots are taken before the samples are drawn, this is {self._phase.value}"
                )
            else:
                self._check_devices(session, message.devices)
                self._check_nonces(session, operator, message.nonces)
                session.roots, session.elapsed = message, arrived_at - session.started_at
            assert session.elapsed is not None
            return Accepted(after_milliseconds=round(1_000 * session.elapsed))

    def take_opening(self, message: Opening, proof: bytes) -> Accepted:
        """One device's openings of the cells that were drawn; it is checked later, by the thread that computes."""
        operator = self._check_window(message.beacon, message.operator)
        if keccak(proof) != from_hex(message.proof):
            raise Refused("proof", "the bytes are not those that were announced")
        self._check_key(
            "openings",
            operator,
            keccak(from_hex(message.device_id) + from_hex(message.proof)),
            message.signature,
        )
        with self._lock:
            session = self._session(operator)
            if session.roots_of(message.device_id) is None:
                raise Refused("device", "no roots were taken for this device")
            if self._phase is not Phase.OPENING or self._sample is None:
                raise Refused("phase", "openings are taken once the samples are drawn")
            size = self._size(session.claims[message.device_id].size)
            if len(proof) > size.largest_proof_bytes:
                raise Refused("proof", f"an opening has at most {size.largest_proof_bytes} bytes")
            if session.openings.setdefault(message.device_id, proof) != proof:
                raise Refused("proof", "another opening was taken before")
            return Accepted(after_milliseconds=round(1_000 * (self._clock() - session.started_at)))

    def largest_opening(self, message: Opening) -> int:
        """Bytes that are worth reading after this announcement; 0 where nothing is expected."""
        with self._lock:
            session = self._sessions.get(address(message.operator))
            claim = None if session is None else session.claims.get(message.device_id)
            return 0 if claim is None else self._size(claim.size).largest_proof_bytes

    # ---------------------------------------------------------------- what this member finds
    def operators(self) -> frozenset[ChecksumAddress]:
        """Those that have begun here."""
        with self._lock:
            return frozenset(self._sessions)

    def due(self) -> list[Due]:
        """Openings that came in time and are not checked yet."""
        with self._lock:
            if self._sample is None:
                return []
            return [
                self._due(operator, session, device_id, proof, self._sample)
                for operator, session in self._sessions.items()
                for device_id, proof in session.openings.items()
                if device_id not in session.outcomes
            ]

    def check(self, due: Due) -> str | None:
        """Check one opening, which takes up to a second, and keep the outcome; what is wrong with it, in words."""
        problem = self._challenge.problem_with(due.size.name, due.seed, due.roots, due.sample, due.proof)
        with self._lock:
            self._sessions[due.operator].outcomes[due.device_id] = (
                Outcome.WRONG if problem else Outcome.MEASURED
            )
        return problem

    def observations(
        self, expected: Collection[tuple[ChecksumAddress, bytes]], now: int
    ) -> list[Observation]:
        """What this member saw of every device that began, and of those ``expected`` that did not; ``now`` is unix time.

        A member that was restarted in mid-window has seen nothing: it does not take another's word, nor its own absence, for a
        failure of theirs, so it is the caller's part to ask only when this object is as old as the window.
        """
        with self._lock:
            found = [
                self._observation(operator, session, claim, now)
                for operator, session in self._sessions.items()
                for claim in session.begin.devices
            ]
            begun = {(item.operator, item.device_id) for item in found}
            absent = [
                self._blank(operator, device_id, 0, Outcome.MISSING, now)
                for operator, device_id in expected
                if (operator, device_id) not in begun
            ]
            return found + absent

    # ---------------------------------------------------------------- checks
    def _check_window(self, beacon: str, operator: str) -> ChecksumAddress:
        if from_hex(beacon) != self.beacon:
            raise Refused("beacon", "this member is in another window, or on another branch of the chain")
        return address(operator)

    def _check_key(
        self,
        kind: Literal["begin", "roots", "openings"],
        operator: ChecksumAddress,
        content: bytes,
        signature: str,
    ) -> None:
        digest = message_digest(
            kind,
            self.beacon,
            operator,
            content,
            chain_id=self._panel.chain_id,
            committee=self._panel.committee,
        )
        try:
            key = recover_digest_signer(digest, from_hex(signature))
        except InvalidSignature as error:
            raise Refused("signature", str(error)) from error
        if not self._registry.may_act(key, operator):
            raise Refused("key", f"{key} may not act for {operator}, or that operator has no stake")

    def _check_claims(self, operator: ChecksumAddress, claims: Sequence[DeviceClaim]) -> None:
        names = [claim.device_id for claim in claims]
        if len(set(names)) != len(names):
            raise Refused("devices", "a device is named twice")
        for claim in claims:
            size = self._challenge.size(claim.size)
            if size is None or size.device_class != claim.device_class:
                raise Refused("size", f"{claim.size!r} is no size of challenge for this class of device")
            holder = self._registry.holder(from_hex(claim.device_id))
            if holder not in (None, operator):
                raise Refused(
                    "device", f"device {claim.device_id} is on record for {holder} until that expires"
                )

    def _check_devices(self, session: Session, devices: Sequence[DeviceRoots]) -> None:
        begun = [claim.device_id for claim in session.begin.devices]
        if [device.device_id for device in devices] != begun:
            raise Refused("devices", "roots are taken of exactly the devices that began, in their order")
        for device in devices:
            wanted = self._size(session.claims[device.device_id].size).segments
            if len(device.roots) != wanted:
                raise Refused("roots", f"{wanted} roots are expected of each device of this size")

    def _check_nonces(self, session: Session, operator: ChecksumAddress, nonces: Sequence[Nonce]) -> None:
        places = []
        devices = devices_digest(session.begin.devices)
        for nonce in nonces:
            digest = nonce_digest(
                self.beacon,
                operator,
                devices,
                from_hex(nonce.nonce),
                chain_id=self._panel.chain_id,
                committee=self._panel.committee,
            )
            try:
                key = recover_digest_signer(digest, from_hex(nonce.signature))
            except InvalidSignature as error:
                raise Refused("nonces", str(error)) from error
            if key != nonce.member or key not in self._panel.keys:
                raise Refused("nonces", f"{nonce.member} did not give this nonce, or is no member")
            places.append(self._panel.keys.index(key))
        if places != sorted(set(places)):
            raise Refused("nonces", "nonces come in the order of the committee, each member's once")
        if len(places) < self._panel.quorum:
            raise Refused("nonces", f"a seed holds the nonces of {self._panel.quorum} members at least")
        if session.reply.nonce not in [nonce.nonce for nonce in nonces]:
            # Its clock says nothing about a seed that may have been known before.
            raise Refused("nonces", "the nonce of this member is not among them, so it cannot take the time")

    def _session(self, operator: ChecksumAddress) -> Session:
        session = self._sessions.get(operator)
        if session is None:
            raise Refused("unknown", "this operator has not begun here in this window")
        return session

    def _size(self, name: str) -> ChallengeSize:
        size = self._challenge.size(name)
        assert size is not None, "sizes are checked when work begins"
        return size

    # ---------------------------------------------------------------- findings
    def _due(
        self, operator: ChecksumAddress, session: Session, device_id: str, proof: bytes, sample: bytes
    ) -> Due:
        device = session.roots_of(device_id)
        assert device is not None
        assert session.roots is not None
        claim = session.claims[device_id]
        nonces = [
            (self._panel.keys.index(address(nonce.member)), from_hex(nonce.nonce))
            for nonce in session.roots.nonces
        ]
        return Due(
            operator=operator,
            device_id=device_id,
            size=self._size(claim.size),
            seed=self._challenge.seed(self.beacon, operator, from_hex(device_id), claim.size, nonces),
            roots=tuple(from_hex(root) for root in device.roots),
            sample=sample,
            proof=proof,
        )

    def _observation(
        self, operator: ChecksumAddress, session: Session, claim: DeviceClaim, now: int
    ) -> Observation:
        size = self._size(claim.size)
        outcome = session.outcomes.get(claim.device_id, Outcome.MISSING)
        if session.elapsed is not None and session.elapsed > size.deadline_seconds:
            outcome = Outcome.LATE
        blank = self._blank(operator, from_hex(claim.device_id), claim.device_class, outcome, now)
        if outcome is not Outcome.MEASURED:
            return blank
        device = session.roots_of(claim.device_id)
        assert device is not None
        energy = device.energy_millijoules
        return Observation(
            **{
                **{name: getattr(blank, name) for name in blank.__slots__},
                "operations_per_second": max(1, int(size.operations / session.seconds())),
                # What it claims counts as far as the run could not have done without it.
                "memory_bytes": min(claim.memory_bytes, size.memory_bytes),
                # 1 mJ is 10^9 pJ; rounded up, as a low figure flatters
                "picojoules_per_operation": 0 if energy is None else -(-energy * 10**9 // size.operations),
            }
        )

    def _blank(
        self,
        operator: ChecksumAddress,
        device_id: bytes,
        device_class: int,
        outcome: Outcome,
        now: int,
    ) -> Observation:
        speed = 1 if outcome is Outcome.MEASURED else 0  # replaced by the caller where one was measured
        return Observation(
            config_digest=self._panel.config_digest,
            rules_digest=self.rules.digest(),
            window=self.window.number,
            beacon=self.beacon,
            operator=operator,
            device_id=device_id,
            device_class=device_class,
            outcome=outcome,
            operations_per_second=speed,
            memory_bytes=0,
            picojoules_per_operation=0,
            observed_at=now,
        )
