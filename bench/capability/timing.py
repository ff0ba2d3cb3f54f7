"""Times on machines that do other work too: of several runs the least, on the wall and on the processor."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Times:
    """Seconds of several runs of one piece of work."""

    least: float
    median: float
    processor: float  # least processor time of all threads together

    def figures(self, threads: int) -> dict[str, float]:
        """For the report. ``processor / threads`` is the wall time on an idle machine, if the work divides evenly."""
        return {
            "least_seconds": round(self.least, 4),
            "median_seconds": round(self.median, 4),
            "processor_seconds": round(self.processor, 4),
            "processor_seconds_per_thread": round(self.processor / threads, 4),
        }


def interleaved(works: Sequence[Callable[[], object]], runs: int, device: str) -> list[Times]:
    """Times of each after one unmeasured call, the runs interleaved so that a busy machine disturbs all alike."""
    for work in works:
        work()
    walls: list[list[float]] = [[] for _ in works]
    processors: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for place, work in enumerate(works):
            _wait(device)
            wall, processor = time.perf_counter(), time.process_time()
            work()
            _wait(device)
            walls[place].append(time.perf_counter() - wall)
            processors[place].append(time.process_time() - processor)
    return [
        Times(min(wall), statistics.median(wall), min(processor))
        for wall, processor in zip(walls, processors, strict=True)
    ]


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
