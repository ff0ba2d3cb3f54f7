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
    CloseReason,
    Deployment,
    Job,
    JobOffer,
    JobState,
    Journal,
    MillToken,
    PostedJob,
    SenderPolicy,
    StageFlag,
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
from proofmill.chain.terms import minimum_bond
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.deterrence import BOND_MULTIPLE, Deterrence
from proofmill.errors import ProofmillError
from proofmill.jobs import EmbeddingAnswer, EmbeddingRequest, InvalidAnswer, identify
from proofmill.settings import ChainSettings
from proofmill.store import BlobFetcher, DirectoryStore, describe

MILL = 10**18
OUTAGE_PATIENCE_SECONDS = 120.0  # how long `wait` goes on asking a node that does not answer


class InsufficientFunds(ProofmillError):
    """The account cannot pay for the job; nothing was posted."""


class InvalidTerms(ProofmillError, ValueError):
    """The escrow would not accept these terms; nothing was posted."""


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
    """What the requester offers. Amounts in the tokens' smallest unit, times in seconds.

    `price` is the most that is paid, and what is escrowed. With a `price_floor` the price rises from there to `price` within
    `ramp` seconds, and the first worker that is content takes the job; what it did not cost comes back.
    """

    price: int = 10 * MILL
    price_floor: int | None = None  # None: `price` from the start
    ramp: int = 0
    bond: int | None = (
        None  # None: BOND_MULTIPLE times the least that the escrow accepts, so that no lie pays
    )
    claim_window: int = 300
    submit_window: int = 600
    evaluation_window: int = 1_200
    provider: ChecksumAddress = EMPTY_ADDRESS
    payment_token: ChecksumAddress | None = None  # None: MILL
    callback: ChecksumAddress = EMPTY_ADDRESS
    cancellation_bps: int = 0
    tier: int = 0
    is_exact: bool = False
    reopens: bool = False


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
        self._tokens: dict[ChecksumAddress, MillToken] = {}

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
            store = DirectoryStore(settings.data_directory / "blobs", identify=identify)
            fetcher = stack.enter_context(BlobFetcher(store, settings.nodes))
            yield cls(account, web3, deployment, sender, fetcher, settings.poll_interval, watch)

    # ---------------------------------------------------------------- the whole way
    def embed(
        self, texts: Sequence[str], *, model_id: bytes | None = None, terms: Terms | None = None
    ) -> EmbeddingResult:
        """Embed `texts`, pay for it, and return the checked answer.

        Raises:
            InvalidText, InvalidRequest: a text is too long, or there are too many; nothing was spent.
            InsufficientFunds, InvalidTerms: nothing was posted.
            JobFailed: nobody answered in time or the answer was wrong; the price is back.
            JobUnfinished: the job is posted, and something else failed; says how to go on.
        """
        request = self.build_request(texts, model_id=model_id)
        posted = self.post(request, terms or Terms())
        try:
            with node_failures():
                result = self.collect(self.wait(posted.id))
            self._take_change(result.job)
            return result
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
        token = self._token(terms)
        bond = self._checked_bond(terms, token.address)
        if terms.is_exact:
            self._check_disputable(request.model_id)
        self._check_funds(terms, token)
        data = request.to_bytes()
        input_root, holders = self.fetcher.upload(data)
        self._say(
            "uploaded",
            f"request {describe(input_root)} ({len(data):,} bytes) is held by {len(holders)} nodes",
        )
        now = int(self.web3.eth.get_block("latest")["timestamp"])
        offer = JobOffer(
            provider=terms.provider,
            payment_token=token.address,
            callback=terms.callback,
            model_id=request.model_id,
            input_root=input_root,
            price_floor=terms.price if terms.price_floor is None else terms.price_floor,
            price_ceiling=terms.price,
            ramp=terms.ramp,
            bond=bond,
            cancellation_bps=terms.cancellation_bps,
            claim_deadline=now + terms.claim_window,
            submit_window=terms.submit_window,
            evaluation_window=terms.evaluation_window,
            tier=terms.tier,
            is_exact=terms.is_exact,
            reopens=terms.reopens,
        )
        # Each run of the program is a purchase of its own; within one, a crash never posts twice.
        purchase = uuid.uuid4().hex
        escrow = self.suite.job_escrow
        if token.allowance(self.account.address, escrow.address) < terms.price:
            self.sender.send(f"approve/{purchase}", token.approve(escrow.address, terms.price))
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
        seen: tuple[int, int] | None = None
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
            stage = (job.stage, job.reopened)
            if stage != seen:
                seen = stage
                self._announce(job)
            if job.state == JobState.COMPLETED:
                return job
            if job.state.is_final:
                raise self._failure(job)
            if now > job.deadline:
                self.settle(job)
            time.sleep(self.poll_interval)

    def collect(self, job: Job) -> EmbeddingResult:
        """Fetch the answer of a completed job and check that it answers the request.

        Raises:
            BlobUnavailable: no node has it (yet): try again, the hash on chain does not change.
            WrongAnswer: the accepted blob is not an answer, or has another shape than the request asks for.
        """
        deliverable = job.deliverable
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
        request = EmbeddingRequest.from_bytes(self.fetcher.fetch(job.input_root))
        if len(answer.embeddings) != len(request.sequences):
            raise WrongAnswer(
                f"job {job.id}: {len(request.sequences)} sequences were asked, {len(answer.embeddings)} answered",
                remedy="Report this: the committee accepted an answer that cannot be right.",
            )
        self._say("fetched", f"answer {describe(deliverable)}", job.id)
        return EmbeddingResult(job, job.input_root, deliverable, answer.embeddings, answer.fraction_bits)

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

    def settle(self, job: Job) -> None:
        """End a job whose deadline has passed: by silence an exact one is paid, any other one refunded.

        Does nothing if someone else has done so or the chain says not yet.
        """
        escrow = self.suite.job_escrow
        is_final = job.state is JobState.SUBMITTED and job.terms.is_exact
        call = (escrow.finalize if is_final else escrow.claim_refund)(job.id, job.terms, job.answer)
        # The record is part of the intent: a job may miss a deadline as funded, and once more as submitted or reopened.
        moment = f"{job.state.name.lower()}/{job.reopened}/{job.commitment.hex()}"
        try:
            self.sender.send(f"settle/{job.escrow}/{job.id}/{moment}", call)
        except (CallReverted, TransactionReverted) as error:
            self._say("settle", f"not settled yet: {error}", job.id)

    def withdraw(self, token: ChecksumAddress | None = None) -> int:
        """Take what the escrow keeps for this account (change, or a refund that the token refused); how much it was.

        Raises:
            CallReverted: the token still refuses.
        """
        chosen = token or self.suite.mill_token.address
        credit = self.suite.job_escrow.credit(chosen, self.account.address)
        if credit == 0:
            return 0
        call = self.suite.job_escrow.withdraw(chosen, self.account.address)
        self.sender.send(f"withdraw/{uuid.uuid4().hex}", call)
        self._say("withdrawn", f"{format_amount(credit)} that the escrow kept for you")
        return credit

    def cancel(self, job: Job) -> None:
        """Take an unclaimed job back.

        Raises:
            CallReverted: it is claimed or settled, or somebody else's.
        """
        self.sender.send(f"cancel/{job.escrow}/{job.id}", self.suite.job_escrow.cancel(job.id, job.terms))

    # ---------------------------------------------------------------- inside
    def _token(self, terms: Terms) -> MillToken:
        address = terms.payment_token or self.suite.mill_token.address
        return self._tokens.setdefault(address, MillToken(self.web3, address))

    def _checked_bond(self, terms: Terms, token: ChecksumAddress) -> int:
        """The bond to ask for, after a look at what the escrow would refuse; whoever watches hears what a lie would cost."""
        escrow = self.suite.job_escrow
        bond_rate = escrow.bond_rate(token)
        if bond_rate == 0:
            raise InvalidTerms(
                f"the escrow takes no jobs paid in {token}",
                remedy="Pay in a token that the escrow accepts, such as MILL.",
            )
        if terms.price_floor is not None and terms.price_floor > terms.price:
            raise InvalidTerms(
                f"the price would fall, from {format_amount(terms.price_floor)} to {format_amount(terms.price)}",
                remedy="Choose a floor that is not above the ceiling.",
            )
        least = minimum_bond(terms.price, bond_rate)
        if terms.bond is not None and terms.bond < least:
            raise InvalidTerms(
                f"a bond of {format_amount(terms.bond)} is less than the escrow accepts for this price",
                remedy=f"Ask for at least {format_amount(least)}.",
            )
        # The least bond is the price in stake tokens, at the escrow's own rate.
        deterrence = Deterrence(least, BOND_MULTIPLE * least if terms.bond is None else terms.bond)
        self._say("bond" if deterrence.holds else "warning", str(deterrence))
        return deterrence.bond

    def _check_disputable(self, model_id: bytes) -> None:
        """Of an exact job silence pays, so somebody must be able to prove a wrong answer."""
        if self.suite.job_escrow.arbiter() == EMPTY_ADDRESS:
            raise InvalidTerms(
                "the escrow has no arbiter yet, so no job can be decided by the arithmetic alone",
                remedy="Post the job without --exact: if the committee is silent, the price comes back.",
            )
        if not self.suite.model_registry.is_registered(model_id):
            raise InvalidTerms(
                f"model {model_id.hex()} is not registered, so nobody could prove a wrong answer of it",
                remedy="Register it with `proofmill model register`, or post the job without --exact.",
            )

    def _check_funds(self, terms: Terms, token: MillToken) -> None:
        balance = token.balance_of(self.account.address)
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

    def _take_change(self, job: Job) -> None:
        """What the job did not cost; the answer is there, so nothing that happens here may hide it."""
        try:
            with node_failures():
                self.withdraw(job.terms.payment_token)
        except ProofmillError as error:
            self._say(
                "change", f"waits in the escrow: {error} Take it later: proofmill job refund {job.id}", job.id
            )

    def _now(self) -> int:
        # A quiet development chain makes no blocks, so its clock may stand still while ours runs.
        return max(int(self.web3.eth.get_block("latest")["timestamp"]), int(time.time()))

    def _announce(self, job: Job) -> None:
        waiting = "waiting for another worker" if job.reopened else "waiting for a worker"
        words = {
            JobState.FUNDED: f"claimed by {job.provider} for {format_amount(job.price)}"
            if job.is_claimed
            else waiting,
            JobState.SUBMITTED: "answer submitted, the committee re-executes it",
            JobState.COMPLETED: "answer accepted, the worker is paid",
            JobState.REJECTED: "answer rejected",
            JobState.EXPIRED: "expired",
        }
        message = words[job.state]
        if StageFlag.CONTESTED in job.flags:
            message = "the arbiter is asked"
        elif StageFlag.CONDEMNED in job.flags:
            message = "the committee condemned the answer, the worker may appeal"
        self._say(job.state.name.lower(), f"job {job.id}: {message}", job.id)

    def _failure(self, job: Job) -> JobFailed:
        price = format_amount(job.terms.price_ceiling)
        is_mine = job.terms.requester == self.account.address
        account = "your account" if is_mine else f"the account of {job.terms.requester}"
        back = f"{price} are back in {account}"
        again = "Post the job again"
        match job.close_reason:
            case CloseReason.CANCELLED:
                message, remedy = f"was cancelled; {back}", "Post it again."
            case CloseReason.UNCLAIMED:
                message = f": no worker claimed it in time; {back}"
                remedy = f"Check that somebody serves the model (0x{job.model_id.hex()}), or offer a higher --price."
            case CloseReason.LATE:
                message = f": {job.provider} claimed it and did not answer in time; {back}, with a part of its late penalty"
                remedy = f"{again}; with --reopen another worker may take over from a late one."
            case CloseReason.NOT_EVALUATED:
                message = f": {job.provider} answered and no verdict came in time; {back}"
                remedy = f"{again}."
            case CloseReason.VOIDED:
                message = f": the committee found that it could not be served; what the worker was not paid is in {account}"
                remedy = "Check that the nodes still have the request, and that it is sound."
            case _:
                message = (
                    f": the committee found the answer of {job.provider} wrong; {back}, with a compensation out of the "
                    "worker's stake"
                )
                remedy = f"{again}; the worker that lied has lost its bond."
        separator = "" if message.startswith(":") else " "
        return JobFailed(f"job {job.id}{separator}{message}", remedy=remedy, job=job)

    def _say(self, stage: str, message: str, job_id: int | None = None) -> None:
        self.watch(Progress(stage, message, job_id))
