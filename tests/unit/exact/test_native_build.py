"""Compiling the native kernels: what the cache holds, what goes wrong and how it is said, threads and forks."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from proofmill.exact.errors import NativeUnavailable
from proofmill.exact.kernels.native import build
from proofmill.exact.kernels.native.kernels import NativeKernels
from tests.unit.exact.native_variants import needs_compiler

SMALL = """
#include "export.h"
PROOFMILL_EXPORT int proofmill_answer() { return %d; }
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of one function instead of the real one, and an empty cache."""
    directory = tmp_path / "src"
    directory.mkdir()
    (directory / "export.h").write_bytes((build.SOURCES / "export.h").read_bytes())
    (directory / "answer.cpp").write_text(SMALL % 42)
    monkeypatch.setattr(build, "SOURCES", directory)
    monkeypatch.setenv("PROOFMILL_CACHE", str(tmp_path / "cache"))
    return directory


@needs_compiler
def test_a_library_is_compiled_once(sources: Path) -> None:
    first = build.build(())
    written = first.stat().st_mtime_ns
    assert build.build(()) == first
    assert first.stat().st_mtime_ns == written
    assert [path.name for path in first.parent.iterdir()] == [first.name]


@needs_compiler
def test_sources_flags_and_headers_name_the_library(sources: Path) -> None:
    names = {build.build(()), build.build(("-O1",))}
    (sources / "answer.cpp").write_text(SMALL % 43)
    names.add(build.build(()))
    (sources / "export.h").write_text((sources / "export.h").read_text() + "// changed\n")
    names.add(build.build(()))
    assert len(names) == 4


@needs_compiler
def test_a_source_that_does_not_compile(sources: Path) -> None:
    (sources / "answer.cpp").write_text("int answer( {")
    with pytest.raises(NativeUnavailable, match=r"answer\.cpp:1") as caught:
        build.build(())
    assert "portable" in caught.value.remedy
    assert list(build.cache_directory().iterdir()) == []


@pytest.mark.usefixtures("sources")
def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(NativeUnavailable, match="no C\\+\\+ compiler: no-such-compiler") as caught:
        build.build()
    assert "g++" in caught.value.remedy


@pytest.mark.usefixtures("sources")
def test_a_compiler_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho out of memory >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(NativeUnavailable, match="status 3:\nout of memory"):
        build.build()


@needs_compiler
@pytest.mark.usefixtures("sources")
def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PROOFMILL_CACHE", str(tmp_path / "file"))
    with pytest.raises(NativeUnavailable, match="cannot be written") as caught:
        build.build()
    assert "PROOFMILL_CACHE" in caught.value.remedy


@needs_compiler
@pytest.mark.usefixtures("sources")
def test_a_damaged_library() -> None:
    path = build.build(("-O0",))
    path.write_bytes(b"no library")
    with pytest.raises(NativeUnavailable, match="cannot be loaded") as caught:
        build.library(("-O0",))
    assert str(path.parent) in caught.value.remedy


@needs_compiler
def test_processes_may_compile_at_once(sources: Path) -> None:
    program = (
        "import pathlib, sys; from proofmill.exact.kernels.native import build; "
        "build.SOURCES = pathlib.Path(sys.argv[1]); print(build.build(()))"
    )
    command = [sys.executable, "-c", program, str(sources)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = {process.communicate(timeout=120)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert printed == {str(build.build(()))}


def _bytes(x: torch.Tensor) -> bytes:
    """What a tensor holds, found without PyTorch's own threads, which do not survive a fork."""
    return ctypes.string_at(x.data_ptr(), x.numel() * x.element_size())


@needs_compiler
@pytest.mark.timeout(60)
def test_a_forked_child_computes_on() -> None:
    """The child has none of its parent's threads; it starts its own."""
    kernels = NativeKernels()
    build.set_threads(2)
    x = torch.arange(1 << 16, dtype=torch.int32).reshape(64, -1)
    expected = _bytes(kernels.add(x, x))
    child = os.fork()
    if child == 0:
        os._exit(0 if _bytes(kernels.add(x, x)) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    build.set_threads(torch.get_num_threads())


@needs_compiler
def test_threads_are_counted() -> None:
    library = build.library()
    for asked, got in ((1, 1), (3, 3), (0, 1), (-5, 1), (100_000, 256)):
        build.set_threads(asked)
        assert library.proofmill_threads() == got
    build.set_threads(torch.get_num_threads())
    assert library.proofmill_threads() == torch.get_num_threads()
