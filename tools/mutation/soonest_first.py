"""A pytest plugin: runs the tests that killed other mutants of the same file first. Their ids come in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

VARIABLE: Final = "PROOFMILL_SOONEST_FIRST"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Known killers to the front, the rest as it was."""
    path = os.environ.get(VARIABLE)
    if path is None or not Path(path).is_file():
        return
    ranks = {name: rank for rank, name in enumerate(Path(path).read_text("utf-8").splitlines())}
    items.sort(key=lambda item: ranks.get(item.nodeid, len(ranks)))
