"""Random histories of the whole suite: every call, legal or not, by everybody, in any order.

After each step every balance, stake and job agrees with the models; at the end all money leaves, by calls that are open to
anyone or to its owner, with every entry closed.
"""

from __future__ import annotations

from typing import Any

import boa
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from tests.models.job_escrow import NOBODY, Offer, PaymentTokenModel, Stage
from tests.models.oracle_committee import COMPLETE, REJECT, VOID
from tests.models.staking import DELEGATED, OWN
from tests.stateful.conftest import stateful_settings
from tests.stateful.whole.machine import AT_STAKE, SuiteMachine
from tests.suite.deployment import (
    DAY,
    DELIVERABLE,
    HOUR,
    MAX_UINT256,
    MILL,
    REASON,
    Job,
    deploy_suite,
    events_of,
    now,
    travel_to,
)

WHO = st.integers(0, 2)  # which party
PICKS = st.integers(0, 999)  # which of the things that exist; cheaper to draw than a strategy of its own
PERCENT = st.sampled_from([100, 100, 50, 33, 7, 1, 0, 101])
TOKENS = st.sampled_from(["mill", "coin"])
OUTCOMES = st.sampled_from([COMPLETE, COMPLETE, COMPLETE, REJECT, VOID])
PRICES = st.sampled_from([1, 3, 999, 10**6, 100 * 10**6 + 7])
WINDOWS = st.sampled_from([1, HOUR, DAY, 302_399])


class SuiteAgainstModels(SuiteMachine):
    def __init__(self) -> None:
        super().__init__()
        for party in self.parties:
            who = self.parties.index(party)
            self.stake(who, who, AT_STAKE)
            self.set_terms(who, 1_000, True)

    # ------------------------------------------------------------ stake
    @rule(payer=WHO, operator=WHO, amount=st.sampled_from([0, 1, 977, MILL, 5_000 * MILL]))
    def stake(self, payer: int, operator: int, amount: int) -> None:
        source, target = self.parties[payer], self.parties[operator]
        self.both(
            f"{source} stakes {amount} for {target}",
            lambda: self.suite.staking.stake_for(target, amount, sender=source),
            lambda world: world.staking.stake(source, target, amount),
        )

    @rule(
        who=WHO,
        cut_bps=st.sampled_from([0, 1_000, 3_333, 10_000]),
        accepts=st.sampled_from([True, True, False]),
    )
    def set_terms(self, who: int, cut_bps: int, accepts: bool) -> None:
        operator = self.parties[who]
        self.both(
            f"{operator} takes {cut_bps} and accepts delegation: {accepts}",
            lambda: self.suite.staking.set_terms(cut_bps, accepts, sender=operator),
            lambda world: world.staking.set_terms(operator, cut_bps, accepts, now()) and None,
        )

    @rule(who=WHO, operator=WHO, amount=st.sampled_from([MILL - 1, MILL, 7 * MILL + 3, 3_000 * MILL]))
    def delegate(self, who: int, operator: int, amount: int) -> None:
        delegator, target = self.parties[who], self.parties[operator]
        self.both(
            f"{delegator} delegates {amount} to {target}",
            lambda: self.suite.staking.delegate(target, amount, 0, sender=delegator),
            lambda world: world.staking.delegate(delegator, target, amount),
        )

    @rule(who=WHO, operator=WHO, side=st.sampled_from([OWN, DELEGATED]), percent=PERCENT)
    def request_redeem(self, who: int, operator: int, side: int, percent: int) -> None:
        owner = self.parties[operator if side == OWN else who]
        pool = (self.parties[operator], side)
        shares = self.world.staking.pools[pool].shares[owner] * percent // 100
        self.both(
            f"{owner} asks for {percent} % of its shares in {pool}",
            lambda: self.suite.staking.requestRedeem(self.pool_number(pool), shares, sender=owner),
            lambda world: world.staking.request_redeem(owner, pool, shares, now()),
        )

    @rule(who=WHO, operator=WHO, side=st.sampled_from([OWN, DELEGATED]))
    def cancel_redeem_request(self, who: int, operator: int, side: int) -> None:
        owner, pool = self.parties[who], (self.parties[operator], side)
        number = self.world.staking.pools[pool].first_open(owner)
        self.both(
            f"{owner} takes request {number} in {pool} back",
            lambda: self.suite.staking.cancelRedeemRequest(self.pool_number(pool), number, sender=owner),
            lambda world: world.staking.cancel_redeem_request(owner, pool, number),
        )

    @rule(who=WHO, operator=WHO, side=st.sampled_from([OWN, DELEGATED]), count=st.sampled_from([1, 100]))
    def redeem(self, who: int, operator: int, side: int, count: int) -> None:
        owner, pool = self.parties[who], (self.parties[operator], side)
        self.both(
            f"{owner} is paid for up to {count} requests in {pool}",
            lambda: self.suite.staking.redeem(
                self.pool_number(pool), owner, count, sender=self.suite.stranger
            ),
            lambda world: world.staking.redeem(pool, owner, count, now()),
        )

    @rule(who=WHO, operator=WHO, successor=WHO)
    def redelegate(self, who: int, operator: int, successor: int) -> None:
        owner, pool = self.parties[who], (self.parties[operator], DELEGATED)
        to = self.parties[successor]
        self.both(
            f"{owner} moves from {pool} to {to}",
            lambda: self.suite.staking.redelegate(self.pool_number(pool), to, 0, 100, sender=owner),
            lambda world: world.staking.redelegate(owner, pool, to, 0, 100, now()),
        )

    @rule(operator=WHO, key=WHO, authorised=st.booleans())
    def set_hot_key(self, operator: int, key: int, authorised: bool) -> None:
        owner, hot = self.parties[operator], self.parties[key]
        self.both(
            f"{hot} acts for {owner}: {authorised}",
            lambda: self.suite.staking.set_hot_key(hot, authorised, sender=owner),
            lambda world: world.staking.set_hot_key(owner, hot, authorised),
        )

    # ------------------------------------------------------------ jobs
    def token(self, name: str) -> str:
        return self.mill if name == "mill" else self.coin

    @rule(
        requester=WHO,
        named=st.sampled_from([None, None, None, 0, 1, 2]),
        token=TOKENS,
        prices=st.tuples(PRICES, PRICES),
        ramp=st.sampled_from([0, 1, HOUR, 2**24 - 1, 2**24]),
        bond_excess=st.sampled_from([0, 0, 0, 1, -1, 10 * MILL]),
        claim_delay=st.sampled_from([1, HOUR, 2 * DAY, 31 * DAY]),
        windows=st.tuples(WINDOWS, WINDOWS),
        is_exact=st.booleans(),
        reopens=st.booleans(),
        cancellation_bps=st.sampled_from([0, 1_000, 10_000]),
    )
    def post_anything(
        self,
        requester: int,
        named: int | None,
        token: str,
        prices: tuple[int, int],
        ramp: int,
        bond_excess: int,
        claim_delay: int,
        windows: tuple[int, int],
        is_exact: bool,
        reopens: bool,
        cancellation_bps: int,
    ) -> None:
        rate = self.world.escrow.bond_rates[self.token(token)]
        least_bond = -(-prices[1] * rate // 10**18)
        offer = Offer(
            provider=NOBODY if named is None else self.parties[named],
            payment_token=self.token(token),
            price_floor=prices[0],
            price_ceiling=prices[1],
            ramp=ramp,
            bond=max(0, least_bond + bond_excess),
            cancellation_bps=cancellation_bps,
            claim_deadline=now() + claim_delay,
            submit_window=windows[0],
            evaluation_window=windows[1],
            is_exact=is_exact,
            reopens=reopens,
        )
        self.post(requester, offer)

    @rule(requester=WHO, token=TOKENS, price=PRICES, is_exact=st.booleans(), reopens=st.booleans())
    def post_sensibly(self, requester: int, token: str, price: int, is_exact: bool, reopens: bool) -> None:
        rate = self.world.escrow.bond_rates[self.token(token)]
        offer = Offer(
            payment_token=self.token(token),
            price_floor=price // 2,
            price_ceiling=price,
            ramp=0 if reopens else DAY,
            bond=-(-price * rate // 10**18),
            cancellation_bps=1_000,
            claim_deadline=now() + 2 * DAY,
            submit_window=DAY,
            evaluation_window=DAY,
            is_exact=is_exact,
            reopens=reopens,
        )
        self.post(requester, offer)

    def post(self, requester: int, offer: Offer) -> None:
        sender = self.parties[requester]
        fields = tuple(vars(offer).values())
        job_id = self.both(
            f"{sender} posts {offer}",
            lambda: self.suite.escrow.post(fields, sender=sender),
            lambda world: world.escrow.post(sender, offer, now()),
        )
        if job_id is not None:
            self.jobs.append(self.suite.posted())

    @rule(
        requester=WHO,
        worker=WHO,
        token=TOKENS,
        price=PRICES,
        is_exact=st.booleans(),
        delay=st.sampled_from([0, 0, HOUR, DAY + 1]),
        outcome=st.sampled_from([None, COMPLETE, COMPLETE, REJECT, VOID]),
    )
    def work(
        self,
        requester: int,
        worker: int,
        token: str,
        price: int,
        is_exact: bool,
        delay: int,
        outcome: int | None,
    ) -> None:
        """A job's life, as far as the delay lets it come."""
        known = len(self.jobs)
        self.post_sensibly(requester, token, price, is_exact, False)
        if len(self.jobs) == known:
            return
        travel_to(now() + delay // 2)
        self.claim_exactly(worker, worker, self.jobs[-1])
        travel_to(now() + delay)
        self.submit_exactly(worker, self.jobs[-1])
        if outcome is not None and self.world.escrow.job(self.jobs[-1].id).stage is Stage.SUBMITTED:
            self.transmit_exactly([self.jobs[-1]], outcome)

    def pick_job(self, pick: int) -> Job:
        """Mostly one that is open."""
        candidates = self.open_jobs() if pick % 10 else self.jobs
        return (candidates or self.jobs)[pick // 10 % len(candidates or self.jobs)]

    @precondition(lambda self: self.jobs)
    @rule(caller=WHO, pick=PICKS)
    def cancel(self, caller: int, pick: int) -> None:
        job, sender = self.pick_job(pick), self.parties[caller]
        self.both(
            f"{sender} cancels job {job.id}",
            lambda: self.suite.escrow.cancel(job.id, job.terms, sender=sender),
            lambda world: world.escrow.cancel(sender, job.id),
        )

    @precondition(lambda self: self.jobs)
    @rule(caller=WHO, operator=WHO, pick=PICKS)
    def claim(self, caller: int, operator: int, pick: int) -> None:
        self.claim_exactly(caller if pick % 4 == 0 else operator, operator, self.pick_job(pick))

    def claim_exactly(self, caller: int, operator: int, job: Job) -> None:
        sender, worker = self.parties[caller], self.parties[operator]
        self.both(
            f"{sender} claims job {job.id} for {worker}",
            lambda: self.suite.escrow.claim(job.id, job.terms, worker, sender=sender),
            lambda world: world.escrow.claim(sender, job.id, worker, now()),
        )
        self.remember(job)

    @precondition(lambda self: self.jobs)
    @rule(caller=WHO, pick=PICKS)
    def submit(self, caller: int, pick: int) -> None:
        job = self.pick_job(pick)
        provider = self.world.escrow.job(job.id).answer.provider
        if pick % 4 and provider in self.parties:
            caller = self.parties.index(provider)
        self.submit_exactly(caller, job)

    def submit_exactly(self, caller: int, job: Job) -> None:
        sender = self.parties[caller]
        self.both(
            f"{sender} submits job {job.id}",
            lambda: self.suite.escrow.submit(job.id, self.suite.claim_of(job), DELIVERABLE, sender=sender),
            lambda world: world.escrow.submit(sender, job.id, DELIVERABLE, now()),
        )
        self.remember(job)

    # ------------------------------------------------------------ judges
    @precondition(lambda self: any(self.stage(job) is Stage.SUBMITTED for job in self.jobs))
    @rule(pick=PICKS, outcome=OUTCOMES)
    def transmit(self, pick: int, outcome: int) -> None:
        submitted = [job for job in self.jobs if self.stage(job) is Stage.SUBMITTED]
        self.transmit_exactly(submitted[pick % len(submitted) :], outcome)

    def stage(self, job: Job) -> Stage:
        return self.world.escrow.job(job.id).stage

    def transmit_exactly(self, jobs: list[Job], outcome: int) -> None:
        """One report over several jobs; late ones are recorded as refused and change nothing."""
        if len(self.world.committee.ejected) > (1 if outcome == COMPLETE else 0):
            return
        self.calls += 1
        self.say(f"report over {[job.id for job in jobs]}: {outcome}")
        places = [
            place for place, member in enumerate(self.members) if member not in self.world.committee.ejected
        ][: 2 if outcome == COMPLETE else 3]
        self.suite.transmit([(job, outcome) for job in jobs], places=places)
        applied = dict(events_of(self.suite.committee))["ReportTransmitted"]["applied"]
        assert applied == self.world.transmit([(job.id, outcome) for job in jobs], now())

    @precondition(lambda self: self.jobs)
    @rule(
        action=st.sampled_from(["contest", "contest", "dismiss", "uphold", "convict", "convict"]),
        challenger=WHO,
        pick=PICKS,
        is_stranger=st.sampled_from([False] * 9 + [True]),
    )
    def arbitrate(self, action: str, challenger: int, pick: int, is_stranger: bool) -> None:
        exact = [job for job in self.jobs if self.world.escrow.job(job.id).terms.arbiter != NOBODY]
        job = exact[pick % len(exact)] if exact else self.pick_job(pick)
        sender = self.suite.stranger if is_stranger else self.suite.arbiter
        extra: tuple[Any, ...] = ()
        if action == "convict":
            extra = (self.parties[challenger], REASON)
        elif action == "uphold":
            extra = (REASON,)
        modelled = extra[:1] if action == "convict" else ()
        self.both(
            f"{action} of job {job.id} by {sender}",
            lambda: getattr(self.suite.escrow, action)(job.id, job.terms, job.answer, *extra, sender=sender),
            lambda world: getattr(world.escrow, action)(sender, job.id, *modelled, now()),
        )

    @rule(member=st.integers(0, 3), reporter=WHO)
    def equivocate(self, member: int, reporter: int) -> None:
        """Once at most: two members less could not sign a rejection any more."""
        if self.world.committee.ejected:
            return
        self.calls += 1
        committee, sender = self.suite.committee, self.parties[reporter]
        key = self.suite.members[member]
        hashes = [bytes([index]) * 32 for index in (1, 2)]
        digest, sequence = committee.config_digest(), 2**40
        signed = [
            bytes(key.unsafe_sign_hash(committee.report_digest(digest, sequence, value)).signature)
            for value in hashes
        ]
        proof = (key.address, digest, sequence, hashes[0], signed[0], hashes[1], signed[1])
        self.say(f"{sender} proves that member {member} told two stories")
        taken = committee.prove_equivocation(proof, sender=sender)
        assert taken == self.world.prove_equivocation(self.members[member], sender, now())

    # ------------------------------------------------------------ what anyone may do
    @precondition(lambda self: self.jobs)
    @rule(caller=WHO, pick=PICKS, late=st.sampled_from([None, 0, 1, 1]))
    def end(self, caller: int, pick: int, late: int | None) -> None:
        """By silence, perhaps in the last second before that is possible or in the first one after."""
        job = self.pick_job(pick)
        if late is not None and self.stage(job).is_open:
            travel_to(max(now(), self.world.escrow.job(job.id).deadline + late))
        self.end_exactly(self.parties[caller], job)

    def end_exactly(self, sender: str, job: Job) -> None:
        model = self.world.escrow.job(job.id)
        if model.stage.state == 2 and model.terms.arbiter != NOBODY:
            self.both(
                f"{sender} finalizes job {job.id}",
                lambda: self.suite.escrow.finalize(job.id, job.terms, job.answer, sender=sender),
                lambda world: world.escrow.finalize(job.id, now()),
            )
        else:
            self.both(
                f"{sender} refunds job {job.id}",
                lambda: self.suite.escrow.claimRefund(job.id, job.terms, job.answer, sender=sender),
                lambda world: world.escrow.claim_refund(sender, job.id, now()),
            )
        self.remember(job)

    @rule(who=WHO, token=TOKENS)
    def withdraw(self, who: int, token: str) -> None:
        account, kind = self.parties[who], self.token(token)
        self.both(
            f"{account} is paid its credit in {token}",
            lambda: self.suite.escrow.withdraw(kind, account, sender=self.suite.stranger),
            lambda world: world.escrow.withdraw(kind, account),
        )

    @rule(who=WHO, receiver=WHO, token=TOKENS)
    def withdraw_to(self, who: int, receiver: int, token: str) -> None:
        account, to, kind = self.parties[who], self.parties[receiver], self.token(token)
        self.both(
            f"{account} sends its credit in {token} to {to}",
            lambda: self.suite.escrow.withdraw_to(kind, to, sender=account),
            lambda world: world.escrow.withdraw(kind, account, to),
        )

    @rule(who=WHO, token=TOKENS)
    def collect_earnings(self, who: int, token: str) -> None:
        operator, kind = self.parties[who], self.token(token)
        self.both(
            f"the earnings of {operator} in {token} are collected",
            lambda: self.suite.escrow.collect_earnings(kind, operator, sender=self.suite.stranger),
            lambda world: world.escrow.collect_earnings(kind, operator, now()),
        )

    @rule(owner=WHO, operator=WHO, token=TOKENS)
    def pay_earnings(self, owner: int, operator: int, token: str) -> None:
        kind, worker, who = self.token(token), self.parties[operator], self.parties[owner]
        self.both(
            f"{who} is paid what it earned with {worker} in {token}",
            lambda: self.suite.staking.pay_earnings(worker, kind, who, sender=self.suite.stranger),
            lambda world: world.staking.pay_earnings(worker, kind, who),
        )

    @rule(token=TOKENS, of_committee=st.booleans())
    def collect_fees(self, token: str, of_committee: bool) -> None:
        kind = self.token(token)
        if of_committee:
            self.both(
                f"the committee shares its fees in {token}",
                lambda: self.suite.committee.share_fees(self.escrow_address, kind),
                lambda world: world.share_fees(kind, now()),
            )
        else:
            self.both(
                f"the fees in {token} are collected",
                lambda: self.suite.escrow.collect_fees(kind, self.committee_address) and None,
                lambda world: world.escrow.collect_fees(kind, self.committee_address) and None,
            )

    # ------------------------------------------------------------ those who decide
    @rule(
        setting=st.sampled_from(
            ["caps", "limits", "insurance", "thaw", "rates", "windows", "token", "verifier"]
        ),
        number=st.integers(0, 5),
    )
    def govern(self, setting: str, number: int) -> None:
        suite, staking, escrow, admin = self.suite, self.world.staking, self.world.escrow, self.suite.admin
        self.say(f"setting {setting} to its choice {number}")
        self.calls += 1
        if setting == "caps":
            caps = [(1_000, 3_000), (100, 100), (5_000, 5_000)][number % 3]
            suite.staking.set_slash_caps(*caps, sender=admin)
            staking.set_slash_caps(admin, *caps)
        elif setting == "limits":
            limits = [(0, MILL, 10), (100 * MILL, 1, 0), (0, 2 * MILL, 100)][number % 3]
            suite.staking.set_delegation_limits(*limits, sender=admin)
            staking.set_delegation_limits(admin, *limits)
        elif setting == "insurance":
            share = (0, 5_000, 10_000)[number % 3]
            suite.staking.set_insurance(suite.insurance, share, sender=admin)
            staking.set_insurance(admin, suite.insurance, share)
        elif setting == "thaw":
            period = (7 + number * 4) * DAY
            suite.staking.set_thaw_period(period, sender=admin)
            staking.set_thaw_period(admin, period)
        elif setting == "rates":
            rates = [(200, 100, 1_000, 1_000), (0, 0, 0, 0), (1_000, 1_000, 5_000, 2_500)][number % 3]
            suite.escrow.set_rates(*rates, sender=admin)
            escrow.protocol_fee_bps, escrow.evaluator_fee_bps = rates[:2]
            escrow.late_penalty_bps, escrow.reporter_bps = rates[2:]
        elif setting == "windows":
            windows = [(3_600, DAY), (600, 3_600), (DAY, 2 * DAY)][number % 3]
            suite.escrow.set_windows(*windows, sender=admin)
            escrow.challenge_window, escrow.dispute_window = windows
        elif setting == "token":
            rate = (0, 10**18, 3 * 10**18)[number % 3]
            suite.escrow.set_payment_token(self.mill, rate, sender=admin)
            escrow.bond_rates[self.mill] = rate
        else:
            suite.staking.set_verifier(self.escrow_address, number > 0, sender=admin)
            staking.set_verifier(admin, self.escrow_address, number > 0)

    @rule(stakes=st.sampled_from([0, 0, 0, 1, 2, 3]), jobs=st.sampled_from([0, 0, 0, 1, 2, 3]))
    def close_entries(self, stakes: int, jobs: int) -> None:
        admin = self.suite.admin
        self.say(f"entries closed: {stakes} of stake, {jobs} of jobs")
        for contract, flags in ((self.suite.staking, stakes), (self.suite.escrow, jobs)):
            contract.set_pauser(admin, sender=admin)
            contract.set_unpauser(admin, sender=admin)
            contract.unpause(3, sender=admin)
            if flags:
                contract.pause(flags, sender=admin)
        self.world.staking.closed, self.world.escrow.closed = stakes, jobs

    # ------------------------------------------------------------ the world
    @rule(who=WHO, is_blocked=st.sampled_from([True, False, False]))
    def block(self, who: int, is_blocked: bool) -> None:
        """The issuer of the coin blocks an account."""
        party = self.parties[who]
        self.say(f"coins of {party} blocked: {is_blocked}")
        self.suite.coin.set_blocked(party, is_blocked)
        coin = self.world.tokens[self.coin]
        assert isinstance(coin, PaymentTokenModel)
        (coin.blocked.add if is_blocked else coin.blocked.discard)(party)

    @rule(seconds=st.sampled_from([1, 600, HOUR, HOUR, DAY, 14 * DAY]))
    def time_passes(self, seconds: int) -> None:
        self.say(f"{seconds} s pass")
        travel_to(now() + seconds)

    @rule(name=st.sampled_from(["staking", "escrow"]), token=TOKENS)
    def somebody_sends_tokens_astray(self, name: str, token: str) -> None:
        """Tokens that came without a call belong to nobody and must disturb nobody."""
        contract = str(getattr(self.suite, name).address)
        sender = self.parties[0]
        self.both(
            f"777 of {token} go astray to {name}",
            lambda: self.contracts[self.token(token)].transfer(contract, 777, sender=sender) and None,
            lambda world: world.tokens[self.token(token)].move(sender, contract, 777),
        )

    # ------------------------------------------------------------ invariants
    @invariant()
    def everything_agrees(self) -> None:
        self.check_balances()
        self.check_stakes()
        self.check_jobs()
        self.check_books()

    @invariant()
    def nothing_is_lost(self) -> None:
        self.check_solvency()
        self.check_supply()

    # ------------------------------------------------------------ INV-3: everybody leaves
    def teardown(self) -> None:
        self.close_entries(3, 3)  # no exit asks
        for who in range(3):
            self.block(who, False)
        for _ in range(2):  # a job that opens again has its claim deadline to wait for
            travel_to(now() + 33 * DAY)
            for job in self.jobs:
                if self.stage(job).is_open:
                    self.end_exactly(self.parties[0], job)
        assert self.open_jobs() == []
        self.collect_everything()
        for token in self.contracts:
            assert self.suite.escrow.owed(token) == 0
        self.redeem_everything()
        self.everything_agrees()
        self.nothing_is_lost()
        members = sum(self.world.staking.slashable(member) for member in self.members)
        assert self.suite.staking.total_staked() - members <= self.calls
        for token in self.contracts:
            assert self.suite.staking.earnings_owed(token) <= self.calls

    def collect_everything(self) -> None:
        for token, kind in (("mill", self.mill), ("coin", self.coin)):
            for who, party in enumerate(self.parties):
                if self.world.escrow.credit[kind, party]:
                    self.withdraw(who, token)
                if self.world.escrow.earnings[kind, party]:
                    self.collect_earnings(who, token)
            self.collect_fees(token, False)
            self.collect_fees(token, True)
            for operator in self.operators:
                for owner in {operator, *self.parties}:
                    if self.world.staking.earned(operator, kind, owner):
                        self.both(
                            f"{owner} is paid what it earned with {operator}",
                            lambda a=operator, b=kind, c=owner: self.suite.staking.pay_earnings(a, b, c),
                            lambda world, a=operator, b=kind, c=owner: world.staking.pay_earnings(a, b, c),
                        )

    def redeem_everything(self) -> None:
        staking = self.world.staking
        for leave in (self._ask, self._take):
            for operator in self.parties:
                for side in (OWN, DELEGATED):
                    for owner in self.parties:
                        leave(owner, (operator, side))
            travel_to(now() + 29 * DAY)
        assert all(staking.committed(party) == 0 for party in self.parties)

    def _ask(self, owner: str, pool: tuple[str, int]) -> None:
        state = self.world.staking.pools[pool]
        shares = state.shares[owner]
        if len(state.requests[owner]) - state.first_open(owner) >= 100:
            self._take(owner, pool)
        if shares and state.to_tokens(shares):
            self.both(
                f"{owner} leaves {pool}",
                lambda: self.suite.staking.requestRedeem(self.pool_number(pool), shares, sender=owner),
                lambda world: world.staking.request_redeem(owner, pool, shares, now()),
            )

    def _take(self, owner: str, pool: tuple[str, int]) -> None:
        state = self.world.staking.pools[pool]
        if state.first_open(owner) < len(state.requests[owner]):
            self.both(
                f"{owner} is paid out of {pool}",
                lambda: self.suite.staking.redeem(self.pool_number(pool), owner, MAX_UINT256),
                lambda world: world.staking.redeem(pool, owner, MAX_UINT256, now()),
            )


def test_suite__against_models() -> None:
    with boa.env.anchor():
        SuiteAgainstModels.suite = deploy_suite()
        run_state_machine_as_test(SuiteAgainstModels, settings=stateful_settings())
