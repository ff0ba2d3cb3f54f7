"""The processor of this machine as a device: challenged like a card, with a size of its own class."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from types import MappingProxyType
from typing import Final
from uuid import UUID

from eth_utils.crypto import keccak

from proofmill.devices.claims import Device, DeviceClass

ROOT: Final = Path("/")
DOMAIN: Final = b"proofmill cpu 1"
# What stays the same when the machine restarts, the best first; the second is readable for root only.
IDENTITIES: Final = ("etc/machine-id", "sys/class/dmi/id/product_uuid", "var/lib/dbus/machine-id")
CGROUP_MEMORY: Final = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")


def describe_cpu(root: Path = ROOT) -> Device:
    """The claims of the processor; `root` is where the system's files are."""
    uuid, name, memory_bytes = _uuid(root), _name(root), _memory(root)
    silences: dict[str, str] = {}
    if uuid is None:
        silences["uuid"] = f"none of {', '.join('/' + path for path in IDENTITIES)} can be read"
    if name is None:
        silences["name"] = "/proc/cpuinfo does not say"
    if memory_bytes is None:
        silences["memory_bytes"] = "/proc/meminfo does not say"
    return Device(
        device_class=DeviceClass.CPU,
        index=0,
        uuid=uuid,
        name=name,
        cores=_cores(),
        memory_bytes=memory_bytes,
        silences=MappingProxyType(silences),
    )


def _uuid(root: Path) -> str | None:
    """Made from the machine's own identity, which is not to be published itself: so that it cannot be told from this."""
    for path in IDENTITIES:
        identity = (_text(root / path) or "").strip().lower()
        if identity.replace("-", "").strip("0f"):
            return f"CPU-{UUID(bytes=keccak(DOMAIN + identity.encode())[:16])}"
    return None


def _name(root: Path) -> str | None:
    for line in (_text(root / "proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() in ("model name", "cpu model") and value.strip():
            return value.strip()
    # Arm kernels name no model; what they are is all that is left.
    return platform.machine() or None


def _cores() -> int:
    """Those that this process may run on: a container's share, not the machine's."""
    return len(os.sched_getaffinity(0))


def _memory(root: Path) -> int | None:
    """The machine's, or a container's limit where that is less."""
    total = None
    for line in (_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            total = int(line.split()[1]) * 1024
    limits = [int(text) for path in CGROUP_MEMORY if (text := (_text(root / path) or "").strip()).isdecimal()]
    return min([total, *limits]) if total is not None else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
