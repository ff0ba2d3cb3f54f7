"""Which devices of a machine take part in measuring, with which size of challenge, and who says so where one does not."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import pynvml
import pytest

from proofmill.devices import Device, DeviceClass, Inventory
from worker.measuring import build
from worker.measuring.build import choose_devices, usual_size

CPU = Device(device_class=DeviceClass.CPU, index=0, uuid="CPU-1", name="a processor", memory_bytes=1 << 34)
H100 = Device(
    device_class=DeviceClass.GPU,
    index=0,
    uuid="GPU-a",
    name="NVIDIA H100 80GB HBM3",
    memory_bytes=80 << 30,
)
UNKNOWN = replace(H100, index=1, uuid="GPU-b", name="NVIDIA GeForce GTX 750")
MACHINE = Inventory((CPU, H100, UNKNOWN))
#: torch counts the cards the other way round.
CARDS = {"GPU-a": "cuda:1", "GPU-b": "cuda:0"}


@dataclass
class Log:
    """Keeps what is left out, and what to do."""

    left_out: dict[str, str] = field(default_factory=dict)

    def warning(self, event: str, **facts: Any) -> None:
        assert event == "device is not measured"
        self.left_out[facts["device"]] = f"{facts['why']}. {facts['remedy']}"


@pytest.fixture
def log() -> Any:
    return Log()


def test_choose__nothing_wanted__all_whose_size_is_known(log: Any) -> None:
    chosen = choose_devices(MACHINE, CARDS, {}, log)
    assert [(item.torch_name, item.uuid, item.takes.name) for item in chosen] == [
        ("cpu", "CPU-1", "processor"),
        ("cuda:1", "GPU-a", "h100"),
    ]
    assert [item.device_id for item in chosen] == [CPU.device_id, H100.device_id]
    assert [item.memory_bytes for item in chosen] == [1 << 34, 80 << 30]
    assert list(log.left_out) == ["cuda:0"]
    assert "GTX 750" in log.left_out["cuda:0"]


def test_choose__wanted__those_with_that_size_and_no_others(log: Any) -> None:
    [chosen] = choose_devices(MACHINE, CARDS, {"cuda:0": "t4"}, log)
    assert (chosen.torch_name, chosen.uuid, chosen.takes.name) == ("cuda:0", "GPU-b", "t4")
    assert not log.left_out


def test_choose__wanted_but_not_there__says_so(log: Any) -> None:
    assert choose_devices(MACHINE, CARDS, {"cuda:7": "t4"}, log) == []
    assert "nvidia-smi -L" in log.left_out["cuda:7"]


def test_choose__card_that_torch_does_not_see__is_left_out(log: Any) -> None:
    chosen = choose_devices(MACHINE, {}, {}, log)
    assert [item.torch_name for item in chosen] == ["cpu"]
    assert "torch cannot use it" in log.left_out["NVIDIA H100 80GB HBM3"]


def test_choose__machine_without_an_identity__is_left_out(log: Any) -> None:
    assert choose_devices(Inventory((replace(CPU, uuid=None),)), {}, {}, log) == []
    assert "/etc/machine-id" in log.left_out["cpu"]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("NVIDIA H200", "h100"),
        ("NVIDIA H100 PCIe", "h100"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 3090", "rtx-3090"),
        ("Tesla T4", "t4"),
        ("Tesla V100-SXM2-16GB", "t4"),
    ],
)
def test_usual_size__card__the_one_that_keeps_it_busy_for_seconds(name: str, size: str) -> None:
    found = usual_size(replace(H100, name=name))
    assert found is not None
    assert found.name == size


def test_meter__this_machine__measures_or_says_nothing(log: Any) -> None:
    """Whichever meter there is: what is claimed is not negative, and its absence is no error."""
    [chosen] = choose_devices(Inventory((CPU,)), {}, {}, log)
    assert chosen.meter is not None
    with chosen.meter() as meter:
        pass
    assert meter.energy.joules is None or meter.energy.joules >= 0


class OneCard:
    """A driver with one card, whose counter of millijoules has 1,500 more at each reading."""

    def __init__(self, uuid: str) -> None:
        self._uuid, self._millijoules = uuid, 0

    def call(self, name: str, *arguments: Any) -> Any:
        if name == "nvmlDeviceGetHandleByUUID" and arguments == (self._uuid,):
            return self
        if name == "nvmlDeviceGetTotalEnergyConsumption" and arguments == (self,):
            self._millijoules += 1_500
            return self._millijoules
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)


@pytest.mark.parametrize(("uuid", "joules"), [("GPU-a", 1.5), ("GPU-z", None)])
def test_meter__card__is_asked_by_its_own_name(
    log: Any, monkeypatch: pytest.MonkeyPatch, uuid: str, joules: float | None
) -> None:
    monkeypatch.setattr(build, "opened", lambda: nullcontext(OneCard(uuid)))
    [chosen] = choose_devices(MACHINE, CARDS, {"cuda:1": "h100"}, log)
    assert chosen.meter is not None
    with chosen.meter() as meter:
        pass
    # One reading finds out whether there is a counter, one begins, one ends.
    assert meter.energy.joules == joules
