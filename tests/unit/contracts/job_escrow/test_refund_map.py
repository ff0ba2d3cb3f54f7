"""The refund map, row by row: who is absent or wrong, and who gets what. Then the invariants that concern the escrow."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import boa
import pytest

from tests.models.job_escrow import OPEN_STAGES, Stage
from tests.suite.deployment import HOUR, MILL, NOBODY, REASON, now, travel_to
from tests.unit.contracts.job_escrow.market import (
    BOND,
    EVALUATOR_FEE,
    LATE_PENALTY,
    PRICE,
    PROTOCOL_FEE,
    STAKE,
    Job,
    Market,
)

CANCELLATION_FEE = PRICE // 10


class Ledger:
    """Who has what before a row, to tell afterwards what the row moved."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.before = self._read()

    def _read(self) -> dict[str, int]:
        market = self.market
        return {
            "requester": market.balance(market.requester) + market.credit(market.requester),
            "compensation": market.staking.compensated(market.requester),
            "worker": market.earnings(market.worker),
            "stake": market.staking.stake_of(market.worker),
            "bound": market.staking.committed(market.worker),
            "protocol": market.fees()[0],
            "evaluator": market.fees()[1],
            "challenger": market.staking.rewarded(market.challenger),
            "caller": market.staking.rewarded(market.stranger),
        }

    def moved(self) -> dict[str, int]:
        after = self._read()
        return {name: after[name] - self.before[name] for name in after if after[name] != self.before[name]}


@pytest.fixture
def ledger(market: Market) -> Ledger:
    return Ledger(market)


# ------------------------------------------------------------------ the rows
def test_refund_map__requester_cancels_before_a_claim__full_refund(market: Market, ledger: Ledger) -> None:
    job = market.post()
    travel_to(now() + 30 * HOUR)  # at any time, also after the claim deadline
    market.escrow.cancel(job.id, astuple(job.terms), sender=market.requester)
    assert ledger.moved() == {}


def test_refund_map__nobody_claims__full_refund(market: Market, ledger: Ledger) -> None:
    job = market.post()
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    assert ledger.moved() == {}


def test_refund_map__worker_never_submits__refund_compensation_and_late_penalty(
    market: Market, ledger: Ledger
) -> None:
    job = market.claimed()
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    assert ledger.moved() == {
        "stake": -LATE_PENALTY,
        "compensation": LATE_PENALTY // 2,
        "caller": LATE_PENALTY // 10,
    }


def test_refund_map__worker_never_submits__reopened_if_the_requester_asked_so(
    market: Market, ledger: Ledger
) -> None:
    job = market.claimed(reopens=True)
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    assert ledger.moved() == {
        "requester": -PRICE,
        "stake": -LATE_PENALTY,
        "compensation": LATE_PENALTY // 2,
        "caller": LATE_PENALTY // 10,
    }
    assert market.escrow.stage(job.id) == Stage.FUNDED


def test_refund_map__inputs_unavailable__refund_less_the_cancellation_fee_and_no_slash(
    market: Market, ledger: Ledger
) -> None:
    job = market.submitted()
    market.escrow.void(*job.arguments, REASON, sender=market.evaluator)
    protocol, evaluator = CANCELLATION_FEE // 100, CANCELLATION_FEE * 3 // 100
    assert ledger.moved() == {
        "requester": -CANCELLATION_FEE,
        "worker": CANCELLATION_FEE - protocol - evaluator,
        "protocol": protocol,
        "evaluator": evaluator,
    }


def test_refund_map__wrong_answer_proved__refund_compensation_slash_and_reward(
    market: Market, ledger: Ledger
) -> None:
    job = market.contested()
    market.escrow.convict(*job.arguments, market.challenger, REASON, sender=market.arbiter)
    assert ledger.moved() == {"stake": -BOND, "compensation": PRICE, "challenger": BOND // 10}


def test_refund_map__wrong_accusation__worker_is_paid(market: Market, ledger: Ledger) -> None:
    job = market.contested()
    market.escrow.uphold(*job.arguments, REASON, sender=market.arbiter)
    assert ledger.moved() == {
        "requester": -PRICE,
        "worker": PRICE - PROTOCOL_FEE,
        "protocol": PROTOCOL_FEE,
    }


def test_refund_map__committee_silent_on_an_exact_job__worker_is_paid(market: Market, ledger: Ledger) -> None:
    job = market.submitted()
    market.pass_deadline(job)
    market.escrow.finalize(*job.arguments, sender=market.stranger)
    assert ledger.moved() == {
        "requester": -PRICE,
        "worker": PRICE - PROTOCOL_FEE,
        "protocol": PROTOCOL_FEE,
    }


def test_refund_map__committee_silent_on_another_job__refund_and_no_slash(
    market: Market, ledger: Ledger
) -> None:
    job = market.submitted(is_exact=False)
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    assert ledger.moved() == {}


def test_refund_map__committee_rejects_a_right_answer__the_appeal_pays_the_worker(
    market: Market, ledger: Ledger
) -> None:
    job = market.appealed()
    market.escrow.uphold(*job.arguments, REASON, sender=market.arbiter)
    assert ledger.moved() == {
        "requester": -PRICE,
        "worker": PRICE - PROTOCOL_FEE,
        "protocol": PROTOCOL_FEE,
    }


def test_refund_map__committee_completes_a_wrong_answer__compensation_and_slash_after_the_payment(
    market: Market, ledger: Ledger
) -> None:
    job = market.completed()
    market.escrow.convict(*job.arguments, market.challenger, REASON, sender=market.arbiter)
    assert ledger.moved() == {
        "requester": -PRICE,
        "compensation": PRICE,
        "worker": PRICE - PROTOCOL_FEE - EVALUATOR_FEE,
        "protocol": PROTOCOL_FEE,
        "evaluator": EVALUATOR_FEE,
        "stake": -BOND,
        "challenger": BOND // 10,
    }


@pytest.mark.parametrize("stage", [Stage.SUBMITTED, Stage.CONTESTED])
def test_refund_map__everyone_vanishes_after_submit__anyone_finalizes(
    market: Market, ledger: Ledger, stage: Stage
) -> None:
    job = market.at(stage)
    market.pass_deadline(job)
    market.escrow.finalize(*job.arguments, sender=market.stranger)
    assert ledger.moved() == {
        "requester": -PRICE,
        "worker": PRICE - PROTOCOL_FEE,
        "protocol": PROTOCOL_FEE,
    }


def test_refund_map__everyone_vanishes_after_a_rejection__anyone_finalizes(
    market: Market, ledger: Ledger
) -> None:
    for job in (market.condemned(), market.appealed()):
        market.pass_deadline(job)
        market.escrow.finalize(*job.arguments, sender=market.stranger)
    assert ledger.moved() == {"stake": -2 * BOND, "compensation": 2 * PRICE}


def test_refund_map__attested__worker_and_fees_are_paid(market: Market, ledger: Ledger) -> None:
    market.completed()
    assert ledger.moved() == {
        "requester": -PRICE,
        "worker": PRICE - PROTOCOL_FEE - EVALUATOR_FEE,
        "protocol": PROTOCOL_FEE,
        "evaluator": EVALUATOR_FEE,
    }


# ------------------------------------------------------------------ invariants
@pytest.mark.parametrize("stage", Stage)
def test_inv_1_solvency__holds_in_every_stage(market: Market, stage: Stage) -> None:
    before = market.owed()
    job = market.at(stage, price_floor=PRICE // 3, ramp=HOUR)
    assert market.owed() == market.balance(market.escrow.address)
    parts = market.earnings(market.worker) + market.credit(market.requester) + sum(market.fees())
    locked = job.terms.price_ceiling if stage.is_open else 0
    assert market.owed() - before == locked + parts


@pytest.mark.parametrize("stage", [stage for stage in Stage if not stage.is_open])
def test_inv_2_conservation__a_settlement_pays_out_what_was_locked_and_ends_the_bond(
    market: Market, ledger: Ledger, stage: Stage
) -> None:
    market.at(stage, price_floor=PRICE // 3, ramp=HOUR)
    moved = ledger.moved()
    paid = moved.get("worker", 0) + moved.get("protocol", 0) + moved.get("evaluator", 0)
    assert paid == -moved.get("requester", 0)
    assert "bound" not in moved
    assert -moved.get("stake", 0) in (0, LATE_PENALTY, BOND)


def test_inv_2_conservation__no_settled_job_settles_again(market: Market) -> None:
    """Every call on every final stage, by the role that it belongs to."""
    for stage in Stage:
        if stage.is_open:
            continue
        job = market.at(stage)
        stored = market.escrow.commitment(job.id), market.escrow.stage(job.id), market.owed()
        for name, call in calls_of(market, job).items():
            if (stage, name) == (Stage.ATTESTED, "convict"):
                continue  # a refutation, which moves no payment
            with boa.reverts():
                call()
        assert stored == (market.escrow.commitment(job.id), market.escrow.stage(job.id), market.owed())


def calls_of(market: Market, job: Job) -> dict[str, Any]:
    """Every call on a job, by whoever may make it."""
    escrow, terms = market.escrow, astuple(job.terms)
    return {
        "cancel": lambda: escrow.cancel(job.id, terms, sender=market.requester),
        "claim": lambda: escrow.claim(job.id, terms, market.worker, sender=market.worker),
        "submit": lambda: escrow.submit(job.id, job.claim, REASON, sender=market.worker),
        "complete": lambda: escrow.complete(*job.arguments, REASON, sender=market.evaluator),
        "complete_many": lambda: escrow.complete_many([job.arguments], REASON, sender=market.evaluator),
        "reject": lambda: escrow.reject(*job.arguments, REASON, sender=market.evaluator),
        "void": lambda: escrow.void(*job.arguments, REASON, sender=market.evaluator),
        "contest": lambda: escrow.contest(*job.arguments, sender=market.arbiter),
        "dismiss": lambda: escrow.dismiss(*job.arguments, sender=market.arbiter),
        "uphold": lambda: escrow.uphold(*job.arguments, REASON, sender=market.arbiter),
        "convict": lambda: escrow.convict(*job.arguments, NOBODY, REASON, sender=market.arbiter),
        "finalize": lambda: escrow.finalize(*job.arguments, sender=market.stranger),
        "claimRefund": lambda: escrow.claimRefund(*job.arguments, sender=market.stranger),
    }


@pytest.mark.parametrize(
    ("stage", "is_exact"),
    [(stage, True) for stage in OPEN_STAGES]
    + [(stage, False) for stage in (Stage.FUNDED, Stage.CLAIMED, Stage.SUBMITTED)],
)
def test_inv_3_exit__from_every_open_stage_anyone_ends_the_job_and_all_money_leaves(
    market: Market, stage: Stage, is_exact: bool
) -> None:
    """Pitfall 26: no role takes part, entries are closed, and the requester's address is blocked besides."""
    escrow = market.escrow
    job = market.at(stage, is_exact=is_exact, reopens=True, price_floor=PRICE // 3)
    escrow.pause(3, sender=market.admin)
    market.token.set_blocked(market.requester, True)
    start = now()
    for _ in range(3):
        if not Stage(escrow.stage(job.id)).is_open:
            break
        travel_to(now() + escrow.runway(job.id))
        call = (
            escrow.finalize
            if escrow.state(job.id) == 2 and job.terms.arbiter != NOBODY
            else escrow.claimRefund
        )
        call(*job.arguments, sender=market.stranger)
    assert not Stage(escrow.stage(job.id)).is_open
    assert now() - start <= 7 * 86_400
    assert market.staking.committed(market.worker) == 0

    token = market.token.address
    if market.earnings(market.worker) > 0:
        escrow.collect_earnings(token, market.worker, sender=market.stranger)
    escrow.collect_fees(token, market.evaluator, sender=market.stranger)
    market.token.set_blocked(market.requester, False)
    if market.credit(market.requester) > 0:
        escrow.withdraw(token, market.requester, sender=market.stranger)
    assert market.owed() == market.balance(escrow.address) == 0


def test_inv_4_snapshot__later_settings_change_nothing_for_a_posted_job(
    market: Market, ledger: Ledger
) -> None:
    job = market.post()
    escrow, admin = market.escrow, market.admin
    escrow.set_rates(1_000, 1_000, 5_000, 2_500, sender=admin)
    escrow.set_windows(86_400, 172_800, sender=admin)
    escrow.set_evaluator(market.stranger, sender=admin)
    escrow.set_arbiter(NOBODY, sender=admin)
    escrow.set_payment_token(market.token.address, 0, sender=admin)
    market.take(job)
    market.answer(job)
    with boa.reverts("escrow: not the evaluator"):
        escrow.complete(*job.arguments, REASON, sender=market.stranger)
    escrow.complete(*job.arguments, REASON, sender=market.evaluator)
    assert escrow.deadline(job.id) == now() + HOUR
    escrow.convict(*job.arguments, market.challenger, REASON, sender=market.arbiter)
    assert ledger.moved() == {
        "requester": -PRICE,
        "compensation": PRICE,
        "worker": PRICE - PROTOCOL_FEE - EVALUATOR_FEE,
        "protocol": PROTOCOL_FEE,
        "evaluator": EVALUATOR_FEE,
        "stake": -BOND,
        "challenger": BOND // 10,
    }
    assert market.staking.stake_of(market.worker) == STAKE - BOND
    assert job.terms.bond == 200 * MILL
