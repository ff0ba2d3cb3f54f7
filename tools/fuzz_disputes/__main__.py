"""Plays games between liars and challengers on the real contracts, and between honest operators and hostile challengers.

python -m tools.fuzz_disputes 300
python -m tools.fuzz_disputes 300 --hostile
python -m tools.fuzz_disputes 20 --model minilm-e16 --seed 7

Whoever submits or defends anything but what the definition gives must be convicted, slashed, the requester refunded and the
challenger paid; whoever does not must be paid. Exit status 1 after any other ending.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

import tests.conftest  # noqa: F401  contracts are compiled once for each state of their sources
from proofmill.disputes.rerun import CommittedModel
from tests.suite.disputes import Court, open_court
from tools.fuzz_disputes.games import STRATEGIES, Outcome, play_hostile, play_lie
from tools.fuzz_disputes.lies import ABOUT_OPERATORS, NOTHING, Liar, kinds_of_lies
from tools.fuzz_disputes.report import by_check, by_lie, missing, summary
from tools.fuzz_disputes.subjects import LENGTHS, Loader, Subject, load_subject

MODELS: Final = tuple(LENGTHS)
ENOUGH: Final = 12  # games for each operator type, after which every one must have been hit
_TRIES: Final = 200


class Fuzzer:
    """Plays games on one court; every seed gives the same games."""

    def __init__(self, models: Sequence[str], seed: int, load: Loader = load_subject) -> None:
        self._generator = random.Random(seed)
        self._court: Court = open_court()
        self._subjects = [load(name) for name in models]
        self._ids = {each.name: self._register(each.committed) for each in self._subjects}
        self._waiting: list[tuple[Subject, str]] = []
        can_generate = any("generation" in subject.tasks for subject in self._subjects)
        self._kinds = kinds_of_lies(self._generator, about_tokens=can_generate)

    @property
    def operator_types(self) -> list[str]:
        """All that the models have."""
        return sorted({kind for subject in self._subjects for kind in subject.kinds})

    def lies(self, games: int) -> Iterator[Outcome]:
        """Games about lies, and some about the truth."""
        for _ in range(games):
            yield self._lie()

    def hostilities(self, games: int) -> Iterator[Outcome]:
        """Honest operators against every strategy in turn."""
        generator = self._generator
        for game in range(games):
            subject = generator.choice(self._subjects)
            work = subject.work(generator.choice(subject.tasks), generator)
            told = Liar(subject, work, generator).tell(NOTHING, subject.kinds[0])
            assert told is not None  # the truth can always be told
            strategy = list(STRATEGIES)[game % len(STRATEGIES)]
            model_id = self._ids[subject.name]
            yield play_hostile(self._court, subject, model_id, work, told, strategy, generator)

    def _register(self, committed: CommittedModel) -> bytes:
        return self._court.register(committed, manifest=committed.program.root)

    def _lie(self) -> Outcome:
        kind, generator = next(self._kinds), self._generator
        unfit = list[tuple[Subject, str]]()  # wait for another kind of lie
        for _ in range(_TRIES):
            if kind not in ABOUT_OPERATORS:
                subject = generator.choice(self._subjects)
                operator = subject.kinds[0]
            else:
                subject, operator = self._next_operator()
            work = subject.work(generator.choice(subject.tasks), generator)
            told = Liar(subject, work, generator).tell(kind, operator)
            if told is not None:
                self._waiting = unfit + self._waiting
                return play_lie(self._court, subject, self._ids[subject.name], work, told, generator)
            if kind in ABOUT_OPERATORS:
                unfit.append((subject, operator))
        raise RuntimeError(f"no lie of the kind {kind!r} can be told about these models")

    def _next_operator(self) -> tuple[Subject, str]:
        """Every operator type of every model as often as any other."""
        if not self._waiting:
            self._waiting = [(subject, kind) for subject in self._subjects for kind in subject.kinds]
            self._generator.shuffle(self._waiting)
        return self._waiting.pop(0)


def fuzz(games: int, models: Sequence[str], seed: int, *, hostile: bool, load: Loader = load_subject) -> int:
    """Plays and reports; the exit status."""
    started = time.monotonic()
    fuzzer = Fuzzer(models, seed, load)
    print(f"fuzz-disputes: ready after {time.monotonic() - started:.0f} s", file=sys.stderr)
    outcomes = list[Outcome]()
    for outcome in fuzzer.hostilities(games) if hostile else fuzzer.lies(games):
        outcomes.append(outcome)
        end = "FAILED" if outcome.failure else "convicted" if outcome.is_convicted else "paid"
        print(
            f"{len(outcomes)}/{games} {outcome.model} {outcome.task}: {outcome.lie} {outcome.operator}: {end},"
            f" {outcome.seconds:.1f} s",
            file=sys.stderr,
        )
    if not hostile:
        print(by_check(outcomes), end="\n\n")
    print(by_lie(outcomes), end="\n\n")
    failures = [(place, each) for place, each in enumerate(outcomes, start=1) if each.failure]
    for place, each in failures:
        print(
            f"game {place}, {each.model} {each.task}, {each.lie}, {each.operator}: {each.words}\n  {each.failure}"
        )
    wanted = [] if hostile else fuzzer.operator_types
    unseen = missing(outcomes, wanted)
    if unseen:
        print(f"nobody was convicted of a lie about: {', '.join(unseen)}")
    print(summary(outcomes, wanted, seed))
    # A run that is too short to meet every type is no failure.
    return 1 if failures or (unseen and games >= ENOUGH * len(wanted)) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz_disputes", description=__doc__.split("\n")[0])
    parser.add_argument("games", type=int, nargs="?", default=30, help="how many to play")
    parser.add_argument("--model", default=",".join(MODELS), help="names, separated by commas")
    parser.add_argument("--hostile", action="store_true", help="honest operators against hostile challengers")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    return fuzz(options.games, options.model.split(","), options.seed, hostile=options.hostile)


if __name__ == "__main__":
    sys.exit(main())
