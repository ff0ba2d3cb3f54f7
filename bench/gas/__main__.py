"""``python -m bench.gas [--check]``: measures, writes bench/gas/results.json and docs/GAS.md, or compares with what is committed.

Exit status 1 if a ceiling is missed, or with --check if a figure differs from the committed one by more than 0.5 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Final

from bench.gas.ceilings import Judgement, Results, differences, judge
from bench.gas.chain import ROOT, GasChain
from bench.gas.figures import COLD, WARM, Scenario
from bench.gas.suite import GasSuite, deploy, warm_up

RESULTS: Final = ROOT / "bench" / "gas" / "results.json"
PAGE: Final = ROOT / "docs" / "GAS.md"
HEADER: Final = """\
# What the contracts cost

Gas of whole transactions on anvil (intrinsic cost and calldata included), as `make bench-gas` measures it and
`python -m bench.gas --check` compares it. Prices are in MILL. Every account has had a job before and keeps another
one open, but where it says *first*. The committee has four members; allowances are unlimited but where it says otherwise.
"""


def measure() -> Results:
    """All figures, each group from the same state."""
    results: Results = {}
    with GasChain.started() as chain:
        suite = deploy(chain)
        _run(suite, COLD, results)
        warm_up(suite)
        _run(suite, WARM, results)
    return results


def _run(suite: GasSuite, scenarios: dict[str, Scenario], results: Results) -> None:
    for name, scenario in scenarios.items():
        print(f"bench-gas: {name}", file=sys.stderr, flush=True)
        with suite.chain.rolled_back():
            results[name] = scenario(suite)


def page_of(results: Results, judgements: list[Judgement]) -> str:
    """The committed table."""
    lines = [HEADER, "| ceiling | measured | at most | |", "| --- | ---: | ---: | --- |"]
    for judgement in judgements:
        verdict = "held" if judgement.is_held else "**missed**"
        lines.append(f"| {judgement.text} | {judgement.measured} | {judgement.ceiling} | {verdict} |")
    for group, figures in results.items():
        lines += ["", f"## {group[0].upper()}{group[1:]}", "", "| | gas |", "| --- | ---: |"]
        lines += [f"| {name} | {gas:,} |" for name, gas in figures.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measures, then writes or compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="compare with the committed figures, write nothing"
    )
    arguments = parser.parse_args()
    results = measure()
    judgements = judge(results)
    for judgement in judgements:
        verdict = "held  " if judgement.is_held else "MISSED"
        print(f"{verdict} {judgement.text}: {judgement.measured} of {judgement.ceiling}", file=sys.stderr)
    failed = not all(judgement.is_held for judgement in judgements)
    if arguments.check:
        found = _compare(results)
        print("\n".join(found) or "bench-gas: as committed", file=sys.stderr)
        failed = failed or bool(found)
    else:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        PAGE.write_text(page_of(results, judgements), encoding="utf-8")
        print(json.dumps(results, indent=2))
    return 1 if failed else 0


def _compare(results: Results) -> list[str]:
    if not RESULTS.is_file() or not PAGE.is_file():
        return [f"{RESULTS.relative_to(ROOT)} or {PAGE.relative_to(ROOT)} is missing: run `make bench-gas`"]
    committed: Results = json.loads(RESULTS.read_text("utf-8"))
    found = differences(committed, results)
    if PAGE.read_text("utf-8") != page_of(committed, judge(committed)):
        found.append(
            f"{PAGE.relative_to(ROOT)} is not the table of {RESULTS.relative_to(ROOT)}: run `make bench-gas`"
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
