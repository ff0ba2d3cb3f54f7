"""Which tests judge which source file: those of the contracts that it is compiled into."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

IMPORT: Final = re.compile(r"^from contracts\.modules import (\w+)", re.MULTILINE)
TEST_ROOTS: Final = ("tests/unit/contracts", "tests/property/contracts")
STATEFUL: Final = "tests/stateful"
WHOLE: Final = "whole"  # folder of the machine that plays all contracts at once
OTHER_AREAS: Final = {"MillToken": "token"}  # contracts whose tests are not in folders of their own name


def sources(root: Path) -> list[str]:
    """Every contract and module, relative to the root."""
    files = [*sorted((root / "contracts").glob("*.vy")), *sorted((root / "contracts/modules").glob("*.vy"))]
    return [str(path.relative_to(root)) for path in files]


def area_of(contract: str) -> str:
    """`JobEscrow` is tested in folders called `job_escrow`."""
    return OTHER_AREAS.get(contract) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", contract).lower()


def reaches(root: Path, contract: Path) -> set[str]:
    """The modules that a contract is made of, by name."""
    found: set[str] = set()
    waiting = IMPORT.findall(contract.read_text("utf-8"))
    while waiting:
        name = waiting.pop()
        module = root / "contracts/modules" / f"{name}.vy"
        if name not in found and module.is_file():
            found.add(name)
            waiting += IMPORT.findall(module.read_text("utf-8"))
    return found


def contracts_with(root: Path, source: str) -> list[Path]:
    """The contracts that a source file is part of, the smallest first; mocks if nothing else has it."""
    path = root / source
    if path.parent.name != "modules":
        return [path]
    for folder in ("contracts", "contracts/mocks"):
        candidates = sorted((root / folder).glob("*.vy"))
        users = [each for each in candidates if path.stem in reaches(root, each)]
        if users:
            return sorted(users, key=lambda each: (len(reaches(root, each)), each.name))
    return []


def tests_of(root: Path, source: str, *, with_stateful: bool) -> list[str]:
    """Folders and files of tests, what kills soonest first: a module's own, its contracts' unit tests, then the others."""
    module = Path(source).stem
    areas = [area_of(contract.stem) for contract in contracts_with(root, source)]
    found: list[str] = []
    for test_root in TEST_ROOTS:
        own = sorted((root / test_root).rglob(f"test_{module}*.py")) + sorted(
            (root / test_root).rglob(module)
        )
        found += [str(path.relative_to(root)) for path in own if path.is_dir() or path.suffix == ".py"]
    for test_root in TEST_ROOTS:
        for area in areas:
            folder = root / test_root / area
            files = [folder] if folder.is_dir() else sorted((root / test_root).glob(f"test_{area}*.py"))
            found += [str(path.relative_to(root)) for path in files]
    if with_stateful:
        machines = root / STATEFUL
        own = [path for area in areas for path in sorted(machines.glob(f"test_{area}*.py"))]
        found += [str(path.relative_to(root)) for path in [*own, machines / WHOLE] if path.exists()]
    return list(dict.fromkeys(found))
