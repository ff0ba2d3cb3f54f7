"""Forged terms and odd payment tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa
import pytest
from eth.exceptions import Revert

from tests.unit.contracts.job_escrow_cases import (
    BOND,
    FORGERIES,
    PRICE,
)
from tests.unit.contracts.suite import (
    DELIVERABLE,
    EXPIRED,
    FUNDED,
    INPUT_ROOT,
    REASON,
    ZERO_WORD,
    Job,
    Suite,
    actor,
    deploy_suite,
    travel_to,
)


# ------------------------------------------------------------------ forged terms
@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: next(iter(forgery)))
def test_terms__any_field_forged__every_call_reverts(
    suite: Suite, evaluator: str, forgery: dict[str, Any]
) -> None:
    escrow = suite.escrow
    posted, claimed, submitted = suite.post(), suite.claimed(), suite.submitted()
    calls: list[tuple[Job, str, str, Callable[[Any], None]]] = [
        (
            posted,
            "escrow: other terms",
            "cancel",
            lambda t: escrow.cancel(posted.id, t, sender=suite.requester),
        ),
        (posted, "escrow: other terms", "claim", lambda t: escrow.claim(posted.id, t, sender=suite.worker)),
        (
            claimed,
            "escrow: other terms",
            "submit",
            lambda t: escrow.submit(claimed.id, t, DELIVERABLE, sender=suite.worker),
        ),
        (
            submitted,
            "escrow: other terms or answer",
            "complete",
            lambda t: escrow.complete(submitted.id, t, DELIVERABLE, REASON, sender=evaluator),
        ),
        (
            submitted,
            "escrow: other terms or answer",
            "reject",
            lambda t: escrow.reject(submitted.id, t, DELIVERABLE, REASON, sender=evaluator),
        ),
        (posted, "escrow: other terms", "refund", lambda t: escrow.claimRefund(posted.id, t, ZERO_WORD)),
        (
            submitted,
            "escrow: other terms or answer",
            "refund",
            lambda t: escrow.claimRefund(submitted.id, t, DELIVERABLE),
        ),
    ]
    for job, reason, _name, call in calls:
        with boa.reverts(reason):
            call(job.replace(**forgery))


@pytest.mark.parametrize("field", range(3))
def test_terms__dirty_bits_above_an_address__revert(suite: Suite, field: int) -> None:
    """Terms have one encoding: what the hash covers is what the contract acts on."""
    job = suite.post()
    clean = suite.escrow.claim.prepare_calldata(job.id, job.terms)
    position = 4 + 32 * (1 + field)
    dirty = clean[:position] + b"\1" + clean[position + 1 :]
    with pytest.raises(Revert, match=r"^b''$"):
        boa.env.raw_call(suite.escrow.address, sender=suite.worker, data=dirty)
    boa.env.raw_call(suite.escrow.address, sender=suite.worker, data=clean)
    assert suite.escrow.provider(job.id) == suite.worker


@pytest.mark.parametrize("call", ["complete", "reject", "claimRefund"])
def test_deliverable__other_than_submitted__reverts(suite: Suite, evaluator: str, call: str) -> None:
    job = suite.submitted()
    arguments = (job.id, job.terms, INPUT_ROOT) + (() if call == "claimRefund" else (REASON,))
    with boa.reverts("escrow: other terms or answer"):
        getattr(suite.escrow, call)(*arguments, sender=evaluator)


def test_terms__of_another_job__revert(suite: Suite) -> None:
    first, second = suite.post(), suite.post(price=2 * PRICE, bond=2 * BOND)
    with boa.reverts("escrow: other terms"):
        suite.escrow.cancel(first.id, second.terms, sender=suite.requester)


# ------------------------------------------------------------------ odd payment tokens
def test_token_that_returns_nothing__works_from_post_to_payment() -> None:
    suite = deploy_suite(payment="MockSilentToken")
    job = suite.submitted()
    suite.transmit([job])
    assert suite.payment.balanceOf(suite.worker) == PRICE
    assert suite.escrow.escrowed() == 0


def test_token_that_answers_false__reverts() -> None:
    suite = deploy_suite(payment="MockFickleToken")
    job = suite.post()
    suite.payment.set_failing(True)
    with boa.reverts("token: pull failed"):
        suite.post()
    with boa.reverts("token: push failed"):
        suite.escrow.cancel(job.id, job.terms, sender=suite.requester)
    assert suite.escrow.state(job.id) == FUNDED


def test_reentrant_token__cannot_enter_any_function_during_a_refund() -> None:
    """The calls are open to anyone and legitimate by themselves: only the lock stops them here."""
    suite = deploy_suite(payment="MockReentrantToken")
    escrow, token = suite.escrow, suite.payment
    first, second = suite.post(), suite.post()
    travel_to(second.claim_deadline + 1)
    nested = escrow.claimRefund.prepare_calldata(second.id, second.terms, ZERO_WORD)
    token.arm(escrow.address, nested)
    escrow.claimRefund(first.id, first.terms, ZERO_WORD)
    assert (token.attempts(), token.successes()) == (1, 0)
    assert (escrow.state(first.id), escrow.state(second.id)) == (EXPIRED, FUNDED)

    boa.env.raw_call(escrow.address, data=nested)
    assert escrow.state(second.id) == EXPIRED


@pytest.mark.parametrize("moment", ["post", "cancel", "complete", "reject", "expire"])
@pytest.mark.parametrize("view", ["escrowed", "job_count"])
def test_reentrant_token__cannot_even_read_half_done_state(moment: str, view: str) -> None:
    suite = deploy_suite(payment="MockReentrantToken")
    escrow, token = suite.escrow, suite.payment
    judge = actor("evaluator")
    escrow.set_evaluator(judge, sender=suite.admin)
    posted, submitted = suite.post(), suite.submitted()
    offer = suite.offer()
    token.arm(escrow.address, getattr(escrow, view).prepare_calldata())
    if moment == "post":
        escrow.post(offer, sender=suite.requester)
    elif moment == "cancel":
        escrow.cancel(posted.id, posted.terms, sender=suite.requester)
    elif moment == "expire":
        travel_to(posted.claim_deadline + 1)
        escrow.claimRefund(posted.id, posted.terms, ZERO_WORD)
    else:
        getattr(escrow, moment)(submitted.id, submitted.terms, DELIVERABLE, REASON, sender=judge)
    assert (token.attempts(), token.successes()) == (1, 0)


def test_reentrant_token__its_call_succeeds_where_no_lock_is_held() -> None:
    """The mock's own test: an attempt that fails above failed because of the lock."""
    suite = deploy_suite(payment="MockReentrantToken")
    token = suite.payment
    token.arm(suite.staking.address, suite.staking.total_staked.prepare_calldata())
    suite.post()
    assert (token.attempts(), token.successes()) == (1, 1)
