"""Before any test: a contract is compiled once for each state of all files that it is made of.

titanoboa's own fingerprint of a contract does not notice that a module of a module has changed, and would run old code; and to
have it, every contract is parsed and analysed anew by every process.
"""

from __future__ import annotations

import gc
import hashlib
import re
from pathlib import Path
from typing import Any

from boa import interpret
from vyper.compiler.settings import anchor_settings

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


def fingerprint(path: Path) -> str:
    """Of all that a contract is made of."""
    total = hashlib.sha256()
    for file, text in sorted(sources_of(path).items()):
        total.update(str(file).encode() + b"\0" + text + b"\0")
    return total.hexdigest()


def compiler_data(
    source_code: str, contract_name: str | None, filename: str | Path, deployer: Any = None, **options: Any
) -> Any:
    """What titanoboa's own function gives, looked up before anything is parsed.

    A compiled contract is some 100,000 objects that live as long as the process: they are read without looking for garbage
    among them, seven times as fast.
    """

    def compiled() -> Any:
        cache, interpret._disk_cache = interpret._disk_cache, None
        try:
            made = from_source(source_code, contract_name, filename, deployer, **options)
        finally:
            interpret._disk_cache = cache
        with anchor_settings(made.settings):
            _ = made.bytecode, made.bytecode_runtime  # what is compiled now is kept with it
            made.source_map = interpret._compute_source_map(made)
        return made

    key = str((contract_name, str(filename), fingerprint(Path(filename).resolve()), options, repr(deployer)))
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        return interpret._disk_cache.caching_lookup(key, compiled)
    finally:
        if is_collecting:
            gc.freeze()
            gc.enable()


from_source = interpret.compiler_data
interpret.compiler_data = compiler_data
interpret.set_cache_dir(ROOT / ".cache" / "titanoboa")
