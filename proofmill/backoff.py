"""When to try again what failed: after a pause that doubles, for each thing on its own."""

from __future__ import annotations

import time
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Failure:
    count: int
    pause: float
    next_try: float


class Backoff(Generic[Key]):
    """Remembers failures by key. Not for use by several threads."""

    def __init__(self, *, first_seconds: float = 2.0, last_seconds: float = 120.0) -> None:
        self._first = first_seconds
        self._last = last_seconds
        self._failures: dict[Key, _Failure] = {}

    def is_due(self, key: Key) -> bool:
        """Whether `key` may be tried now."""
        failure = self._failures.get(key)
        return failure is None or time.monotonic() >= failure.next_try

    def count(self, key: Key) -> int:
        """How often `key` has failed."""
        failure = self._failures.get(key)
        return 0 if failure is None else failure.count

    def postpone(self, key: Key) -> float:
        """Note a failure; returns the seconds until the next try."""
        before = self._failures.get(key)
        pause = self._first if before is None else min(2 * before.pause, self._last)
        self._failures[key] = _Failure(self.count(key) + 1, pause, time.monotonic() + pause)
        return pause

    def keep_only(self, keys: Collection[Key]) -> None:
        """Forget every other key, so that what is over takes no memory."""
        self._failures = {key: failure for key, failure in self._failures.items() if key in keys}
