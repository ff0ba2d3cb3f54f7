"""What may not cost more, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Results = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Ceiling:
    """A figure, the most it may be and what we would like it to be."""

    group: str
    figure: str
    most: int
    goal: int | None = None


@dataclass(frozen=True)
class Judgement:
    """A ceiling and what was measured."""

    text: str
    measured: str
    ceiling: str
    is_held: bool


CEILINGS: Final = (
    Ceiling("job, one verdict", "sum", 290_000, goal=250_000),
    Ceiling("job, 64 verdicts", "sum", 215_000, goal=195_000),
    Ceiling("job, 64 verdicts", "settlement", 25_000),
    Ceiling("other endings", "time-out unclaimed", 60_000),
    Ceiling("stake", "delegate", 120_000),
    Ceiling("stake", "requestRedeem", 120_000),
    Ceiling("stake", "redeem", 120_000),
)
SLASHES: Final = ("slash with 1 delegator", "slash with 1,000 delegators")
MOST_SLASH_DIFFERENCE: Final = 0.05
TOLERANCE: Final = 0.005  # between runs


def judge(results: Results) -> list[Judgement]:
    """Every ceiling, held or missed."""
    judgements = []
    for ceiling in CEILINGS:
        gas = results[ceiling.group][ceiling.figure]
        limit = f"{ceiling.most:,}" + ("" if ceiling.goal is None else f" (goal {ceiling.goal:,})")
        name = f"{ceiling.group}: {ceiling.figure}"
        judgements.append(Judgement(name, f"{gas:,}", limit, gas <= ceiling.most))
    one, many = (results["slash"][name] for name in SLASHES)
    difference = abs(many - one) / one
    judgements.append(
        Judgement(
            "slash: 1,000 delegators against 1",
            f"{difference:.2%}",
            f"{MOST_SLASH_DIFFERENCE:.0%}",
            difference <= MOST_SLASH_DIFFERENCE,
        )
    )
    return judgements


def differences(committed: Results, measured: Results) -> list[str]:
    """Figures that are not what is committed, by more than the tolerance."""
    found = []
    for group in sorted(committed.keys() | measured.keys()):
        old, new = committed.get(group, {}), measured.get(group, {})
        for name in sorted(old.keys() | new.keys()):
            before, after = old.get(name), new.get(name)
            if before is None or after is None:
                found.append(f"{group}: {name}: committed {before}, measured {after}")
            elif abs(after - before) > TOLERANCE * before:
                found.append(
                    f"{group}: {name}: committed {before:,}, measured {after:,} ({after / before - 1:+.2%})"
                )
    return found
