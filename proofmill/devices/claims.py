"""What a device or a machine says of itself. None means that it does not say; it never means zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from eth_utils.crypto import keccak

NOTHING: Mapping[str, str] = MappingProxyType({})


class DeviceClass(IntEnum):
    """The capability registry's classes."""

    CPU = 0
    GPU = 1


@dataclass(frozen=True, slots=True)
class Device:
    """Claims about one device.

    Attributes:
        device_class: CPU or GPU.
        index: its place in the machine's order.
        uuid: names the device for ever, as its driver spells it.
        name: of the product.
        serial: number on the board.
        board_part_number: of the board.
        vbios_version: of the firmware.
        inforom_version: of the image that holds the board's settings.
        pci_bus_id: where it is plugged in.
        pci_device_id: device and vendor, 16 bits each, the device in the high half.
        pci_subsystem_id: of the board's maker, in the same form.
        architecture: NVML's number of the generation (9: Hopper).
        compute_capability: major and minor.
        cores: arithmetic cores of a GPU, processor cores this process may use of a CPU.
        memory_bytes: all of it.
        memory_bus_bits: width of the bus.
        maximum_clock_mhz: of the arithmetic cores.
        maximum_memory_clock_mhz: of the memory.
        clock_mhz: of the arithmetic cores, now.
        clocks_event_reasons: NVML's bits that say what holds the clocks back now.
        power_limit_watts: in force.
        power_limit_range_watts: least and most that can be set.
        mig_enabled: whether the card is cut into instances.
        virtualization: NVML's mode (0 none, 1 passed through, 2 a virtual GPU).
        compute_mode: NVML's mode (0 shared, 3 for one process).
        compute_processes: how many processes compute on it now.
        ecc_enabled: whether memory errors are corrected.
        uncorrected_errors: since the driver was loaded.
        remapped_rows: of the memory, for errors that were corrected and for those that were not.
        pcie_generation: of the link, now.
        pcie_width: lanes of the link, now.
        device_identity: NVML's number that is in the silicon (PDI).
        chassis_serial: of the chassis that the module is in.
        fabric_cluster: hexadecimal UUID of the NVLink fabric that the card has joined.
        silences: why what is None is None, by the attribute's name.
    """

    device_class: DeviceClass
    index: int
    uuid: str | None = None
    name: str | None = None
    serial: str | None = None
    board_part_number: str | None = None
    vbios_version: str | None = None
    inforom_version: str | None = None
    pci_bus_id: str | None = None
    pci_device_id: int | None = None
    pci_subsystem_id: int | None = None
    architecture: int | None = None
    compute_capability: tuple[int, int] | None = None
    cores: int | None = None
    memory_bytes: int | None = None
    memory_bus_bits: int | None = None
    maximum_clock_mhz: int | None = None
    maximum_memory_clock_mhz: int | None = None
    clock_mhz: int | None = None
    clocks_event_reasons: int | None = None
    power_limit_watts: float | None = None
    power_limit_range_watts: tuple[float, float] | None = None
    mig_enabled: bool | None = None
    virtualization: int | None = None
    compute_mode: int | None = None
    compute_processes: int | None = None
    ecc_enabled: bool | None = None
    uncorrected_errors: int | None = None
    remapped_rows: tuple[int, int] | None = None
    pcie_generation: int | None = None
    pcie_width: int | None = None
    device_identity: int | None = None
    chassis_serial: str | None = None
    fabric_cluster: str | None = None
    silences: Mapping[str, str] = field(default_factory=lambda: NOTHING, compare=False)

    @property
    def device_id(self) -> bytes | None:
        """The registry's name of it, keccak256 of the UUID; without a UUID a device cannot be challenged."""
        return None if self.uuid is None else keccak(self.uuid.encode())


@dataclass(frozen=True, slots=True)
class Inventory:
    """Claims about a machine.

    Attributes:
        devices: the CPU first, then the GPUs in the driver's order.
        driver_version: of the NVIDIA driver.
        cuda_version: major and minor of the newest CUDA that the driver runs.
        nvml_version: of NVML.
        confidential_computing: whether the GPUs compute confidentially.
        silences: why what is None is None, and which GPUs cannot be asked at all.
    """

    devices: tuple[Device, ...]
    driver_version: str | None = None
    cuda_version: tuple[int, int] | None = None
    nvml_version: str | None = None
    confidential_computing: bool | None = None
    silences: Mapping[str, str] = field(default_factory=lambda: NOTHING, compare=False)

    @property
    def gpus(self) -> tuple[Device, ...]:
        """The GPUs among the devices."""
        return tuple(device for device in self.devices if device.device_class is DeviceClass.GPU)
