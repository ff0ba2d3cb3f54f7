"""The devices of a worker as they work on a challenge: all at once, each on a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from eth_utils.crypto import keccak

from proofmill.capability.cells import draw_cells
from proofmill.capability.commitment import commitment_of
from proofmill.capability.parameters import Parameters
from proofmill.capability.proof import encode_openings
from proofmill.capability.prover import Prover
from proofmill.capability.seeds import Binding
from proofmill.capability.sizes import DeviceClass
from proofmill.devices import EnergyMeter
from proofmill.measuring.messages import DeviceClaim, to_hex

#: Measures the energy of one window.
Meter = Callable[[], AbstractContextManager[EnergyMeter]]


@dataclass(frozen=True, slots=True)
class MeasuredDevice:
    """A device that takes part. ``torch_name``: cpu or cuda:N; ``uuid``: what it is known by."""

    torch_name: str
    uuid: str
    takes: DeviceClass  # the size of challenge
    memory_bytes: int
    meter: Meter | None = None

    @property
    def device_id(self) -> bytes:
        """The name in the registry."""
        return keccak(text=self.uuid)

    @property
    def claim(self) -> DeviceClaim:
        """What it begins with."""
        return DeviceClaim(
            device_id=to_hex(self.device_id),
            device_class=0 if self.torch_name == "cpu" else 1,
            size=self.takes.name,
            memory_bytes=self.memory_bytes,
        )


@dataclass(frozen=True, slots=True)
class Ran:
    """What a device came to, and the prover that can open it."""

    device: MeasuredDevice
    roots: tuple[bytes, ...]
    seconds: float
    energy_millijoules: int | None
    seed: bytes
    prover: Prover

    def opening(self, sample: bytes) -> bytes:
        """The cells that ``sample`` draws, as bytes."""
        cells = draw_cells(self.seed, commitment_of(self.roots), sample, self.prover.parameters)
        return encode_openings(self.prover.open(cells))


def run_all(devices: Sequence[MeasuredDevice], bindings: Sequence[Binding], cells: int) -> list[Ran]:
    """Work on all devices at once; returns when the last is done.

    Raises:
        DeviceUnfit: a device cannot do it; then none takes part, as the set of devices is fixed when work begins.
    """
    with ThreadPoolExecutor(len(devices), thread_name_prefix="measured") as pool:
        return list(pool.map(lambda device, binding: _run(device, binding, cells), devices, bindings))


def _run(device: MeasuredDevice, binding: Binding, cells: int) -> Ran:
    usual = device.takes.parameters
    parameters = Parameters(usual.size, usual.rounds, cells)
    seed = binding.seed(parameters)
    with nullcontext() if device.meter is None else device.meter() as meter:
        started = time.monotonic()
        prover = Prover(seed, parameters, device.torch_name)
        roots = prover.run()
        seconds = time.monotonic() - started
    joules = None if meter is None else meter.energy.joules
    return Ran(device, roots, seconds, None if joules is None else round(joules * 1000), seed, prover)
