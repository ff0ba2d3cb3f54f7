"""Wall-clock comparisons on machines that do other work too."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternating_medians(works: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Median seconds of each after one unmeasured call, the runs interleaved so that a busy machine disturbs all alike."""
    for work in works:
        work()
    samples: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, sample in zip(works, samples, strict=True):
            sample.append(seconds(work))
    return [statistics.median(sample) for sample in samples]
