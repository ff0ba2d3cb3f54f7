"""What was found, and the explanations in the sources that answer it.

An explanation is a comment on the finding's line or in the comment right above it (above the decorators, for a function):

    # slither missing-zero-check: the zero address takes the offer back
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARKER: Final = re.compile(r"#\s*slither (?P<rule>[a-z0-9-]+): (?P<reason>\S.*)$")
# What these rules miss may be there for another contract of the suite: they count when every contract agrees.
ABSENCE_RULES: Final = {"constable-states", "immutable-states", "uninitialized-state"}


@dataclass(frozen=True, order=True)
class Finding:
    """One result: where it is, which rule, what it says."""

    path: str
    line: int
    rule: str
    text: str
    impact: str

    @property
    def key(self) -> tuple[str, int, str]:
        """Contracts that share a module find the same things in it."""
        return self.path, self.line, self.rule


@dataclass(frozen=True, order=True)
class Explanation:
    """One comment that answers a rule at a place."""

    path: str
    line: int
    rule: str
    reason: str


def explanations_in(path: Path) -> list[Explanation]:
    """Every explanation in a file."""
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        match = MARKER.search(line)
        if match is not None:
            found.append(Explanation(str(path), number, match["rule"], match["reason"]))
    return found


def places(lines: list[str], line: int) -> set[int]:
    """The lines whose explanations answer a finding in ``line``: itself, and comments and decorators right above it."""
    answered = {line}
    above = line - 1
    while above >= 1 and re.match(r"\s*(#|@)", lines[above - 1]):
        answered.add(above)
        above -= 1
    return answered


def merge(per_contract: list[tuple[set[str], list[Finding]]]) -> list[Finding]:
    """The findings of all contracts, each once; ``set`` are the files that a contract is made of."""
    merged: dict[tuple[str, int, str], Finding] = {}
    for _files, found in per_contract:
        for finding in found:
            merged.setdefault(finding.key, finding)
    kept = []
    for finding in merged.values():
        if finding.rule in ABSENCE_RULES:
            concerned = [found for files, found in per_contract if finding.path in files]
            if not all(any(other.key == finding.key for other in found) for found in concerned):
                continue
        kept.append(finding)
    return sorted(kept)


def answer(
    findings: Iterable[Finding], explanations: Iterable[Explanation]
) -> tuple[list[tuple[Finding, Explanation]], list[Finding], list[Explanation]]:
    """Findings with their explanation, findings without, and explanations that answer nothing."""
    by_place: dict[tuple[str, int, str], Explanation] = {(e.path, e.line, e.rule): e for e in explanations}
    used: set[Explanation] = set()
    explained, open_findings = [], []
    sources: dict[str, list[str]] = {}
    for finding in findings:
        if finding.path not in sources:
            path = Path(finding.path)
            sources[finding.path] = path.read_text("utf-8").splitlines() if path.is_file() else []
        around = sorted(places(sources[finding.path], finding.line), reverse=True)
        found = next(
            (by_place[key] for n in around if (key := (finding.path, n, finding.rule)) in by_place), None
        )
        if found is None:
            open_findings.append(finding)
        else:
            explained.append((finding, found))
            used.add(found)
    return explained, open_findings, sorted(set(by_place.values()) - used)
