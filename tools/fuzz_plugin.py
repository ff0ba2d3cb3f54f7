"""A pytest plugin for ``tools.fuzz``: runs every stateful machine again and again, each time from another seed, and counts
the contract calls of its rules.

Every machine that a test hands to ``run_state_machine_as_test`` is taken as it is, with the settings of the test but for the
number of examples. One line for each batch goes into the worker's journal, so that nothing is lost when the run is stopped.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
from boa.environment import Env
from hypothesis import Phase, settings
from hypothesis import stateful as hypothesis_stateful

ORDERS_VARIABLE: Final = "PROOFMILL_FUZZ_ORDERS"
BATCH_EXAMPLES: Final = 10


@dataclass(frozen=True)
class Orders:
    """What one worker has to do."""

    journal: str
    quota: int  # calls, over all machines
    first_seed: int
    seed_step: int
    machines: int = 0  # how many there are; 0 to find out
    only_seed: int | None = None  # reproduce one batch
    only_machine: str = ""


@dataclass(frozen=True)
class Batch:
    """One line of a journal."""

    machine: str
    seed: int
    calls: int
    refused: int
    seconds: float
    failure: str = ""


class Counter:
    """Contract calls that change state or try to, while it is switched on."""

    def __init__(self) -> None:
        self.calls = 0
        self.refused = 0
        self.is_on = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens here is preparation."""
        before, self.is_on = self.is_on, False
        try:
            yield
        finally:
            self.is_on = before

    def install(self) -> None:
        """Wraps the one path that every call of titanoboa takes."""
        execute = Env.execute_code

        def counted(environment: Env, *arguments: Any, **named: Any) -> Any:
            computation = execute(environment, *arguments, **named)
            if self.is_on and named.get("is_modifying", True) and not named.get("simulate", False):
                self.calls += 1
                self.refused += bool(computation.is_error)
            return computation

        Env.execute_code = counted


class Worker:
    """Takes the place of ``run_state_machine_as_test``."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.counter = Counter()
        self.machines = orders.machines or 1
        self.run_one = hypothesis_stateful.run_state_machine_as_test
        self.has_failed = False
        self._seed = orders.first_seed

    def __call__(self, factory: Any, *, settings: settings | None = None, _min_steps: int = 0) -> None:
        name = getattr(factory, "__name__", str(factory))
        if self.orders.only_machine and name != self.orders.only_machine:
            return
        chosen = self._settings(settings or getattr(factory, "TestCase", hypothesis).settings)

        def prepared() -> Any:
            with self.counter.paused():
                return factory()

        prepared.__name__ = name
        if self.orders.only_seed is not None:
            self._batch(name, prepared, chosen, self.orders.only_seed)
            return
        share, done = self.orders.quota / self.machines, 0
        while done < share and not self.has_failed:
            done += self._batch(name, prepared, chosen, self._seed)
            self._seed += self.orders.seed_step

    @staticmethod
    def _settings(given: settings) -> settings:
        phases = [Phase.generate, Phase.shrink]  # a seed says everything: nothing comes from a database
        return settings(given, max_examples=BATCH_EXAMPLES, database=None, phases=phases, print_blob=False)

    def _batch(self, name: str, factory: Any, chosen: settings, seed: int) -> int:
        self.counter.calls = self.counter.refused = 0
        hypothesis.core.global_force_seed = seed  # type: ignore[assignment]  # what --hypothesis-seed sets
        started, failure = time.monotonic(), ""
        self.counter.is_on = True
        try:
            self.run_one(factory, settings=chosen)
        except Exception as error:  # noqa: BLE001  whatever a machine finds is what we are here for
            failure = "\n".join([*traceback.format_exception(error), *getattr(error, "__notes__", [])])
            self.has_failed = True
        finally:
            self.counter.is_on = False
        seconds = round(time.monotonic() - started, 3)
        batch = Batch(name, seed, self.counter.calls, self.counter.refused, seconds, failure)
        with Path(self.orders.journal).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(batch)) + "\n")
        if not failure and batch.calls == 0:
            raise AssertionError(f"{name} makes no contract calls: there is nothing to count")
        return batch.calls


def pytest_configure(config: pytest.Config) -> None:
    """Takes over before the tests import what runs their machines."""
    text = os.environ.get(ORDERS_VARIABLE)
    if text is None:
        raise pytest.UsageError(f"{ORDERS_VARIABLE} is not set: run `python -m tools.fuzz`")
    worker = Worker(Orders(**json.loads(text)))
    worker.counter.install()
    hypothesis_stateful.run_state_machine_as_test = worker  # type: ignore[assignment]
    config.pluginmanager.register(_Shares(worker))


class _Shares:
    """Divides the quota by the tests that will run."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Every test of tests/stateful is one machine."""
        self._worker.machines = max(1, len(items))
