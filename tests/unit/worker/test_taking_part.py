"""When a worker begins in a window. What happens then is in tests/integration/measuring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from proofmill.errors import ProofmillError
from proofmill.measuring.rules import MeasuringRules
from proofmill.measuring.windows import Window
from worker.measuring.taking_part import TakingPart

RULES = MeasuringRules(window_blocks=100, begin_blocks=5, work_blocks=10, opening_blocks=20)


class Log:
    """Keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def warning(self, event: str, **facts: Any) -> None:
        self.lines.append(("warning", event, facts))

    def error(self, event: str, **facts: Any) -> None:
        self.lines.append(("error", event, facts))


class Part(TakingPart):
    """Notes the windows that it would take part in."""

    def __init__(self, rules: MeasuringRules, confirmations: int) -> None:
        self.newest_block = 0
        self.taken: list[tuple[int, int]] = []  # block, window
        self.failure: Exception | None = None
        self.log = Log()
        nothing: Any = None
        blocks: Any = self
        super().__init__(
            operator=nothing,
            devices=[],
            rules=rules,
            confirmations=confirmations,
            blocks=blocks,
            panel=nothing,
            members=nothing,
            log=self.log,  # type: ignore[arg-type]  # the methods that it uses
        )

    def newest(self) -> int:
        return self.newest_block

    def take_part(self, window: Window) -> bool:
        self.taken.append((self.newest_block, window.number))
        if self.failure is not None:
            raise self.failure
        return True

    def see(self, blocks: Sequence[int]) -> list[tuple[int, int]]:
        for block in blocks:
            self.newest_block = block
            self.step()
        return self.taken


@pytest.mark.parametrize(
    ("begin_blocks", "confirmations", "first"),
    [(5, 1, 1), (5, 3, 3), (1, 1, 1), (2, 3, 2)],
)
def test_step__every_block__begins_one_after_the_members_may_know_and_once(
    begin_blocks: int, confirmations: int, first: int
) -> None:
    rules = MeasuringRules(window_blocks=100, begin_blocks=begin_blocks, work_blocks=10, opening_blocks=20)
    part = Part(rules, confirmations)
    assert part.see(range(190, 420)) == [(200 + first, 2), (300 + first, 3), (400 + first, 4)]


def test_step__too_late_for_a_window__waits_for_the_next() -> None:
    assert Part(RULES, 1).see([206, 250, 299, 300, 301]) == [(301, 3)]


@pytest.mark.parametrize(
    ("failure", "level"),
    [(ProofmillError("a member is away", remedy="Wait."), "warning"), (KeyError("x"), "error")],
)
def test_step__failure_in_a_window__costs_that_window_only(failure: Exception, level: str) -> None:
    part = Part(RULES, 1)
    part.failure = failure
    assert part.see([201, 202, 301]) == [(201, 2), (301, 3)]
    assert [line[:2] for line in part.log.lines] == [(level, "not measured")] * 2
