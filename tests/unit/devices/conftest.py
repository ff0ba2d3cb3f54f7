"""A driver of the tests' own in place of the machine's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pynvml
import pytest

from tests.unit.devices.fake_nvml import FakeLibrary


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeLibrary], FakeLibrary]:
    """Puts a library where pynvml keeps the one it has loaded."""

    def put(library: FakeLibrary) -> FakeLibrary:
        monkeypatch.setattr(pynvml, "nvmlLib", library)
        monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
        return library

    return put


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which there is none to load."""

    def refuse(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    monkeypatch.setattr(pynvml, "CDLL", refuse)
