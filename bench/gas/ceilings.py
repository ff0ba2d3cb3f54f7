"""What may not cost more, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.gas.disputes import PROOF
from bench.gas.disputes.reasons import floor_reason

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
    """A ceiling and what was measured. ``reason`` says why nothing can be done about one that is missed."""

    text: str
    measured: str
    ceiling: str
    is_held: bool
    reason: str | None = None

    @property
    def is_fault(self) -> bool:
        """Whether it is missed for no reason."""
        return not self.is_held and self.reason is None


CEILINGS: Final = (
    Ceiling("job, one verdict", "sum", 290_000, goal=250_000),
    Ceiling("job, 64 verdicts", "sum", 215_000, goal=195_000),
    Ceiling("job, 64 verdicts", "settlement", 25_000),
    Ceiling("other endings", "time-out unclaimed", 60_000),
    Ceiling("stake", "delegate", 120_000),
    Ceiling("stake", "requestRedeem", 120_000),
    Ceiling("stake", "redeem", 120_000),
)
STEP_CEILINGS: Final = (
    Ceiling(f"{PROOF}, MiniLM: linear.element, K = 384", "gas", 76_000, goal=70_000),
    Ceiling(f"{PROOF}, MiniLM: linear.element, K = 1,536", "gas", 170_000, goal=150_000),
    Ceiling(f"{PROOF}, Llama 1B: linear.element, K = 2,048", "gas", 218_000, goal=180_000),
    Ceiling(f"{PROOF}, Llama 1B: linear.element, K = 8,192", "gas", 722_000, goal=600_000),
)
MOST_STEP: Final = 400_000  # of every kind but linear
MOST_REPLIES: Final = {"MiniLM": 3, "Llama 1B": 5}
REPLIES_REASON: Final = (
    "three are the roots, the hashes of the rows and the row; what a value commits to by columns, and the running sums of a"
    " mean, stand below a tree of their own, which is one question more, and a row of more than 40 leaves or with a leaf"
    " above 4,160 bytes is asked for leaf by leaf"
)
SLASHES: Final = ("slash with 1 delegator", "slash with 1,000 delegators")
MOST_SLASH_DIFFERENCE: Final = 0.05
TOLERANCE: Final = 0.005  # between runs
UNCHECKED: Final = {"in check": 0}  # in a group that `--check` does not measure


def is_checked(figures: dict[str, int]) -> bool:
    """Whether `--check` measures a group too."""
    return figures.get("in check", 1) != 0


def judge(results: Results) -> list[Judgement]:
    """Every ceiling, held or missed."""
    judgements = [_judge(ceiling, results[ceiling.group]) for ceiling in CEILINGS]
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
    return judgements + judge_disputes(results)


def judge_disputes(results: Results) -> list[Judgement]:
    """Ceilings of what is measured of disputes."""
    judgements = [_judge(each, results[each.group]) for each in STEP_CEILINGS if each.group in results]
    for group, figures in results.items():
        if group.startswith(f"{PROOF}, ") and ": linear." not in group and figures["gas"] > MOST_STEP:
            judgements.append(_judge(Ceiling(group, "gas", MOST_STEP), figures))
    others = [
        figures["gas"]
        for group, figures in results.items()
        if group.startswith(f"{PROOF}, ") and ": linear." not in group
    ]
    if others:
        within = sum(gas <= MOST_STEP for gas in others)
        text = f"{PROOF}: every other kind and check"
        reason = None if within == len(others) else "those above"
        judgements.append(
            Judgement(text, f"{within} of {len(others)}", f"{MOST_STEP:,}", within == len(others), reason)
        )
    for model, most in MOST_REPLIES.items():
        replies = [
            figures["replies"]
            for group, figures in results.items()
            if group.startswith(f"{PROOF}, {model}: ")
        ]
        if replies:
            held = max(replies) <= most
            text = f"replies of a defender, {model}: most of {len(replies)} games"
            judgements.append(
                Judgement(text, f"{max(replies)}", f"{most}", held, None if held else REPLIES_REASON)
            )
    return judgements


def _judge(ceiling: Ceiling, figures: dict[str, int]) -> Judgement:
    gas = figures[ceiling.figure]
    limit = f"{ceiling.most:,}" + ("" if ceiling.goal is None else f" (goal {ceiling.goal:,})")
    is_held = gas <= ceiling.most
    reason = floor_reason(figures, ceiling.most) if not is_held and "floor" in figures else None
    return Judgement(f"{ceiling.group}: {ceiling.figure}", f"{gas:,}", limit, is_held, reason)


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
