"""A worker takes part in every window: begin, work, roots, samples, openings.

Nothing of a window is worth keeping: a worker that was killed in the middle of one takes part in the next. It happens on a thread
of its own: a job may compute for longer than a window lets work begin, and a window takes minutes while jobs have deadlines.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from eth_typing import ChecksumAddress

from proofmill.capability.seeds import Binding
from proofmill.capability.seeds import Nonce as SeedNonce
from proofmill.chain.errors import InvalidSignature, node_failures
from proofmill.chain.typed_data import recover_digest_signer
from proofmill.errors import ProofmillError
from proofmill.logs import Logger
from proofmill.measuring.figures import Panel
from proofmill.measuring.messages import DeviceRoots, Nonce, devices_digest, from_hex, nonce_digest, to_hex
from proofmill.measuring.rules import MeasuringRules
from proofmill.measuring.windows import Beacon, Phase, Window
from proofmill.service import run_until_stopped
from worker.measuring.committee import MemberLink
from worker.measuring.devices import MeasuredDevice, Ran, run_all

POLL_SECONDS: Final = 0.5
FIRST_PAUSE_SECONDS: Final = 0.25  # before a member is asked again

Answer = TypeVar("Answer")


class Blocks(Protocol):
    """The chain as far as a window needs it."""

    def newest(self) -> int:
        """Number of the newest block."""
        ...

    def beacon(self, number: int) -> Beacon:
        """A block and its randomness."""
        ...


class TakingPart:
    """One operator's part, from `start` to `stop`."""

    def __init__(
        self,
        *,
        operator: ChecksumAddress,
        devices: Sequence[MeasuredDevice],
        rules: MeasuringRules,
        confirmations: int,
        blocks: Blocks,
        panel: Callable[[], Panel],
        members: MemberLink,
        log: Logger,
    ) -> None:
        self._operator, self._devices = operator, tuple(devices)
        self._rules, self._confirmations = rules, confirmations
        self._blocks, self._panel, self._members, self._log = blocks, panel, members, log
        self._last: int | None = None  # the window taken part in, or tried
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self, poll_interval: float) -> None:
        """Look for windows every so many seconds, beside everything else that the worker does."""
        self._thread = threading.Thread(
            target=run_until_stopped,
            args=(self.step,),
            kwargs={"stopping": self._stopping, "poll_interval": poll_interval, "log": self._log},
            name="measuring",
            daemon=True,
        )
        self._thread.start()

    def step(self) -> None:
        """Take part when a window has opened that was not begun yet.

        Raises:
            ChainError: the node cannot be reached.
        """
        newest = self._blocks.newest()
        window = Window.at(newest, self._rules)
        if window.number == self._last or window.phase(newest, self._confirmations) is not Phase.BEGINNING:
            return
        # A block later than one may: the first member to answer starts its clock, and the others should know the window by then.
        if newest - window.first_block < min(self._confirmations, self._rules.begin_blocks):
            return
        self._last = window.number
        try:
            with node_failures():
                self.take_part(window)
        except ProofmillError as error:
            self._log.warning("not measured", window=window.number, error=str(error), remedy=error.remedy)
        except Exception as error:  # noqa: BLE001  a thread has nobody to tell; a window is lost, the worker goes on
            self._log.error(
                "not measured", window=window.number, error=f"a bug: {type(error).__name__}: {error}"
            )

    def stop(self) -> None:
        """Give up the window. Returns when nothing of it goes on any more, or it is computing: that ends with the process."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * POLL_SECONDS)
        self._members.close()

    def take_part(self, window: Window) -> bool:
        """All of one window, in this thread; whether every step was taken by a quorum of members."""
        beacon = self._blocks.beacon(window.first_block)
        panel = self._panel()
        nonces = self._begin(window, beacon, panel)
        if len(nonces) < panel.quorum:
            self._log.warning(
                "not measured",
                window=window.number,
                why=f"{len(nonces)} members gave a nonce, {panel.quorum} are needed",
                remedy="Check the members' addresses under `peers`, and that they measure by the same rules.",
            )
            return False
        self._members.echo(beacon.hash, nonces)
        in_order = sorted(nonces.values(), key=lambda nonce: panel.keys.index(_member(nonce)))
        drawn = tuple(SeedNonce(panel.keys.index(_member(item)), from_hex(item.nonce)) for item in in_order)
        bindings = [
            Binding(panel.chain_id, beacon.hash, bytes.fromhex(self._operator[2:]), device.device_id, drawn)
            for device in self._devices
        ]
        ran = run_all(self._devices, bindings, self._rules.cells)
        if self._stopping.is_set():
            return False
        roots = [_roots(item) for item in ran]
        taken = self._insist(
            lambda urls: self._members.send_roots(
                beacon.hash, {url: nonces[url] for url in urls}, in_order, roots
            ),
            list(nonces),
            enough=len(nonces),
            before=window.sample_block,
        )
        self._log.info(
            "devices worked",
            window=window.number,
            seconds=[round(item.seconds, 3) for item in ran],
            members=len(taken),
        )
        if not taken or not self._wait_for(window):
            return False
        return self._open(window, beacon, ran, list(taken)) >= panel.quorum

    def _begin(self, window: Window, beacon: Beacon, panel: Panel) -> dict[str, Nonce]:
        """The nonces of a quorum or more: who does not know the window yet is asked again, not who is merely down."""
        claims = [device.claim for device in self._devices]
        answers = self._insist(
            lambda urls: self._sound(
                self._members.begin(beacon.hash, self._rules.digest(), claims, urls), beacon, panel
            ),
            self._members.urls,
            enough=panel.quorum,
            before=window.first_block + self._rules.begin_blocks + 1,
        )
        by_member = {nonce.member: url for url, nonce in answers.items()}  # under several addresses it is one
        return {url: answers[url] for url in by_member.values()}

    def _open(self, window: Window, beacon: Beacon, ran: Sequence[Ran], urls: Sequence[str]) -> int:
        """Shows every device's samples; the least number of members that took them."""
        sample = self._blocks.beacon(window.sample_block).randomness
        took = [self._open_one(window, beacon, item, sample, urls) for item in ran]
        self._log.info("samples shown", window=window.number, devices=len(ran), members=min(took))
        return min(took)

    def _open_one(self, window: Window, beacon: Beacon, ran: Ran, sample: bytes, urls: Sequence[str]) -> int:
        device_id, proof = ran.device.device_id, ran.opening(sample)
        took = self._insist(
            lambda asked: self._members.send_opening(beacon.hash, asked, device_id, proof),
            urls,
            enough=len(urls),
            before=window.first_block + self._rules.report_from,
        )
        return len(took)

    def _insist(
        self,
        ask: Callable[[Sequence[str]], dict[str, Answer]],
        urls: Sequence[str],
        *,
        enough: int,
        before: int,
    ) -> dict[str, Answer]:
        """Ask again, ever more seldom, until so many members have answered or block `before` is there.

        A member's look at the chain may be a moment older than this worker's, and saying the same again is safe.
        """
        answers = ask(urls)
        pause = FIRST_PAUSE_SECONDS
        while len(answers) < enough and not self._stopping.wait(pause) and self._blocks.newest() < before:
            answers |= ask([url for url in urls if url not in answers])
            pause *= 2
        return answers

    def _wait_for(self, window: Window) -> bool:
        """Until the block that draws the samples is confirmed; False when that was missed, or the worker stops."""
        while not self._stopping.wait(POLL_SECONDS):
            newest = self._blocks.newest()
            if newest >= window.first_block + self._rules.report_from:
                return False
            # Like beginning, a block later than one may: the members should know the samples by then.
            if newest >= window.sample_block + min(self._confirmations, self._rules.opening_blocks):
                return True
        return False

    def _sound(self, answers: dict[str, Nonce], beacon: Beacon, panel: Panel) -> dict[str, Nonce]:
        """The nonces that members signed; the first of each member."""
        devices = devices_digest([device.claim for device in self._devices])
        sound: dict[str, Nonce] = {}
        for url, nonce in answers.items():
            digest = nonce_digest(
                beacon.hash,
                self._operator,
                devices,
                from_hex(nonce.nonce),
                chain_id=panel.chain_id,
                committee=panel.committee,
            )
            try:
                signer = recover_digest_signer(digest, from_hex(nonce.signature))
            except InvalidSignature:
                signer = None
            known = {found.member for found in sound.values()}
            if signer == nonce.member and signer in panel.keys and signer not in known:
                sound[url] = nonce
            else:
                self._log.warning("nonce of no member", member=url)
        return sound


def _member(nonce: Nonce) -> ChecksumAddress:
    return ChecksumAddress(nonce.member)  # type: ignore[arg-type]


def _roots(ran: Ran) -> DeviceRoots:
    return DeviceRoots(
        device_id=to_hex(ran.device.device_id),
        roots=[to_hex(root) for root in ran.roots],
        energy_millijoules=ran.energy_millijoules,
    )
