"""The frame of every long-running node: signals, the cycle, what ends it and what only ends a turn of it."""

import signal
import threading
from collections.abc import Callable

from proofmill.errors import ProofmillError
from proofmill.logs import Logger


def run_until_stopped(
    step: Callable[[], None], *, stopping: threading.Event, poll_interval: float, log: Logger
) -> None:
    """Call `step` every `poll_interval` seconds until `stopping` is set.

    An expected failure (`ProofmillError`: node away, peer silent) ends the turn and is logged with its remedy; anything else
    is a bug and ends the process, whose journal makes the next start safe.
    """
    while not stopping.is_set():
        try:
            step()
        except ProofmillError as error:
            log.warning("cycle failed", error=str(error), kind=type(error).__name__, remedy=error.remedy)
        stopping.wait(poll_interval)


def stop_on_signals(stop: Callable[[], None], log: Logger) -> None:
    """SIGTERM and SIGINT ask for an orderly end; a second one takes effect at once."""

    def handle(number: int, _: object) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        signal.signal(number, signal.SIG_DFL)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
