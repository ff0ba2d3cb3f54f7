"""The escrow alone, on a staking and a token that do as they are told. No test lives here."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import boa

from tests.models.job_escrow import Answer, Stage, Terms
from tests.suite.deployment import (
    DAY,
    DELIVERABLE,
    HOUR,
    INPUT_ROOT,
    MAX_UINT256,
    MILL,
    MODEL_ID,
    NOBODY,
    REASON,
    Claim,
    actor,
    deploy,
    events_of,
    now,
    travel_to,
)

PRICE = 100 * MILL
BOND = 200 * MILL
STAKE = 10_000 * MILL
PROTOCOL_FEE_BPS, EVALUATOR_FEE_BPS = 100, 300
PROTOCOL_FEE, EVALUATOR_FEE = MILL, 3 * MILL  # of PRICE
LATE_PENALTY = 20 * MILL  # 1,000 basis points of BOND
CHALLENGE_WINDOW, DISPUTE_WINDOW = HOUR, DAY

NOTHING = Answer()  # what an unclaimed job has to say


@dataclass
class Job:
    """A job as those who take part in it remember it."""

    id: int
    terms: Terms
    answer: Answer = NOTHING

    @property
    def claim(self) -> Claim:
        """What `submit` wants to see."""
        window = self.terms.of_schedule("evaluation_window")
        return Claim(self.terms.hash, self.answer.provider, self.answer.claimed_at, window)

    @property
    def arguments(self) -> tuple[Any, ...]:
        return self.id, astuple(self.terms), astuple(self.answer)


@dataclass
class Market:
    """Who plays which part. Both fees are charged; a requester and a worker have plenty."""

    escrow: Any
    staking: Any
    token: Any
    admin: str
    evaluator: str
    arbiter: str
    treasury: str
    requester: str
    worker: str
    hot_key: str
    challenger: str
    stranger: str

    # ------------------------------------------------------------ money
    def fund(self, account: str, amount: int = 1_000_000 * MILL) -> None:
        self.token.mint(account, amount)
        self.token.approve(self.escrow.address, MAX_UINT256, sender=account)

    def list_token(self, token: Any, bond_rate: int = 10**18) -> None:
        """Make another token the one that jobs are paid in."""
        self.staking.set_earnings_token(token.address, True)
        self.escrow.set_payment_token(token.address, bond_rate, sender=self.admin)
        self.token = token
        self.fund(self.requester)

    def balance(self, account: str) -> int:
        return int(self.token.balanceOf(account))

    def credit(self, account: str) -> int:
        return int(self.escrow.credit(self.token.address, account))

    def earnings(self, operator: str) -> int:
        return int(self.escrow.earnings(self.token.address, operator))

    def fees(self) -> tuple[int, int]:
        protocol, evaluator = self.escrow.fees(self.token.address, self.evaluator)
        return int(protocol), int(evaluator)

    def owed(self) -> int:
        return int(self.escrow.owed(self.token.address))

    # ------------------------------------------------------------ jobs
    def offer(self, **changes: Any) -> tuple[Any, ...]:
        fields: dict[str, Any] = {
            "provider": NOBODY,
            "payment_token": self.token.address,
            "callback": NOBODY,
            "model_id": MODEL_ID,
            "input_root": INPUT_ROOT,
            "price_floor": PRICE,
            "price_ceiling": PRICE,
            "ramp": 0,
            "bond": BOND,
            "cancellation_bps": 1_000,
            "claim_deadline": now() + DAY,
            "submit_window": 2 * HOUR,
            "evaluation_window": 3 * HOUR,
            "tier": 0,
            "is_exact": True,
            "reopens": False,
        }
        assert changes.keys() <= fields.keys()
        fields.update(changes)
        return tuple(fields.values())

    def posted(self) -> Job:
        """The job that the escrow's latest call posted."""
        fields = dict(events_of(self.escrow))["JobPosted"]
        return Job(fields["jobId"], Terms(*fields["terms"]))

    def post(self, **changes: Any) -> Job:
        self.escrow.post(self.offer(**changes), sender=self.requester)
        return self.posted()

    def take(self, job: Job, operator: str | None = None) -> None:
        operator = operator or self.worker
        self.escrow.claim(job.id, astuple(job.terms), operator, sender=operator)
        job.answer = Answer(operator, now())

    def claimed(self, **changes: Any) -> Job:
        job = self.post(**changes)
        self.take(job)
        return job

    def answer(self, job: Job, deliverable: bytes = DELIVERABLE) -> None:
        self.escrow.submit(job.id, job.claim, deliverable, sender=job.answer.provider)
        job.answer = Answer(job.answer.provider, job.answer.claimed_at, deliverable)

    def submitted(self, **changes: Any) -> Job:
        job = self.claimed(**changes)
        self.answer(job)
        return job

    def completed(self, **changes: Any) -> Job:
        job = self.submitted(**changes)
        self.escrow.complete(*job.arguments, REASON, sender=self.evaluator)
        return job

    def condemned(self, **changes: Any) -> Job:
        job = self.submitted(**changes)
        self.escrow.reject(*job.arguments, REASON, sender=self.evaluator)
        return job

    def contested(self, **changes: Any) -> Job:
        job = self.submitted(**changes)
        self.escrow.contest(*job.arguments, sender=self.arbiter)
        return job

    def appealed(self, **changes: Any) -> Job:
        job = self.condemned(**changes)
        self.escrow.contest(*job.arguments, sender=self.arbiter)
        return job

    def at(self, stage: Stage, **changes: Any) -> Job:
        """A job in any of its stages."""
        escrow, is_exact = self.escrow, stage is not Stage.NOT_EVALUATED
        changes = {"is_exact": is_exact} | changes
        builders = {
            Stage.FUNDED: self.post,
            Stage.CLAIMED: self.claimed,
            Stage.SUBMITTED: self.submitted,
            Stage.CONDEMNED: self.condemned,
            Stage.CONTESTED: self.contested,
            Stage.CONDEMNED_CONTESTED: self.appealed,
            Stage.ATTESTED: self.completed,
            Stage.UNOPPOSED: self.submitted,
            Stage.UPHELD: self.contested,
            Stage.CANCELLED: self.post,
            Stage.UNCLAIMED: self.post,
            Stage.LATE: self.claimed,
            Stage.NOT_EVALUATED: self.submitted,
            Stage.FINALLY_CONDEMNED: self.condemned,
            Stage.CONVICTED: self.contested,
            Stage.VOIDED: self.submitted,
            Stage.REFUTED: self.completed,
        }
        job = builders[stage](**changes)
        if stage in (Stage.UNOPPOSED, Stage.FINALLY_CONDEMNED):
            self.pass_deadline(job)
            escrow.finalize(*job.arguments)
        elif stage in (Stage.UNCLAIMED, Stage.LATE, Stage.NOT_EVALUATED):
            self.pass_deadline(job)
            escrow.claimRefund(*job.arguments)
        elif stage is Stage.UPHELD:
            escrow.uphold(*job.arguments, REASON, sender=self.arbiter)
        elif stage is Stage.CANCELLED:
            escrow.cancel(job.id, astuple(job.terms), sender=self.requester)
        elif stage in (Stage.CONVICTED, Stage.REFUTED):
            escrow.convict(*job.arguments, self.challenger, REASON, sender=self.arbiter)
        elif stage is Stage.VOIDED:
            escrow.void(*job.arguments, REASON, sender=self.evaluator)
        assert escrow.stage(job.id) == stage
        return job

    def pass_deadline(self, job: Job) -> None:
        """To the first second in which the stage is over."""
        travel_to(self.escrow.deadline(job.id) + 1)

    def reach_deadline(self, job: Job) -> None:
        """To the last second of the stage."""
        travel_to(self.escrow.deadline(job.id))


def deploy_market(token: str = "MockBlockingToken") -> Market:
    boa.env.sstore_trace.clear()  # titanoboa cannot print a contract at an address where another one wrote
    admin = actor("admin")
    staking = deploy("mocks/MockStaking.vy")
    escrow = deploy("JobEscrow.vy", staking.address, admin, sender=actor("deployer"))
    market = Market(
        escrow=escrow,
        staking=staking,
        token=None,
        admin=admin,
        evaluator=actor("evaluator"),
        arbiter=actor("arbiter"),
        treasury=actor("treasury"),
        requester=actor("requester"),
        worker=actor("worker"),
        hot_key=actor("hot key"),
        challenger=actor("challenger"),
        stranger=actor("stranger"),
    )
    escrow.set_evaluator(market.evaluator, sender=admin)
    escrow.set_arbiter(market.arbiter, sender=admin)
    escrow.set_treasury(market.treasury, sender=admin)
    escrow.set_rates(PROTOCOL_FEE_BPS, EVALUATOR_FEE_BPS, 1_000, 1_000, sender=admin)
    escrow.set_pauser(admin, sender=admin)
    escrow.set_unpauser(admin, sender=admin)
    market.list_token(deploy(f"mocks/{token}.vy"))
    staking.set_stake(market.worker, STAKE)
    staking.set_hot_key(market.worker, market.hot_key, True)
    return market
