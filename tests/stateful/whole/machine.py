"""The machinery of the whole-suite test: one call on the chain and in the models, and the comparison of both."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import boa
from hypothesis import currently_in_test_context, note
from hypothesis.stateful import RuleBasedStateMachine

from tests.models.job_escrow import Stage
from tests.models.staking import DELEGATED, OWN, Pool, Refused
from tests.stateful.whole.world import CommitteeModel, World, new_world
from tests.suite.deployment import (
    COIN,
    MAX_UINT256,
    MEMBER_BOND,
    MILL,
    SUPPLY,
    THAW_PERIOD,
    Answer,
    Job,
    Suite,
    actor,
    now,
)

PARTIES = ("party 0", "party 1", "party 2")  # each is requester, operator, delegator and reporter by turns
WEALTH = 100_000 * MILL
COINS = 100_000 * COIN
AT_STAKE = 10_000 * MILL
SHARES_OF_POLICY = {"insurance_bps": 5_000, "rates": (200, 100, 1_000, 1_000)}


class SuiteMachine(RuleBasedStateMachine):
    """Three parties and a committee of four on freshly deployed contracts. Holds no rules."""

    suite: ClassVar[Suite]

    def __init__(self) -> None:
        super().__init__()
        suite = self.suite
        self.parties = [actor(name) for name in PARTIES]
        self.members = [str(member.address) for member in suite.members]
        self.operators = self.parties + self.members
        self.mill, self.coin = str(suite.mill.address), str(suite.coin.address)
        self.contracts = {self.mill: suite.mill, self.coin: suite.coin}
        self.escrow_address = str(suite.escrow.address)
        self.committee_address = str(suite.committee.address)
        self.jobs: list[Job] = []
        self.calls = 0
        self.world = self._model()
        for party in self.parties:
            suite.fund(party, WEALTH, COINS)
            self.world.tokens[self.mill].move(suite.holder, party, WEALTH)
            self.world.tokens[self.coin].balances[party] += COINS
            suite.mill.approve(suite.staking.address, MAX_UINT256, sender=party)
        self.holders = [
            *self.operators,
            str(suite.staking.address),
            self.escrow_address,
            self.committee_address,
            suite.holder,
            suite.treasury,
            suite.insurance,
        ]

    def _model(self) -> World:
        """The models in the state that `deploy_suite` leaves."""
        suite = self.suite
        committee = CommitteeModel(self.committee_address, self.members, MEMBER_BOND, set())
        staking_address = str(suite.staking.address)
        world = new_world(
            self.mill, self.coin, staking_address, self.escrow_address, committee, suite.admin, THAW_PERIOD
        )
        staking, escrow = world.staking, world.escrow
        staking.verifiers |= {self.escrow_address, self.committee_address}
        staking.earnings_tokens += [self.mill, self.coin]
        staking.insurance, staking.insurance_bps = suite.insurance, 5_000
        escrow.evaluator, escrow.arbiter = self.committee_address, suite.arbiter
        escrow.treasury, escrow.tiers = suite.treasury, {}
        for token in (self.mill, self.coin):
            escrow.bond_rates[token] = suite.escrow.bond_rate(token)
        escrow.protocol_fee_bps, escrow.evaluator_fee_bps = 200, 100
        escrow.late_penalty_bps, escrow.reporter_bps = 1_000, 1_000
        mill = world.tokens[self.mill]
        mill.balances[suite.holder] = SUPPLY
        for member in self.members:
            mill.move(suite.holder, member, 20 * MEMBER_BOND)
            staking.stake(member, member, 20 * MEMBER_BOND)
            staking.commit(self.committee_address, member, member, MEMBER_BOND, now())
        return world

    def say(self, what: str) -> None:
        """What a failing example prints."""
        if currently_in_test_context():
            note(what)

    # ------------------------------------------------------------ one call, twice
    def both(self, label: str, call: Callable[[], Any], expect: Callable[[World], Any]) -> Any:
        """The call must be refused exactly when the models refuse it, and for the same reason."""
        self.calls += 1
        self.say(label)
        try:
            expected = expect(self.world)
        except Refused as refused:
            reason = str(refused)
            # A token's own reasons are not the suite's; the models know them as these.
            with boa.reverts() if reason in ("balance", "blocked") else boa.reverts(reason):
                call()
            return None
        result = call()
        assert result is None or expected is None or result == expected, (result, expected)
        return expected

    def pool_number(self, pool: Pool) -> int:
        return int(pool[0], 16) | pool[1] << 160

    def remember(self, job: Job) -> None:
        """What the models know of a job's answer, as its record on chain wants it."""
        answer = self.world.escrow.job(job.id).answer
        job.answer = Answer(answer.provider, answer.claimed_at, answer.deliverable)

    def open_jobs(self) -> list[Job]:
        return [job for job in self.jobs if self.world.escrow.job(job.id).stage.is_open]

    def trial(self) -> World:
        return copy.deepcopy(self.world)

    # ------------------------------------------------------------ the comparison
    def check_balances(self) -> None:
        for address, contract in self.contracts.items():
            balances = self.world.tokens[address].balances
            for holder in self.holders:
                assert contract.balanceOf(holder) == balances[holder], (address, holder)

    def check_stakes(self) -> None:
        staking, model = self.suite.staking, self.world.staking
        for operator in self.operators:
            assert staking.committed(operator) == model.committed(operator)
            assert staking.slashable(operator) == model.slashable(operator)
            assert staking.commit_room(operator) == model.commit_room(operator, now())
            for side in (OWN, DELEGATED):
                state = model.pools[operator, side]
                sums = (state.active, state.active_shares(), state.thawing, state.thawing_shares())
                assert staking.pool(self.pool_number((operator, side))) == sums
        assert staking.total_staked() == model.total_staked()

    def check_jobs(self) -> None:
        escrow, model = self.suite.escrow, self.world.escrow
        assert escrow.job_count() == len(self.jobs)
        for job in self.jobs:
            expected = model.job(job.id)
            assert Stage(escrow.stage(job.id)) is expected.stage, job.id
            assert escrow.deadline(job.id) == expected.deadline
            assert escrow.commitment(job.id) == expected.record
            assert escrow.closeReason(job.id) == expected.stage.close_reason
            assert escrow.runway(job.id) == model.runway(job.id, now())

    def check_books(self) -> None:
        escrow, staking, world = self.suite.escrow, self.suite.staking, self.world
        for token in self.contracts:
            assert escrow.owed(token) == world.escrow.owed(token)
            assert staking.earnings_owed(token) == world.staking.earnings_owed[token]
            fees = escrow.fees(token, self.committee_address)
            assert fees[0] == world.escrow.protocol_fees[token, self.committee_address]
            assert fees[1] == world.escrow.evaluator_fees[token, self.committee_address]
            for party in self.parties:
                assert escrow.earnings(token, party) == world.escrow.earnings[token, party]
                assert escrow.credit(token, party) == world.escrow.credit[token, party]

    def check_solvency(self) -> None:
        """INV-1, read from the chain alone."""
        suite = self.suite
        for token, contract in self.contracts.items():
            staked = suite.staking.total_staked() if token == self.mill else 0
            assert contract.balanceOf(suite.escrow.address) >= suite.escrow.owed(token)
            owed = suite.staking.earnings_owed(token) + staked
            assert contract.balanceOf(suite.staking.address) >= owed

    def check_supply(self) -> None:
        """INV-2: nothing appears, and nothing vanishes but by a burn."""
        supply = self.suite.mill.totalSupply()
        assert supply == SUPPLY - self.world.tokens[self.mill].burned
        assert supply == sum(self.suite.mill.balanceOf(holder) for holder in self.holders)
        coins = sum(self.suite.coin.balanceOf(holder) for holder in self.holders)
        assert coins == COINS * len(self.parties)
