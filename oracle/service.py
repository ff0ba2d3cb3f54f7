"""One committee member: a judge that re-executes, a cycle that looks at the chain, leads, endorses and relays, and duties.

Judging takes seconds to minutes, a move in a dispute may take a run of the model and waits for its block, and the conversation
must not wait for either: judge and duties have a thread each, and the three share only the ballots, what others have signed, and
the newest view of the chain.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from eth_account.signers.local import LocalAccount

from oracle.ballots import Ballots
from oracle.custody import Custody
from oracle.judge import Judge
from oracle.messages import AttestedReport
from oracle.rounds import CommitteeView, Rounds
from oracle.settlements import Settlements
from proofmill.chain import OracleCommittee, Outcome, StageFlag, TransactionSender
from proofmill.chain.errors import CallReverted, TransactionReverted, node_failures, revert_text
from proofmill.chain.job_board import BoardView, JobBoard
from proofmill.chain.records import Job
from proofmill.chain.reports import OpenedVerdict
from proofmill.errors import ProofmillError
from proofmill.health import Health
from proofmill.logs import Logger
from proofmill.service import run_until_stopped


class ChainWatch:
    """Reads the committee contract and the board into one `CommitteeView`, all at the same block."""

    def __init__(
        self,
        chain_id: int,
        committee: OracleCommittee,
        board: JobBoard,
        settlements: Settlements,
        ballots: Ballots,
    ) -> None:
        self._chain_id = chain_id
        self._committee = committee
        self._board = board
        self._settlements = settlements
        self._ballots = ballots

    def look(self) -> CommitteeView:
        board: BoardView = self._board.refresh()
        block = board.block_hash
        ours: list[Job] = [job for job in board.open if job.terms.evaluator == self._committee.address]
        self._settlements.refresh(board.block_number)
        challengeable = {job.id: job for job in ours if StageFlag.CONTESTED in job.flags and job.is_known}
        challengeable |= self._settlements.paid(board.block_time, self._is_done_with)
        return CommitteeView(
            chain_id=self._chain_id,
            committee=self._committee.address,
            escrow=self._board.escrow_address,
            config_digest=self._committee.config_digest(block=block),
            members=tuple(self._committee.members(block=block)),
            keys=tuple(self._committee.keys(block=block)),
            faults_tolerated=self._committee.faults_tolerated(block=block),
            latest_sequence=self._committee.latest_sequence(block=block),
            maximum_report_age=self._committee.maximum_report_age(block=block),
            block_time=board.block_time,
            submitted={job.id: job for job in ours if job.awaits_verdict},
            requests=frozenset(job.input_root for job in ours if job.is_claimed)
            | {job.input_root for job in challengeable.values()},
            challengeable=challengeable,
        )

    def _is_done_with(self, job: Job) -> bool:
        """Whether this member has found nothing wrong with a paid answer."""
        finding = self._ballots.finding(job.escrow, job.id, job.commitment)
        return finding is not None and finding.verdict.outcome is not Outcome.REJECT


class Relay:
    """Sends attested reports to the committee contract."""

    def __init__(
        self,
        *,
        committee: OracleCommittee,
        sender: TransactionSender,
        current_view: Callable[[], CommitteeView | None],
        log: Logger,
    ) -> None:
        self._committee = committee
        self._sender = sender
        self._current_view = current_view
        self._log = log

    def __call__(self, attested: AttestedReport) -> None:
        view = self._current_view()
        report = attested.report.report()
        opened: list[OpenedVerdict] = []
        for verdict in report.verdicts:
            job = None if view is None else view.submitted.get(verdict.job_id)
            if job is None or job.commitment != verdict.commitment:
                # `Rounds` relays only what can be opened; the view may have moved since.
                self._log.info("cannot open verdict", job=verdict.job_id, sequence=report.head.sequence)
                return
            opened.append(OpenedVerdict(verdict.job_id, verdict.outcome, job.terms, job.answer))
        call = self._committee.transmission(
            report.head, opened, attested.signers, [item.signature() for item in attested.signatures]
        )
        intent = f"transmit/0x{report.head.config_digest.hex()}/{report.head.sequence}"
        try:
            receipt = self._sender.send(intent, call)
        except (CallReverted, TransactionReverted) as error:
            self._log.info("not relayed", sequence=report.head.sequence, why=str(error))
            return
        for event in self._committee.events(receipt):
            if event.name == "ItemRefused":
                refused = report.verdicts[int(event.args["index"])]
                self._log.warning(
                    "verdict refused",
                    job=refused.job_id,
                    sequence=report.head.sequence,
                    why=revert_text(bytes(event.args["cause"])),
                )
        self._log.info(
            "transmitted", sequence=report.head.sequence, jobs=[item.job_id for item in report.verdicts]
        )


class Oracle:
    """The three loops of one member.

    Args:
        duties: what it does besides, by name, in this order; each takes the newest view and fails alone.
        requests_in_hand: the requests that its duties need, besides those in the view.
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
        poll_interval: float,
        log: Logger,
        duties: Mapping[str, Callable[[CommitteeView], object]],
        requests_in_hand: Callable[[], frozenset[bytes]] = frozenset,
    ) -> None:
        self._address = account.address
        self._watch = watch
        self._judge = judge
        self._custody = custody
        self._rounds = rounds
        self._health = health
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
        """Judge, converse and do the duties until `stop`. A bug in one loop ends all."""
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="oracle") as pool:
            others = [
                pool.submit(self._until_stopped, self.judge_once, min(1.0, self._poll_interval)),
                pool.submit(self._until_stopped, self.do_duties, self._poll_interval),
            ]
            for other in others:
                other.add_done_callback(lambda _: self._stopping.set())
            try:
                run_until_stopped(
                    self.step, stopping=self._stopping, poll_interval=self._poll_interval, log=self._log
                )
            finally:
                self._stopping.set()
            for other in others:
                other.result()

    def step(self) -> None:
        """One turn of the conversation."""
        view = self._watch.look()
        self.view = view
        self._rounds.observe(view)
        self._rounds.lead()
        self._rounds.relay()
        self._health.cycle_done(
            member=view.seat(self._address) is not None,
            latest_sequence=view.latest_sequence,
            waiting_jobs=len(view.submitted),
        )

    def judge_once(self) -> None:
        """Consider jobs until none is due; each is chosen from the newest view, as judging one takes a while."""
        while not self._stopping.is_set() and (view := self.view) is not None:
            self._custody.keep(view.requests | self._requests_in_hand())
            job = self._judge.next_of(
                (job for job in view.submitted.values() if job.deadline > view.block_time),
                view.challengeable.values(),
                now=view.block_time,
            )
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
