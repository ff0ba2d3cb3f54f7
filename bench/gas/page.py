"""docs/GAS.md: the committed figures as tables, with the reasons for what is missed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.gas.ceilings import Judgement, Results, is_checked
from bench.gas.disputes import HARDFORK, PROOF, TIME, WHOLE
from bench.gas.disputes.reasons import OUTPUT_LEAF_BYTES, least_of_linear

HEADER: Final = """\
# What the contracts cost

Gas of whole transactions on anvil (intrinsic cost and calldata included), as `make bench-gas` measures it and
`python -m bench.gas --check` compares it. Prices are in MILL. Every account has had a job before and keeps another
one open, but where it says *first*. The committee has four members; allowances are unlimited but where it says otherwise.
"""
DISPUTES: Final = f"""\
## Disputes

Whole games: a job is posted, claimed and answered from a trace with a false number in it; challenger and operator are
played by `proofmill.disputes` over the chain client, from `commit` to `settle` and `reclaim`. Sequences have 128 tokens, for
SmolLM2 32; of a generation the last four are new. *Llama 1B* is one layer as wide as those of a Llama of a billion parameters
(2,048 and 8,192), with drawn weights, in a program of 293 operators. *Small models* have rows of 3 to 300 numbers; there the
step alone is sent, after the roots, for every check of every kind.

*gas* is what a transaction costs by the rules of anvil's own hardfork, {HARDFORK}: the greater of *at 4 and 16 a byte*, which is
21,000 + 4 for a zero byte of calldata + 16 for another + execution, and *floor*, 21,000 + 10 + 40 (EIP-7623). The limits are
older than that floor, which every chain has since Prague. Figures marked * are measured by `make bench-gas` only, not by
`--check`.
"""
COLUMNS: Final = ("gas", "at 4 and 16 a byte", "floor", "execution", "zero bytes", "other bytes")
GAME_COLUMNS: Final = ("replies", "operator", "challenger")
#: A channel's digits and an operand's, the widths with a limit.
WIDTHS: Final = {384: 76_000, 1_536: 170_000, 2_048: 218_000, 8_192: 722_000}


def page_of(results: Results, judgements: Sequence[Judgement]) -> str:
    """The committed tables."""
    lines = [HEADER, "| ceiling | measured | at most | |", "| --- | ---: | ---: | --- |"]
    for judgement in judgements:
        verdict = "held" if judgement.is_held else "**missed**"
        lines.append(f"| {judgement.text} | {judgement.measured} | {judgement.ceiling} | {verdict} |")
    lines += _reasons(judgements)
    disputes = {name: each for name, each in results.items() if _is_of_disputes(name)}
    for group, figures in results.items():
        if group not in disputes:
            lines += _table(group, figures)
    if disputes:
        lines += ["", DISPUTES.rstrip(), *_games(disputes), *_proofs(disputes)]
    return "\n".join(lines) + "\n"


def _is_of_disputes(group: str) -> bool:
    return group.startswith((f"{PROOF}, ", f"{WHOLE}, ", f"{TIME}, "))


def _title(group: str) -> str:
    return f"{group[0].upper()}{group[1:]}"


def _table(group: str, figures: dict[str, int], level: str = "##", unit: str = "gas") -> list[str]:
    rows = [f"| {name} | {gas:,} |" for name, gas in figures.items()]
    return ["", f"{level} {_title(group)}", "", f"| | {unit} |", "| --- | ---: |", *rows]


def _reasons(judgements: Sequence[Judgement]) -> list[str]:
    """Why limits are missed; the three leaves of a linear step alone, which no contract can do without."""
    missed = [judgement for judgement in judgements if judgement.reason]
    if not missed:
        return []
    leaves = "; ".join(
        f"K = {columns:,}: {least_of_linear(columns):,} of {most:,}" for columns, most in WIDTHS.items()
    )
    return [
        "",
        "What is missed, and why it cannot be held:",
        "",
        *(f"- *{judgement.text}*: {judgement.reason}." for judgement in missed),
        "",
        "A linear step opens a row of the operand (2 K digits and 32 bytes), a channel of the weights (K digits and 32 bytes) and"
        f" the leaf of the output that holds the element ({OUTPUT_LEAF_BYTES:,} bytes): 3 K + {OUTPUT_LEAF_BYTES + 64:,} bytes"
        " that are hashed as they stand, so the commitment format makes them calldata. With no path, no descriptor, no claim and"
        f" no contract at all, the floor of leaves without a zero byte is {leaves}. Measured rows have zeros among them.",
    ]


def _games(results: Results) -> list[str]:
    lines: list[str] = []
    for group, figures in results.items():
        mark = "" if is_checked(figures) else " *"
        shown = {name: value for name, value in figures.items() if name != "in check"}
        if group.startswith(f"{WHOLE}, "):
            lines += _table(f"{group}{mark}", shown, "###")
        elif group.startswith(f"{TIME}, "):
            lines += _table(
                f"time on a chain with a block each second, {group.removeprefix(f'{TIME}, ')}{mark}",
                shown,
                "###",
                "",
            )
    return lines


def _proofs(results: Results) -> list[str]:
    """A table for each model, the dearest proof of each check first by name."""
    models: dict[str, list[str]] = {}
    for group in results:
        if group.startswith(f"{PROOF}, "):
            models.setdefault(group.removeprefix(f"{PROOF}, ").split(": ")[0], []).append(group)
    lines: list[str] = []
    for model, groups in models.items():
        has_game = "replies" in results[groups[0]]
        columns = COLUMNS + (GAME_COLUMNS if has_game else ())
        lines += ["", f"### The step that proves a lie, {model}", ""]
        lines += [f"| | {' | '.join(columns)} |", "| --- |" + " ---: |" * len(columns)]
        for group in sorted(groups):
            figures = results[group]
            mark = "" if is_checked(figures) else " *"
            cells = " | ".join(f"{figures[column]:,}" for column in columns)
            lines.append(f"| {group.partition(': ')[2]}{mark} | {cells} |")
    return lines
