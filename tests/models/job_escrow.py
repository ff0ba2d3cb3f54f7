"""What `JobEscrow` must do with money and time, in plain Python. Written from the specification."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from tests.models.staking import StakingModel, TokenModel, require


class State(IntEnum):
    FUNDED = 1
    SUBMITTED = 2
    COMPLETED = 3
    REJECTED = 4
    EXPIRED = 5


@dataclass
class JobModel:
    requester: str
    named: str | None
    price: int
    bond: int
    late_penalty: int
    submit_window: int
    evaluation_window: int
    deadline: int
    state: State = State.FUNDED
    worker: str | None = None

    @property
    def is_open(self) -> bool:
        return self.state in (State.FUNDED, State.SUBMITTED)


@dataclass
class JobEscrowModel:
    """Holds its tokens under the name `escrow`, and is a verifier of that name."""

    token: TokenModel
    staking: StakingModel
    minimum_bond_bps: int
    late_penalty_bps: int
    jobs: list[JobModel] = field(default_factory=list)

    NAME = "escrow"
    FULL_BPS = 10_000
    BOUND_TIME = 302_400

    def escrowed(self) -> int:
        return sum(job.price for job in self.jobs if job.is_open)

    def post(
        self,
        requester: str,
        named: str | None,
        price: int,
        bond: int,
        claim_deadline: int,
        submit_window: int,
        evaluation_window: int,
        now: int,
    ) -> None:
        require(price > 0, "price")
        require(bond * self.FULL_BPS >= price * self.minimum_bond_bps, "bond")
        require(now < claim_deadline <= now + 30 * 86_400, "claim deadline")
        require(submit_window > 0 and evaluation_window > 0, "windows")
        require(submit_window + evaluation_window <= self.BOUND_TIME, "windows")
        self.token.move(requester, self.NAME, price)
        penalty = min(price * self.late_penalty_bps // self.FULL_BPS, bond)
        self.jobs.append(
            JobModel(requester, named, price, bond, penalty, submit_window, evaluation_window, claim_deadline)
        )

    def cancel(self, index: int, caller: str) -> None:
        job = self.jobs[index]
        require(job.state is State.FUNDED and job.worker is None and caller == job.requester, "cancel")
        self._refund(job, State.REJECTED)

    def claim(self, index: int, caller: str, now: int) -> None:
        job = self.jobs[index]
        require(job.state is State.FUNDED and job.worker is None, "claim")
        require(job.named in (None, caller) and now <= job.deadline, "claim")
        self.staking.commit(self.NAME, caller, job.bond)
        job.worker, job.deadline = caller, now + job.submit_window

    def submit(self, index: int, caller: str, now: int) -> None:
        job = self.jobs[index]
        require(job.state is State.FUNDED and job.worker == caller and now <= job.deadline, "submit")
        job.state, job.deadline = State.SUBMITTED, now + job.evaluation_window

    def judge(self, index: int, accept: bool, now: int) -> None:
        """By the evaluator."""
        job = self.jobs[index]
        require(job.state is State.SUBMITTED and now <= job.deadline, "judge")
        assert job.worker is not None
        if accept:
            job.state = State.COMPLETED
            self.staking.release(self.NAME, job.worker, job.bond)
            self.token.move(self.NAME, job.worker, job.price)
        else:
            compensation = min(job.price, job.bond // 2)
            self.staking.slash(self.NAME, job.worker, job.bond, job.bond, job.requester, compensation)
            self._refund(job, State.REJECTED)

    def claim_refund(self, index: int, now: int) -> None:
        job = self.jobs[index]
        require(job.is_open and now > job.deadline, "refund")
        if job.worker is not None:
            if job.state is State.FUNDED and job.late_penalty > 0:
                penalty = job.late_penalty
                self.staking.slash(self.NAME, job.worker, job.bond, penalty, job.requester, penalty // 2)
            else:
                self.staking.release(self.NAME, job.worker, job.bond)
        self._refund(job, State.EXPIRED)

    def _refund(self, job: JobModel, state: State) -> None:
        job.state = state
        self.token.move(self.NAME, job.requester, job.price)
