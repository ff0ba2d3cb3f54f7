"""What waits in the escrow and how it leaves: earnings, credit, fees; and refunds that a token refuses to move."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_utils.crypto import keccak
from vyper.compiler.output import build_method_identifiers_output

from tests.models.job_escrow import Stage
from tests.suite.deployment import HOUR, MILL, NOBODY, REASON, deploy, deployer_of, events_of
from tests.unit.contracts.job_escrow.market import (
    EVALUATOR_FEE,
    PRICE,
    PROTOCOL_FEE,
    Market,
    deploy_market,
)

NET = PRICE - PROTOCOL_FEE - EVALUATOR_FEE
REFUSALS = range(1, 8)  # the ways of `MockSpitefulToken`


@pytest.fixture
def blocked(market: Market) -> Market:
    """The token blocks the requester, whose refund waits."""
    job = market.post()
    market.token.set_blocked(market.requester, True)
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    return market


# ------------------------------------------------------------------ refunds that the token refuses
def test_refund__refused_by_the_token__becomes_credit(blocked: Market) -> None:
    deferred = {"token": blocked.token.address, "account": blocked.requester, "amount": PRICE}
    assert events_of(blocked.escrow) == [
        ("JobExpired", {"jobId": 1}),
        ("Refunded", {"jobId": 1, "client": blocked.requester, "amount": PRICE}),
        ("PayoutDeferred", deferred),
    ]
    assert blocked.credit(blocked.requester) == blocked.owed() == PRICE
    assert blocked.escrow.closeReason(1) == 5


@pytest.mark.parametrize("manner", REFUSALS)
@pytest.mark.parametrize("stage", [Stage.UNCLAIMED, Stage.LATE, Stage.VOIDED, Stage.CONVICTED])
def test_refund__in_whatever_way_the_token_refuses__the_job_is_settled(
    market: Market, manner: int, stage: Stage
) -> None:
    market.list_token(deploy("mocks/MockSpitefulToken.vy"))
    market.token.behave(manner)
    job = market.at(stage)
    refund = PRICE * 9 // 10 if stage is Stage.VOIDED else PRICE
    assert market.credit(market.requester) == refund
    assert market.owed() == market.balance(market.escrow.address)
    assert market.escrow.closeReason(job.id) == stage.close_reason
    assert market.staking.committed(market.worker) == 0

    market.token.behave(0)
    market.escrow.withdraw(market.token.address, market.requester, sender=market.stranger)
    assert market.owed() == PRICE - refund


def test_refund__token_that_is_gone__becomes_credit(market: Market) -> None:
    job = market.post()
    market.pass_deadline(job)
    code = boa.env.get_code(market.token.address)
    boa.env.set_code(market.token.address, b"")
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    assert market.credit(market.requester) == PRICE
    boa.env.set_code(market.token.address, code)


@pytest.mark.parametrize(
    "code", ["6210000" + "05ff3", "6210000" + "05ffd", "62030000" + "5ff3", "62030000" + "5ffd"]
)
def test_pitfall_23_return_bomb__of_a_token__costs_no_more_than_its_gas(market: Market, code: str) -> None:
    """One megabyte, and as much as the gas buys; returned, and reverted with."""
    job = market.post()
    market.pass_deadline(job)
    boa.env.set_code(market.token.address, bytes.fromhex(code))
    market.escrow.claimRefund(*job.arguments, sender=market.stranger, gas=400_000)
    assert market.credit(market.requester) == PRICE


def test_refund__caller_that_gives_too_little_gas__cannot_make_the_token_look_spiteful(
    market: Market,
) -> None:
    job = market.post()
    market.pass_deadline(job)
    for gas in range(60_000, 300_000, 5_000):
        with boa.env.anchor():
            try:
                market.escrow.claimRefund(*job.arguments, sender=market.stranger, gas=gas)
            except boa.BoaError:
                continue  # nothing happened
            assert market.credit(market.requester) == 0


def test_refund__too_little_gas__says_so(market: Market) -> None:
    job = market.post()
    market.pass_deadline(job)
    with boa.reverts("token: too little gas"):
        market.escrow.claimRefund(*job.arguments, sender=market.stranger, gas=200_000)


# ------------------------------------------------------------------ withdraw
def test_withdraw__by_anybody__pays_the_account(blocked: Market, stranger: str) -> None:
    blocked.token.set_blocked(blocked.requester, False)
    before = blocked.balance(blocked.requester)
    token = blocked.token.address
    assert blocked.escrow.withdraw(token, blocked.requester, sender=stranger) == PRICE
    who = {"token": token, "account": blocked.requester, "receiver": blocked.requester}
    assert events_of(blocked.escrow) == [("Withdrawn", who | {"amount": PRICE})]
    assert blocked.balance(blocked.requester) - before == PRICE
    assert (blocked.owed(), blocked.credit(blocked.requester)) == (0, 0)
    with boa.reverts("payments: no credit"):
        blocked.escrow.withdraw(token, blocked.requester, sender=stranger)


def test_withdraw__still_blocked__reverts_and_keeps_the_credit(blocked: Market) -> None:
    with boa.reverts("mock: receiver blocked"):
        blocked.escrow.withdraw(blocked.token.address, blocked.requester)
    assert blocked.credit(blocked.requester) == blocked.owed() == PRICE


def test_withdraw__token_answers_false__reverts(market: Market) -> None:
    market.list_token(deploy("mocks/MockSpitefulToken.vy"))
    market.token.behave(2)
    market.at(Stage.UNCLAIMED)
    with boa.reverts("token: push failed"):
        market.escrow.withdraw(market.token.address, market.requester)
    assert market.credit(market.requester) == PRICE


def test_withdraw_to__pays_another_address_of_the_caller(blocked: Market) -> None:
    token, receiver = blocked.token.address, blocked.challenger
    assert blocked.escrow.withdraw_to(token, receiver, sender=blocked.requester) == PRICE
    who = {"token": token, "account": blocked.requester, "receiver": receiver}
    assert events_of(blocked.escrow) == [("Withdrawn", who | {"amount": PRICE})]
    assert (blocked.balance(receiver), blocked.owed()) == (PRICE, 0)


@pytest.mark.parametrize("role", ["worker", "evaluator", "arbiter", "admin", "treasury", "stranger"])
def test_withdraw_to__somebody_elses_credit__reverts(blocked: Market, role: str) -> None:
    thief = getattr(blocked, role)
    with boa.reverts("payments: no credit"):
        blocked.escrow.withdraw_to(blocked.token.address, thief, sender=thief)


def test_withdraw_to__nobody_or_the_escrow_itself__reverts(blocked: Market) -> None:
    for receiver in (NOBODY, blocked.escrow.address):
        with boa.reverts("payments: bad receiver"):
            blocked.escrow.withdraw_to(blocked.token.address, receiver, sender=blocked.requester)


# ------------------------------------------------------------------ collect_earnings
def test_collect_earnings__one_transfer_for_many_jobs(market: Market, worker: str, stranger: str) -> None:
    for _ in range(3):
        market.completed()
    token = market.token.address
    assert market.escrow.collect_earnings(token, worker, sender=stranger) == 3 * NET
    assert events_of(market.escrow) == [
        ("EarningsCollected", {"token": token, "operator": worker, "amount": 3 * NET})
    ]
    assert market.staking.distributed(token, worker) == market.balance(market.staking.address) == 3 * NET
    assert market.earnings(worker) == 0
    assert market.owed() == 3 * (PROTOCOL_FEE + EVALUATOR_FEE)
    assert market.token.allowance(market.escrow.address, market.staking.address) == 0
    with boa.reverts("payments: no earnings"):
        market.escrow.collect_earnings(token, worker, sender=stranger)


def test_collect_earnings__token_or_staking_refuses__the_earnings_stay(market: Market, worker: str) -> None:
    market.completed()
    token = market.token.address
    market.token.set_blocked(market.staking.address, True)
    with boa.reverts("mock: caller blocked"):
        market.escrow.collect_earnings(token, worker)
    market.token.set_blocked(market.staking.address, False)
    market.staking.set_refusing(True)
    with boa.reverts("mock: staking refuses"):
        market.escrow.collect_earnings(token, worker)
    market.staking.set_refusing(False)
    assert market.earnings(worker) == NET
    market.escrow.collect_earnings(token, worker)
    assert market.staking.distributed(token, worker) == NET


def test_collect_earnings__token_that_does_not_approve__reverts(market: Market, worker: str) -> None:
    market.completed()
    token = market.token.address
    code = boa.env.get_code(token)
    boa.env.set_code(token, boa.env.get_code(deploy("mocks/MockFalseApprovalToken.vy").address))
    with boa.reverts("payments: approval failed"):
        market.escrow.collect_earnings(token, worker)
    boa.env.set_code(token, code)
    assert market.earnings(worker) == NET


# ------------------------------------------------------------------ collect_fees
def test_collect_fees__pays_treasury_and_evaluator(market: Market, stranger: str) -> None:
    market.completed()
    market.completed()
    token = market.token.address
    market.escrow.collect_fees(token, market.evaluator, sender=stranger)
    amounts = {"protocol_amount": 2 * PROTOCOL_FEE, "evaluator_amount": 2 * EVALUATOR_FEE}
    assert events_of(market.escrow) == [
        ("FeesCollected", {"token": token, "evaluator": market.evaluator} | amounts)
    ]
    assert market.balance(market.treasury) == 2 * PROTOCOL_FEE
    assert market.balance(market.evaluator) == 2 * EVALUATOR_FEE
    assert market.fees() == (0, 0)
    assert market.owed() == 2 * NET


def test_collect_fees__none__does_nothing(market: Market) -> None:
    """So that nobody who comes first foils the committee's sharing."""
    market.escrow.collect_fees(market.token.address, market.evaluator)
    assert events_of(market.escrow) == []


@pytest.mark.parametrize("role", ["treasury", "evaluator"])
def test_collect_fees__one_receiver_blocked__the_other_is_paid(market: Market, role: str) -> None:
    market.completed()
    market.token.set_blocked(getattr(market, role), True)
    market.escrow.collect_fees(market.token.address, market.evaluator)
    due = {"treasury": PROTOCOL_FEE, "evaluator": EVALUATOR_FEE}
    for name, amount in due.items():
        account = getattr(market, name)
        paid = 0 if name == role else amount
        assert (market.balance(account), market.credit(account)) == (paid, amount - paid)
    assert market.owed() == market.balance(market.escrow.address)


def test_collect_fees__only_the_protocol_has_some(market: Market) -> None:
    market.at(Stage.UNOPPOSED)
    market.escrow.collect_fees(market.token.address, market.evaluator)
    assert (market.balance(market.treasury), market.balance(market.evaluator)) == (PROTOCOL_FEE, 0)


def test_collect_fees__only_the_evaluator_has_some(market: Market) -> None:
    market.escrow.set_rates(0, 300, 0, 0, sender=market.admin)
    market.completed()
    market.escrow.collect_fees(market.token.address, market.evaluator)
    assert (market.balance(market.treasury), market.balance(market.evaluator)) == (0, EVALUATOR_FEE)


def test_fees__round_down_for_the_worker(market: Market) -> None:
    market.completed(price_floor=133, price_ceiling=133)
    assert market.fees() == (1, 3)  # of 1.33 and 3.99
    assert market.earnings(market.worker) == 129


# ------------------------------------------------------------------ deposits
def test_pitfall_22_fee_on_transfer__is_refused(market: Market) -> None:
    market.list_token(deploy("mocks/MockFeeToken.vy"))
    with boa.reverts("token: amount not received"):
        market.post()


def test_pitfall_22_token_that_answers_false__is_refused(market: Market) -> None:
    market.list_token(deploy("mocks/MockFalseToken.vy"))
    market.token.approve(market.escrow.address, 0, sender=market.requester)
    with boa.reverts("token: pull failed"):
        market.post()


@pytest.mark.parametrize(
    "token", ["MockSilentToken", "MockSixDecimalsToken", "MockFalseToken", "MockBlockingToken"]
)
def test_pitfall_22_unusual_tokens__a_whole_life_and_a_refund(token: str) -> None:
    market = deploy_market(token)
    market.completed(price_floor=PRICE // 2, ramp=HOUR)
    market.at(Stage.UNCLAIMED)
    market.escrow.collect_earnings(market.token.address, market.worker)
    market.escrow.collect_fees(market.token.address, market.evaluator)
    market.escrow.withdraw(market.token.address, market.requester)
    assert market.owed() == market.balance(market.escrow.address) == 0
    assert market.balance(market.requester) == 1_000_000 * MILL - PRICE // 2


def test_pitfall_22_token_whose_balances_shrink__takes_no_new_deposit(market: Market) -> None:
    market.list_token(deploy("mocks/MockFickleToken.vy"))
    market.post()
    market.token.burn(1, sender=market.escrow.address)
    with boa.reverts("payments: token lost money"):
        market.post()
    market.token.mint(market.escrow.address, 1)
    market.post()


def test_post__tokens_sent_without_a_job__belong_to_nobody(market: Market) -> None:
    market.token.mint(market.escrow.address, 77)
    job = market.post()
    market.pass_deadline(job)
    market.escrow.claimRefund(*job.arguments, sender=market.stranger)
    assert (market.owed(), market.balance(market.escrow.address)) == (0, 77)


def test_post__more_than_can_be_owed__reverts(market: Market) -> None:
    """2 ** 128 base units in all: 2 ** 32 jobs of the highest price, or a token gone mad."""
    slot = owed_slot(market)
    boa.env.set_storage(market.escrow.address, slot, (2**128 - PRICE) << 128 | 10**18)
    with boa.reverts("payments: too much owed"):
        market.post()
    boa.env.set_storage(market.escrow.address, slot, (2**128 - 1 - PRICE) << 128 | 10**18)
    market.token.mint(market.escrow.address, 2**128)
    market.post()
    assert market.owed() == 2**128 - 1


def owed_slot(market: Market) -> int:
    """Where the word of the token stands, found by what it holds."""
    market.post()
    word = PRICE << 128 | 10**18
    slots = [
        slot
        for slot in boa.env.sstore_trace[market.escrow.address]
        if boa.env.get_storage(market.escrow.address, slot) == word
    ]
    assert len(slots) == 1
    return int(slots[0])


# ------------------------------------------------------------------ events and callbacks of a settlement
def test_callback__is_told_and_recorded(market: Market) -> None:
    callback = deploy("mocks/MockJobCallback.vy")
    job = market.completed(callback=callback.address)
    assert events_of(market.escrow)[-1] == (
        "CallbackFinished",
        {"jobId": 1, "callback": callback.address, "success": True},
    )
    told = job.id.to_bytes(32, "big") + (3).to_bytes(32, "big") + job.answer.deliverable
    assert (callback.calls(), callback.told()) == (1, keccak(told))
    assert 98_000 < callback.gas_given() <= 100_000


@pytest.mark.parametrize("stage", [Stage.ATTESTED, Stage.UNOPPOSED, Stage.UPHELD])
def test_callback__every_way_of_completing__calls(market: Market, stage: Stage) -> None:
    callback = deploy("mocks/MockJobCallback.vy")
    market.at(stage, callback=callback.address)
    assert callback.calls() == 1


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage.state > 3])
def test_callback__no_other_end__calls(market: Market, stage: Stage) -> None:
    callback = deploy("mocks/MockJobCallback.vy")
    market.at(stage, callback=callback.address)
    assert callback.calls() == 0


def callback_failures() -> list[Any]:
    return [1, 2, "6210000" + "05ff3", "6210000" + "05ffd", "6202f800" + "5ff3", "6202f800" + "5ffd", "fe"]


@pytest.mark.parametrize("manner", callback_failures())
def test_pitfall_23_callback_that_misbehaves__the_worker_is_paid(market: Market, manner: Any) -> None:
    """Reverts, burns gas, and returns or reverts with one megabyte or with as much as the gas buys."""
    callback = deploy("mocks/MockJobCallback.vy")
    if isinstance(manner, int):
        callback.behave(manner)
    else:
        boa.env.set_code(callback.address, bytes.fromhex(manner))
    job = market.submitted(callback=callback.address)
    market.escrow.complete(*job.arguments, REASON, sender=market.evaluator, gas=400_000)
    finished = dict(events_of(market.escrow))["CallbackFinished"]
    assert finished["success"] == (manner == "6202f8005ff3")
    assert market.earnings(market.worker) == NET


def test_callback__relayer_that_gives_too_little_gas__cannot_starve_it(market: Market) -> None:
    callback = deploy("mocks/MockJobCallback.vy")
    job = market.submitted(callback=callback.address)
    settled = 0
    for gas in range(60_000, 260_000, 4_000):
        with boa.env.anchor():
            try:
                market.escrow.complete(*job.arguments, REASON, sender=market.evaluator, gas=gas)
            except boa.BoaError:
                continue
            settled += 1
            assert callback.gas_given() > 98_000
            assert callback.calls() == 1
    assert settled > 0
    with boa.reverts("escrow: too little gas"):
        market.escrow.complete(*job.arguments, REASON, sender=market.evaluator, gas=150_000)


def test_callback__account_without_code__counts_as_told(market: Market) -> None:
    market.completed(callback=market.stranger)
    assert events_of(market.escrow)[-1][1]["success"] is True


@pytest.mark.parametrize(
    "path", ["JobEscrow.vy", "Staking.vy", "MillToken.vy", "OracleCommittee.vy", "CapabilityRegistry.vy"]
)
def test_callback__its_selector__is_no_function_of_ours(path: str) -> None:
    """The escrow calls an address that the requester chose: it must mean nothing to a contract that trusts the escrow."""
    selectors = build_method_identifiers_output(deployer_of(path).compiler_data).values()
    assert keccak(b"on_job_settled(uint256,uint256,bytes32)")[:4].hex() not in {
        selector.removeprefix("0x").rjust(8, "0") for selector in selectors
    }
