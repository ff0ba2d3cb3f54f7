"""Pauses between attempts at what keeps failing."""

import time
from collections.abc import Callable

import pytest

from proofmill.backoff import Backoff


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    def set_time(seconds: float) -> None:
        monkeypatch.setattr(time, "monotonic", lambda: seconds)

    set_time(0)
    return set_time


def test_postpone__repeated_failures__pause_doubles_up_to_the_last(clock: Callable[[float], None]) -> None:
    backoff: Backoff[str] = Backoff(first_seconds=2, last_seconds=7)
    assert [backoff.postpone("job") for _ in range(4)] == [2, 4, 7, 7]
    assert backoff.count("job") == 4


def test_is_due__after_the_pause__again(clock: Callable[[float], None]) -> None:
    backoff: Backoff[str] = Backoff(first_seconds=2)
    backoff.postpone("job")
    clock(1.9)
    assert not backoff.is_due("job")
    assert backoff.is_due("another job")
    clock(2)
    assert backoff.is_due("job")


def test_keep_only__job_is_over__takes_no_memory(clock: Callable[[float], None]) -> None:
    backoff: Backoff[str] = Backoff()
    backoff.postpone("over")
    backoff.postpone("waiting")
    backoff.keep_only({"waiting"})
    assert (backoff.count("over"), backoff.count("waiting")) == (0, 1)
