"""Random lives of `JobEscrow`, all functions by all roles, held against the model after every step.

Whatever the model refuses the contract must refuse with the same reason; whatever it allows must give the same words, sums
and balances. In the end everybody but strangers is gone, and all money leaves by calls that are open to anyone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import boa
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.models.job_escrow import (
    FULL_BPS,
    NOBODY,
    JobEscrowModel,
    JobModel,
    Offer,
    PaymentTokenModel,
    Refused,
    Stage,
)
from tests.models.staking import require
from tests.stateful.conftest import stateful_settings
from tests.suite.deployment import DAY, HOUR, MAX_UINT256, REASON, Claim, actor, deploy, now, travel_to

REQUESTERS = ("requester", "other requester")
OPERATORS = ("first operator", "second operator")
JUDGES = ("evaluator", "other evaluator", "arbiter", "other arbiter")
PEOPLE = (*REQUESTERS, *OPERATORS, *JUDGES, "hot key", "treasury", "admin", "stranger")
TOKENS = ("coin", "other coin")
STAKE = 3_000
SUPPLY = 10**6

requesters = st.sampled_from(REQUESTERS)
operators = st.sampled_from(OPERATORS)
people = st.sampled_from(PEOPLE)
tokens = st.sampled_from(TOKENS)
indices = st.integers(0, 5)  # of a job, counted from the latest
evaluators = st.sampled_from(["its own"] * 9 + ["stranger"])
waits = st.sampled_from([0, 0, 1, 60, HOUR, 2 * HOUR, DAY])


class Stakes:
    """`MockStaking` in plain Python, behind the protocol of the model."""

    def __init__(self, escrow: str, name: str, tokens: dict[str, PaymentTokenModel]) -> None:
        self.escrow, self.name, self.tokens = escrow, name, tokens
        self.stake: defaultdict[str, int] = defaultdict(int)
        self.committed: defaultdict[str, int] = defaultdict(int)
        self.compensated: defaultdict[str, int] = defaultdict(int)
        self.rewarded: defaultdict[str, int] = defaultdict(int)
        self.distributed: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.hot_keys: set[tuple[str, str]] = set()

    def is_hot_key(self, operator: str, key: str) -> bool:
        return (operator, key) in self.hot_keys

    def commit(self, operator: str, actor: str, amount: int, now: int) -> None:
        require(actor == operator or self.is_hot_key(operator, actor), "mock: not the operator")
        require(self.committed[operator] + amount <= self.stake[operator], "mock: too little stake")
        self.committed[operator] += amount

    def release(self, operator: str, amount: int) -> None:
        require(amount <= self.committed[operator], "mock: not committed")
        self.committed[operator] -= amount

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
        self.release(operator, released)
        taken = min(amount, self.stake[operator] - self.committed[operator])
        paid = min(compensation, taken // 2)
        self.stake[operator] -= taken
        self.compensated[client] += paid
        if reporter != NOBODY:
            self.rewarded[reporter] += taken * reporter_bps // FULL_BPS
        return taken, paid

    def distribute(self, operator: str, token: str, amount: int, now: int) -> None:
        self.tokens[token].move(self.escrow, self.name, amount)
        self.distributed[token, operator] += amount


class JobEscrowMachine(RuleBasedStateMachine):
    @initialize(protocol_fee=st.sampled_from([0, 99, 1_000]), evaluator_fee=st.sampled_from([0, 333]))
    def deploy_all(self, protocol_fee: int, evaluator_fee: int) -> None:
        boa.env.sstore_trace.clear()
        self.people = {name: actor(name) for name in PEOPLE}
        admin = self.people["admin"]
        self.staking = deploy("mocks/MockStaking.vy")
        self.escrow = deploy("JobEscrow.vy", self.staking.address, admin)
        self.tokens = {name: deploy("mocks/MockBlockingToken.vy") for name in TOKENS}
        self.addresses = {name: str(token.address) for name, token in self.tokens.items()}
        self.callback = deploy("mocks/MockJobCallback.vy")

        books = {address: PaymentTokenModel() for address in self.addresses.values()}
        self.stakes = Stakes(self.escrow.address, self.staking.address, books)
        self.model = JobEscrowModel(books, self.stakes, self.escrow.address)
        for token, rate in zip(TOKENS, (10**18, 10**17 + 1), strict=True):
            self.staking.set_earnings_token(self.addresses[token], True)
            self.escrow.set_payment_token(self.addresses[token], rate, sender=admin)
            self.model.bond_rates[self.addresses[token]] = rate
            for name in REQUESTERS:
                requester = self.people[name]
                self.tokens[token].mint(requester, SUPPLY)
                self.tokens[token].approve(self.escrow.address, MAX_UINT256, sender=requester)
                books[self.addresses[token]].balances[requester] = SUPPLY
        for name in OPERATORS:
            self.staking.set_stake(self.people[name], STAKE)
            self.stakes.stake[self.people[name]] = STAKE
        hot_key = self.people["first operator"], self.people["hot key"]
        self.staking.set_hot_key(*hot_key, True)
        self.stakes.hot_keys.add(hot_key)

        self.escrow.set_pauser(admin, sender=admin)
        self.escrow.set_unpauser(admin, sender=admin)
        self.escrow.set_treasury(self.people["treasury"], sender=admin)
        self.model.treasury = self.people["treasury"]
        self.name_judges("evaluator", "arbiter")
        self.set_rates(protocol_fee, evaluator_fee, 1_000)

    # ------------------------------------------------------------ how a step is made
    def agree(self, model: Callable[[], Any], contract: Callable[[], Any]) -> bool:
        """Both do it with the same result, or both refuse for the same reason."""
        try:
            expected = model()
        except Refused as refusal:
            reason = str(refusal)
            note(f"refused: {reason}")
            if reason in ("blocked", "balance"):  # the token's own words
                with boa.reverts():
                    contract()
            else:
                with boa.reverts(reason):
                    contract()
            return False
        result = contract()
        assert expected is None or expected == result
        return True

    def pick(self, index: int) -> int | None:
        """The number of a job, if there is one; the latest come first."""
        return max(1, len(self.model.jobs) - index) if self.model.jobs else None

    def arguments(self, job_id: int) -> tuple[Any, ...]:
        job = self.model.job(job_id)
        return job_id, astuple(job.terms), astuple(job.answer)

    def judge(self, job: JobModel, who: str, role: str) -> str:
        if who != "its own":
            return self.people[who]
        own: str = getattr(job.terms, role)
        return self.people["stranger"] if own == NOBODY else own

    # ------------------------------------------------------------ owner
    @rule(
        protocol_fee=st.sampled_from([0, 99, 1_000]),
        evaluator_fee=st.sampled_from([0, 333, 1_000]),
        late_penalty=st.sampled_from([0, 1_000, 5_000]),
    )
    def set_rates(self, protocol_fee: int, evaluator_fee: int, late_penalty: int) -> None:
        rates = (protocol_fee, evaluator_fee, late_penalty, 700)
        self.escrow.set_rates(*rates, sender=self.people["admin"])
        model = self.model
        model.protocol_fee_bps, model.evaluator_fee_bps = rates[:2]
        model.late_penalty_bps, model.reporter_bps = rates[2:]

    @rule(challenge=st.sampled_from([600, DAY]), dispute=st.sampled_from([HOUR, 2 * DAY]))
    def set_windows(self, challenge: int, dispute: int) -> None:
        self.escrow.set_windows(challenge, dispute, sender=self.people["admin"])
        self.model.challenge_window, self.model.dispute_window = challenge, dispute

    @rule(
        evaluator=st.sampled_from(["evaluator", "other evaluator"]),
        arbiter=st.sampled_from(["arbiter", "other arbiter"]),
    )
    def name_judges(self, evaluator: str, arbiter: str) -> None:
        self.model.evaluator, self.model.arbiter = self.people[evaluator], self.people[arbiter]
        self.escrow.set_evaluator(self.model.evaluator, sender=self.people["admin"])
        self.escrow.set_arbiter(self.model.arbiter, sender=self.people["admin"])

    @rule(flags=st.sampled_from([0, 0, 0, 1, 2, 3]))
    def close(self, flags: int) -> None:
        admin = self.people["admin"]
        self.escrow.unpause(3, sender=admin)
        if flags:
            self.escrow.pause(flags, sender=admin)
        self.model.closed = flags

    @rule(token=tokens, who=people, is_blocked=st.booleans())
    def block(self, token: str, who: str, is_blocked: bool) -> None:
        account = self.people[who]
        self.tokens[token].set_blocked(account, is_blocked)
        blocked = self.model.tokens[self.addresses[token]].blocked  # type: ignore[attr-defined]
        (blocked.add if is_blocked else blocked.discard)(account)

    # ------------------------------------------------------------ requester
    @rule(
        who=requesters,
        token=tokens,
        floor=st.integers(0, 400),
        rise=st.integers(0, 100),
        ramp=st.sampled_from([0, 60, 7_201, DAY]),
        bond=st.integers(0, 700),
        named=st.sampled_from([None, None, None, "first operator", "second operator"]),
        cancellation_bps=st.sampled_from([0, 1_234, FULL_BPS]),
        flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
        windows=st.tuples(st.sampled_from([60, HOUR, 3 * DAY]), st.sampled_from([60, HOUR, DAY // 2, DAY])),
    )
    def post(
        self,
        who: str,
        token: str,
        floor: int,
        rise: int,
        ramp: int,
        bond: int,
        named: str | None,
        cancellation_bps: int,
        flags: tuple[bool, bool, bool],
        windows: tuple[int, int],
    ) -> None:
        is_exact, reopens, calls_back = flags
        offer = Offer(
            provider=NOBODY if named is None else self.people[named],
            payment_token=self.addresses[token],
            callback=self.callback.address if calls_back else NOBODY,
            price_floor=floor,
            price_ceiling=floor + rise,
            ramp=ramp,
            bond=bond if bond % 7 == 0 else bond + floor + rise,  # now and then too small
            cancellation_bps=cancellation_bps,
            claim_deadline=now() + DAY,
            submit_window=windows[0],
            evaluation_window=windows[1],
            is_exact=is_exact,
            reopens=reopens,
        )
        self.agree(
            lambda: self.model.post(self.people[who], offer, now()),
            lambda: self.escrow.post(astuple(offer), sender=self.people[who]),
        )

    @rule(index=indices, who=st.sampled_from(["its own", "its own", "stranger"]))
    def cancel(self, index: int, who: str) -> None:
        job_id = self.pick(index)
        if job_id is not None:
            caller = self.judge(self.model.job(job_id), who, "requester")
            arguments = self.arguments(job_id)[:2]
            self.agree(
                lambda: self.model.cancel(caller, job_id),
                lambda: self.escrow.cancel(*arguments, sender=caller),
            )

    # ------------------------------------------------------------ operator
    def claim_by(self, job_id: int, operator: str, caller: str) -> bool:
        arguments = self.arguments(job_id)[:2]
        return self.agree(
            lambda: self.model.claim(caller, job_id, operator, now()),
            lambda: self.escrow.claim(*arguments, operator, sender=caller),
        )

    def submit_by(self, job_id: int, caller: str, deliverable: bytes) -> bool:
        job = self.model.job(job_id)
        window = job.terms.of_schedule("evaluation_window")
        claim = Claim(job.terms.hash, job.answer.provider, job.answer.claimed_at, window)
        return self.agree(
            lambda: self.model.submit(caller, job_id, deliverable, now()),
            lambda: self.escrow.submit(job_id, claim, deliverable, sender=caller),
        )

    @rule(index=indices, operator=operators, who=st.sampled_from(["its own"] * 4 + ["hot key", "stranger"]))
    def claim(self, index: int, operator: str, who: str) -> None:
        job_id = self.pick(index)
        if job_id is not None:
            caller = self.people[operator if who == "its own" else who]
            self.claim_by(job_id, self.people[operator], caller)

    @rule(
        index=indices,
        who=st.sampled_from(["its own"] * 4 + ["hot key", "stranger"]),
        deliverable=st.sampled_from([REASON, REASON, REASON, bytes(32)]),
    )
    def submit(self, index: int, who: str, deliverable: bytes) -> None:
        job_id = self.pick(index)
        if job_id is not None:
            own = self.model.job(job_id).answer.provider
            caller = (
                self.people["stranger" if own == NOBODY else who]
                if who != "its own" or own == NOBODY
                else own
            )
            self.submit_by(job_id, caller, deliverable)

    @rule(index=indices, operator=operators, wait=waits)
    def work(self, index: int, operator: str, wait: int) -> None:
        """A whole job in one step, so that judges have something to do."""
        job_id = self.pick(index)
        if job_id is not None and self.claim_by(job_id, self.people[operator], self.people[operator]):
            travel_to(now() + wait)
            self.submit_by(job_id, self.people[operator], REASON)

    @rule(
        who=requesters,
        token=tokens,
        operator=operators,
        floor=st.integers(0, 300),
        ramp=st.sampled_from([0, 7_201]),
        flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
        wait=st.sampled_from([0, 60, HOUR]),
        verdict=st.sampled_from([None, None, "complete", "complete", "reject", "reject", "void"]),
        judgements=st.lists(
            st.sampled_from(["contest", "contest", "dismiss", "uphold", "convict"]), max_size=2
        ),
    )
    def live(
        self,
        who: str,
        token: str,
        operator: str,
        floor: int,
        ramp: int,
        flags: tuple[bool, bool, bool],
        wait: int,
        verdict: str | None,
        judgements: list[str],
    ) -> None:
        """Much of a life in one step, so that random steps find jobs in every stage."""
        self.post(who, token, floor, 50, ramp, 1, None, 1_234, flags, (HOUR, HOUR))
        travel_to(now() + wait)
        self.work(0, operator, wait)
        if verdict is not None:
            self.evaluate(0, "its own", verdict)
        for judgement in judgements:
            self.arbitrate(0, "its own", judgement)

    # ------------------------------------------------------------ judges
    @rule(index=indices, who=evaluators, call=st.sampled_from(["complete", "complete", "reject", "void"]))
    def evaluate(self, index: int, who: str, call: str) -> None:
        job_id = self.pick(index)
        if job_id is not None:
            caller, arguments = self.judge(self.model.job(job_id), who, "evaluator"), self.arguments(job_id)
            self.agree(
                lambda: getattr(self.model, call)(caller, job_id, now()),
                lambda: getattr(self.escrow, call)(*arguments, REASON, sender=caller),
            )

    @rule(
        index=indices,
        who=evaluators,
        call=st.sampled_from(["contest", "contest", "dismiss", "uphold", "convict"]),
    )
    def arbitrate(self, index: int, who: str, call: str) -> None:
        job_id = self.pick(index)
        if job_id is None:
            return
        caller, arguments = self.judge(self.model.job(job_id), who, "arbiter"), self.arguments(job_id)
        if call == "convict":
            challenger = self.people["stranger"]
            self.agree(
                lambda: self.model.convict(caller, job_id, challenger, now()),
                lambda: self.escrow.convict(*arguments, challenger, REASON, sender=caller),
            )
            return
        if call == "uphold":
            arguments += (REASON,)
        self.agree(
            lambda: getattr(self.model, call)(caller, job_id, now()),
            lambda: getattr(self.escrow, call)(*arguments, sender=caller),
        )

    # ------------------------------------------------------------ anyone
    @rule(index=indices, who=people)
    def finalize(self, index: int, who: str) -> None:
        job_id = self.pick(index)
        if job_id is not None:
            arguments = self.arguments(job_id)
            self.agree(
                lambda: self.model.finalize(job_id, now()),
                lambda: self.escrow.finalize(*arguments, sender=self.people[who]),
            )

    @rule(index=indices, who=people)
    def claim_refund(self, index: int, who: str) -> None:
        job_id = self.pick(index)
        if job_id is not None:
            caller, arguments = self.people[who], self.arguments(job_id)
            self.agree(
                lambda: self.model.claim_refund(caller, job_id, now()),
                lambda: self.escrow.claimRefund(*arguments, sender=caller),
            )

    @rule(token=tokens, who=people)
    def withdraw(self, token: str, who: str) -> None:
        address, account = self.addresses[token], self.people[who]
        self.agree(
            lambda: self.model.withdraw(address, account),
            lambda: self.escrow.withdraw(address, account, sender=self.people["stranger"]),
        )

    @rule(token=tokens, who=people, receiver=people)
    def withdraw_to(self, token: str, who: str, receiver: str) -> None:
        address, account, target = self.addresses[token], self.people[who], self.people[receiver]
        self.agree(
            lambda: self.model.withdraw(address, account, target),
            lambda: self.escrow.withdraw_to(address, target, sender=account),
        )

    @rule(token=tokens, who=operators)
    def collect_earnings(self, token: str, who: str) -> None:
        address, operator = self.addresses[token], self.people[who]
        self.agree(
            lambda: self.model.collect_earnings(address, operator, now()),
            lambda: self.escrow.collect_earnings(address, operator),
        )

    @rule(token=tokens, who=st.sampled_from(["evaluator", "other evaluator"]))
    def collect_fees(self, token: str, who: str) -> None:
        self.model.collect_fees(self.addresses[token], self.people[who])
        self.escrow.collect_fees(self.addresses[token], self.people[who])

    @rule(wait=waits)
    def wait(self, wait: int) -> None:
        travel_to(now() + wait)

    @rule(index=indices, late=st.sampled_from([0, 1]))
    def wait_for_the_deadline(self, index: int, late: int) -> None:
        job_id = self.pick(index)
        if job_id is not None and self.model.job(job_id).stage.is_open:
            travel_to(max(now(), self.model.job(job_id).deadline + late))

    # ------------------------------------------------------------ what always holds
    @invariant()
    def jobs_are_alike(self) -> None:
        for job_id in range(max(1, len(self.model.jobs) - 3), len(self.model.jobs) + 1):
            job = self.model.job(job_id)
            assert self.escrow.stage(job_id) == job.stage
            assert self.escrow.deadline(job_id) == job.deadline
            assert self.escrow.commitment(job_id) == job.record
            assert self.escrow.runway(job_id) == self.model.runway(job_id, now())
            assert self.escrow.closeReason(job_id) == job.stage.close_reason
        assert self.escrow.job_count() == len(self.model.jobs)

    @invariant()
    def money_is_alike(self) -> None:
        for name, token in self.tokens.items():
            address = self.addresses[name]
            assert (
                self.escrow.owed(address) == self.model.owed(address) == token.balanceOf(self.escrow.address)
            )
            for account in self.people.values():
                assert token.balanceOf(account) == self.model.tokens[address].balances[account]
            for role in (*REQUESTERS, *JUDGES[:2], "treasury"):
                account = self.people[role]
                assert self.escrow.credit(address, account) == self.model.credit[address, account]
            for role in OPERATORS:
                account = self.people[role]
                assert self.escrow.earnings(address, account) == self.model.earnings[address, account]
            for role in ("evaluator", "other evaluator"):
                key = address, self.people[role]
                assert self.escrow.fees(*key) == (
                    self.model.protocol_fees[key],
                    self.model.evaluator_fees[key],
                )

    @invariant()
    def stakes_are_alike(self) -> None:
        for name, account in self.people.items():
            assert self.staking.compensated(account) == self.stakes.compensated[account]
            assert self.staking.rewarded(account) == self.stakes.rewarded[account]
            if name in OPERATORS:
                assert self.staking.stake_of(account) == self.stakes.stake[account]
                bonds = sum(
                    job.terms.bond
                    for job in self.model.jobs
                    if job.stage.is_open and job.answer.provider == account
                )
                assert self.staking.committed(account) == self.stakes.committed[account] == bonds

    def teardown(self) -> None:
        """INV-3: strangers end every job and everything leaves, whatever state the machine left behind."""
        if not hasattr(self, "model"):
            return
        self.close(3)
        for name in TOKENS:
            for who in PEOPLE:
                self.block(name, who, False)
        while any(job.stage.is_open for job in self.model.jobs):
            for job_id, job in enumerate(self.model.jobs, 1):
                if job.stage.is_open:
                    travel_to(max(now(), job.deadline + 1))
                    is_settled_by_silence = job.stage.state == 2 and job.terms.arbiter != NOBODY
                    index = len(self.model.jobs) - job_id
                    (self.finalize if is_settled_by_silence else self.claim_refund)(index, "stranger")
        for name in TOKENS:
            for who in OPERATORS:
                self.collect_earnings(name, who)
            for who in ("evaluator", "other evaluator"):
                self.collect_fees(name, who)
            for who in PEOPLE:
                self.withdraw(name, who)
        self.money_is_alike()
        self.stakes_are_alike()
        for name in TOKENS:
            assert (
                self.tokens[name].balanceOf(self.escrow.address)
                == self.escrow.owed(self.addresses[name])
                == 0
            )
        assert {Stage(self.escrow.stage(n + 1)).is_open for n in range(len(self.model.jobs))} <= {False}


def test_job_escrow__whatever_happens__does_what_the_model_does() -> None:
    with boa.env.anchor():
        run_state_machine_as_test(JobEscrowMachine, settings=stateful_settings())
