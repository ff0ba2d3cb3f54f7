"""Blocks by their time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from proofmill.chain.block_search import first_block_since

WEEK = 7 * 86_400


@pytest.mark.parametrize(("deployed", "expected"), [(0, 400), (700, 700), (999, 999)])
def test_first_block_since__seven_days_back_or_the_deployment(deployed: int, expected: int) -> None:
    interval = WEEK // 599  # so that block 400 is the first within seven days of block 999
    questions: list[object] = []

    def get_block(number: Any) -> dict[str, int]:
        questions.append(number)
        found = 999 if number == "latest" else number
        return {"number": found, "timestamp": found * interval}

    web3: Any = SimpleNamespace(eth=SimpleNamespace(get_block=get_block))
    assert first_block_since(web3, WEEK, deployed) == expected
    assert len(questions) <= 11
