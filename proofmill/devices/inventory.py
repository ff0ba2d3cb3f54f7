"""The devices of this machine as they describe themselves."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import MappingProxyType, ModuleType
from typing import Any, Final

import pynvml

from proofmill.devices.claims import Device, DeviceClass, Inventory
from proofmill.devices.cpu import describe_cpu
from proofmill.devices.nvml import Nvml, opened, said

MAXIMUM_GPUS: Final = 64  # of one machine; a driver that counts more is no driver
MAXIMUM_TEXT: Final = 128  # characters of a claim that are kept
FABRIC_COMPLETED: Final = 3  # NVML_GPU_FABRIC_STATE_COMPLETED
# What a question is filed under, and a function of pynvml that answers it in the form in which it is kept.
Answers = dict[str, Callable[[Nvml, Any], Any]]


def take_inventory(module: ModuleType = pynvml) -> Inventory:
    """The CPU and all GPUs. Without a driver there is a CPU only.

    Raises:
        proofmill.devices.nvml.DriverFailed: there is a driver, and it does not start.
    """
    cpu = describe_cpu()
    with opened(module) as nvml:
        if nvml is None:
            return Inventory(devices=(cpu,))
        silences: dict[str, str] = {}
        values = {name: nvml.ask(silences, name, _bound(read, nvml, None)) for name, read in _MACHINE.items()}
        gpus = _gpus(nvml, silences)
        return Inventory(devices=(cpu, *gpus), silences=MappingProxyType(silences), **values)


def _gpus(nvml: Nvml, silences: dict[str, str]) -> list[Device]:
    count = nvml.ask(silences, "gpu count", lambda: int(nvml.call("nvmlDeviceGetCount"))) or 0
    if not 0 <= count <= MAXIMUM_GPUS:
        silences["gpu count"] = f"the driver counts {count} GPUs"
        return []
    gpus = []
    for index in range(count):
        try:
            handle = nvml.call("nvmlDeviceGetHandleByIndex", index)
        except pynvml.NVMLError as error:
            silences[f"gpu {index}"] = said(error)
            continue
        gpus.append(_describe_gpu(nvml, index, handle))
    return gpus


def _describe_gpu(nvml: Nvml, index: int, handle: Any) -> Device:
    silences: dict[str, str] = {}
    values = {name: nvml.ask(silences, name, _bound(read, nvml, handle)) for name, read in _GPU.items()}
    return Device(device_class=DeviceClass.GPU, index=index, silences=MappingProxyType(silences), **values)


def _bound(read: Callable[[Nvml, Any], Any], nvml: Nvml, handle: Any) -> Callable[[], Any]:
    return lambda: read(nvml, handle)


# ------------------------------------------------------------------ the forms in which claims are kept
def _plain(name: str) -> Callable[[Nvml, Any], Any]:
    """A number of which zero is one."""
    return lambda nvml, handle: int(nvml.call(name, handle))


def _positive(name: str, *more: int) -> Callable[[Nvml, Any], int | None]:
    """A number that cannot be zero: some drivers say 0 for "not known"."""
    return lambda nvml, handle: _nonzero(int(nvml.call(name, handle, *more)))


def _text(name: str) -> Callable[[Nvml, Any], str | None]:
    return lambda nvml, handle: _printable(nvml.call(name, handle))


def _watts(name: str) -> Callable[[Nvml, Any], float | None]:
    return lambda nvml, handle: (_nonzero(int(nvml.call(name, handle))) or 0) / 1000 or None


def _nonzero(number: int) -> int | None:
    return number or None


def _printable(value: str | bytes) -> str | None:
    """Text that may stand in a log: what a library invents could be of any length and kind."""
    text = value.decode() if isinstance(value, bytes) else str(value)
    kept = "".join(character for character in text if character.isprintable()).strip()[:MAXIMUM_TEXT]
    return kept or None


def _power_range(nvml: Nvml, handle: Any) -> tuple[float, float]:
    least, most = nvml.call("nvmlDeviceGetPowerManagementLimitConstraints", handle)
    return int(least) / 1000, int(most) / 1000


def _capability(nvml: Nvml, handle: Any) -> tuple[int, int]:
    major, minor = nvml.call("nvmlDeviceGetCudaComputeCapability", handle)
    return int(major), int(minor)


def _remapped(nvml: Nvml, handle: Any) -> tuple[int, int]:
    corrected, uncorrected, _pending, _failed = nvml.call("nvmlDeviceGetRemappedRows", handle)
    return int(corrected), int(uncorrected)


def _architecture(nvml: Nvml, handle: Any) -> int | None:
    number = int(nvml.call("nvmlDeviceGetArchitecture", handle))
    return None if number == pynvml.NVML_DEVICE_ARCH_UNKNOWN else number


def _uncorrected(nvml: Nvml, handle: Any) -> int:
    kind, since = pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC
    return int(nvml.call("nvmlDeviceGetTotalEccErrors", handle, kind, since))


def _chassis(nvml: Nvml, handle: Any) -> str | None:
    information = pynvml.c_nvmlPlatformInfo_v2_t()
    nvml.call("nvmlDeviceGetPlatformInfo", handle, ctypes.byref(information))
    return _printable(information.chassisSerialNumber)


def _fabric(nvml: Nvml, handle: Any) -> str | None:
    information = pynvml.c_nvmlGpuFabricInfo_v2_t()
    nvml.call("nvmlDeviceGetGpuFabricInfoV", handle, ctypes.byref(information))
    # Cards outside of a fabric have a state, and a UUID of zeros or garbage.
    return bytes(information.clusterUuid).hex() if information.state == FABRIC_COMPLETED else None


def _cuda_version(nvml: Nvml, _: Any) -> tuple[int, int]:
    number = int(nvml.call("nvmlSystemGetCudaDriverVersion_v2"))
    return number // 1000, number % 1000 // 10


def _confidential(nvml: Nvml, _: Any) -> bool:
    state = nvml.call("nvmlSystemGetConfComputeState")
    return bool(state.ccFeature == pynvml.NVML_CC_SYSTEM_FEATURE_ENABLED)


_MACHINE: Final[Answers] = {
    "driver_version": lambda nvml, _: _printable(nvml.call("nvmlSystemGetDriverVersion")),
    "cuda_version": _cuda_version,
    "nvml_version": lambda nvml, _: _printable(nvml.call("nvmlSystemGetNVMLVersion")),
    "confidential_computing": _confidential,
}
_GPU: Final[Answers] = {
    "uuid": _text("nvmlDeviceGetUUID"),
    "name": _text("nvmlDeviceGetName"),
    "serial": _text("nvmlDeviceGetSerial"),
    "board_part_number": _text("nvmlDeviceGetBoardPartNumber"),
    "vbios_version": _text("nvmlDeviceGetVbiosVersion"),
    "inforom_version": _text("nvmlDeviceGetInforomImageVersion"),
    "pci_bus_id": lambda nvml, handle: _printable(nvml.call("nvmlDeviceGetPciInfo_v3", handle).busId),
    "pci_device_id": lambda nvml, handle: _nonzero(nvml.call("nvmlDeviceGetPciInfo_v3", handle).pciDeviceId),
    "pci_subsystem_id": lambda nvml, handle: _nonzero(
        nvml.call("nvmlDeviceGetPciInfo_v3", handle).pciSubSystemId
    ),
    "architecture": _architecture,
    "compute_capability": _capability,
    "cores": _positive("nvmlDeviceGetNumGpuCores"),
    "memory_bytes": lambda nvml, handle: _nonzero(int(nvml.call("nvmlDeviceGetMemoryInfo", handle).total)),
    "memory_bus_bits": _positive("nvmlDeviceGetMemoryBusWidth"),
    "maximum_clock_mhz": _positive("nvmlDeviceGetMaxClockInfo", pynvml.NVML_CLOCK_SM),
    "maximum_memory_clock_mhz": _positive("nvmlDeviceGetMaxClockInfo", pynvml.NVML_CLOCK_MEM),
    "clock_mhz": _positive("nvmlDeviceGetClockInfo", pynvml.NVML_CLOCK_SM),
    "clocks_event_reasons": _plain("nvmlDeviceGetCurrentClocksEventReasons"),
    "power_limit_watts": _watts("nvmlDeviceGetEnforcedPowerLimit"),
    "power_limit_range_watts": _power_range,
    "mig_enabled": lambda nvml, handle: bool(nvml.call("nvmlDeviceGetMigMode", handle)[0]),
    "virtualization": _plain("nvmlDeviceGetVirtualizationMode"),
    "compute_mode": _plain("nvmlDeviceGetComputeMode"),
    "compute_processes": lambda nvml, handle: len(
        nvml.call("nvmlDeviceGetComputeRunningProcesses_v3", handle)
    ),
    "ecc_enabled": lambda nvml, handle: bool(nvml.call("nvmlDeviceGetEccMode", handle)[0]),
    "uncorrected_errors": _uncorrected,
    "remapped_rows": _remapped,
    "pcie_generation": _positive("nvmlDeviceGetCurrPcieLinkGeneration"),
    "pcie_width": _positive("nvmlDeviceGetCurrPcieLinkWidth"),
    "device_identity": _positive("nvmlDeviceGetPdi"),
    "chassis_serial": _chassis,
    "fabric_cluster": _fabric,
}
