"""The course of windows at one member: opening them as blocks come, checking what was opened, and writing down what it saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final, Protocol

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress

from oracle.measuring.device_challenge import DeviceChallenge
from oracle.measuring.memory import MeasuringMemory
from oracle.measuring.session import Registry
from oracle.measuring.sessions import Sessions
from proofmill.chain.errors import InvalidSignature
from proofmill.chain.types import address
from proofmill.logs import Logger
from proofmill.measuring.figures import InsufficientEvidence, Panel, WindowResult, result_of
from proofmill.measuring.observations import SignedObservation
from proofmill.measuring.rules import MeasuringRules
from proofmill.measuring.windows import Beacon, Phase, Window

GATHERINGS: Final = 20  # looks at what the other members saw, one in each turn of the duties


class Blocks(Protocol):
    """The chain as far as windows need it."""

    def newest(self) -> int:
        """Number of the newest block."""
        ...

    def beacon(self, number: int) -> Beacon:
        """A block and its randomness."""
        ...


class Witnesses(Protocol):
    """The other members."""

    def observations(self, beacon: bytes) -> list[SignedObservation]:
        """What those that answer say they saw; nothing of it is checked yet."""
        ...


class MeasuringCourse:
    """``turn`` belongs to the cycle, which must keep pace with the blocks; ``work`` to the duties, which may take a while."""

    def __init__(
        self,
        *,
        account: LocalAccount,
        rules: MeasuringRules,
        confirmations: int,
        blocks: Blocks,
        panel: Callable[[], Panel],
        challenge: DeviceChallenge,
        memory: MeasuringMemory,
        registry: Registry,
        witnesses: Witnesses,
        log: Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._account, self._rules, self._confirmations = account, rules, confirmations
        self._blocks, self._panel = blocks, panel
        self._challenge, self._memory, self._registry = challenge, memory, registry
        self._witnesses, self._log = witnesses, log
        self._sessions: Sessions | None = None
        self._last_block: int | None = None  # of the turn before
        self._missed: int | None = None  # the window in which this member came too late to say who is absent
        self._written: bytes | None = None  # beacon of the window that was written down
        self._gatherings = 0

    @property
    def rules(self) -> MeasuringRules:
        return self._rules

    def current(self) -> Sessions | None:
        """The window that is open; None while its beacon is not confirmed."""
        return self._sessions

    def closed(self) -> Window:
        """The newest window that is over: reports are about it.

        Raises:
            ChainError: the node cannot be reached.
        """
        newest = self._blocks.newest()
        window = Window.at(newest, self._rules)
        if window.phase(newest, self._confirmations) is Phase.REPORTING:
            return window
        return Window(window.number - 1, self._rules)

    def beacon_of(self, window: int) -> bytes:
        """The hash that observations of a window must name."""
        return self._blocks.beacon(Window(window, self._rules).first_block).hash

    # ---------------------------------------------------------------- with every block
    def turn(self) -> None:
        """Follow the chain: open the next window, draw the samples, drop a window whose beacon was replaced.

        Raises:
            ChainError: the node cannot be reached; the next turn catches up.
        """
        newest = self._blocks.newest()
        window = Window.at(newest, self._rules)
        phase = window.phase(newest, self._confirmations)
        if phase is Phase.CONFIRMING:
            self._sessions = None
        else:
            beacon = self._blocks.beacon(window.first_block)
            if self._sessions is None or self._sessions.beacon != beacon.hash:
                self._open(window, beacon)
            assert self._sessions is not None
            sampled = newest >= window.sample_block + self._confirmations - 1
            sample = self._blocks.beacon(window.sample_block).randomness if sampled else None
            self._sessions.turn(phase, sample)
        self._last_block = newest

    def _open(self, window: Window, beacon: Beacon) -> None:
        if self._last_block is None or self._last_block >= window.first_block + self._confirmations:
            # It was not there when the window opened, or the beacon is another one now: who came before it does not know.
            self._missed = window.number
        self._sessions = Sessions(
            window=window,
            beacon=beacon.hash,
            account=self._account,
            panel=self._panel(),
            challenge=self._challenge,
            nonces=self._memory,
            registry=self._registry,
            clock=self._clock,
        )
        self._gatherings = 0
        self._log.info("window open", window=window.number, block=window.first_block)

    # ---------------------------------------------------------------- when there is time
    def work(self, now: int) -> None:
        """Check what was opened; once the window is over, write down what was seen and ask what the others saw.

        Args:
            now: unix time of the newest block.

        Raises:
            ProofmillError: the database or the node fails; the next call goes on.
        """
        sessions = self._sessions
        if sessions is None:
            return
        for due in sessions.due():
            problem = sessions.check(due)
            self._log.info(
                "samples checked",
                window=sessions.window.number,
                operator=due.operator,
                device=due.device_id,
                outcome="right" if problem is None else problem,
            )
        phase = sessions.window.phase(self._blocks.newest(), self._confirmations)
        if phase is not Phase.REPORTING:
            return
        if self._written != sessions.beacon:
            self._write_down(sessions, now)
        if self._gatherings < GATHERINGS:
            self._gatherings += 1
            self._gather(sessions.beacon)

    def _write_down(self, sessions: Sessions, now: int) -> None:
        panel = self._panel()
        own = address(self._account.address)
        for observation in sessions.observations(self._expected(sessions), now):
            signed = SignedObservation.of(observation, self._account, panel.chain_id, panel.committee)
            self._memory.keep(own, signed)
            self._log.info(
                "device observed",
                window=observation.window,
                operator=observation.operator,
                device="0x" + observation.device_id.hex(),
                outcome=observation.outcome.name.lower(),
                operations_per_second=observation.operations_per_second,
            )
        self._memory.forget_before(sessions.window.number)
        self._written = sessions.beacon

    def _expected(self, sessions: Sessions) -> Collection[tuple[ChecksumAddress, bytes]]:
        """Devices that a good window among the last few makes expect; none where this member cannot say who was absent."""
        number = sessions.window.number
        if self._missed == number:
            return []
        # Those that were given a nonce before a restart have begun, only that nobody here knows their time.
        begun_before = self._memory.given(sessions.beacon) - sessions.operators()
        windows = range(max(0, number - self._rules.failures_to_withdraw), number)
        return [
            (operator, device_id)
            for operator, device_id in self._memory.devices(windows)
            if operator not in begun_before
            and any(not result.has_failed for result in self.results(operator, device_id, windows))
        ]

    def results(
        self, operator: ChecksumAddress, device_id: bytes, windows: Collection[int]
    ) -> list[WindowResult]:
        """The committee's figures of a device in these windows, as far as enough observations are known."""
        found = []
        for signed in self.evidence(operator, device_id, windows).values():
            try:
                found.append(result_of(signed, self._panel(), self._rules))
            except InsufficientEvidence:
                continue  # this member was away, or the others were: that window says nothing here
        return found

    def evidence(
        self, operator: ChecksumAddress, device_id: bytes, windows: Collection[int]
    ) -> dict[int, list[SignedObservation]]:
        """The observations of this branch, committee and rules, by window."""
        panel, rules = self._panel(), self._rules.digest()
        return {
            window: [
                item
                for item in signed
                if (item.observation.beacon, item.observation.rules_digest, item.observation.config_digest)
                == (self.beacon_of(window), rules, panel.config_digest)
            ]
            for window, signed in self._memory.about(operator, device_id, sorted(windows)).items()
        }

    def _gather(self, beacon: bytes) -> None:
        """Keep what other members say of the devices that this member says something of: no other costs it room."""
        panel = self._panel()
        own = address(self._account.address)
        known = {item.observation.about for item in self._memory.seen_by(own, beacon)}
        for signed in self._witnesses.observations(beacon):
            if signed.observation.about not in known:
                continue
            try:
                member = signed.signer(panel.chain_id, panel.committee)
            except InvalidSignature:
                continue  # it is nobody's word
            if member in panel.keys and member != own:
                self._memory.keep(member, signed)
