"""``python -m tools.mutation [file … | count]``: the share of small faults in the contracts that the tests notice.

Resumable: verdicts are kept in .cache/mutation and count again while neither the source nor, for survivors, the tests change.
Exit status 1 if fewer than 90 % are noticed.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import Final

from tools.mutation.mutants import Mutant, mutants_of
from tools.mutation.report import LEAST_SCORE, diff_of, page_of, reasons_in, score_of
from tools.mutation.running import BrokenTests, Fate, Runner
from tools.mutation.targets import sources

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "MUTATION.md"


def choose(targets: list[str], seed: int) -> list[Mutant]:
    """All mutants, those of some files, or a sample of so many."""
    counts = [int(target) for target in targets if target.isdecimal()]
    named = [target for target in targets if not target.isdecimal()]
    known = sources(ROOT)
    paths = [
        path
        for path in known
        if any(path == name or path.startswith(f"{name.rstrip('/')}/") for name in named)
    ]
    unknown = [
        name for name in named if not any(p == name or p.startswith(f"{name.rstrip('/')}/") for p in known)
    ]
    if unknown:
        sys.exit(f"mutate: no contract or module {', '.join(unknown)}")
    mutants = [m for path in paths or known for m in mutants_of(path, (ROOT / path).read_text("utf-8"))]
    if counts:
        # Shuffled once for each seed: a larger sample contains the smaller one.
        random.Random(seed).shuffle(mutants)
        mutants = sorted(mutants[: counts[0]], key=lambda mutant: (mutant.path, mutant.start))
    return mutants


def main() -> int:
    """Runs what was asked for and prints the score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "targets", nargs="*", help="source files, folders, or how many to draw (default: everything)"
    )
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--without-stateful", action="store_true", help="unit and property tests only")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument(
        "--judged", action="store_true", help="only those judged before, a fair sample of an interrupted run"
    )
    parser.add_argument(
        "--write", action="store_true", help="rewrite docs/MUTATION.md, keeping the reasons in it"
    )
    arguments = parser.parse_args()
    mutants = choose(arguments.targets, arguments.seed)
    if arguments.list:
        for mutant in mutants:
            print(f"{mutant.id} {mutant.path}:{mutant.line}: {mutant.operator}: {diff_of(mutant)}")
        print(f"{len(mutants)} mutants")
        return 0
    try:
        cache = ROOT / ".cache" / "mutation"
        runner = Runner(ROOT, cache, arguments.processes, with_stateful=not arguments.without_stateful)
        if arguments.judged:
            mutants = runner.judged(mutants)
        verdicts = runner.run(mutants)
    except BrokenTests as error:
        print(f"mutate: {error}", file=sys.stderr)
        return 2
    by_id = {mutant.id: mutant for mutant in mutants}
    reasons = reasons_in(PAGE)
    unexplained = 0
    for verdict in verdicts:
        if verdict.fate is Fate.SURVIVED:
            mutant = by_id[verdict.id]
            reason = reasons.get(mutant.id)
            unexplained += reason is None
            print(f"{mutant.path}:{mutant.line}: {mutant.id}: {mutant.operator}: {diff_of(mutant)}")
            print(f"    {reason or 'survives and is not explained in docs/MUTATION.md'}")
    score = score_of(verdicts)
    if arguments.write:
        PAGE.write_text(page_of(verdicts, by_id, reasons), encoding="utf-8")
    print(
        f"mutate: {score.killed} of {score.valid} noticed, {score.percent:.1f} %; {score.survived} survive, "
        f"{unexplained} of them unexplained; {score.invalid} do not compile"
    )
    return 0 if score.percent >= LEAST_SCORE else 1


if __name__ == "__main__":
    sys.exit(main())
