"""Before any test: a contract is compiled once for each state of all files that it is made of.

titanoboa's own fingerprint of a contract does not notice that a module of a module has changed, and would run old code.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from boa import interpret

ROOT = Path(__file__).resolve().parent.parent
IMPORT = re.compile(r"^from contracts\.(\w+) import (\w+)", re.MULTILINE)


def sources_of(path: Path) -> dict[Path, bytes]:
    """A contract's file and those of all modules and interfaces behind it."""
    known: dict[Path, bytes] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in known:
            continue
        known[file] = file.read_bytes()
        for folder, name in IMPORT.findall(known[file].decode()):
            found = [ROOT / "contracts" / folder / f"{name}{kind}" for kind in (".vy", ".vyi")]
            waiting += [candidate for candidate in found if candidate.exists()]
    return known


def fingerprint(module: Any, *_: Any) -> str:
    total = hashlib.sha256()
    for path, text in sorted(sources_of(Path(module._module.resolved_path)).items()):
        total.update(str(path).encode() + b"\0" + text + b"\0")
    return total.hexdigest()


interpret.get_module_fingerprint = fingerprint
interpret.set_cache_dir(ROOT / ".cache" / "titanoboa")
