"""The whole suite against its models: every call, legal or not, by everybody, in any order.

Each rule asks the model whether the call is allowed. If so it must succeed on chain and every balance must agree
afterwards; if not it must revert and change nothing. At the end of each run all money leaves, by calls that are open to
anyone or to its owner.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import boa
import pytest
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.models.job_escrow import JobEscrowModel, State
from tests.models.staking import Refused, StakingModel, TokenModel
from tests.stateful.conftest import stateful_settings
from tests.unit.contracts.suite import (
    COMPLETE,
    DAY,
    DELIVERABLE,
    HOUR,
    LATE_PENALTY_BPS,
    MAX_UINT256,
    MINIMUM_BOND_BPS,
    REASON,
    REJECT,
    SUPPLY,
    THAW_PERIOD,
    ZERO_ADDRESS,
    Job,
    Suite,
    actor,
    deploy_suite,
    events_of,
    now,
    travel_to,
)

WEALTH = 10_000  # small amounts make rounding visible
ACCOUNTS = ("ada", "bob", "cyd")  # each is requester, worker and beneficiary by turns
NAMED = st.sampled_from(ACCOUNTS)
AMOUNTS = st.one_of(st.integers(0, 50), st.integers(0, WEALTH))
PICKS = st.integers(0, 999)  # which of the things that exist; cheaper to draw than a strategy of its own
PRICES = st.one_of(st.integers(0, 20), st.integers(0, WEALTH // 4))


class ContractsAgainstModels(RuleBasedStateMachine):
    suite: ClassVar[Suite]

    def __init__(self) -> None:
        super().__init__()
        suite = self.suite
        self.addresses = {name: actor(name) for name in (*ACCOUNTS, "verifier")}
        self.addresses |= {
            "staking": str(suite.staking.address),
            "escrow": str(suite.escrow.address),
            "elsewhere": suite.holder,
        }
        suite.mill.transfer(suite.holder, suite.mill.balanceOf(suite.requester), sender=suite.requester)
        self.token = TokenModel()
        self.token.balances["elsewhere"] = suite.mill.balanceOf(suite.holder)
        for name in ACCOUNTS:
            suite.mill.transfer(self.addresses[name], WEALTH, sender=suite.holder)
            self.token.move("elsewhere", name, WEALTH)
            for spender in ("staking", "escrow"):
                suite.mill.approve(self.addresses[spender], MAX_UINT256, sender=self.addresses[name])
        suite.staking.set_verifier(self.addresses["verifier"], True, sender=suite.admin)
        self.staking = StakingModel(self.token, THAW_PERIOD, {"escrow", "verifier"})
        self.escrow = JobEscrowModel(self.token, self.staking, MINIMUM_BOND_BPS, LATE_PENALTY_BPS)
        self.jobs: list[Job] = []
        self.stray = 0

    # ------------------------------------------------------------ the comparison
    def attempt(
        self,
        label: str,
        expected: Callable[[JobEscrowModel], Any],
        call: Callable[[], Any],
        *,
        compare: bool = False,
    ) -> bool:
        """Make a call that is legal exactly if the model does not refuse it."""
        trial = copy.deepcopy(self.escrow)
        try:
            value = expected(trial)
        except Refused as refusal:
            note(f"{label}: refused ({refusal})")
            with boa.reverts():
                call()
            return False
        note(label)
        result = call()
        if compare:
            assert result == value
        self.escrow, self.staking, self.token = trial, trial.staking, trial.token
        return True

    # ------------------------------------------------------------ stake
    @initialize()
    def stakes_at_the_start(self) -> None:
        for name in ACCOUNTS:
            self.stake(payer=name, operator=name, amount=WEALTH // 2)

    @rule(payer=NAMED, operator=NAMED, amount=AMOUNTS)
    def stake(self, payer: str, operator: str, amount: int) -> None:
        self.attempt(
            f"{payer} stakes {amount} for {operator}",
            lambda model: model.staking.stake(payer, operator, amount),
            lambda: self.suite.staking.stake_for(
                self.addresses[operator], amount, sender=self.addresses[payer]
            ),
        )

    @rule(operator=NAMED, amount=AMOUNTS)
    def request_unstake(self, operator: str, amount: int) -> None:
        self.attempt(
            f"{operator} asks for {amount} back",
            lambda model: model.staking.request_unstake(operator, amount, now()),
            lambda: self.suite.staking.request_unstake(amount, sender=self.addresses[operator]),
            compare=True,
        )

    @rule(operator=NAMED, percent=st.integers(1, 100), early=st.sampled_from([0, 0, 1]))
    def thaw_and_leave(self, operator: str, percent: int, early: int) -> None:
        known = len(self.staking.operators[operator].requests)
        self.request_unstake(operator, self.staking.operators[operator].available() * percent // 100)
        travel_to(now() + self.staking.thaw_period - early)
        self.withdraw(operator, known)
        self.withdraw(operator, known)  # never twice

    @rule(operator=NAMED, pick=PICKS)
    def withdraw(self, operator: str, pick: int) -> None:
        known = len(self.staking.operators[operator].requests)
        request_id = pick % (known + 1)
        self.attempt(
            f"{operator} withdraws request {request_id}",
            lambda model: model.staking.withdraw(operator, request_id, now()),
            lambda: self.suite.staking.withdraw(
                self.addresses[operator], request_id, sender=self.suite.stranger
            ),
            compare=True,
        )

    # ------------------------------------------------------------ another verifier
    @rule(operator=NAMED, amount=AMOUNTS)
    def commit(self, operator: str, amount: int) -> None:
        self.attempt(
            f"the verifier commits {amount} of {operator}",
            lambda model: model.staking.commit("verifier", operator, amount),
            lambda: self.suite.staking.commit(
                self.addresses[operator], amount, sender=self.addresses["verifier"]
            ),
        )

    @rule(operator=NAMED, amount=AMOUNTS)
    def release(self, operator: str, amount: int) -> None:
        self.attempt(
            f"the verifier releases {amount} of {operator}",
            lambda model: model.staking.release("verifier", operator, amount),
            lambda: self.suite.staking.release(
                self.addresses[operator], amount, sender=self.addresses["verifier"]
            ),
        )

    @rule(operator=NAMED, beneficiary=NAMED, released=AMOUNTS, amount=AMOUNTS, compensation=AMOUNTS)
    def slash(self, operator: str, beneficiary: str, released: int, amount: int, compensation: int) -> None:
        self.slash_exactly(operator, beneficiary, released, amount, compensation)

    @rule(operator=NAMED, beneficiary=NAMED, share=st.sampled_from([50, 10, 3, 2, 1]), compensation=AMOUNTS)
    def slash_a_share(self, operator: str, beneficiary: str, share: int, compensation: int) -> None:
        """Up to all of what there is: reaches the thawing pool."""
        state = self.staking.operators[operator]
        amount = (state.active + state.thawing) // share
        self.slash_exactly(operator, beneficiary, state.committed["verifier"], amount, compensation)

    @rule(operator=NAMED, beneficiary=NAMED, percent=st.integers(1, 100), share=st.sampled_from([3, 2, 1, 1]))
    def thaw_and_slash(self, operator: str, beneficiary: str, percent: int, share: int) -> None:
        """Running from a slash; with the last share it empties the pool."""
        available = self.staking.operators[operator].available()
        self.request_unstake(operator, available * percent // 100)
        self.slash_a_share(operator, beneficiary, share, available)

    def slash_exactly(
        self, operator: str, beneficiary: str, released: int, amount: int, compensation: int
    ) -> None:
        self.attempt(
            f"the verifier slashes {amount} of {operator}, releasing {released}",
            lambda model: model.staking.slash(
                "verifier", operator, released, amount, beneficiary, compensation
            ),
            lambda: self.suite.staking.slash(
                self.addresses[operator],
                released,
                amount,
                self.addresses[beneficiary],
                compensation,
                REASON,
                sender=self.addresses["verifier"],
            ),
            compare=True,
        )

    # ------------------------------------------------------------ owner
    @rule(name=st.sampled_from(["escrow", "verifier"]), authorised=st.sampled_from([True, True, True, False]))
    def set_verifier(self, name: str, authorised: bool) -> None:
        note(f"verifier {name}: {authorised}")
        self.suite.staking.set_verifier(self.addresses[name], authorised, sender=self.suite.admin)
        (self.staking.verifiers.add if authorised else self.staking.verifiers.discard)(name)

    @rule(days=st.integers(7, 28))
    def set_thaw_period(self, days: int) -> None:
        self.suite.staking.set_thaw_period(days * DAY, sender=self.suite.admin)
        self.staking.thaw_period = days * DAY

    @rule(bond_bps=st.integers(1_000, 30_000), penalty_bps=st.integers(0, 5_000))
    def change_settings(self, bond_bps: int, penalty_bps: int) -> None:
        self.suite.escrow.set_minimum_bond_bps(bond_bps, sender=self.suite.admin)
        self.suite.escrow.set_late_penalty_bps(penalty_bps, sender=self.suite.admin)
        self.escrow.minimum_bond_bps, self.escrow.late_penalty_bps = bond_bps, penalty_bps

    @rule()
    def rotate_committee(self) -> None:
        committee = self.suite.committee
        committee.set_config(committee.members(), 1, sender=self.suite.admin)

    # ------------------------------------------------------------ jobs
    @rule(
        requester=NAMED,
        named=st.one_of(st.none(), NAMED),
        price=PRICES,
        bond_bps=st.integers(0, 30_000),
        claim_delay=st.integers(0, 31 * DAY),
        windows=st.tuples(st.integers(0, 2 * DAY), st.integers(0, 2 * DAY)),
    )
    def post_anything(
        self,
        requester: str,
        named: str | None,
        price: int,
        bond_bps: int,
        claim_delay: int,
        windows: tuple[int, int],
    ) -> None:
        self.post(requester, named, price, price * bond_bps // 10_000, claim_delay, *windows)

    @rule(requester=NAMED, price=st.integers(1, 300), excess=st.integers(0, 50))
    def post_sensibly(self, requester: str, price: int, excess: int) -> None:
        bond = -(-price * self.escrow.minimum_bond_bps // 10_000) + excess
        self.post(requester, None, price, bond, 2 * DAY, DAY, DAY)

    def post(
        self,
        requester: str,
        named: str | None,
        price: int,
        bond: int,
        claim_delay: int,
        submit_window: int,
        evaluation_window: int,
    ) -> None:
        deadline = now() + claim_delay
        offer = self.suite.offer(
            provider=ZERO_ADDRESS if named is None else self.addresses[named],
            price=price,
            bond=bond,
            claim_deadline=deadline,
            submit_window=submit_window,
            evaluation_window=evaluation_window,
        )
        posted = self.attempt(
            f"{requester} posts a job for {price} with bond {bond}",
            lambda model: model.post(
                requester, named, price, bond, deadline, submit_window, evaluation_window, now()
            ),
            lambda: self.suite.escrow.post(offer, sender=self.addresses[requester]),
        )
        if posted:
            events = dict(events_of(self.suite.escrow))
            self.jobs.append(Job(events["JobPosted"]["jobId"], tuple(events["JobPosted"]["terms"])))
            assert self.jobs[-1].id == len(self.jobs)

    @rule(requester=NAMED, worker=NAMED, price=st.integers(1, 300), excess=st.integers(0, 50))
    def post_and_claim(self, requester: str, worker: str, price: int, excess: int) -> None:
        before = len(self.jobs)
        self.post_sensibly(requester, price, excess)
        if len(self.jobs) > before:
            self.claim_exactly(worker, before)

    @rule(
        requester=NAMED,
        worker=NAMED,
        price=st.integers(1, 300),
        excess=st.integers(0, 50),
        delay=st.sampled_from([0, 0, 0, DAY, DAY + 1]),
    )
    def post_claim_and_submit(self, requester: str, worker: str, price: int, excess: int, delay: int) -> None:
        before = len(self.jobs)
        self.post_and_claim(requester, worker, price, excess)
        if len(self.jobs) > before:
            travel_to(now() + delay)
            self.submit_exactly(worker, before)

    @rule(
        requester=NAMED,
        worker=NAMED,
        price=st.integers(1, 300),
        excess=st.integers(0, 50),
        accept=st.booleans(),
        late=st.sampled_from([-1, 0, 1]),
    )
    def post_to_verdict(
        self, requester: str, worker: str, price: int, excess: int, accept: bool, late: int
    ) -> None:
        """A whole life, with the verdict in the last seconds before or the first after the deadline."""
        before = len(self.jobs)
        self.post_claim_and_submit(requester, worker, price, excess, 0)
        if len(self.jobs) > before and self.escrow.jobs[before].state is State.SUBMITTED:
            travel_to(self.escrow.jobs[before].deadline + late)
            self.transmit_exactly([before], accept)

    def pick_job(self, pick: int) -> int:
        """Mostly one that is open."""
        candidates = [index for index, job in enumerate(self.escrow.jobs) if job.is_open]
        if not candidates or pick % 10 == 0:
            candidates = list(range(len(self.jobs)))
        return candidates[pick // 10 % len(candidates)]

    @precondition(lambda self: self.jobs)
    @rule(caller=NAMED, pick=PICKS)
    def cancel(self, caller: str, pick: int) -> None:
        index = self.pick_job(pick)
        job = self.jobs[index]
        self.attempt(
            f"{caller} cancels job {job.id}",
            lambda model: model.cancel(index, caller),
            lambda: self.suite.escrow.cancel(job.id, job.terms, sender=self.addresses[caller]),
        )

    @precondition(lambda self: self.jobs)
    @rule(caller=NAMED, pick=PICKS)
    def claim(self, caller: str, pick: int) -> None:
        self.claim_exactly(caller, self.pick_job(pick))

    def claim_exactly(self, caller: str, index: int) -> None:
        job = self.jobs[index]
        self.attempt(
            f"{caller} claims job {job.id}",
            lambda model: model.claim(index, caller, now()),
            lambda: self.suite.escrow.claim(job.id, job.terms, sender=self.addresses[caller]),
        )

    @precondition(lambda self: self.jobs)
    @rule(right_caller=st.integers(0, 4), caller=NAMED, pick=PICKS)
    def submit(self, right_caller: int, caller: str, pick: int) -> None:
        index = self.pick_job(pick)
        if right_caller > 0:
            caller = self.escrow.jobs[index].worker or caller
        self.submit_exactly(caller, index)

    def submit_exactly(self, caller: str, index: int) -> None:
        job = self.jobs[index]
        self.attempt(
            f"{caller} submits job {job.id}",
            lambda model: model.submit(index, caller, now()),
            lambda: self.suite.escrow.submit(job.id, job.terms, DELIVERABLE, sender=self.addresses[caller]),
        )

    @precondition(lambda self: any(job.state is State.SUBMITTED for job in self.escrow.jobs))
    @rule(pick=PICKS, accept=st.booleans())
    def transmit(self, pick: int, accept: bool) -> None:
        """One report over some submitted jobs; late ones are recorded as failures and change nothing."""
        submitted = [i for i, job in enumerate(self.escrow.jobs) if job.state is State.SUBMITTED]
        self.transmit_exactly(submitted[pick % len(submitted) :], accept)

    def transmit_exactly(self, chosen: list[int], accept: bool) -> None:
        note(f"report over {chosen}, accept={accept}")
        outcomes = []
        for index in chosen:
            trial = copy.deepcopy(self.escrow)
            try:
                trial.judge(index, accept, now())
            except Refused:
                outcomes.append(False)
                continue
            outcomes.append(True)
            self.escrow, self.staking, self.token = trial, trial.staking, trial.token
        self.suite.transmit([self.jobs[i] for i in chosen], COMPLETE if accept else REJECT)
        applied = [fields for name, fields in events_of(self.suite.committee) if name == "VerdictApplied"]
        assert [fields["success"] for fields in applied] == outcomes

    @precondition(lambda self: self.jobs)
    @rule(pick=PICKS)
    def claim_refund(self, pick: int) -> None:
        index = self.pick_job(pick)
        self.refund(index)

    def refund(self, index: int) -> None:
        job = self.jobs[index]
        self.attempt(
            f"somebody ends job {job.id}",
            lambda model: model.claim_refund(index, now()),
            lambda: self.suite.escrow.claimRefund(job.id, job.terms, DELIVERABLE, sender=self.suite.stranger),
        )

    # ------------------------------------------------------------ the world
    @rule(seconds=st.one_of(st.integers(1, 2 * HOUR), st.integers(1, 2 * HOUR), st.just(THAW_PERIOD)))
    def time_passes(self, seconds: int) -> None:
        note(f"{seconds} s pass")
        travel_to(now() + seconds)

    @precondition(lambda self: any(job.is_open for job in self.escrow.jobs))
    @rule(pick=PICKS, late=st.integers(0, 1), refund=st.booleans())
    def time_passes_to_a_deadline(self, pick: int, late: int, refund: bool) -> None:
        """The last second in which a step is allowed, or the first in which it is not."""
        open_jobs = [index for index, job in enumerate(self.escrow.jobs) if job.is_open]
        index = open_jobs[pick % len(open_jobs)]
        travel_to(max(now(), self.escrow.jobs[index].deadline + late))
        if refund:
            self.refund(index)

    @rule(contract=st.sampled_from(["staking", "escrow"]), amount=st.integers(1, 1_000))
    def somebody_sends_tokens_astray(self, contract: str, amount: int) -> None:
        """Tokens that came without a call belong to nobody and must disturb nobody."""
        note(f"{amount} go astray to {contract}")
        self.suite.mill.transfer(self.addresses[contract], amount, sender=self.suite.holder)
        self.token.move("elsewhere", contract, amount)
        self.stray += amount

    # ------------------------------------------------------------ invariants
    @invariant()
    def every_balance_agrees(self) -> None:
        mill = self.suite.mill
        for name in (*ACCOUNTS, "staking", "escrow", "elsewhere"):
            assert mill.balanceOf(self.addresses[name]) == self.token.balances[name], name

    @invariant()
    def every_stake_agrees(self) -> None:
        staking = self.suite.staking
        for name in ACCOUNTS:
            model, address = self.staking.operators[name], self.addresses[name]
            assert staking.active(address) == model.active
            assert staking.thawing(address) == model.thawing
            assert staking.committed(address) == sum(model.committed.values())
            assert staking.available(address) == model.available()
            assert staking.slashable(address) == model.active + model.thawing
            for verifier in ("escrow", "verifier"):
                committed = staking.committed_to(self.addresses[verifier], address)
                assert committed == model.committed[verifier]
            worths = [staking.unstake_request(address, i)[0] for i in range(len(model.requests))]
            assert worths == [model.worth(request) for request in model.requests]

    @invariant()
    def every_job_agrees(self) -> None:
        escrow = self.suite.escrow
        assert escrow.job_count() == len(self.jobs)
        for job, model in zip(self.jobs, self.escrow.jobs, strict=True):
            assert escrow.state(job.id) == model.state
            assert escrow.provider(job.id) == self.addresses.get(model.worker or "", ZERO_ADDRESS)
            assert escrow.deadline(job.id) == (model.deadline if model.is_open else 0)

    @invariant()
    def solvency(self) -> None:
        """INV-1, read from the chain alone."""
        suite = self.suite
        assert suite.staking.total_staked() == self.staking.total_staked()
        assert suite.mill.balanceOf(suite.staking.address) >= suite.staking.total_staked()
        assert suite.escrow.escrowed() == self.escrow.escrowed()
        assert suite.mill.balanceOf(suite.escrow.address) >= suite.escrow.escrowed()

    @invariant()
    def conservation(self) -> None:
        """INV-2: no token appears or vanishes but by a burn that the supply shows."""
        supply = self.suite.mill.totalSupply()
        everybody = (*ACCOUNTS, "staking", "escrow", "elsewhere")
        assert supply == sum(self.suite.mill.balanceOf(self.addresses[name]) for name in everybody)
        assert supply == SUPPLY - self.token.burned

    # ------------------------------------------------------------ INV-3: everybody leaves
    def teardown(self) -> None:
        suite = self.suite
        for _ in range(2):  # unclaimed jobs have their own deadline; 31 days are beyond every one of them
            travel_to(now() + 31 * DAY)
            for index, job in enumerate(self.escrow.jobs):
                if job.is_open:
                    self.refund(index)
        assert suite.escrow.escrowed() == 0
        for name in ACCOUNTS:
            owed = self.staking.operators[name].committed["verifier"]
            if owed:
                self.release(name, owed)
            if self.staking.operators[name].active:
                self.request_unstake(name, self.staking.operators[name].active)
        travel_to(now() + 28 * DAY)
        for name in ACCOUNTS:
            for request_id, request in enumerate(self.staking.operators[name].requests):
                if not request.withdrawn:
                    self.withdraw_exactly(name, request_id)
        assert suite.staking.total_staked() == 0
        left = [suite.mill.balanceOf(self.addresses[name]) for name in ("staking", "escrow")]
        assert sum(left) == self.stray
        self.every_balance_agrees()
        self.every_stake_agrees()
        self.every_job_agrees()

    def withdraw_exactly(self, operator: str, request_id: int) -> None:
        assert self.attempt(
            f"{operator} leaves by request {request_id}",
            lambda model: model.staking.withdraw(operator, request_id, now()),
            lambda: self.suite.staking.withdraw(self.addresses[operator], request_id),
            compare=True,
        )


@pytest.fixture(scope="module")
def suite() -> Suite:
    """The suite of the unit tests, before any money is at work."""
    suite = deploy_suite()
    staking, worker = suite.staking, suite.worker
    request_id = staking.request_unstake(staking.active(worker), sender=worker)
    travel_to(now() + THAW_PERIOD)
    staking.withdraw(worker, request_id)
    suite.mill.transfer(suite.holder, suite.mill.balanceOf(worker), sender=worker)
    return suite


def test_contracts__against_models(suite: Suite) -> None:
    ContractsAgainstModels.suite = suite
    run_state_machine_as_test(ContractsAgainstModels, settings=stateful_settings())
