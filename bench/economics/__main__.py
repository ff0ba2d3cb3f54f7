"""``python -m bench.economics [--out DIR] [--no-plots] [--seed N] [--redraw]``: plays, and writes results, page and figures.

Without --out: bench/economics/results.json, docs/ECONOMICS.md and docs/economics/*.png. With it, the same under DIR.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.economics.page import page_of, results_of
from bench.economics.protocol import ROOT, Protocol
from bench.economics.scenarios import Scenario, scenarios
from bench.economics.strategies import STRATEGIES, Result, evaluate
from bench.economics.sweeps import sweep_canaries, sweep_rates
from proofmill.sampling import SamplingPolicy

SEED: Final = 20_260_701


def play(markets: tuple[Scenario, ...], seed: int) -> dict[str, list[Result]]:
    """Every strategy in every market."""
    played: dict[str, list[Result]] = {}
    for market in markets:
        played[market.name] = []
        for strategy in STRATEGIES:
            started = time.monotonic()
            result = evaluate(strategy, market.economy, seed)
            played[market.name].append(result)
            print(
                f"bench-economics: {market.name}: {strategy.name}: {result.life.mean:+.1f} MILL, {result.verdict.strip('*')} "
                f"({time.monotonic() - started:.0f} s)",
                file=sys.stderr,
                flush=True,
            )
    return played


def measure(seed: int) -> dict[str, Any]:
    """Everything that the page and the figures show."""
    markets = scenarios(Protocol.read(), SamplingPolicy())
    economy = markets[0].economy
    return results_of(
        seed, play(markets, seed), markets, sweep_rates(economy, seed), sweep_canaries(economy, seed)
    )


def main() -> int:
    """Plays, then writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, help="a folder for everything instead of the checkout's own places"
    )
    parser.add_argument(
        "--no-plots", action="store_true", help="leave the figures alone (matplotlib is not needed then)"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of all random draws")
    parser.add_argument(
        "--redraw", action="store_true", help="page and figures anew from the results as they are"
    )
    arguments = parser.parse_args()
    out = arguments.out
    results_file = (out or ROOT / "bench" / "economics") / "results.json"
    page = (out or ROOT / "docs") / "ECONOMICS.md"
    if not arguments.no_plots:
        # Before minutes of work, not after: the figures are the only thing that needs matplotlib.
        try:
            from bench.economics import plots
        except ModuleNotFoundError as error:
            parser.error(f"{error}; install matplotlib, or pass --no-plots")
    if arguments.redraw:
        results = json.loads(results_file.read_text("utf-8"))
    else:
        results = measure(arguments.seed)
        results_file.parent.mkdir(parents=True, exist_ok=True)
        results_file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    page.write_text(page_of(results), encoding="utf-8")
    if not arguments.no_plots:
        plots.draw_all(page.parent / "economics", results)
    print(json.dumps(results["thresholds"], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
