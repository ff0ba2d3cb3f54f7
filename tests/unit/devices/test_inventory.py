"""Claims as the driver's library makes them, through the real pynvml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pynvml
import pytest
from eth_utils.crypto import keccak

from proofmill.devices import Device, DeviceClass, DriverFailed, describe_cpu, take_inventory
from proofmill.devices.nvml import MEANINGS, Meaning
from tests.unit.devices.fake_nvml import FakeCard, FakeLibrary

Install = Callable[[FakeLibrary], FakeLibrary]
OPTIONAL = {
    "serial": "nvmlDeviceGetSerial",
    "cores": "nvmlDeviceGetNumGpuCores",
    "memory_bytes": "nvmlDeviceGetMemoryInfo",
    "power_limit_watts": "nvmlDeviceGetEnforcedPowerLimit",
    "mig_enabled": "nvmlDeviceGetMigMode",
    "ecc_enabled": "nvmlDeviceGetEccMode",
    "remapped_rows": "nvmlDeviceGetRemappedRows",
    "chassis_serial": "nvmlDeviceGetPlatformInfo",
}


def gpus_of(install: Install, *cards: FakeCard) -> tuple[Device, ...]:
    library = install(FakeLibrary(list(cards)))
    gpus = take_inventory().gpus
    assert library.open == 0  # every start has its shutdown
    return gpus


@pytest.mark.usefixtures("no_library")
def test_inventory__no_driver__a_processor_and_no_gpu() -> None:
    inventory = take_inventory()
    assert [device.device_class for device in inventory.devices] == [DeviceClass.CPU]
    assert (inventory.driver_version, inventory.confidential_computing) == (None, None)


def test_inventory__library_without_a_loaded_driver__no_gpu(install: Install) -> None:
    install(FakeLibrary([FakeCard()], start=pynvml.NVML_ERROR_DRIVER_NOT_LOADED))
    assert take_inventory().gpus == ()


def test_inventory__driver_that_does_not_start__says_what_to_do(install: Install) -> None:
    install(FakeLibrary([FakeCard()], start=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    with pytest.raises(DriverFailed, match="version mismatch") as caught:
        take_inventory()
    assert "nvidia-smi" in caught.value.remedy


def test_inventory__a_card__every_claim(install: Install) -> None:
    [card] = gpus_of(install, FakeCard())
    assert card == Device(
        device_class=DeviceClass.GPU,
        index=0,
        uuid="GPU-00000000-0000-0000-0000-000000000001",
        name="NVIDIA H100 80GB HBM3",
        serial="1650000000001",
        board_part_number="692-2G520-0200-000",
        vbios_version="96.00.74.00.01",
        inforom_version="G520.0200.00.05",
        pci_bus_id="00000000:1B:00.0",
        pci_device_id=0x233010DE,
        pci_subsystem_id=0x16C110DE,
        architecture=9,
        compute_capability=(9, 0),
        cores=16_896,
        memory_bytes=81_559 * 1024 * 1024,
        memory_bus_bits=5_120,
        maximum_clock_mhz=1_980,
        maximum_memory_clock_mhz=1_980,
        clock_mhz=345,
        clocks_event_reasons=0,
        power_limit_watts=700.0,
        power_limit_range_watts=(200.0, 700.0),
        mig_enabled=False,
        virtualization=1,
        compute_mode=0,
        compute_processes=0,
        ecc_enabled=True,
        uncorrected_errors=0,
        remapped_rows=(0, 2),
        pcie_generation=5,
        pcie_width=16,
        device_identity=0xABCDEF,
        chassis_serial="CHASSIS-7",
        fabric_cluster=None,
    )
    assert set(card.silences) == {"fabric_cluster"}
    assert card.device_id == keccak(b"GPU-00000000-0000-0000-0000-000000000001")


def test_inventory__machine(install: Install) -> None:
    install(FakeLibrary([]))
    inventory = take_inventory()
    assert (inventory.driver_version, inventory.cuda_version) == ("580.65.06", (13, 1))
    assert inventory.confidential_computing is True
    assert inventory.gpus == ()


@pytest.mark.parametrize(("claim", "function"), OPTIONAL.items())
def test_inventory__any_error__is_none_and_says_why(install: Install, claim: str, function: str) -> None:
    for error, meaning in MEANINGS.items():
        [card] = gpus_of(install, FakeCard(errors={function: error}))
        assert getattr(card, claim) is None
        assert meaning.value in card.silences[claim]
        assert card.name == "NVIDIA H100 80GB HBM3"  # nothing else is lost


def test_inventory__error_of_a_later_driver__is_a_failure(install: Install) -> None:
    [card] = gpus_of(install, FakeCard(errors={"nvmlDeviceGetSerial": 31}))
    assert card.serial is None
    assert Meaning.FAILED.value in card.silences["serial"]


def test_meanings__every_error_of_pynvml__has_one() -> None:
    codes = {value for name, value in vars(pynvml).items() if name.startswith("NVML_ERROR_")}
    assert set(MEANINGS) == codes


def test_inventory__old_library_without_a_function__none(install: Install) -> None:
    install(
        FakeLibrary([FakeCard()], lacking=frozenset({"nvmlDeviceGetPdi", "nvmlSystemGetConfComputeState"}))
    )
    inventory = take_inventory()
    assert inventory.gpus[0].device_identity is None
    assert inventory.confidential_computing is None
    assert Meaning.ABSENT.value in inventory.silences["confidential_computing"]


def test_inventory__zeros_and_empty_texts__are_no_values(install: Install) -> None:
    [card] = gpus_of(install, FakeCard(memory=0, cores=0, power_limit=0, serial=b"", uuid=b""))
    assert (card.memory_bytes, card.cores, card.power_limit_watts, card.serial) == (None, None, None, None)
    assert card.device_id is None
    assert {"memory_bytes", "cores", "power_limit_watts", "serial", "uuid"} <= set(card.silences)


def test_inventory__lost_card__the_others_remain(install: Install) -> None:
    lost = FakeCard(errors={"nvmlDeviceGetHandleByIndex_v2": pynvml.NVML_ERROR_GPU_IS_LOST})
    install(FakeLibrary([lost, FakeCard(uuid=b"GPU-2")]))
    inventory = take_inventory()
    assert [(card.index, card.uuid) for card in inventory.gpus] == [(1, "GPU-2")]
    assert "not in order" in inventory.silences["gpu 0"]


def test_inventory__hostile_texts__cannot_reach_a_log(install: Install) -> None:
    [card] = gpus_of(install, FakeCard(name=b"H100\x1b[2J\n{}" + b"A" * 70, serial=b"\xff\xfe"))
    assert card.name is not None
    assert card.name.startswith("H100[2J{}A")
    assert len(card.name) <= 128
    assert card.serial is None


def test_inventory__driver_that_counts_a_million_cards__asks_none(install: Install) -> None:
    library = FakeLibrary([FakeCard()] * 65)
    install(library)
    inventory = take_inventory()
    assert inventory.gpus == ()
    assert "65" in inventory.silences["gpu count"]


# ------------------------------------------------------------------ the processor
@pytest.fixture
def machine(tmp_path: Path) -> Path:
    for name, text in {
        "etc/machine-id": "3d1219c7c4c5404aaa1f6d2a48adfda4\n",
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n",
        "proc/meminfo": "MemTotal:       16384 kB\nMemFree: 1 kB\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_cpu__is_a_device_with_a_stable_identity(machine: Path) -> None:
    cpu = describe_cpu(machine)
    assert (cpu.device_class, cpu.name, cpu.memory_bytes) == (
        DeviceClass.CPU,
        "Some CPU @ 3 GHz",
        16_384 * 1024,
    )
    assert cpu.cores is not None
    assert cpu.cores >= 1
    assert cpu.uuid == describe_cpu(machine).uuid
    assert cpu.uuid is not None
    assert "3d1219c7" not in cpu.uuid.replace("-", "")  # the machine's own identity is not published
    (machine / "etc/machine-id").write_text("4d1219c7c4c5404aaa1f6d2a48adfda4\n")
    assert describe_cpu(machine).uuid != cpu.uuid


def test_cpu__container_with_less_memory__has_less(machine: Path) -> None:
    limit = machine / "sys/fs/cgroup/memory.max"
    limit.parent.mkdir(parents=True)
    limit.write_text("max\n")
    assert describe_cpu(machine).memory_bytes == 16_384 * 1024
    limit.write_text("1048576\n")
    assert describe_cpu(machine).memory_bytes == 1_048_576


@pytest.mark.parametrize(
    "identity", ["", "\n", "00000000000000000000000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]
)
def test_cpu__machine_without_an_identity__has_none(machine: Path, identity: str) -> None:
    (machine / "etc/machine-id").write_text(identity)
    cpu = describe_cpu(machine)
    assert (cpu.uuid, cpu.device_id) == (None, None)
    assert "machine-id" in cpu.silences["uuid"]


def test_cpu__files_are_not_there__none_not_zero(tmp_path: Path) -> None:
    cpu = describe_cpu(tmp_path)
    assert (cpu.uuid, cpu.memory_bytes) == (None, None)
    assert set(cpu.silences) >= {"uuid", "memory_bytes"}
