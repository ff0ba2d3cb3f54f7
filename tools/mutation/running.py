"""Runs the tests against one mutant after the other, each in a copy of the checkout."""

from __future__ import annotations

import enum
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from tools.mutation import soonest_first
from tools.mutation.mutants import Mutant
from tools.mutation.targets import contracts_with, tests_of

COPIED: Final = ("contracts", "tests", "proofmill", "worker", "oracle", "adversaries", "tools", "bench")
COPIED_FILES: Final = ("pyproject.toml", "ape-config.yaml")
LINKED: Final = (".venv", "node_modules", ".build")
FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
COMPILER_ERROR: Final = re.compile(r"vyper\.exceptions\.\w+|CompilerPanic|StructureException")
# Limits are seconds of processor, so that a busy machine does not pass for a noticed fault; a test that sleeps for ever
# meets the limit on the clock.
BASELINE_FACTOR: Final = 4
LEAST_TIMEOUT: Final = 60.0
CLOCK_FACTOR: Final = 10
CACHE_TURNS: Final = 100  # compiled mutants are never needed again


class Fate(enum.StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"  # also noticed
    SURVIVED = "survived"
    INVALID = "invalid"  # does not compile


class BrokenTests(RuntimeError):
    """The tests fail without a mutant: nothing can be learned."""


@dataclass(frozen=True)
class Verdict:
    """One line of the state file."""

    id: str
    path: str
    line: int
    operator: str
    fate: Fate
    seconds: float
    test: str  # what killed it
    source_digest: str
    tests_digest: str


class State:
    """Verdicts of this and earlier runs, appended as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._verdicts: dict[str, Verdict] = {}
        if path.is_file():
            for line in path.read_text("utf-8").splitlines():
                values = json.loads(line)
                verdict = Verdict(**{**values, "fate": Fate(values["fate"])})
                self._verdicts[verdict.id] = verdict

    def known(self, mutant: Mutant, source_digest: str, tests_digest: str) -> Verdict | None:
        """A verdict that still counts: the same source, and for a survivor the same tests."""
        verdict = self._verdicts.get(mutant.id)
        if verdict is None or verdict.source_digest != source_digest:
            return None
        if verdict.fate is Fate.SURVIVED and verdict.tests_digest != tests_digest:
            return None
        return verdict

    def has_judged(self, mutant: Mutant) -> bool:
        """Whether there is a verdict at all."""
        return mutant.id in self._verdicts

    def add(self, verdict: Verdict) -> None:
        """Remembers a verdict, at once and on disk."""
        with self._lock:
            self._verdicts[verdict.id] = verdict
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(verdict)) + "\n")

    def killers(self, path: str) -> list[str]:
        """Tests that killed mutants of a file, the most effective first."""
        with self._lock:
            counts = Counter(v.test for v in self._verdicts.values() if v.path == path and v.test)
        return [name for name, _ in counts.most_common(12)]


def digest_of(paths: list[Path]) -> str:
    """One name for the contents of files."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


def tests_digest(root: Path, tests: list[str]) -> str:
    """One name for what a file's tests are."""
    files: list[Path] = []
    for name in [*tests, "tests/suite", "tests/models"]:
        path = root / name
        files += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return digest_of(files)


class Scratch:
    """A copy of what the tests need, with a home of its own so that the compiler's cache can be thrown away."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self._turns = 0
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for name in COPIED:
            if (root / name).is_dir():
                shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in COPIED_FILES:
            shutil.copy2(root / name, folder / name)
        for name in LINKED:
            if (root / name).exists():
                (folder / name).symlink_to(root / name)
        (folder / "home").mkdir()

    def write(self, path: str, source: str) -> None:
        """Puts a source into the copy."""
        (self.folder / path).write_text(source, encoding="utf-8")

    def compiles(self, contract: Path) -> bool:
        """Whether the compiler takes a contract with what was written."""
        command = [sys.executable, "-m", "vyper.cli.vyper_compile", "-p", ".", "-f", "annotated_ast"]
        command.append(str(contract.relative_to(self.root)))
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, env=self._environment(), check=False
        )
        return done.returncode == 0

    def run(self, tests: list[str], killers: list[str], timeout: float) -> tuple[int | None, str]:
        """Exit status of pytest, none after a time-out (in seconds of processor), and what it wrote.

        A folder that has killed comes first. Each folder has a process of its own: titanoboa takes a contract for one that
        stood at its address in another folder's tests, and fails while it explains a revert.
        """
        output = ""
        for name in sorted(tests, key=lambda test: not any(killer.startswith(test) for killer in killers)):
            status, output = self._run_one(name, killers, timeout)
            if status != 0:
                return status, output
        return 0, output

    def _run_one(self, test: str, killers: list[str], timeout: float) -> tuple[int | None, str]:
        self._turns += 1
        if self._turns % CACHE_TURNS == 0:
            shutil.rmtree(self.folder / "home", ignore_errors=True)
            (self.folder / "home").mkdir()
        order = self.folder / "killers.txt"
        order.write_text("\n".join(killers), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--no-header",
            "--tb=line",
            "-p",
            "no:cacheprovider",
        ]
        command += ["-p", "tools.mutation.soonest_first", "--hypothesis-seed=0", test]
        environment = self._environment() | {soonest_first.VARIABLE: str(order)}
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
            start_new_session=True,
        )
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (int(timeout), int(timeout) + 1))
        try:
            output, _ = process.communicate(timeout=CLOCK_FACTOR * timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None, ""
        if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return None, ""
        return process.returncode, output

    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | {
            "HOME": str(self.folder / "home"),
            "PYTHONPATH": str(self.folder),
            "PROOFMILL_HYPOTHESIS_PROFILE": "quick",
        }


class Runner:
    """Judges mutants in several copies at once."""

    def __init__(self, root: Path, cache: Path, processes: int, *, with_stateful: bool = True) -> None:
        self._root = root
        self._with_stateful = with_stateful
        self._cache = cache
        self._processes = processes
        self.state = State(cache / "state.jsonl")
        self._timeouts: dict[str, float] = {}
        self._digests: dict[str, str] = {}
        self._tests: dict[str, list[str]] = {}
        self._tests_digests: dict[str, str] = {}

    def judged(self, mutants: list[Mutant]) -> list[Mutant]:
        """Those that an earlier run has judged, whether its verdict still counts or not.

        Only so is it a fair sample: a survivor's verdict is the one that new tests put in doubt.
        """
        return [mutant for mutant in mutants if self.state.has_judged(mutant)]

    def _recall(self, mutants: list[Mutant]) -> list[Verdict]:
        for path in {mutant.path for mutant in mutants}:
            self._digests[path] = digest_of([self._root / path])
            self._tests[path] = tests_of(self._root, path, with_stateful=self._with_stateful)
            self._tests_digests[path] = tests_digest(self._root, self._tests[path])
        known = (
            self.state.known(mutant, self._digests[mutant.path], self._tests_digests[mutant.path])
            for mutant in mutants
        )
        return [verdict for verdict in known if verdict is not None]

    def run(self, mutants: list[Mutant]) -> list[Verdict]:
        """A verdict for each, from this run or an earlier one."""
        sources = {path: (self._root / path).read_text("utf-8") for path in {m.path for m in mutants}}
        verdicts = self._recall(mutants)
        recalled = {verdict.id for verdict in verdicts}
        waiting = [mutant for mutant in mutants if mutant.id not in recalled]
        if verdicts:
            print(f"mutate: {len(verdicts)} verdicts of earlier runs still count", file=sys.stderr)
        if not waiting:
            return verdicts
        # In no order, so that what an interrupted run has judged is a fair sample of all.
        random.Random(0).shuffle(waiting)
        scratches: SimpleQueue[Scratch] = SimpleQueue()
        copies = [Scratch(self._root, self._cache / f"copy-{n}") for n in range(self._processes)]
        for path in dict.fromkeys(mutant.path for mutant in waiting):
            self._timeouts[path] = self._baseline(copies[0], path)
        for copy in copies:
            scratches.put(copy)
        done = 0
        lock = threading.Lock()

        def judge(mutant: Mutant) -> Verdict:
            nonlocal done
            scratch = scratches.get()
            try:
                verdict = self._judge(scratch, mutant, sources[mutant.path])
            finally:
                scratches.put(scratch)
            self.state.add(verdict)
            with lock:
                done += 1
                place = f"{mutant.path}:{mutant.line}"
                told = f"[{done}/{len(waiting)}] {verdict.fate} in {verdict.seconds:.0f} s: {place}: {mutant.operator}"
                print(told, file=sys.stderr, flush=True)
            return verdict

        with ThreadPoolExecutor(self._processes) as pool:
            verdicts += pool.map(judge, waiting)
        return verdicts

    def _baseline(self, scratch: Scratch, path: str) -> float:
        """How long the tests of a file may take; they must pass as they are. Files with the same tests ask once."""
        tests = self._tests[path]
        if not tests:
            raise BrokenTests(f"{path} has no tests")
        contracts = digest_of(sorted((self._root / "contracts").rglob("*.vy*")))
        key = hashlib.sha256("|".join([contracts, self._tests_digests[path], *sorted(tests)]).encode())
        remembered = self._cache / "baselines" / key.hexdigest()[:16]
        if not remembered.is_file():
            started = time.monotonic()
            status, output = scratch.run(tests, [], 3_600)
            if status != 0:
                raise BrokenTests(f"the tests of {path} fail without a mutant:\n{output[-3_000:]}")
            seconds = time.monotonic() - started
            print(f"mutate: the tests of {path} take {seconds:.0f} s: {' '.join(tests)}", file=sys.stderr)
            remembered.parent.mkdir(parents=True, exist_ok=True)
            remembered.write_text(f"{seconds:.1f}", encoding="utf-8")
        return max(LEAST_TIMEOUT, BASELINE_FACTOR * float(remembered.read_text("utf-8")))

    def _judge(self, scratch: Scratch, mutant: Mutant, source: str) -> Verdict:
        started = time.monotonic()
        scratch.write(mutant.path, mutant.apply(source))
        fate, test = Fate.SURVIVED, ""
        try:
            killers = self.state.killers(mutant.path)
            tests = self._tests[mutant.path]
            status, output = scratch.run(tests, killers, self._timeouts[mutant.path])
            found = FAILED.search(output)
            if status is None:
                fate = Fate.TIMED_OUT
            elif status != 0:
                # A fixture that fails may have met a compiler that does not say so in one line.
                is_suspect = found is None or found[0].startswith("ERROR")
                contract = contracts_with(self._root, mutant.path)[0]
                if COMPILER_ERROR.search(output) or (is_suspect and not scratch.compiles(contract)):
                    fate = Fate.INVALID
                else:
                    fate = Fate.KILLED
                    test = found[1] if found else ""
        finally:
            scratch.write(mutant.path, source)
        return Verdict(
            id=mutant.id,
            path=mutant.path,
            line=mutant.line,
            operator=mutant.operator,
            fate=fate,
            seconds=round(time.monotonic() - started, 1),
            test=test,
            source_digest=self._digests[mutant.path],
            tests_digest=self._tests_digests[mutant.path],
        )
