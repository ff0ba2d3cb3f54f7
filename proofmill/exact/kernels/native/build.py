"""Compile the C++ sources into one shared library, once per machine, compiler and version of the sources.

The library is named after everything its bits can depend on: the sources, the flags, and what the compiler says
about itself and the processor (its predefined macros, which list every instruction set ``-march=native`` selects).
So a cache directory shared by different machines holds one library for each.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import torch

from proofmill.exact.errors import NativeUnavailable

SOURCES: Final = Path(__file__).parent / "src"

#: Floating point must mean what it says: no contraction, no reassociation. Traps, errno, the sign of zero, infinities and
#: what is not a number never arise or are never looked at. Integers wrap.
BASE_FLAGS: Final = (
    "-O3",
    "-std=c++17",
    "-fPIC",
    "-pthread",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-ffinite-math-only",
    "-fwrapv",
)
NATIVE_FLAGS: Final = ("-march=native",)

_COMPILERS: Final = ("g++", "c++", "clang++")
_TIMEOUT_SECONDS: Final = 600
_REMEDY: Final = (
    "Install g++ or clang++ (or set CXX), or use the portable kernels: they give the same bits, slower."
)


def cache_directory() -> Path:
    """Where compiled libraries are kept: ``native`` under ``PROOFMILL_CACHE`` or ``~/.cache/proofmill``."""
    configured = os.environ.get("PROOFMILL_CACHE")
    return (Path(configured) if configured else Path.home() / ".cache" / "proofmill") / "native"


def _run(command: list[str]) -> str:
    try:
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NativeUnavailable(f"{command[0]} could not be run: {error}", remedy=_REMEDY) from error
    if result.returncode != 0:
        message = "\n".join(result.stderr.strip().splitlines()[:12])
        raise NativeUnavailable(
            f"{' '.join(command[:1])} failed with status {result.returncode}:\n{message}", remedy=_REMEDY
        )
    return result.stdout


def _compiler() -> str:
    configured = os.environ.get("CXX")
    for name in (configured,) if configured else _COMPILERS:
        found = shutil.which(name)
        if found is not None:
            return found
    raise NativeUnavailable(
        f"there is no C++ compiler: {configured or ', '.join(_COMPILERS)}", remedy=_REMEDY
    )


def _library_name(compiler: str, flags: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        if path.suffix in {".cpp", ".h"}:
            content = path.read_bytes()
            digest.update(f"{path.name} {len(content)}\n".encode() + content)
    digest.update("\n".join(flags).encode())
    digest.update(_run([compiler, *flags, "-dM", "-E", "-x", "c++", os.devnull]).encode())
    return f"proofmill-{digest.hexdigest()[:32]}.so"


def _compile(compiler: str, flags: tuple[str, ...], target: Path) -> None:
    """Compile every source by itself, link, and move the library into place in one step.

    Several processes may do this at once: each works in a directory of its own, and the last rename wins.
    """
    with tempfile.TemporaryDirectory(prefix="proofmill-native-", dir=target.parent) as work:

        def compile_source(source: Path) -> str:
            result = str(Path(work) / f"{source.stem}.o")
            _run([compiler, *flags, "-c", str(source), "-o", result])
            return result

        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as executor:
            parts = list(executor.map(compile_source, sorted(SOURCES.glob("*.cpp"))))
        linked = Path(work) / target.name
        _run([compiler, *flags, "-shared", *parts, "-o", str(linked)])
        linked.replace(target)


def build(flags: tuple[str, ...] = NATIVE_FLAGS) -> Path:
    """The shared library compiled with ``flags`` besides the base flags, from the cache if it is there.

    Raises ``NativeUnavailable`` if there is no compiler, it fails, or the cache cannot be written.
    """
    compiler, all_flags = _compiler(), (*BASE_FLAGS, *flags)
    directory = cache_directory()
    target = directory / _library_name(compiler, all_flags)
    if not target.exists():
        try:
            directory.mkdir(parents=True, exist_ok=True)
            _compile(compiler, all_flags, target)
        except OSError as error:
            raise NativeUnavailable(
                f"{directory} cannot be written: {error}",
                remedy="Set PROOFMILL_CACHE to a writable directory, or use the portable kernels.",
            ) from error
    return target


_lock = threading.Lock()


@functools.cache
def _load(flags: tuple[str, ...]) -> ctypes.CDLL:
    path = build(flags)
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeUnavailable(
            f"{path} cannot be loaded: {error}", remedy=f"Delete {path.parent} and try again."
        ) from error
    loaded.proofmill_set_threads.argtypes = [ctypes.c_int]
    loaded.proofmill_set_threads.restype = None
    loaded.proofmill_threads.argtypes = []
    loaded.proofmill_threads.restype = ctypes.c_int
    loaded.proofmill_set_threads(torch.get_num_threads())
    return loaded


def library(flags: tuple[str, ...] = NATIVE_FLAGS) -> ctypes.CDLL:
    """The loaded library; functions called through it release the interpreter lock.

    Each set of flags is loaded once per process, with its own pool of ``torch.get_num_threads()`` threads. Raises
    ``NativeUnavailable``.
    """
    with _lock:
        return _load(flags)


def is_loaded() -> bool:
    """Whether a library has been loaded, so that calling it costs nothing more."""
    return _load.cache_info().currsize > 0


def set_threads(threads: int, flags: tuple[str, ...] = NATIVE_FLAGS) -> None:
    """How many threads one call may use from now on, the calling one included."""
    library(flags).proofmill_set_threads(threads)
