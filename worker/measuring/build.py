"""Put a worker's part in measuring together: which devices this machine has, what they are measured with, and by whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

import pynvml
import torch
from eth_typing import ChecksumAddress

from proofmill.capability.sizes import CLASSES, DeviceClass, device_class
from proofmill.devices import (
    Counter,
    Device,
    EnergyMeter,
    Inventory,
    card_counter,
    opened,
    package_counter,
    take_inventory,
)
from proofmill.devices import DeviceClass as KindOfDevice
from proofmill.devices.cards import class_of
from proofmill.devices.energy import NoCounter
from proofmill.logs import Logger
from proofmill.measuring.chain import ChainBlocks, CommitteePanel
from proofmill.measuring.messages import MAXIMUM_DEVICES
from proofmill.measuring.rules import MeasuringRules
from proofmill.node import Node
from worker.config import PROCESSOR, WorkerSettings
from worker.measuring.committee import MemberLink
from worker.measuring.devices import MeasuredDevice, Meter
from worker.measuring.taking_part import TakingPart

CPU: Final = "cpu"
USUAL_SHARE: Final = 0.65  # of a data sheet's peak, which sizes of challenges expect of a card


def build_taking_part(
    node: Node, settings: WorkerSettings, rules: MeasuringRules, operator: ChecksumAddress
) -> TakingPart | None:
    """The part of the worker of `settings`; None, and said why, where no device or no member is known.

    Raises:
        proofmill.devices.DriverFailed: there is a driver, and it does not start.
    """
    devices = choose_devices(take_inventory(), cards_by_uuid(), settings.devices, node.log)
    if not devices or not settings.peers:
        node.log.warning(
            "takes no part in measuring",
            why="no device can be measured" if not devices else "no member of the committee is known",
            remedy="Name devices under `devices`."
            if not devices
            else "Add the members' addresses to `peers`.",
        )
        return None
    for device in devices:
        node.log.info(
            "takes part in measuring",
            device=device.torch_name,
            device_id="0x" + device.device_id.hex(),
            size=device.takes.name,
            memory_bytes=device.memory_bytes,
        )
    chain_id, committee = node.deployment.chain_id, node.suite.oracle_committee
    return TakingPart(
        operator=operator,
        devices=devices,
        rules=rules,
        confirmations=settings.confirmations,
        blocks=ChainBlocks(node.web3),
        panel=CommitteePanel(committee, chain_id),
        members=MemberLink(
            settings.peers,
            operator=operator,
            account=node.account,
            chain_id=chain_id,
            committee=committee.address,
            log=node.log,
        ),
        log=node.log,
    )


def cards_by_uuid() -> dict[str, str]:
    """torch's name of each card by the driver's: torch and driver may count in different orders."""
    if not torch.cuda.is_available():
        return {}
    return {
        f"GPU-{str(torch.cuda.get_device_properties(place).uuid).removeprefix('GPU-')}": f"cuda:{place}"
        for place in range(torch.cuda.device_count())
    }


def choose_devices(
    inventory: Inventory, cards: Mapping[str, str], wanted: Mapping[str, str], log: Logger
) -> list[MeasuredDevice]:
    """The devices that take part, with their sizes; whatever cannot is logged with what to do.

    Args:
        cards: torch's name by the driver's UUID.
        wanted: the size by torch's name; empty for all that torch can use, each with the size of its name.
    """
    by_torch_name: dict[str, Device] = {}
    for device in inventory.devices:
        if name := _torch_name(device, cards):
            by_torch_name[name] = device
        elif not wanted:
            remedy = "Install torch for this card's CUDA version, and see CUDA_VISIBLE_DEVICES."
            _leave_out(log, device.name or f"GPU {device.index}", "torch cannot use it", remedy)
    chosen: list[MeasuredDevice] = []
    for name in wanted or by_torch_name:
        if (found := by_torch_name.get(name)) is None:
            _leave_out(log, name, "it is not there", "Correct `devices`; `nvidia-smi -L` lists the cards.")
            continue
        size = device_class(wanted[name]) if wanted else usual_size(found)
        if found.uuid is None:
            why = f"it has no name that lasts: {found.silences.get('uuid', 'its driver does not say')}"
            _leave_out(log, name, why, "Give the machine or container an /etc/machine-id.")
        elif size is None:
            _leave_out(log, name, f"nobody knows how fast a {found.name} is", f'Name a size: "{name}" = "…".')
        elif len(chosen) == MAXIMUM_DEVICES:
            why = f"an operator may show {MAXIMUM_DEVICES} devices"
            _leave_out(log, name, why, "Choose them under `devices`.")
        else:
            chosen.append(MeasuredDevice(name, found.uuid, size, found.memory_bytes or 0, meter_of(found)))
    return chosen


def usual_size(device: Device) -> DeviceClass | None:
    """The size whose usual speed is nearest, by what the device calls itself; None for cards that nobody has looked up."""
    if device.device_class is KindOfDevice.CPU:
        return device_class(PROCESSOR)
    card = class_of(device.name)
    if card is None:
        return None
    expected = card.peak * USUAL_SHARE
    sizes = [size for size in CLASSES if size.name != PROCESSOR]
    return min(
        sizes,
        key=lambda size: max(size.operations_per_second / expected, expected / size.operations_per_second),
    )


def meter_of(device: Device) -> Meter:
    """What measures the energy of one window: the card's own meter, or the processor's."""
    if device.device_class is KindOfDevice.CPU:
        return _package_meter
    return partial(_card_meter, device.uuid or "")


def _package_meter() -> EnergyMeter:
    return EnergyMeter(package_counter())


@contextmanager
def _card_meter(uuid: str) -> Iterator[EnergyMeter]:
    with opened() as nvml:
        counter: Counter = NoCounter()  # without a meter, no energy is claimed
        if nvml is not None:
            with suppress(pynvml.NVMLError):
                counter = card_counter(nvml, nvml.call("nvmlDeviceGetHandleByUUID", uuid))
        with EnergyMeter(counter) as meter:
            yield meter


def _torch_name(device: Device, cards: Mapping[str, str]) -> str | None:
    return CPU if device.device_class is KindOfDevice.CPU else cards.get(device.uuid or "")


def _leave_out(log: Logger, name: str, why: str, remedy: str) -> None:
    log.warning("device is not measured", device=name, why=why, remedy=remedy)
