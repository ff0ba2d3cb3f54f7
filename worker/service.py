"""The worker's cycle: look at the chain, finish what is claimed, free what is stuck, claim one job that pays.

Nothing here must be remembered: whether a job is claimed or submitted is read from the chain, and each transaction is an
intent of the journaled sender, so the cycle can be killed anywhere and started again.
"""

import threading

from eth_account.signers.local import LocalAccount

from proofmill.backoff import Backoff
from proofmill.chain import Suite, TransactionSender
from proofmill.chain.errors import CallReverted, TransactionReverted
from proofmill.chain.job_board import BoardView, JobBoard, TrackedJob
from proofmill.chain.typed_data import terms_hash
from proofmill.chain.types import JobState
from proofmill.health import Health
from proofmill.jobs import Engine, InvalidRequest, JobError
from proofmill.logs import Logger
from proofmill.store import BlobFetcher, BlobStore, BlobUnavailable, StoreError, to_cid
from worker.policy import Circumstances, Policy


class Worker:
    """One operator that serves the models of `engine`. `step` is one cycle, to be repeated until `stopping` is set."""

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
        self._looks: Backoff[int] = Backoff()  # at requests that were missing or malformed, by job
        # Terms hash → answer, of own jobs: a second try to submit does not compute again.
        self._computed: dict[bytes, bytes] = {}

    def stop(self) -> None:
        """Ask for no step after the one that runs."""
        self._stopping.set()

    def step(self) -> None:
        """One cycle.

        Raises:
            ProofmillError: the chain or a node cannot be reached; the next step starts afresh.
        """
        view = self._board.refresh()
        for job in view.settled:
            self._report_settlement(job)
        own = [job for job in view.open if job.provider == self._address]
        # Own jobs first: their bonds are at stake, and strangers decide how many others there are.
        for job in own:
            if self._stopping.is_set():
                return
            try:
                self._advance(job, view)
            except (JobError, StoreError) as error:
                self._log.error("own job does not advance", job=job.id, error=str(error), remedy=error.remedy)
        self._claim_one(
            [job for job in view.open if job.state == JobState.FUNDED and not job.is_claimed], view
        )
        self._health.cycle_done(block=view.block_number, open_jobs=len(view.open), own_jobs=len(own))

    # ---------------------------------------------------------------- claiming
    def _claim_one(self, jobs: list[TrackedJob], view: BoardView) -> None:
        """Claim the first sound job and finish it; computing takes a while, so the next choice needs another look."""
        if not jobs:
            return
        self._looks.keep_only({job.id for job in jobs})
        now = self._circumstances(view)
        for job in jobs:
            if self._stopping.is_set() or self._consider(job, now):
                return

    def _consider(self, job: TrackedJob, now: Circumstances) -> bool:
        """Whether the job was claimed."""
        objection = self._policy.objection(job, now)
        if objection is None:
            if not self._looks.is_due(job.id):
                return False
            objection = self._check_request(job)
        if objection is not None:
            if self._left_alone.get(job.id) != objection:
                self._left_alone[job.id] = objection
                self._log.info("job left alone", job=job.id, why=objection)
            return False
        try:
            self._sender.send(self._intent("claim", job), self._escrow.claim(job.id, job.terms))
        except (CallReverted, TransactionReverted) as error:
            self._log.info("claim lost", job=job.id, why=str(error))
            return False
        self._log.info("claimed", job=job.id, price=job.terms.price, bond=job.terms.bond)
        # The claim is mined; computing starts now, the state on the board follows at the next refresh.
        self._compute_and_submit(job)
        return True

    def _circumstances(self, view: BoardView) -> Circumstances:
        block = view.block_hash
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
            request = self._fetcher.fetch(job.terms.input_root)
            self._engine.validate(job.terms.model_id, request)
        except BlobUnavailable as error:
            self._looks.postpone(job.id)
            return f"its input is not available: {error}"
        except InvalidRequest as error:
            self._looks.postpone(job.id)
            return f"its request is malformed: {error}"
        return self._policy.objection_to_size(job, len(request))

    # ---------------------------------------------------------------- own jobs
    def _advance(self, job: TrackedJob, view: BoardView) -> None:
        if view.block_time > job.deadline:
            self._free(job)
        elif job.state == JobState.FUNDED:
            # Also where the journal says that the answer is submitted: a reorganisation may have taken it back, and the
            # sender knows. If the block looked at is only old, nothing is sent again.
            self._compute_and_submit(job)

    def _compute_and_submit(self, job: TrackedJob) -> None:
        deliverable = self._computed.get(terms_hash(job.terms)) or self._compute(job)
        try:
            self._sender.send(
                self._intent("submit", job), self._escrow.submit(job.id, job.terms, deliverable)
            )
        except (CallReverted, TransactionReverted) as error:
            self._log.error("submission refused", job=job.id, why=str(error))
            return
        self._log.info("submitted", job=job.id, answer=to_cid(deliverable))

    def _compute(self, job: TrackedJob) -> bytes:
        """The digest of the answer, which is in the store."""
        request = self._fetcher.fetch(job.terms.input_root)
        answer = self._engine.execute(job.terms.model_id, request)
        # Not pinned: old answers make room, else a full store would cost the bond of every job after it.
        deliverable = self._computed[terms_hash(job.terms)] = self._store.put(answer, pinned=False)
        return deliverable

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
        self._computed.pop(terms_hash(job.terms), None)
        if job.provider == self._address:
            earned = job.terms.price if job.state == JobState.COMPLETED else 0
            self._log.info("settled", job=job.id, state=job.state.name.lower(), earned=earned)

    def _intent(self, step: str, job: TrackedJob) -> str:
        # All that the call depends on: after a reorganisation a number may stand for another job or another state.
        return f"{step}/{job.escrow}/{job.id}/{job.state.name.lower()}/{terms_hash(job.terms).hex()}"

    @property
    def stopping(self) -> threading.Event:
        """Set once `stop` was called."""
        return self._stopping
