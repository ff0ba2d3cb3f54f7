"""The worker's cycle: look at the chain, claim what pays, compute, submit, free what is stuck.

Nothing here remembers what it has done: whether a job is claimed or submitted is read from the chain, and each transaction is
an intent of the journaled sender, so the cycle can be killed anywhere and started again.
"""

import threading

from eth_account.signers.local import LocalAccount

from proofmill.chain import Status, Suite, TransactionSender
from proofmill.chain.errors import CallReverted, TransactionReverted
from proofmill.chain.job_board import BoardView, JobBoard, TrackedJob
from proofmill.chain.types import JobState
from proofmill.health import Health
from proofmill.jobs import Engine, InvalidRequest
from proofmill.logs import Logger
from proofmill.store import BlobFetcher, BlobStore, BlobUnavailable, to_cid
from worker.policy import Circumstances, Policy


class Worker:
    """One operator that serves the models of `engine`. `step` is one cycle; `run` repeats it until `stop`."""

    def __init__(
        self,
        *,
        account: LocalAccount,
        suite: Suite,
        board: JobBoard,
        sender: TransactionSender,
        engine: Engine,
        store: BlobStore,
        fetcher: BlobFetcher,
        policy: Policy,
        health: Health,
        log: Logger,
    ) -> None:
        self._address = account.address
        self._committee = suite.oracle_committee
        self._escrow = suite.job_escrow
        self._staking = suite.staking
        self._token = suite.mill_token
        self._board = board
        self._sender = sender
        self._engine = engine
        self._store = store
        self._fetcher = fetcher
        self._policy = policy
        self._health = health
        self._log = log
        self._stopping = threading.Event()
        self._left_alone: dict[int, str] = {}

    def stop(self) -> None:
        """Ask `run` to return after the step it is in."""
        self._stopping.set()

    def step(self) -> None:
        """One cycle.

        Raises:
            ProofmillError: the chain or a node cannot be reached; the next step starts afresh.
        """
        view = self._board.refresh()
        for job in view.settled:
            self._report_settlement(job)
        for job in view.open:
            if self._stopping.is_set():
                return
            if job.provider == self._address:
                self._advance(job, view)
            elif job.state == JobState.FUNDED and not job.is_claimed:
                self._consider(job, view)
        self._health.cycle_done(
            block=view.block_number,
            open_jobs=len(view.open),
            own_jobs=sum(1 for job in view.open if job.provider == self._address),
        )

    # ---------------------------------------------------------------- claiming
    def _consider(self, job: TrackedJob, view: BoardView) -> None:
        objection = self._policy.objection(job, self._circumstances(view))
        if objection is None:
            objection = self._check_request(job)
        if objection is not None:
            if self._left_alone.get(job.id) != objection:
                self._left_alone[job.id] = objection
                self._log.info("job left alone", job=job.id, why=objection)
            return
        try:
            self._sender.send(self._intent("claim", job), self._escrow.claim(job.id, job.terms))
        except (CallReverted, TransactionReverted) as error:
            self._log.info("claim lost", job=job.id, why=str(error))
            return
        self._log.info("claimed", job=job.id, price=job.terms.price, bond=job.terms.bond)
        # The claim is mined; computing starts now, the state on the board follows at the next refresh.
        self._compute_and_submit(job)

    def _circumstances(self, view: BoardView) -> Circumstances:
        block = view.block_number
        return Circumstances(
            operator=self._address,
            committee=self._committee.address,
            block_time=view.block_time,
            available_stake=self._staking.available(self._address, block=block),
            escrowed=self._escrow.escrowed(block=block),
            escrow_balance=self._token.balance_of(self._escrow.address, block=block),
            model_ids=self._engine.model_ids(),
        )

    def _check_request(self, job: TrackedJob) -> str | None:
        """Fetch and validate before any stake is committed: a job without a sound input cannot be finished."""
        try:
            self._engine.validate(job.terms.model_id, self._fetcher.fetch(job.terms.input_root))
        except BlobUnavailable as error:
            return f"its input is not available: {error}"
        except InvalidRequest as error:
            return f"its request is malformed: {error}"
        return None

    # ---------------------------------------------------------------- own jobs
    def _advance(self, job: TrackedJob, view: BoardView) -> None:
        if view.block_time > job.deadline:
            self._free(job)
        elif (
            job.state == JobState.FUNDED
            and self._sender.status(self._intent("submit", job)) is not Status.MINED
        ):
            # A mined submission that the confirmed block does not show yet needs nothing more.
            self._compute_and_submit(job)

    def _compute_and_submit(self, job: TrackedJob) -> None:
        try:
            request = self._fetcher.fetch(job.terms.input_root)
        except BlobUnavailable as error:
            self._log.error("input disappeared after the claim", job=job.id, error=str(error))
            return
        answer = self._engine.execute(job.terms.model_id, request)
        deliverable = self._store.put(answer)
        try:
            self._sender.send(
                self._intent("submit", job), self._escrow.submit(job.id, job.terms, deliverable)
            )
        except (CallReverted, TransactionReverted) as error:
            self._log.error("submission refused", job=job.id, why=str(error))
            return
        self._log.info("submitted", job=job.id, answer=to_cid(deliverable), answer_bytes=len(answer))

    def _free(self, job: TrackedJob) -> None:
        """A deadline has passed: settle the job so that what is left of the bond comes back."""
        call = self._escrow.claim_refund(job.id, job.terms, job.deliverable or bytes(32))
        try:
            self._sender.send(self._intent("refund", job), call)
        except (CallReverted, TransactionReverted) as error:
            self._log.info("settled by someone else", job=job.id, why=str(error))
            return
        self._log.warning("settled after its deadline", job=job.id, state=job.state.name.lower())

    def _report_settlement(self, job: TrackedJob) -> None:
        self._left_alone.pop(job.id, None)
        if job.provider == self._address:
            earned = job.terms.price if job.state == JobState.COMPLETED else 0
            self._log.info("settled", job=job.id, state=job.state.name.lower(), earned=earned)

    def _intent(self, step: str, job: TrackedJob) -> str:
        return f"{step}/{job.escrow}/{job.id}"

    @property
    def stopping(self) -> threading.Event:
        """Set once `stop` was called."""
        return self._stopping
