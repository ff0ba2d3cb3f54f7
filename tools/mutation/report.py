"""The score, and the page that lists what survived and why."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.mutation.mutants import Mutant
from tools.mutation.running import Fate, Verdict

LEAST_SCORE: Final = 90.0
ROW: Final = re.compile(r"^\| `(?P<id>[0-9a-f]{10})` \|.*\| (?P<reason>[^|]*) \|$")
HEADER: Final = """\
# Mutation testing

`make mutate` puts one small fault at a time into the contracts (a comparison flipped, an assertion, a state write, a call or a
log dropped, a rounding turned, a number off by one, `+` for `-`, `min` for `max`, `and` for `or`, another account for the caller)
and runs the tests of that contract. A fault that no test notices survives; each survivor is listed with the reason why it may.
`make mutate MUTATE=contracts/modules/pausable.vy` takes one file, `make mutate MUTATE=100` a sample.
"""
NO_REASON: Final = "**not explained**"


@dataclass(frozen=True)
class Score:
    """What became of the mutants of one file, or of all."""

    killed: int = 0
    survived: int = 0
    invalid: int = 0

    @property
    def valid(self) -> int:
        """Mutants that compile."""
        return self.killed + self.survived

    @property
    def percent(self) -> float:
        """Of those that compile, how many were noticed."""
        return 100.0 * self.killed / self.valid if self.valid else 100.0


def score_of(verdicts: list[Verdict]) -> Score:
    """Counts verdicts."""
    noticed = sum(v.fate in (Fate.KILLED, Fate.TIMED_OUT) for v in verdicts)
    survived = sum(v.fate is Fate.SURVIVED for v in verdicts)
    return Score(noticed, survived, len(verdicts) - noticed - survived)


def reasons_in(page: Path) -> dict[str, str]:
    """Why each survivor may survive, from the page."""
    if not page.is_file():
        return {}
    rows = (ROW.match(line) for line in page.read_text("utf-8").splitlines())
    found = {row["id"]: row["reason"].strip() for row in rows if row}
    return {name: reason for name, reason in found.items() if reason and reason != NO_REASON}


def diff_of(mutant: Mutant) -> str:
    """The change in one line."""
    before, after = (" ".join(text.split()) for text in (mutant.before, mutant.after))
    return f"`{before}` → `{after}`" if after else f"`{before}` →"


def page_of(verdicts: list[Verdict], mutants: dict[str, Mutant], reasons: dict[str, str]) -> str:
    """The whole page."""
    by_file: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_file[verdict.path].append(verdict)
    lines = [HEADER, "| file | mutants | noticed | survived | score |", "| --- | ---: | ---: | ---: | ---: |"]
    for path, found in [*sorted(by_file.items()), ("all", verdicts)]:
        score = score_of(found)
        lines.append(
            f"| {path} | {score.valid} | {score.killed} | {score.survived} | {score.percent:.1f} % |"
        )
    lines += [
        "",
        "## Survivors",
        "",
        "| id | place | change | why it may survive |",
        "| --- | --- | --- | --- |",
    ]
    for verdict in sorted(verdicts, key=lambda v: (v.path, v.line, v.id)):
        mutant = mutants[verdict.id]
        if verdict.fate is Fate.SURVIVED:
            change = diff_of(mutant).replace("|", "\\|")
            place = f"{mutant.path}:{mutant.line}"
            reason = reasons.get(mutant.id, NO_REASON)
            lines.append(f"| `{mutant.id}` | {place} | {mutant.operator}: {change} | {reason} |")
    return "\n".join(lines) + "\n"
