"""What came of all games, as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from statistics import median

from tools.fuzz_disputes.games import Outcome
from tools.fuzz_disputes.lies import ANSWER


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they must be; the first two to the left, numbers to the right."""
    cells = [
        list(head),
        *[[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows],
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = []
    for row in cells:
        lines.append(
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
        )
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def by_check(outcomes: Iterable[Outcome]) -> str:
    """For each operator type that was lied about and each check that showed it."""
    rows = []
    for (operator, check), games in _grouped(outcomes, lambda each: (each.operator, _shown(each))):
        replies = [each.replies for each in games]
        gas = [each.proof_gas for each in games if each.proof_gas]
        rows.append(
            (
                operator,
                check,
                len(games),
                sum(each.is_convicted for each in games),
                f"{median(replies):g}",
                max(replies),
                int(median(gas)) if gas else "-",
            )
        )
    return table(("lied about", "shown by", "games", "convicted", "replies", "most", "proof gas"), rows)


def by_lie(outcomes: Iterable[Outcome]) -> str:
    """For each kind of lie, or strategy of an accuser, and each model."""
    rows = []
    for (lie, model), games in _grouped(outcomes, lambda each: (each.lie, f"{each.model} {each.task}")):
        differ, convicted = sum(each.is_lie for each in games), sum(each.is_convicted for each in games)
        failures = sum(bool(each.failure) for each in games)
        seconds = f"{median(each.seconds for each in games):.1f}"
        rows.append((lie, model, len(games), differ, convicted, failures, seconds))
    return table(("kind", "model", "games", "lies", "convicted", "failures", "seconds"), rows)


def missing(outcomes: Iterable[Outcome], wanted: Iterable[str]) -> list[str]:
    """Operator types that no operator was convicted of lying about."""
    return sorted(set(wanted) - {each.operator for each in outcomes if each.is_convicted})


def summary(outcomes: Sequence[Outcome], wanted: Sequence[str], seed: int) -> str:
    """One line."""
    lies = [each for each in outcomes if each.is_lie]
    honest = [each for each in outcomes if not each.is_lie]
    lost = sum(each.is_convicted for each in honest)
    words = [
        f"{len(outcomes)} games",
        f"{sum(each.is_convicted for each in lies)} of {len(lies)} lies convicted",
    ]
    words.append(f"{lost} of {len(honest)} honest operators convicted")
    if wanted:
        hit = len(wanted) - len(missing(outcomes, wanted))
        words.append(f"{hit} of {len(wanted)} operator types hit")
    words += [f"{sum(bool(each.failure) for each in outcomes)} failures", f"seed {seed}"]
    return "fuzz-disputes: " + ", ".join(words)


def _shown(outcome: Outcome) -> str:
    if outcome.accused == "claim":
        return "silence" if outcome.check == "silence" else f"contradiction {outcome.check}"
    if outcome.operator in (outcome.accused, ANSWER) or not outcome.accused:
        return outcome.check or "-"
    return f"{outcome.accused}.{outcome.check}"  # two values changed places: the first of them is accused


def _grouped(
    outcomes: Iterable[Outcome], key: Callable[[Outcome], tuple[str, str]]
) -> list[tuple[tuple[str, str], list[Outcome]]]:
    groups: dict[Hashable, list[Outcome]] = defaultdict(list)
    for each in outcomes:
        groups[key(each)].append(each)
    return sorted(groups.items())  # type: ignore[arg-type]
