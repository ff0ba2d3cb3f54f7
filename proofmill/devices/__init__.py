"""What a machine says of itself: devices, energy, attestation; and which of it disagrees with what was measured.

Everything a device says is a claim. Knows no chain and no network.
"""

from proofmill.devices.agreement import Assessment, Disagreement, Kind, Measured, assess
from proofmill.devices.attestation import Attestation, InvalidNonce, attest
from proofmill.devices.claims import Device, DeviceClass, Inventory
from proofmill.devices.cpu import describe_cpu
from proofmill.devices.energy import (
    Counter,
    Energy,
    EnergyMeter,
    Source,
    card_counter,
    measure_idle,
    package_counter,
)
from proofmill.devices.inventory import take_inventory
from proofmill.devices.nvml import DriverFailed, Nvml, opened

__all__ = [
    "Assessment",
    "Attestation",
    "Counter",
    "Device",
    "DeviceClass",
    "Disagreement",
    "DriverFailed",
    "Energy",
    "EnergyMeter",
    "InvalidNonce",
    "Inventory",
    "Kind",
    "Measured",
    "Nvml",
    "Source",
    "assess",
    "attest",
    "card_counter",
    "describe_cpu",
    "measure_idle",
    "opened",
    "package_counter",
    "take_inventory",
]
