"""``python -m bench.gas [--check | --page]``: measures, and writes or compares bench/gas/results.json and docs/GAS.md.

Exit status 1 if a ceiling is missed that could be held, or with --check if a figure differs from the committed one by
more than 0.5 %. --check leaves out the longest games; --page measures nothing and writes the page of what is committed.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Final

from bench.gas.ceilings import UNCHECKED, Results, differences, is_checked, judge
from bench.gas.chain import ROOT, GasChain
from bench.gas.disputes import TIME
from bench.gas.disputes.court import Court
from bench.gas.disputes.devnet_time import seconds_to_slash
from bench.gas.disputes.figures import LONG, SHORT
from bench.gas.figures import COLD, WARM, Scenario
from bench.gas.page import page_of
from bench.gas.suite import GasSuite, deploy, warm_up

RESULTS: Final = ROOT / "bench" / "gas" / "results.json"
PAGE: Final = ROOT / "docs" / "GAS.md"


def measure(*, is_whole: bool) -> Results:
    """All figures, each group from the same state; but the longest games and what is no gas only if it is to be the whole."""
    results: Results = {}
    with GasChain.started() as chain:
        suite = deploy(chain)
        _run(suite, COLD, results)
        warm_up(suite)
        _run(suite, WARM, results)
    with GasChain.started() as chain, Court.opened(chain) as court:
        for name, scenario in SHORT.items():
            _note(name)
            results |= scenario(court)
        if is_whole:
            results |= _measure_long(court)
    return results


def _measure_long(court: Court) -> Results:
    """What `--check` does not compare, each group marked so."""
    results: Results = {}
    for name, scenario in LONG.items():
        _note(name)
        results |= scenario(court)
    _note("time")
    results[f"{TIME}, MiniLM"] = seconds_to_slash(court)
    return {group: figures | UNCHECKED for group, figures in results.items()}


def _note(name: str) -> None:
    print(f"bench-gas: disputes, {name}", file=sys.stderr, flush=True)


def _run(suite: GasSuite, scenarios: dict[str, Scenario], results: Results) -> None:
    for name, scenario in scenarios.items():
        print(f"bench-gas: {name}", file=sys.stderr, flush=True)
        with suite.chain.rolled_back():
            results[name] = scenario(suite)


def main() -> int:
    """Measures, then writes or compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="compare with the committed figures, write nothing"
    )
    parser.add_argument("--page", action="store_true", help="write the page of the committed figures")
    arguments = parser.parse_args()
    if arguments.page:
        committed: Results = json.loads(RESULTS.read_text("utf-8"))
        PAGE.write_text(page_of(committed, judge(committed)), encoding="utf-8")
        return 0
    results = measure(is_whole=not arguments.check)
    judgements = judge(results)
    for judgement in judgements:
        verdict = "held  " if judgement.is_held else "MISSED"
        print(f"{verdict} {judgement.text}: {judgement.measured} of {judgement.ceiling}", file=sys.stderr)
    failed = any(judgement.is_fault for judgement in judgements)
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
    found = differences({name: each for name, each in committed.items() if is_checked(each)}, results)
    if PAGE.read_text("utf-8") != page_of(committed, judge(committed)):
        found.append(
            f"{PAGE.relative_to(ROOT)} is not the table of {RESULTS.relative_to(ROOT)}: run `make bench-gas`"
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
