"""What `JobEscrow` must do with money and time, in plain Python. Written from the specification, not from the contract.

Where the contract reverts, the model raises `Refused` with the same reason and has changed nothing. Accounts are any
strings, but records hash to what the contract says only if they are addresses. The stake is somebody else's model, behind
the small protocol `Stakes`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from enum import IntEnum
from typing import Protocol

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.models.staking import Refused, TokenModel, divided_up, require

__all__ = [
    "Answer",
    "JobEscrowModel",
    "JobModel",
    "Offer",
    "PaymentTokenModel",
    "Refused",
    "Stage",
    "Stakes",
    "Terms",
]

DAY = 86_400
FULL_BPS = 10_000
MAX_AMOUNT = 2**96 - 1
MAX_RAMP = 2**24 - 1
MAX_CLAIM_DELAY = 30 * DAY
MAX_BOUND_TIME = 302_400
RATE_UNIT = 10**18
NOBODY = "0x" + "00" * 20
NO_WORD = bytes(32)
POST, CLAIM = 1, 2  # entries that can be closed

TERMS_TYPE = (
    "(address,address,address,address,address,address,bytes32,uint256,uint256,uint256,uint256,uint256)"
)


class Stage(IntEnum):
    """The stage byte: state of ERC-8183 below, what else there is to know above."""

    FUNDED = 0x01
    CLAIMED = 0x11
    SUBMITTED = 0x02
    CONDEMNED = 0x22
    CONTESTED = 0x42
    CONDEMNED_CONTESTED = 0x62
    ATTESTED = 0x13
    UNOPPOSED = 0x23
    UPHELD = 0x33
    CANCELLED = 0x44
    UNCLAIMED = 0x55
    LATE = 0x65
    NOT_EVALUATED = 0x75
    FINALLY_CONDEMNED = 0x84
    CONVICTED = 0x94
    VOIDED = 0xA4
    REFUTED = 0xB3

    @property
    def state(self) -> int:
        return self & 15

    @property
    def is_open(self) -> bool:
        return self.state <= 2

    @property
    def close_reason(self) -> int:
        return 0 if self.is_open else self >> 4


OPEN_STAGES = tuple(stage for stage in Stage if stage.is_open)


# ------------------------------------------------------------------ records
@dataclass(frozen=True)
class Offer:
    """`IJobEscrow.JobOffer`."""

    provider: str = NOBODY
    payment_token: str = NOBODY
    callback: str = NOBODY
    model_id: bytes = b"model".ljust(32, b"\1")
    input_root: bytes = b"input".ljust(32, b"\2")
    price_floor: int = 100
    price_ceiling: int = 100
    ramp: int = 0
    bond: int = 100
    cancellation_bps: int = 0
    claim_deadline: int = 0
    submit_window: int = 3_600
    evaluation_window: int = 3_600
    tier: int = 0
    is_exact: bool = False
    reopens: bool = False


@dataclass(frozen=True)
class Terms:
    """`IJobEscrow.JobTerms`."""

    requester: str
    provider: str
    evaluator: str
    arbiter: str
    payment_token: str
    callback: str
    request_hash: bytes
    price_floor: int
    price_ceiling: int
    bond: int
    schedule: int
    rates: int

    def of_schedule(self, name: str) -> int:
        return unpack(self.schedule, SCHEDULE)[name]

    def of_rates(self, name: str) -> int:
        return unpack(self.rates, RATES)[name]

    @property
    def hash(self) -> bytes:
        return keccak(encode([TERMS_TYPE], [astuple(self)]))

    def price_at(self, time: int) -> int:
        """Rises in a line from the floor to the ceiling; rounds down, for the requester."""
        posted_at, ramp = self.of_schedule("posted_at"), self.of_schedule("ramp")
        if ramp == 0:
            return self.price_ceiling
        elapsed = min(max(time - posted_at, 0), ramp)
        return self.price_floor + (self.price_ceiling - self.price_floor) * elapsed // ramp

    def fees(self, amount: int, is_attested: bool) -> tuple[int, int]:
        """The protocol's and the evaluator's; they round down, for the worker."""
        protocol_fee = amount * self.of_rates("protocol_fee_bps") // FULL_BPS
        evaluator_fee = amount * self.of_rates("evaluator_fee_bps") // FULL_BPS
        return protocol_fee, evaluator_fee if is_attested else 0

    def cancellation_fee(self, price: int) -> int:
        return price * self.of_rates("cancellation_bps") // FULL_BPS

    def late_penalty(self) -> int:
        return self.bond * self.of_rates("late_penalty_bps") // FULL_BPS

    def compensation_cap(self, price: int) -> int:
        """The price in stake tokens, rounded down for those whose stake it is."""
        return self.of_rates("ceiling_in_stake") * price // self.price_ceiling


@dataclass(frozen=True)
class Answer:
    """`IJobEscrow.Answer`."""

    provider: str = NOBODY
    claimed_at: int = 0
    deliverable: bytes = NO_WORD


# From the low end: name and width in bits.
SCHEDULE = {
    "posted_at": 40,
    "ramp": 24,
    "claim_deadline": 40,
    "submit_window": 24,
    "evaluation_window": 24,
    "challenge_window": 24,
    "dispute_window": 24,
}
RATES = {
    "protocol_fee_bps": 16,
    "evaluator_fee_bps": 16,
    "late_penalty_bps": 16,
    "cancellation_bps": 16,
    "reporter_bps": 16,
    "tier": 8,
    "flags": 8,
    "ceiling_in_stake": 96,
}


def pack(layout: Mapping[str, int], values: Mapping[str, int]) -> int:
    word, shift = 0, 0
    for name, width in layout.items():
        require(0 <= values[name] < 1 << width, f"{name} out of range")
        word |= values[name] << shift
        shift += width
    return word


def unpack(word: int, layout: Mapping[str, int]) -> dict[str, int]:
    values = {}
    for name, width in layout.items():
        values[name] = word & ((1 << width) - 1)
        word >>= width
    return values


def claim_hash(terms_hash: bytes, provider: str, claimed_at: int, evaluation_window: int) -> bytes:
    kinds = ["bytes32", "address", "uint256", "uint256"]
    return keccak(encode(kinds, [terms_hash, provider, claimed_at, evaluation_window]))


def answer_hash(terms_hash: bytes, answer: Answer) -> bytes:
    return keccak(encode(["bytes32", "address", "uint256", "bytes32"], [terms_hash, *astuple(answer)]))


def low_bits(record: bytes) -> bytes:
    """What the word of a job keeps of a hash."""
    return record[6:].rjust(32, b"\0")


# ------------------------------------------------------------------ the others
class Stakes(Protocol):
    """Staking, as one verifier sees it. Refuses by raising `Refused`, without having changed anything."""

    def commit(self, operator: str, actor: str, amount: int, now: int) -> None: ...

    def release(self, operator: str, amount: int) -> None: ...

    def slash(
        self,
        operator: str,
        released: int,
        amount: int,
        client: str,
        compensation: int,
        reporter: str,
        reporter_bps: int,
        now: int,
    ) -> tuple[int, int]:
        """What was taken, and what the client received."""

    def distribute(self, operator: str, token: str, amount: int, now: int) -> None:
        """Takes the tokens from the escrow."""

    def is_hot_key(self, operator: str, key: str) -> bool: ...


@dataclass
class PaymentTokenModel(TokenModel):
    """A token that moves nothing to or from the accounts that it blocks."""

    blocked: set[str] = field(default_factory=set)

    def move(self, source: str, target: str, amount: int) -> None:
        require(not self.blocked & {source, target}, "blocked")
        super().move(source, target, amount)


@dataclass
class JobModel:
    terms: Terms
    stage: Stage
    deadline: int
    answer: Answer = Answer()

    @property
    def record(self) -> bytes:
        """What the word keeps of the record's hash."""
        if not self.stage.is_open and (self.stage is not Stage.ATTESTED or self.terms.arbiter == NOBODY):
            return NO_WORD
        if self.stage is Stage.FUNDED:
            return low_bits(self.terms.hash)
        if self.stage is Stage.CLAIMED:
            window = self.terms.of_schedule("evaluation_window")
            return low_bits(claim_hash(self.terms.hash, self.answer.provider, self.answer.claimed_at, window))
        return low_bits(answer_hash(self.terms.hash, self.answer))


# ------------------------------------------------------------------ the escrow
@dataclass
class JobEscrowModel:
    """Holds tokens under `name`. Job n is `jobs[n - 1]`."""

    tokens: Mapping[str, TokenModel]
    stakes: Stakes
    name: str = "escrow"
    evaluator: str = NOBODY
    arbiter: str = NOBODY
    treasury: str = NOBODY
    tiers: dict[str, int] | None = None  # of the operators, for ever; none: no registry
    closed: int = 0
    protocol_fee_bps: int = 0
    evaluator_fee_bps: int = 0
    late_penalty_bps: int = 1_000
    reporter_bps: int = 1_000
    challenge_window: int = 3_600
    dispute_window: int = DAY
    bond_rates: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    jobs: list[JobModel] = field(default_factory=list)
    # By token and account.
    earnings: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    credit: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    protocol_fees: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    evaluator_fees: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    # ------------------------------------------------------------ sums
    def job(self, job_id: int) -> JobModel:
        return self.jobs[job_id - 1]

    def owed(self, token: str) -> int:
        """By adding up, where the contract counts."""
        locked = sum(
            job.terms.price_ceiling
            for job in self.jobs
            if job.stage.is_open and job.terms.payment_token == token
        )
        books = (self.earnings, self.credit, self.protocol_fees, self.evaluator_fees)
        return locked + sum(amount for book in books for (kind, _), amount in book.items() if kind == token)

    def runway(self, job_id: int, now: int) -> int:
        job = self.job(job_id)
        return max(0, job.deadline + 1 - now) if job.stage.is_open else 0

    # ------------------------------------------------------------ requester
    def post(self, requester: str, offer: Offer, now: int) -> int:
        require(not self.closed & POST, "pausable: closed")
        require(self.evaluator != NOBODY, "policy: no evaluator")
        require(not offer.is_exact or self.arbiter != NOBODY, "policy: no arbiter")
        require(offer.price_ceiling > 0, "policy: no price")
        require(offer.price_ceiling <= MAX_AMOUNT, "policy: price too large")
        require(offer.price_floor <= offer.price_ceiling, "policy: floor above ceiling")
        require(offer.ramp <= MAX_RAMP, "policy: ramp too long")
        require(not (offer.reopens and offer.ramp > 0), "policy: reopens with a ramp")
        rate = self.bond_rates[offer.payment_token]
        require(rate > 0, "payments: token not taken")
        least_bond = divided_up(offer.price_ceiling * rate, RATE_UNIT)
        require(offer.bond >= least_bond, "policy: bond too small")
        require(offer.bond <= MAX_AMOUNT, "policy: bond too large")
        require(offer.cancellation_bps <= FULL_BPS, "policy: cancellation too high")
        require(offer.claim_deadline > now, "policy: claim deadline passed")
        require(offer.claim_deadline - now <= MAX_CLAIM_DELAY, "policy: claim deadline too far")
        require(offer.submit_window > 0, "policy: no submit window")
        require(offer.evaluation_window > 0, "policy: no evaluation window")
        require(offer.submit_window <= MAX_BOUND_TIME, "policy: submit window too long")
        require(offer.submit_window + offer.evaluation_window <= MAX_BOUND_TIME, "policy: windows too long")
        require(offer.tier == 0 or self.tiers is not None, "policy: no registry")
        require(offer.tier < 256, "terms: tier out of range")
        schedule = {
            "posted_at": now,
            "ramp": offer.ramp,
            "claim_deadline": offer.claim_deadline,
            "submit_window": offer.submit_window,
            "evaluation_window": offer.evaluation_window,
            "challenge_window": self.challenge_window,
            "dispute_window": self.dispute_window,
        }
        rates = {
            "protocol_fee_bps": self.protocol_fee_bps,
            "evaluator_fee_bps": self.evaluator_fee_bps,
            "late_penalty_bps": self.late_penalty_bps,
            "cancellation_bps": offer.cancellation_bps,
            "reporter_bps": self.reporter_bps,
            "tier": offer.tier,
            "flags": int(offer.reopens),
            "ceiling_in_stake": least_bond,
        }
        terms = Terms(
            requester=requester,
            provider=offer.provider,
            evaluator=self.evaluator,
            arbiter=self.arbiter if offer.is_exact else NOBODY,
            payment_token=offer.payment_token,
            callback=offer.callback,
            request_hash=keccak(offer.model_id + offer.input_root),
            price_floor=offer.price_floor,
            price_ceiling=offer.price_ceiling,
            bond=offer.bond,
            schedule=pack(SCHEDULE, schedule),
            rates=pack(RATES, rates),
        )
        self.tokens[offer.payment_token].move(requester, self.name, offer.price_ceiling)
        self.jobs.append(JobModel(terms, Stage.FUNDED, offer.claim_deadline))
        return len(self.jobs)

    def cancel(self, caller: str, job_id: int) -> None:
        job = self.job(job_id)
        require(job.stage is Stage.FUNDED, "escrow: not open to a claim")
        require(caller == job.terms.requester, "escrow: not the requester")
        self._refund(job, Stage.CANCELLED)

    # ------------------------------------------------------------ operator or its hot key
    def claim(self, caller: str, job_id: int, operator: str, now: int) -> int:
        job = self.job(job_id)
        require(not self.closed & CLAIM, "pausable: closed")
        require(job.stage is Stage.FUNDED, "escrow: not open to a claim")
        require(job.terms.provider in (NOBODY, operator), "escrow: not the named operator")
        require(now <= job.deadline, "escrow: claim deadline passed")
        tier = job.terms.of_rates("tier")
        if tier > 0:
            require(self.tiers is not None, "escrow: no registry to ask")
            assert self.tiers is not None
            require(self.tiers.get(operator, 0) >= tier, "escrow: tier too low")
        self.stakes.commit(operator, caller, job.terms.bond, now)
        job.stage, job.deadline = Stage.CLAIMED, now + job.terms.of_schedule("submit_window")
        job.answer = Answer(operator, now)
        return job.terms.price_at(now)

    def submit(self, caller: str, job_id: int, deliverable: bytes, now: int) -> None:
        job = self.job(job_id)
        require(job.stage is Stage.CLAIMED, "escrow: not open to an answer")
        require(now <= job.deadline, "escrow: submit deadline passed")
        require(deliverable != NO_WORD, "escrow: no deliverable")
        operator = job.answer.provider
        require(caller == operator or self.stakes.is_hot_key(operator, caller), "escrow: not the operator")
        job.stage, job.deadline = Stage.SUBMITTED, now + job.terms.of_schedule("evaluation_window")
        job.answer = replace(job.answer, deliverable=deliverable)

    # ------------------------------------------------------------ evaluator
    def complete(self, caller: str, job_id: int, now: int) -> None:
        job = self._judged(caller, job_id, now)
        self._pay(job, Stage.ATTESTED, now)

    def reject(self, caller: str, job_id: int, now: int) -> None:
        job = self._judged(caller, job_id, now)
        if job.terms.arbiter == NOBODY:
            self._condemn(job, Stage.FINALLY_CONDEMNED, NOBODY, now)
        else:
            job.stage = Stage.CONDEMNED
            job.deadline = now + job.terms.of_schedule("challenge_window")

    def void(self, caller: str, job_id: int, now: int) -> None:
        job = self._judged(caller, job_id, now)
        self.stakes.release(job.answer.provider, job.terms.bond)
        fee = job.terms.cancellation_fee(job.terms.price_at(job.answer.claimed_at))
        self._book_pay(job, fee, is_attested=True)
        self._close(job, Stage.VOIDED)
        self._push(job.terms.payment_token, job.terms.requester, job.terms.price_ceiling - fee)

    def _judged(self, caller: str, job_id: int, now: int) -> JobModel:
        job = self.job(job_id)
        require(job.stage is Stage.SUBMITTED, "escrow: not submitted")
        require(caller == job.terms.evaluator, "escrow: not the evaluator")
        require(now <= job.deadline, "escrow: evaluation too late")
        return job

    # ------------------------------------------------------------ arbiter
    def contest(self, caller: str, job_id: int, now: int) -> None:
        job = self.job(job_id)
        require(job.stage in (Stage.SUBMITTED, Stage.CONDEMNED), "escrow: nothing to contest")
        require(caller == job.terms.arbiter, "escrow: not the arbiter")
        require(now <= job.deadline, "escrow: too late to contest")
        was_condemned = job.stage is Stage.CONDEMNED
        job.stage = Stage.CONDEMNED_CONTESTED if was_condemned else Stage.CONTESTED
        job.deadline += job.terms.of_schedule("dispute_window")

    def dismiss(self, caller: str, job_id: int, now: int) -> None:
        job = self._contested(caller, job_id, now)
        was_condemned = job.stage is Stage.CONDEMNED_CONTESTED
        job.stage = Stage.CONDEMNED if was_condemned else Stage.SUBMITTED
        job.deadline -= job.terms.of_schedule("dispute_window")

    def uphold(self, caller: str, job_id: int, now: int) -> None:
        self._pay(self._contested(caller, job_id, now), Stage.UPHELD, now)

    def convict(self, caller: str, job_id: int, challenger: str, now: int) -> None:
        job = self.job(job_id)
        if job.stage is not Stage.ATTESTED:
            self._condemn(self._contested(caller, job_id, now), Stage.CONVICTED, challenger, now)
            return
        require(job.terms.arbiter != NOBODY, "escrow: other record")  # such a job has no record left
        require(caller == job.terms.arbiter, "escrow: not the arbiter")
        last = job.deadline + job.terms.of_schedule("dispute_window")
        require(now <= last, "escrow: too late to refute")
        self._slash(job, 0, job.terms.bond, challenger, now)
        self._close(job, Stage.REFUTED)

    def _contested(self, caller: str, job_id: int, now: int) -> JobModel:
        job = self.job(job_id)
        require(job.stage in (Stage.CONTESTED, Stage.CONDEMNED_CONTESTED), "escrow: not contested")
        require(caller == job.terms.arbiter, "escrow: not the arbiter")
        require(now <= job.deadline, "escrow: dispute too late")
        return job

    # ------------------------------------------------------------ anyone
    def finalize(self, job_id: int, now: int) -> None:
        job = self.job(job_id)
        require(job.stage.state == 2, "escrow: nothing to finalize")
        require(job.terms.arbiter != NOBODY, "escrow: silence refunds")
        require(now > job.deadline, "escrow: decision still possible")
        if job.stage in (Stage.CONDEMNED, Stage.CONDEMNED_CONTESTED):
            self._condemn(job, Stage.FINALLY_CONDEMNED, NOBODY, now)
        else:
            self._pay(job, Stage.UNOPPOSED, now)

    def claim_refund(self, caller: str, job_id: int, now: int) -> None:
        job = self.job(job_id)
        stages = (Stage.FUNDED, Stage.CLAIMED, Stage.SUBMITTED)
        require(job.stage in stages, "escrow: nothing to refund")
        is_decided_by_silence = job.stage is Stage.SUBMITTED and job.terms.arbiter != NOBODY
        require(not is_decided_by_silence, "escrow: silence pays the worker")
        require(now > job.deadline, "escrow: deadline not passed")
        if job.stage is Stage.CLAIMED:
            self._replace_or_refund(caller, job, now)
        elif job.stage is Stage.FUNDED:
            self._refund(job, Stage.UNCLAIMED)
        else:
            self.stakes.release(job.answer.provider, job.terms.bond)
            self._refund(job, Stage.NOT_EVALUATED)

    def withdraw(self, token: str, account: str, receiver: str | None = None) -> int:
        require(receiver not in (NOBODY, self.name), "payments: bad receiver")
        amount = self.credit[token, account]
        require(amount > 0, "payments: no credit")
        self.tokens[token].move(self.name, account if receiver is None else receiver, amount)
        self.credit[token, account] = 0
        return amount

    def collect_earnings(self, token: str, operator: str, now: int) -> int:
        amount = min(self.earnings[token, operator], MAX_AMOUNT)
        require(amount > 0, "payments: no earnings")
        self.stakes.distribute(operator, token, amount, now)
        self.earnings[token, operator] -= amount
        return amount

    def collect_fees(self, token: str, evaluator: str) -> tuple[int, int]:
        amounts = self.protocol_fees[token, evaluator], self.evaluator_fees[token, evaluator]
        self.protocol_fees[token, evaluator] = self.evaluator_fees[token, evaluator] = 0
        self._push(token, self.treasury, amounts[0])
        self._push(token, evaluator, amounts[1])
        return amounts

    # ------------------------------------------------------------ inside
    def _pay(self, job: JobModel, stage: Stage, now: int) -> None:
        terms = job.terms
        self.stakes.release(job.answer.provider, terms.bond)
        price = terms.price_at(job.answer.claimed_at)
        self._book_pay(job, price, stage is Stage.ATTESTED)
        self.credit[terms.payment_token, terms.requester] += terms.price_ceiling - price
        self._close(job, stage)
        if stage is Stage.ATTESTED and terms.arbiter != NOBODY:
            job.deadline = now + terms.of_schedule("challenge_window")

    def _book_pay(self, job: JobModel, amount: int, is_attested: bool) -> None:
        token, evaluator = job.terms.payment_token, job.terms.evaluator
        protocol_fee, evaluator_fee = job.terms.fees(amount, is_attested)
        self.earnings[token, job.answer.provider] += amount - protocol_fee - evaluator_fee
        self.protocol_fees[token, evaluator] += protocol_fee
        self.evaluator_fees[token, evaluator] += evaluator_fee

    def _replace_or_refund(self, caller: str, job: JobModel, now: int) -> None:
        terms = job.terms
        penalty = terms.late_penalty()
        if penalty > 0:
            self._slash(job, terms.bond, penalty, caller, now)
        else:
            self.stakes.release(job.answer.provider, terms.bond)
        claim_deadline = terms.of_schedule("claim_deadline")
        if terms.of_rates("flags") & 1 and now <= claim_deadline:
            job.stage, job.deadline, job.answer = Stage.FUNDED, claim_deadline, Answer()
        else:
            self._refund(job, Stage.LATE)

    def _condemn(self, job: JobModel, stage: Stage, reporter: str, now: int) -> None:
        self._slash(job, job.terms.bond, job.terms.bond, reporter, now)
        self._refund(job, stage)

    def _slash(self, job: JobModel, released: int, amount: int, reporter: str, now: int) -> None:
        price = job.terms.price_at(job.answer.claimed_at)
        self.stakes.slash(
            job.answer.provider,
            released,
            amount,
            job.terms.requester,
            job.terms.compensation_cap(price),
            reporter,
            job.terms.of_rates("reporter_bps"),
            now,
        )

    def _refund(self, job: JobModel, stage: Stage) -> None:
        self._close(job, stage)
        self._push(job.terms.payment_token, job.terms.requester, job.terms.price_ceiling)

    def _close(self, job: JobModel, stage: Stage) -> None:
        job.stage, job.deadline = stage, 0

    def _push(self, token: str, account: str, amount: int) -> None:
        """What the token refuses to move waits as credit."""
        try:
            self.tokens[token].move(self.name, account, amount)
        except Refused:
            self.credit[token, account] += amount
