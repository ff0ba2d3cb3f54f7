"""Pitfalls 16 and 17: code of strangers runs inside the escrow's calls, and cannot enter it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import boa
import pytest

from tests.models.job_escrow import Stage
from tests.suite.deployment import HOUR, NOBODY, REASON, deploy
from tests.unit.contracts.job_escrow.market import PRICE, Job, Market

REENTERS, READS = 3, 4
NO_SIGNATURE = (27, bytes(32), bytes(32))
VIEWS_FOR_CALLBACKS = {
    "state",
    "stage",
    "deadline",
    "commitment",
    "closeReason",
    "runway",
    "terms_hash",
    "price_at",
}


def every_call(market: Market, job: Job) -> dict[str, bytes]:
    """Call data for each external function of the escrow, views included, that would succeed if it came at the right time."""
    escrow, token, stranger = market.escrow, market.token.address, market.stranger
    terms = astuple(job.terms)
    arguments: dict[str, tuple[Any, ...]] = {
        "post": (market.offer(),),
        "post_with_permit": (market.offer(), 0, *NO_SIGNATURE),
        "post_with_authorization": (market.offer(), 0, 0, bytes(32), *NO_SIGNATURE),
        "cancel": (job.id, terms),
        "claim": (job.id, terms, market.worker),
        "submit": (job.id, job.claim, REASON),
        "complete": (*job.arguments, REASON),
        "complete_many": ([job.arguments], REASON),
        "reject": (*job.arguments, REASON),
        "void": (*job.arguments, REASON),
        "contest": job.arguments,
        "dismiss": job.arguments,
        "uphold": (*job.arguments, REASON),
        "convict": (*job.arguments, stranger, REASON),
        "finalize": job.arguments,
        "claimRefund": job.arguments,
        "withdraw": (token, market.requester),
        "withdraw_to": (token, stranger),
        "collect_earnings": (token, market.worker),
        "collect_fees": (token, market.evaluator),
        "set_evaluator": (stranger,),
        "set_arbiter": (stranger,),
        "set_capability_registry": (stranger,),
        "set_treasury": (stranger,),
        "set_payment_token": (token, 0),
        "set_rates": (0, 0, 0, 0),
        "set_windows": (600, 3_600),
        "transfer_ownership": (stranger,),
        "accept_ownership": (),
        "pause": (1,),
        "unpause": (1,),
        "set_pauser": (stranger,),
        "set_unpauser": (stranger,),
        "terms_hash": (terms,),
        "price_at": (terms, 0),
        "earnings": (token, market.worker),
        "credit": (token, market.requester),
        "fees": (token, market.evaluator),
        "owed": (token,),
        "bond_rate": (token,),
    }
    for name in ("state", "stage", "deadline", "commitment", "closeReason", "runway"):
        arguments[name] = (job.id,)
    calls = {}
    for entry in escrow.abi:
        if entry["type"] == "function":
            name = entry["name"]
            calls[name] = getattr(escrow, name).prepare_calldata(*arguments.get(name, ()))
    assert arguments.keys() <= calls.keys()
    return calls


class Attacker:
    """Plays requester, and is called by the token whenever that moves; the escrow belongs to it besides."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.token = deploy("mocks/MockHookToken.vy")
        self.hook = deploy("mocks/MockHookRecipient.vy")
        market.requester = market.treasury = self.hook.address
        market.list_token(self.token)
        self.token.set_hook(self.hook.address, sender=self.hook.address)
        self.token.set_hook(self.hook.address, sender=market.staking.address)

    def succeeds_within(self, entry: Callable[[], Any], call_data: bytes) -> bool:
        """Makes a call while the token is moving in another one."""
        before = self.hook.attempts()
        self.hook.arm(self.market.escrow.address, call_data)
        entry()
        assert self.hook.attempts() > before
        successes: int = self.hook.successes()
        self.hook.arm(NOBODY, b"")
        return successes > 0


@pytest.fixture
def attacker(market: Market) -> Attacker:
    return Attacker(market)


def entries(market: Market) -> dict[str, Callable[[], Any]]:
    """Every call of the escrow that moves tokens, ready to be made."""
    escrow, token = market.escrow, market.token.address
    paid = market.completed(price_floor=PRICE // 2, ramp=HOUR)
    assert market.credit(market.requester) == PRICE // 2
    posted = market.post()
    voided, contested = market.submitted(), market.contested()
    assert paid.id < posted.id
    return {
        "post": lambda: market.post(),
        "cancel": lambda: escrow.cancel(posted.id, astuple(posted.terms), sender=market.requester),
        "void": lambda: escrow.void(*voided.arguments, REASON, sender=market.evaluator),
        "convict": lambda: escrow.convict(*contested.arguments, NOBODY, REASON, sender=market.arbiter),
        "withdraw": lambda: escrow.withdraw(token, market.requester),
        "collect_earnings": lambda: escrow.collect_earnings(token, market.worker),
    }


@pytest.mark.parametrize("entry", ["post", "cancel", "void", "convict", "withdraw", "collect_earnings"])
def test_pitfall_16_reentrancy__from_token_hooks_into_every_function(
    market: Market, attacker: Attacker, entry: str
) -> None:
    """The lock is one for all: whatever call holds it, no other and not the same one can be entered."""
    target = market.submitted()
    calls = every_call(market, target)
    ready = entries(market)
    for name, call_data in calls.items():
        with boa.env.anchor():
            assert attacker.succeeds_within(ready[entry], call_data) == (name in VIEWS_FOR_CALLBACKS), name


@pytest.mark.parametrize(
    "name", ["complete", "claimRefund", "withdraw", "post", "finalize", "set_rates", "owed"]
)
def test_pitfall_16_reentrancy__from_a_callback(market: Market, name: str) -> None:
    callback = deploy("mocks/MockJobCallback.vy")
    job, other = market.submitted(callback=callback.address), market.submitted()
    callback.behave(REENTERS)
    callback.arm(market.escrow.address, every_call(market, other)[name])
    market.escrow.complete(*job.arguments, REASON, sender=market.evaluator)
    assert (callback.calls(), callback.reentered()) == (1, False)
    assert market.escrow.stage(other.id) == Stage.SUBMITTED


def test_pitfall_16_compiled_lock__is_one_word_for_all_functions(market: Market) -> None:
    """The bug of Vyper 0.2.15 to 0.3.0 was one lock for each function."""
    layout = market.escrow.compiler_data.storage_layout
    locks = [
        entry
        for section in layout.values()
        for name, entry in section.items()
        if isinstance(entry, dict) and "nonreentrant" in name
    ]
    assert len(locks) == 1


def test_pitfall_17_read_only_reentrancy__a_callback_reads_the_final_state(market: Market) -> None:
    callback = deploy("mocks/MockJobCallback.vy")
    callback.behave(READS)
    market.completed(callback=callback.address)
    assert (callback.calls(), callback.read()) == (1, 3 | 1 << 8)


def test_pitfall_17_read_only_reentrancy__sums_of_money_cannot_be_read_in_between(
    market: Market, attacker: Attacker
) -> None:
    job = market.post()
    calls = every_call(market, job)
    for name in ("owed", "credit", "earnings", "fees"):
        assert not attacker.succeeds_within(lambda: market.post(), calls[name])
