"""The worker's cycle: look at the chain, finish what is claimed, free what is stuck, defend what is doubted, claim one job.

Nothing here must be remembered: whether a job is claimed or submitted is read from the chain, and each transaction is an
intent of the journaled sender, so the cycle can be killed anywhere and started again.
"""

import threading
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from eth_typing import ChecksumAddress

from proofmill.backoff import Backoff
from proofmill.chain import Job, JobState, MillToken, Suite, TransactionSender, terms_hash
from proofmill.chain.errors import CallReverted, TransactionReverted
from proofmill.chain.job_board import BoardView, JobBoard
from proofmill.chain.types import MAXIMUM_UINT8
from proofmill.health import Health
from proofmill.jobs import Engine, InvalidRequest, JobError
from proofmill.logs import Logger
from proofmill.store import BlobFetcher, BlobStore, BlobUnavailable, StoreError, describe
from worker.defence import OwnDefence
from worker.earnings import EarningsCollector
from worker.policy import Circumstances, Policy
from worker.sharing import RequestSharing

# Why a claim is refused although nobody was faster, and what its owner can do. The reasons are the contracts' own.
_MORE_STAKE: Final = "Add stake with `proofmill stake add`, or wait until open jobs are settled."
_CLAIM_REMEDIES: Final[Mapping[str, str]] = {
    "commit: self-stake too small": "Add stake with `proofmill stake add`.",
    "commit: above half of the stake": _MORE_STAKE,
    "commit: above the fault cap": "Add stake with `proofmill stake add`: one bond may be a tenth of it.",
    "commit: above the slash room": _MORE_STAKE,
    "terms: not operator or hot key": "The operator authorises this key with `proofmill hot-key add`.",
    "escrow: tier too low": "Have a device measured; the tier is that of the capability registry.",
}


class Worker:
    """One operator that serves the models of `engine`. `step` is one cycle, to be repeated until `stopping` is set.

    Without a `defence` it takes no part in disputes: where jobs have an arbiter, whoever challenges it then wins.
    Without `sharing` a requester may keep its request from the committee.
    """

    def __init__(
        self,
        *,
        operator: ChecksumAddress,
        suite: Suite,
        board: JobBoard,
        sender: TransactionSender,
        engine: Engine,
        store: BlobStore,
        fetcher: BlobFetcher,
        policy: Policy,
        earnings: EarningsCollector,
        health: Health,
        log: Logger,
        defence: OwnDefence | None = None,
        sharing: RequestSharing | None = None,
    ) -> None:
        self._operator = operator
        self._suite = suite
        self._escrow = suite.job_escrow
        self._staking = suite.staking
        self._board = board
        self._sender = sender
        self._engine = engine
        self._store = store
        self._fetcher = fetcher
        self._policy = policy
        self._earnings = earnings
        self._health = health
        self._log = log
        self._defence = defence
        self._sharing = sharing
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
        own = [job for job in view.open if job.provider == self._operator]
        # Own jobs first: their bonds are at stake, and strangers decide how many others there are.
        for job in own:
            if self._stopping.is_set():
                return
            try:
                self._advance(job, view)
            except (JobError, StoreError) as error:
                self._log.error("own job does not advance", job=job.id, error=str(error), remedy=error.remedy)
        disputes = self._defence.step(own) if self._defence is not None else 0
        self._claim_one([job for job in view.open if job.is_open], view)
        self._earnings.collect_if_due(view.block_hash)
        if self._health.metrics is not None:
            states = Counter(job.state.name.lower() for job in own)
            states["open"] = sum(job.is_open for job in view.open)
            self._health.metrics.note_jobs(states)
        self._health.cycle_done(
            block=view.block_number, open_jobs=len(view.open), own_jobs=len(own), own_disputes=disputes
        )

    def drain(self) -> None:
        """Collect what is worth it before the end; jobs that are still open wait for the next start.

        Raises:
            ProofmillError: the chain cannot be reached; the earnings wait where they are.
        """
        newest = self._suite.mill_token.web3.eth.get_block("latest")["hash"]
        self._earnings.collect(bytes(newest))

    # ---------------------------------------------------------------- claiming
    def _claim_one(self, jobs: list[Job], view: BoardView) -> None:
        """Claim the first sound job and finish it; computing takes a while, so the next choice needs another look."""
        if not jobs:
            return
        self._looks.keep_only({job.id for job in jobs})
        now = self._circumstances(view, {job.terms.payment_token for job in jobs})
        for job in jobs:
            if self._stopping.is_set() or self._consider(job, now):
                return

    def _consider(self, job: Job, now: Circumstances) -> bool:
        """Whether the job was claimed."""
        objection = self._policy.objection(job, now)
        if objection is None:
            if not self._looks.is_due(job.id):
                return False
            objection = self._check_tier(job, now) or self._check_request(job)
        if objection is not None:
            if self._left_alone.get(job.id) != objection:
                self._left_alone[job.id] = objection
                self._log.info("job left alone", job=job.id, why=objection)
            return False
        call = self._escrow.claim(job.id, job.terms, self._operator)
        try:
            receipt = self._sender.send(self._intent("claim", job), call)
        except (CallReverted, TransactionReverted) as error:
            if remedy := _CLAIM_REMEDIES.get(error.reason):
                self._log.error("claim refused", job=job.id, why=error.reason, remedy=remedy)
            else:
                self._log.info("claim lost", job=job.id, why=str(error))
            return False
        claimed = self._escrow.claimed_in(receipt, job)
        self._log.info("claimed", job=job.id, price=claimed.price, bond=job.terms.bond)
        # The claim is mined; computing starts now, the state on the board follows at the next refresh.
        self._compute_and_submit(claimed)
        return True

    def _circumstances(self, view: BoardView, tokens: Collection[ChecksumAddress]) -> Circumstances:
        block = view.block_hash
        room = self._staking.commit_room(self._operator, block=block)
        return Circumstances(
            operator=self._operator,
            committee=self._suite.oracle_committee.address,
            block_time=view.block_time,
            bond_room=room.total,
            largest_bond=room.each,
            insolvent_tokens=frozenset(token for token in tokens if not self._is_solvent(token, block)),
            tier=MAXIMUM_UINT8,  # asked for only where nothing else stands against a job that wants one
            model_ids=self._engine.model_ids(),
        )

    def _is_solvent(self, token: ChecksumAddress, block: bytes) -> bool:
        """Whether the escrow holds what it owes, of a token that is taken; others are not asked anything."""
        if token not in self._policy.minimum_prices:
            return True
        balance = MillToken(self._suite.mill_token.web3, token).balance_of(self._escrow.address, block=block)
        return balance >= self._escrow.owed(token, block=block)

    def _check_tier(self, job: Job, now: Circumstances) -> str | None:
        """What the registry says of the operator's devices; asked again only after a while."""
        if job.terms.rates.tier == 0:
            return None
        due = now.block_time + job.terms.schedule.submit_window
        tier = self._suite.capability_registry.tier_at(self._operator, due)
        objection = self._policy.objection(job, replace(now, tier=tier))
        if objection is not None:
            self._looks.postpone(job.id)
        return objection

    def _check_request(self, job: Job) -> str | None:
        """Fetch and validate before any stake is committed: a job without a sound input cannot be finished."""
        try:
            request = self._fetcher.fetch(job.input_root)
            self._engine.validate(job.model_id, request)
        except BlobUnavailable as error:
            self._looks.postpone(job.id)
            return f"its input is not available: {error}"
        except InvalidRequest as error:
            self._looks.postpone(job.id)
            return f"its request is malformed: {error}"
        return self._policy.objection_to_size(job, len(request))

    # ---------------------------------------------------------------- own jobs
    def _advance(self, job: Job, view: BoardView) -> None:
        if view.block_time > job.deadline:
            self._free(job)
        elif job.state == JobState.FUNDED:
            # Also where the journal says that the answer is submitted: a reorganisation may have taken it back, and the
            # sender knows. If the block looked at is only old, nothing is sent again.
            self._compute_and_submit(job)

    def _compute_and_submit(self, job: Job) -> None:
        deliverable = self._computed.get(terms_hash(job.terms)) or self._compute(job)
        call = self._escrow.submit(job.id, job.claim, deliverable)
        try:
            self._sender.send(self._intent("submit", job), call)
        except (CallReverted, TransactionReverted) as error:
            self._log.error("submission refused", job=job.id, why=str(error))
            return
        self._log.info("submitted", job=job.id, answer=describe(deliverable))

    def _compute(self, job: Job) -> bytes:
        """The root of the answer, which is in the store."""
        request = self._fetcher.fetch(job.input_root)
        if self._sharing is not None:
            self._sharing.share(
                job.id, request
            )  # here and not with the claim: a crash between the two loses nothing
        answer = self._engine.execute(job.model_id, request)
        # Not pinned: old answers make room, else a full store would cost the bond of every job after it.
        deliverable = self._computed[terms_hash(job.terms)] = self._store.put(answer, pinned=False)
        return deliverable

    def _free(self, job: Job) -> None:
        """A deadline has passed: settle the job, so that the worker is paid or what is left of the bond comes back."""
        is_final = job.state is JobState.SUBMITTED and job.terms.is_exact
        settle = self._escrow.finalize if is_final else self._escrow.claim_refund
        try:
            self._sender.send(self._intent("settle", job), settle(job.id, job.terms, job.answer))
        except (CallReverted, TransactionReverted) as error:
            self._log.info("settled by someone else", job=job.id, why=str(error))
            return
        self._log.warning("settled after its deadline", job=job.id, state=job.state.name.lower())

    def _report_settlement(self, job: Job) -> None:
        self._left_alone.pop(job.id, None)
        self._computed.pop(terms_hash(job.terms), None)
        if job.provider == self._operator:
            if job.pay:
                self._earnings.note_paid_job()
            self._log.info(
                "settled",
                job=job.id,
                state=job.state.name.lower(),
                why=job.close_reason.name.lower(),
                earned=job.pay,
            )

    def _intent(self, step: str, job: Job) -> str:
        # All that the call depends on: after a reorganisation a number may stand for another job or another record, and a
        # job that reopened is claimed once more with the same terms.
        stage = f"{job.state.name.lower()}/{job.reopened}"
        return f"{step}/{job.escrow}/{job.id}/{stage}/{job.commitment.hex()}"

    @property
    def stopping(self) -> threading.Event:
        """Set once `stop` was called."""
        return self._stopping
