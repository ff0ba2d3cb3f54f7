"""The requester's side: turn texts into a funded job, wait for its end, fetch and check the answer.

    with Client.open(settings) as client:
        result = client.embed(["A sentence.", "Another one."])

Money is never left behind silently: every failure names the job, and a job that missed a deadline is settled before the
failure is reported.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from pydantic import Field
from pydantic_settings import SettingsConfigDict
from web3 import Web3

from proofmill.chain import (
    Deployment,
    Job,
    JobOffer,
    JobState,
    Journal,
    PostedJob,
    SenderPolicy,
    TransactionSender,
    connect,
    load_keystore,
    open_database,
)
from proofmill.chain.errors import (
    CallReverted,
    NodeRefused,
    RpcUnavailable,
    TransactionReverted,
    node_failures,
)
from proofmill.chain.history import format_amount
from proofmill.chain.types import EMPTY_ADDRESS, EMPTY_BYTES32
from proofmill.errors import ProofmillError
from proofmill.jobs import EmbeddingAnswer, EmbeddingRequest, InvalidAnswer
from proofmill.settings import ChainSettings
from proofmill.store import BlobFetcher, DirectoryStore, to_cid

MILL = 10**18
OUTAGE_PATIENCE_SECONDS = 120.0  # how long `wait` goes on asking a node that does not answer


class InsufficientFunds(ProofmillError):
    """The account cannot pay for the job; nothing was posted."""


class JobFailed(ProofmillError):
    """The job ended without an answer. `job` is its last state; the message says where the money is."""

    def __init__(self, message: str, *, remedy: str, job: Job) -> None:
        super().__init__(message, remedy=remedy)
        self.job = job


class JobUnfinished(ProofmillError):
    """The job goes on, but its end could not be waited for or its answer not be fetched; the message names the job."""


class WrongAnswer(ProofmillError):
    """The blob behind the accepted hash is not an answer to the request."""


class ClientSettings(ChainSettings):
    """A client's settings: ``proofmill.toml`` or ``PROOFMILL_*``."""

    model_config = SettingsConfigDict(env_prefix="PROOFMILL_", extra="forbid", frozen=True)

    nodes: list[str] = Field(
        min_length=1, description="base URLs of nodes that take requests and serve answers"
    )
    poll_interval: float = Field(default=1.0, gt=0, le=60, description="seconds between two looks at a job")


@dataclass(frozen=True)
class Terms:
    """What the requester offers. Amounts in the token's smallest unit, times in seconds."""

    price: int = 10 * MILL
    bond: int = 25 * MILL
    claim_window: int = 300
    submit_window: int = 600
    evaluation_window: int = 1_200
    provider: ChecksumAddress = EMPTY_ADDRESS


@dataclass(frozen=True)
class Progress:
    """One step of a job, for whoever watches: `stage` is a word, `message` a sentence."""

    stage: str
    message: str
    job_id: int | None = None


@dataclass(frozen=True)
class EmbeddingResult:
    """A checked answer: `quantized` are the exact integers in Q.`fraction_bits`, one row per text."""

    job: Job
    request_id: bytes
    answer_id: bytes
    quantized: npt.NDArray[np.int32]
    fraction_bits: int

    @property
    def embeddings(self) -> npt.NDArray[np.float32]:
        """The same as unit vectors in floating point; exact up to float32's 24 bits."""
        return (self.quantized.astype(np.float64) / (1 << self.fraction_bits)).astype(np.float32)


Watcher = Callable[[Progress], None]


def _ignore(_: Progress) -> None:
    """The watcher of whoever does not watch."""


@dataclass
class Client:
    """One requester with one key. Not for use by several threads."""

    account: LocalAccount
    web3: Web3
    deployment: Deployment
    sender: TransactionSender
    fetcher: BlobFetcher
    poll_interval: float = 1.0
    watch: Watcher = field(default=_ignore)

    def __post_init__(self) -> None:
        self.suite = self.deployment.connect(self.web3)

    @classmethod
    @contextmanager
    def open(cls, settings: ClientSettings, *, watch: Watcher = _ignore) -> Iterator[Client]:
        """Connect, unlock the key and finish transactions that an earlier run left pending."""
        with ExitStack() as stack:
            account = load_keystore(settings.keystore, settings.password_file)
            deployment = Deployment.load(settings.deployment)
            web3 = connect(settings.rpc_url, expected_chain_id=deployment.chain_id)
            deployment.verify(web3)
            database = open_database(settings.data_directory / "client.db")
            stack.callback(database.dispose)
            policy = SenderPolicy(confirmations=settings.confirmations)
            sender = stack.enter_context(TransactionSender(web3, account, Journal(database), policy=policy))
            sender.resume()
            store = DirectoryStore(settings.data_directory / "blobs")
            fetcher = stack.enter_context(BlobFetcher(store, settings.nodes))
            yield cls(account, web3, deployment, sender, fetcher, settings.poll_interval, watch)

    # ---------------------------------------------------------------- the whole way
    def embed(
        self, texts: Sequence[str], *, model_id: bytes | None = None, terms: Terms | None = None
    ) -> EmbeddingResult:
        """Embed `texts`, pay for it, and return the checked answer.

        Raises:
            InvalidText, InvalidRequest: a text is too long, or there are too many; nothing was spent.
            InsufficientFunds: nothing was posted.
            JobFailed: nobody answered in time or the answer was wrong; the price is back.
            JobUnfinished: the job is posted, and something else failed; says how to go on.
        """
        request = self.build_request(texts, model_id=model_id)
        posted = self.post(request, terms or Terms())
        try:
            with node_failures():
                return self.collect(self.wait(posted.id))
        except (JobFailed, WrongAnswer):
            raise
        except ProofmillError as error:
            raise JobUnfinished(
                f"job {posted.id} is posted, but: {error}",
                remedy=f"{error.remedy} Then go on with: proofmill job fetch {posted.id} --out FILE",
            ) from error

    # ---------------------------------------------------------------- step by step
    def build_request(self, texts: Sequence[str], *, model_id: bytes | None = None) -> EmbeddingRequest:
        """Tokenize `texts` for the model; the tokenizer is part of the model and runs here."""
        from proofmill.exact.models.catalogue import MINILM_MODEL_ID
        from proofmill.exact.models.minilm import MAXIMUM_TOKENS, load_tokenizer
        from proofmill.exact.text import tokenize

        sequences = tokenize(load_tokenizer(), texts, MAXIMUM_TOKENS)
        return EmbeddingRequest(
            model_id=model_id or bytes.fromhex(MINILM_MODEL_ID), sequences=tuple(map(tuple, sequences))
        )

    def post(self, request: EmbeddingRequest, terms: Terms) -> PostedJob:
        """Upload the request, escrow the price, return the job."""
        self._check_funds(terms)
        data = request.to_bytes()
        input_root, holders = self.fetcher.upload(data)
        self._say(
            "uploaded", f"request {to_cid(input_root)} ({len(data):,} bytes) is held by {len(holders)} nodes"
        )
        now = int(self.web3.eth.get_block("latest")["timestamp"])
        offer = JobOffer(
            provider=terms.provider,
            model_id=request.model_id,
            input_root=input_root,
            price=terms.price,
            bond=terms.bond,
            claim_deadline=now + terms.claim_window,
            submit_window=terms.submit_window,
            evaluation_window=terms.evaluation_window,
        )
        # Each run of the program is a purchase of its own; within one, a crash never posts twice.
        purchase = uuid.uuid4().hex
        escrow = self.suite.job_escrow
        if self.suite.mill_token.allowance(self.account.address, escrow.address) < terms.price:
            self.sender.send(
                f"approve/{purchase}", self.suite.mill_token.approve(escrow.address, terms.price)
            )
        receipt = self.sender.send(f"post/{purchase}", escrow.post(offer))
        posted = escrow.posted_in(receipt)
        self._say("posted", f"job {posted.id}: {format_amount(terms.price)} in escrow", posted.id)
        return posted

    def wait(self, job_id: int) -> Job:
        """Wait until the job is completed.

        Raises:
            JobFailed: it ended otherwise; deadlines that passed have been settled, the message says with what result.
            RpcUnavailable, NodeRefused: the node has not answered for two minutes.
        """
        seen: tuple[JobState, bool] | None = None
        unanswered_since: float | None = None
        while True:
            try:
                with node_failures():
                    job = self.suite.job_escrow.job(job_id)
                    now = self._now()
            except (RpcUnavailable, NodeRefused) as error:
                if unanswered_since is None:
                    unanswered_since = time.monotonic()
                    self._say("waiting", f"the node does not answer, trying again: {error}", job_id)
                if time.monotonic() - unanswered_since > OUTAGE_PATIENCE_SECONDS:
                    raise
                time.sleep(self.poll_interval)
                continue
            unanswered_since = None
            stage = (job.state, job.is_claimed)
            if stage != seen:
                seen = stage
                self._announce(job)
            if job.state == JobState.COMPLETED:
                return job
            if job.state.is_final:
                raise self._failure(job)
            if now > self._deadline(job):
                self.refund(job)
            time.sleep(self.poll_interval)

    def collect(self, job: Job) -> EmbeddingResult:
        """Fetch the answer of a completed job and check that it answers the request.

        Raises:
            BlobUnavailable: no node has it (yet): try again, the hash on chain does not change.
            WrongAnswer: the accepted blob is not an answer, or has another shape than the request asks for.
        """
        deliverable = self.suite.job_escrow.deliverable(job.id, posted_block=job.posted_block)
        if deliverable is None:
            raise WrongAnswer(
                f"job {job.id} has no answer on chain", remedy="Look at it with: proofmill job show"
            )
        try:
            answer = EmbeddingAnswer.from_bytes(self.fetcher.fetch(deliverable))
        except InvalidAnswer as error:
            raise WrongAnswer(
                f"job {job.id}: the accepted blob is not an answer: {error}",
                remedy="Report this: the committee accepted an answer that cannot be right.",
            ) from error
        request = EmbeddingRequest.from_bytes(self.fetcher.fetch(job.terms.input_root))
        if len(answer.embeddings) != len(request.sequences):
            raise WrongAnswer(
                f"job {job.id}: {len(request.sequences)} sequences were asked, {len(answer.embeddings)} answered",
                remedy="Report this: the committee accepted an answer that cannot be right.",
            )
        self._say("fetched", f"answer {to_cid(deliverable)}", job.id)
        return EmbeddingResult(
            job, job.terms.input_root, deliverable, answer.embeddings, answer.fraction_bits
        )

    def jobs(self, *, everybody: bool = False) -> list[Job]:
        """The jobs that this account has posted, or all jobs, oldest first, as they stand now."""
        escrow = self.suite.job_escrow
        head = int(self.web3.eth.block_number)
        posted = escrow.jobs_posted(self.deployment.deployed_block, head)
        return [
            escrow.job(item.id, block=head)
            for item in posted
            if everybody or item.terms.requester == self.account.address
        ]

    def refund(self, job: Job) -> None:
        """Settle a job whose deadline has passed. Does nothing if someone else has or the chain says not yet."""
        deliverable = EMPTY_BYTES32
        if job.state == JobState.SUBMITTED:
            found = self.suite.job_escrow.deliverable(job.id, posted_block=job.posted_block)
            deliverable = found or EMPTY_BYTES32
        call = self.suite.job_escrow.claim_refund(job.id, job.terms, deliverable)
        # The state is part of the intent: a job may miss its deadline as funded once and as submitted once.
        try:
            self.sender.send(f"refund/{job.escrow}/{job.id}/{job.state.name.lower()}", call)
        except (CallReverted, TransactionReverted) as error:
            self._say("refund", f"not refunded yet: {error}", job.id)

    def cancel(self, job: Job) -> None:
        """Take an unclaimed job back.

        Raises:
            CallReverted: it is claimed or settled, or somebody else's.
        """
        self.sender.send(f"cancel/{job.escrow}/{job.id}", self.suite.job_escrow.cancel(job.id, job.terms))

    # ---------------------------------------------------------------- inside
    def _check_funds(self, terms: Terms) -> None:
        balance = self.suite.mill_token.balance_of(self.account.address)
        if balance < terms.price:
            raise InsufficientFunds(
                f"{self.account.address} holds {format_amount(balance)}, the job costs {format_amount(terms.price)}",
                remedy="Fund the account or offer a lower --price.",
            )
        if self.web3.eth.get_balance(self.account.address) == 0:
            raise InsufficientFunds(
                f"{self.account.address} holds no ether to pay for gas",
                remedy="Send some ether to the account.",
            )

    def _now(self) -> int:
        # A quiet development chain makes no blocks, so its clock may stand still while ours runs.
        return max(int(self.web3.eth.get_block("latest")["timestamp"]), int(time.time()))

    @staticmethod
    def _deadline(job: Job) -> int:
        return job.deadline if job.is_claimed else job.terms.claim_deadline

    def _announce(self, job: Job) -> None:
        words = {
            JobState.FUNDED: f"claimed by {job.provider}" if job.is_claimed else "waiting for a worker",
            JobState.SUBMITTED: "answer submitted, the committee re-executes it",
            JobState.COMPLETED: "answer accepted, the worker is paid",
            JobState.REJECTED: "answer rejected",
            JobState.EXPIRED: "expired",
        }
        self._say(job.state.name.lower(), f"job {job.id}: {words[job.state]}", job.id)

    def _failure(self, job: Job) -> JobFailed:
        price = format_amount(job.terms.price)
        is_mine = job.terms.requester == self.account.address
        back = f"{price} are back in {'your account' if is_mine else f'the account of {job.terms.requester}'}"
        if job.state == JobState.REJECTED and job.is_claimed:
            return JobFailed(
                f"job {job.id}: the committee found the answer of {job.provider} wrong; {back}, with a "
                "compensation out of the worker's stake",
                remedy="Post the job again; the worker that lied has lost its bond.",
                job=job,
            )
        if job.state == JobState.REJECTED:
            return JobFailed(
                f"job {job.id} was cancelled; {back}",
                remedy="Post it again.",
                job=job,
            )
        if not job.is_claimed:
            return JobFailed(
                f"job {job.id}: no worker claimed it in time; {back}",
                remedy="Check that somebody serves the model (0x"
                + job.terms.model_id.hex()
                + "), or offer a higher --price.",
                job=job,
            )
        return JobFailed(
            f"job {job.id}: {job.provider} claimed it and no verdict came in time; {back}",
            remedy="Post the job again. If the worker was late, half of its late penalty went to the requester too.",
            job=job,
        )

    def _say(self, stage: str, message: str, job_id: int | None = None) -> None:
        self.watch(Progress(stage, message, job_id))
