"""The frame of every long-running node: signals, the cycle, what ends it and what only ends a turn of it."""

import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext

from proofmill.chain.errors import node_failures
from proofmill.errors import ProofmillError
from proofmill.logs import Logger
from proofmill.metrics import NodeMetrics


def run_until_stopped(
    step: Callable[[], None],
    *,
    stopping: threading.Event,
    poll_interval: float,
    log: Logger,
    metrics: NodeMetrics | None = None,
    after_each: Callable[[], None] | None = None,
) -> None:
    """Call `step` every `poll_interval` seconds until `stopping` is set.

    An expected failure (`ProofmillError`, or an error that the chain's node answered) ends the turn and is logged with its
    remedy; anything else is a bug and ends the process, whose journal makes the next start safe. `metrics` is told of each turn;
    `after_each` is called after each turn, however it ended.
    """
    while not stopping.is_set():
        try:
            with nullcontext() if metrics is None else metrics.cycle(), node_failures():
                step()
        except ProofmillError as error:
            log.warning("cycle failed", error=str(error), kind=type(error).__name__, remedy=error.remedy)
        if after_each is not None:
            after_each()
        stopping.wait(poll_interval)


def stop_on_signals(stop: Callable[[], None]) -> None:
    """SIGTERM and SIGINT ask for an orderly end; a second one takes effect at once.

    The handler itself does not log: it may have interrupted a line of the log, whose lock it would then wait for in vain.
    """

    def handle(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
