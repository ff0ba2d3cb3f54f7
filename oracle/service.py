"""One committee member: a judge that re-executes, a cycle that looks at the chain, leads, endorses and relays, and duties.

Judging takes seconds to minutes, a move in a dispute may take a run of the model and waits for its block, a window of measuring
ends whatever else there is to do, and the conversation must not wait for any of them: judge, duties and measuring have a thread
each, and they share only the ballots, what others have signed, and the newest view of the chain.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from eth_account.signers.local import LocalAccount

from oracle.caseload import Caseload
from oracle.chain_watch import ChainWatch
from oracle.committee_view import CommitteeView
from oracle.custody import Custody
from oracle.judge import Judge
from oracle.rounds import Rounds
from proofmill.chain.errors import node_failures
from proofmill.errors import ProofmillError
from proofmill.health import Health
from proofmill.logs import Logger
from proofmill.metrics import NodeMetrics

Step = Callable[[], None]
#: Runs a step again and again until the event is set: `proofmill.node.Node.run`.
Cycle = Callable[[Step, threading.Event], None]


class MeasuringPart(Protocol):
    """What a member does about devices: `oracle.measuring.build.Measuring`."""

    def turn(self, view: CommitteeView) -> None:
        """With every look at the chain."""
        ...

    def work(self, view: CommitteeView) -> None:
        """When there is time."""
        ...


class Oracle:
    """The loops of one member.

    Args:
        cycle: runs the conversation; the other loops have its rhythm.
        measuring: its part in measuring devices, if it takes any.
        duties: what it does besides, by name, in this order; each takes the newest view and fails alone.
        requests_in_hand: the requests that its duties need, besides those in the view.
        caseload: which jobs are its own to judge; all of them, if there is none.
    """

    def __init__(
        self,
        *,
        account: LocalAccount,
        watch: ChainWatch,
        judge: Judge,
        custody: Custody,
        rounds: Rounds,
        health: Health,
        metrics: NodeMetrics,
        cycle: Cycle,
        poll_interval: float,
        log: Logger,
        duties: Mapping[str, Callable[[CommitteeView], object]],
        requests_in_hand: Callable[[], frozenset[bytes]] = frozenset,
        measuring: MeasuringPart | None = None,
        caseload: Caseload | None = None,
    ) -> None:
        self._address = account.address
        self._caseload = Caseload(account.address, None) if caseload is None else caseload
        self._watch = watch
        self._judge = judge
        self._custody = custody
        self._rounds = rounds
        self._health = health
        self._metrics = metrics
        self._cycle = cycle
        self._measuring = measuring
        self._poll_interval = poll_interval
        self._log = log
        self._duties = dict(duties)
        self._requests_in_hand = requests_in_hand
        self._stopping = threading.Event()
        self.view: CommitteeView | None = None

    def stop(self) -> None:
        """Ask `run` to return after the step it is in."""
        self._stopping.set()

    def run(self) -> None:
        """Judge, converse, measure and do the duties until `stop`. A bug in one loop ends all."""
        loops: list[tuple[Step, float]] = [
            (self.judge_once, min(1.0, self._poll_interval)),
            (self.do_duties, self._poll_interval),
        ]
        if self._measuring is not None:
            loops.append((self.measure, self._poll_interval))
        with ThreadPoolExecutor(max_workers=len(loops), thread_name_prefix="oracle") as pool:
            others = [pool.submit(self._until_stopped, loop, pause) for loop, pause in loops]
            for other in others:
                other.add_done_callback(lambda _: self._stopping.set())
            try:
                self._cycle(self.step, self._stopping)
            finally:
                self._stopping.set()
            for other in others:
                other.result()

    def step(self) -> None:
        """One turn of the conversation."""
        view = self._watch.look()
        self.view = view
        self._follow_windows(view)
        self._rounds.observe(view)
        self._rounds.lead()
        self._rounds.relay()
        self._metrics.note_jobs(
            {
                "claimed": len(view.requests),
                "submitted": len(view.submitted),
                "challengeable": len(view.challengeable),
            }
        )
        self._health.cycle_done(
            member=view.seat(self._address) is not None,
            latest_sequence=view.latest_sequence,
            waiting_jobs=len(view.submitted),
            block=view.stamp.number,
        )

    def _follow_windows(self, view: CommitteeView) -> None:
        """What fails about windows costs no verdict its turn."""
        if self._measuring is None:
            return
        try:
            with node_failures():
                self._measuring.turn(view)
        except ProofmillError as error:
            self._log.warning("window not followed", error=str(error), remedy=error.remedy)

    def measure(self) -> None:
        """Check what devices have opened, and report on them."""
        if self._measuring is not None and (view := self.view) is not None:
            self._measuring.work(view)

    def judge_once(self) -> None:
        """Consider jobs until none is due; each is chosen from the newest view, as judging one takes a while."""
        while not self._stopping.is_set() and (view := self.view) is not None:
            self._custody.keep(view.requests | self._requests_in_hand())
            queues = self._caseload.queues(view)
            job = self._judge.next_of(queues.waiting, queues.challengeable, queues.spare, now=view.block_time)
            if job is None:
                return
            self._judge.consider(job)

    def do_duties(self) -> None:
        """Each duty once, with the newest view."""
        for name, duty in self._duties.items():
            view = self.view
            if self._stopping.is_set() or view is None:
                return
            try:
                with node_failures():
                    duty(view)
            except ProofmillError as error:
                self._log.warning("duty failed", duty=name, error=str(error), remedy=error.remedy)

    def _until_stopped(self, loop: Callable[[], None], pause: float) -> None:
        while not self._stopping.is_set():
            try:
                with node_failures():
                    loop()
            except ProofmillError as error:
                self._log.warning("turn failed", error=str(error), remedy=error.remedy)
            self._stopping.wait(pause)
