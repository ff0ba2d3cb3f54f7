"""A library that speaks NVML's C interface, for pynvml to call: what a shim of an adversary, or a broken driver, would be.

Every function takes what pynvml passes through ctypes and fills the caller's memory, as the real library does.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pynvml

GIBI = 1 << 30


@dataclass
class FakeCard:
    """What one card answers. `errors` has NVML's error for a C function that fails on it."""

    name: bytes = b"NVIDIA H100 80GB HBM3"
    uuid: bytes = b"GPU-00000000-0000-0000-0000-000000000001"
    serial: bytes = b"1650000000001"
    memory: int = 81_559 * 1024 * 1024
    capability: tuple[int, int] = (9, 0)
    cores: int = 16_896
    power_limit: int = 700_000  # milliwatts
    energy: list[int] = field(default_factory=lambda: [1_000_000])  # millijoules, one for each reading
    power: list[int] = field(default_factory=lambda: [100_000])  # milliwatts, one for each reading
    errors: dict[str, int] = field(default_factory=dict)
    report: Callable[[bytes], bytes] = lambda nonce: (
        b"\x11\xe0\x01\xff" + nonce + b"measurements and signature"
    )
    report_size: int | None = None


def _next(values: list[int]) -> int:
    return values.pop(0) if len(values) > 1 else values[0]


class FakeLibrary:
    """Stands where pynvml has the loaded shared library."""

    def __init__(
        self, cards: list[FakeCard], start: int = pynvml.NVML_SUCCESS, lacking: frozenset[str] = frozenset()
    ) -> None:
        self.cards = cards
        self.start = start
        self.open = 0
        self._lacking = lacking
        self._structures = [pynvml.struct_c_nvmlDevice_t() for _ in cards]

    def __getattr__(self, name: str) -> Callable[..., int]:
        function = _FUNCTIONS.get(name)
        if function is None or name in self.__dict__["_lacking"]:
            raise AttributeError(name)  # as ctypes does for a symbol that the library lacks

        def call(*arguments: Any) -> int:
            if arguments and isinstance(arguments[0], pynvml.c_nvmlDevice_t):
                card = self._card(arguments[0])
                if name in card.errors:
                    return card.errors[name]
                return function(card, *arguments[1:]) or pynvml.NVML_SUCCESS
            return function(self, *arguments) or pynvml.NVML_SUCCESS

        return call

    def _card(self, handle: Any) -> FakeCard:
        where = ctypes.addressof(handle.contents)
        [card] = [
            card
            for card, structure in zip(self.cards, self._structures, strict=True)
            if ctypes.addressof(structure) == where
        ]
        return card

    def handle(self, index: int, out: Any) -> int | None:
        if "nvmlDeviceGetHandleByIndex_v2" in self.cards[index].errors:
            return self.cards[index].errors["nvmlDeviceGetHandleByIndex_v2"]
        out._obj.contents = self._structures[index]
        return None


def _into(out: Any, value: int) -> None:
    out._obj.value = value


def _number(read: Callable[[Any], int]) -> Callable[..., None]:
    return lambda card, *arguments: _into(arguments[-1], read(card))


def _string(read: Callable[[Any], bytes]) -> Callable[..., None]:
    def answer(card: Any, *arguments: Any) -> None:
        buffer = next(argument for argument in arguments if isinstance(argument, ctypes.Array))
        buffer.value = read(card)

    return answer


def _init(library: FakeLibrary, _flags: int) -> int:
    library.open += library.start == pynvml.NVML_SUCCESS
    return library.start


def _shutdown(library: FakeLibrary) -> None:
    library.open -= 1


def _memory(card: FakeCard, out: Any) -> None:
    out._obj.total = card.memory


def _pci(_card: FakeCard, out: Any) -> None:
    out._obj.busId, out._obj.pciDeviceId, out._obj.pciSubSystemId = (
        b"00000000:1B:00.0",
        0x233010DE,
        0x16C110DE,
    )


def _pair(first: int, second: int) -> Callable[..., None]:
    def answer(_card: FakeCard, out: Any, other: Any) -> None:
        _into(out, first)
        _into(other, second)

    return answer


def _capability(card: FakeCard, major: Any, minor: Any) -> None:
    _into(major, card.capability[0])
    _into(minor, card.capability[1])


def _rows(_card: FakeCard, *outs: Any) -> None:
    for out, value in zip(outs, (0, 2, 0, 0), strict=True):
        _into(out, value)


def _processes(_card: FakeCard, count: Any, _array: Any) -> None:
    _into(count, 0)


def _fields(card: FakeCard, _count: Any, values: Any) -> None:
    [value] = values._obj
    assert value.fieldId == pynvml.NVML_FI_DEV_POWER_INSTANT
    value.nvmlReturn, value.valueType = pynvml.NVML_SUCCESS, pynvml.NVML_VALUE_TYPE_UNSIGNED_INT
    value.value.uiVal = _next(card.power)


def _platform(_card: FakeCard, out: Any) -> None:
    out._obj.chassisSerialNumber = b"CHASSIS-7"


def _fabric(_card: FakeCard, out: Any) -> None:
    out._obj.state = 0  # not supported: the UUID means nothing
    out._obj.clusterUuid[0] = 255


def _report(card: FakeCard, out: Any) -> None:
    structure = out._obj
    report = card.report(bytes(structure.nonce))
    structure.attestationReport[: len(report)] = list(report)
    structure.attestationReportSize = len(report) if card.report_size is None else card.report_size


def _certificate(_card: FakeCard, out: Any) -> None:
    chain = b"-----BEGIN CERTIFICATE-----"
    out._obj.attestationCertChain[: len(chain)] = list(chain)
    out._obj.attestationCertChainSize = len(chain)


def _confidential(_library: FakeLibrary, out: Any) -> None:
    out._obj.ccFeature = pynvml.NVML_CC_SYSTEM_FEATURE_ENABLED


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "nvmlInitWithFlags": _init,
    "nvmlShutdown": _shutdown,
    "nvmlErrorString": lambda _library, _code: b"said by the library",
    "nvmlDeviceGetCount_v2": _number(lambda library: len(library.cards)),
    "nvmlDeviceGetHandleByIndex_v2": lambda library, index, out: library.handle(index.value, out),
    "nvmlSystemGetDriverVersion": _string(lambda _: b"580.65.06"),
    "nvmlSystemGetNVMLVersion": _string(lambda _: b"13.580.65.06"),
    "nvmlSystemGetCudaDriverVersion_v2": _number(lambda _: 13_010),
    "nvmlSystemGetConfComputeState": _confidential,
    "nvmlDeviceGetUUID": _string(lambda card: card.uuid),
    "nvmlDeviceGetName": _string(lambda card: card.name),
    "nvmlDeviceGetSerial": _string(lambda card: card.serial),
    "nvmlDeviceGetBoardPartNumber": _string(lambda _: b"692-2G520-0200-000"),
    "nvmlDeviceGetVbiosVersion": _string(lambda _: b"96.00.74.00.01"),
    "nvmlDeviceGetInforomImageVersion": _string(lambda _: b"G520.0200.00.05"),
    "nvmlDeviceGetPciInfo_v3": _pci,
    "nvmlDeviceGetArchitecture": _number(lambda _: pynvml.NVML_DEVICE_ARCH_HOPPER),
    "nvmlDeviceGetCudaComputeCapability": _capability,
    "nvmlDeviceGetNumGpuCores": _number(lambda card: card.cores),
    "nvmlDeviceGetMemoryInfo": _memory,
    "nvmlDeviceGetMemoryBusWidth": _number(lambda _: 5_120),
    "nvmlDeviceGetMaxClockInfo": _number(lambda _: 1_980),
    "nvmlDeviceGetClockInfo": _number(lambda _: 345),
    "nvmlDeviceGetCurrentClocksEventReasons": _number(lambda _: 0),
    "nvmlDeviceGetEnforcedPowerLimit": _number(lambda card: card.power_limit),
    "nvmlDeviceGetPowerManagementLimitConstraints": _pair(200_000, 700_000),
    "nvmlDeviceGetMigMode": _pair(0, 0),
    "nvmlDeviceGetVirtualizationMode": _number(lambda _: 1),
    "nvmlDeviceGetComputeMode": _number(lambda _: 0),
    "nvmlDeviceGetComputeRunningProcesses_v3": _processes,
    "nvmlDeviceGetEccMode": _pair(1, 1),
    "nvmlDeviceGetTotalEccErrors": _number(lambda _: 0),
    "nvmlDeviceGetRemappedRows": _rows,
    "nvmlDeviceGetCurrPcieLinkGeneration": _number(lambda _: 5),
    "nvmlDeviceGetCurrPcieLinkWidth": _number(lambda _: 16),
    "nvmlDeviceGetPdi": _number(lambda _: 0xABCDEF),
    "nvmlDeviceGetPlatformInfo": _platform,
    "nvmlDeviceGetGpuFabricInfoV": _fabric,
    "nvmlDeviceGetTotalEnergyConsumption": _number(lambda card: _next(card.energy)),
    "nvmlDeviceGetFieldValues": _fields,
    "nvmlDeviceGetConfComputeGpuAttestationReport": _report,
    "nvmlDeviceGetConfComputeGpuCertificate": _certificate,
}
