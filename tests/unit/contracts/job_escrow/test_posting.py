"""post, post_with_permit, post_with_authorization, cancel."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import boa
import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from tests.models.job_escrow import RATES, SCHEDULE, Stage, low_bits, pack
from tests.suite.deployment import DAY, HOUR, INPUT_ROOT, MILL, MODEL_ID, NOBODY, deploy, events_of, now
from tests.unit.contracts.job_escrow.market import BOND, PRICE, Market

MAX_AMOUNT = 2**96 - 1
MAX_BOUND_TIME = 302_400
SIGNER = Account.from_key(b"\x61" * 32)
NO_SIGNATURE = (27, bytes(32), bytes(32))


# ------------------------------------------------------------------ post
def test_post__escrows_the_ceiling_and_stores_one_word(market: Market, requester: str) -> None:
    before = market.balance(requester)
    job = market.post(price_floor=PRICE // 2, ramp=HOUR)
    assert before - market.balance(requester) == market.owed() == PRICE
    assert (market.escrow.stage(job.id), market.escrow.state(job.id)) == (Stage.FUNDED, 1)
    assert market.escrow.deadline(job.id) == now() + DAY
    assert market.escrow.runway(job.id) == DAY + 1
    assert market.escrow.commitment(job.id) == low_bits(job.terms.hash)
    assert market.escrow.terms_hash(astuple(job.terms)) == job.terms.hash
    assert market.escrow.closeReason(job.id) == 0


def test_post__tells_everything_in_three_events(market: Market, requester: str, evaluator: str) -> None:
    callback = market.stranger
    market.escrow.post(
        market.offer(provider=market.worker, callback=callback, ramp=0, tier=0, reopens=True),
        sender=requester,
    )
    schedule = {
        "posted_at": now(),
        "ramp": 0,
        "claim_deadline": now() + DAY,
        "submit_window": 2 * HOUR,
        "evaluation_window": 3 * HOUR,
        "challenge_window": HOUR,
        "dispute_window": DAY,
    }
    rates = {
        "protocol_fee_bps": 100,
        "evaluator_fee_bps": 300,
        "late_penalty_bps": 1_000,
        "cancellation_bps": 1_000,
        "reporter_bps": 1_000,
        "tier": 0,
        "flags": 1,
        "ceiling_in_stake": PRICE,
    }
    terms = (
        requester,
        market.worker,
        evaluator,
        market.arbiter,
        market.token.address,
        callback,
        keccak(MODEL_ID + INPUT_ROOT),
        PRICE,
        PRICE,
        BOND,
        pack(SCHEDULE, schedule),
        pack(RATES, rates),
    )
    created = {
        "jobId": 1,
        "client": requester,
        "provider": market.worker,
        "evaluator": evaluator,
        "expiredAt": now() + DAY + 5 * HOUR,
        "hook": callback,
    }
    posted = {"jobId": 1, "requester": requester, "model_id": MODEL_ID, "input_root": INPUT_ROOT}
    assert events_of(market.escrow) == [
        ("JobCreated", created),
        ("JobFunded", {"jobId": 1, "client": requester, "amount": PRICE}),
        ("JobPosted", posted | {"terms": terms}),
    ]


def test_post__returns_ever_new_numbers(market: Market, requester: str) -> None:
    numbers = [market.escrow.post(market.offer(), sender=requester) for _ in range(3)]
    market.escrow.cancel(3, astuple(market.posted().terms), sender=requester)
    numbers.append(market.escrow.post(market.offer(), sender=requester))
    assert numbers == [1, 2, 3, 4]
    assert market.escrow.job_count() == 4


def test_post__without_arbiter_for_a_job_that_is_not_exact(market: Market) -> None:
    assert market.post(is_exact=False).terms.arbiter == NOBODY


def test_post__bond_in_another_unit__rounds_up(market: Market) -> None:
    market.escrow.set_payment_token(market.token.address, 10**18 // 3, sender=market.admin)
    job = market.post(price_floor=10, price_ceiling=10, bond=4)
    assert job.terms.of_rates("ceiling_in_stake") == 4
    with boa.reverts("policy: bond too small"):
        market.post(price_floor=10, price_ceiling=10, bond=3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price_floor": 0, "price_ceiling": 0}, "policy: no price"),
        ({"price_ceiling": MAX_AMOUNT + 1}, "policy: price too large"),
        ({"price_floor": PRICE + 1}, "policy: floor above ceiling"),
        ({"ramp": 2**24}, "policy: ramp too long"),
        ({"ramp": 1, "reopens": True}, "policy: reopens with a ramp"),
        ({"bond": PRICE - 1}, "policy: bond too small"),
        ({"bond": 0}, "policy: bond too small"),
        ({"bond": MAX_AMOUNT + 1}, "policy: bond too large"),
        ({"cancellation_bps": 10_001}, "policy: cancellation too high"),
        ({"submit_window": 0}, "policy: no submit window"),
        ({"evaluation_window": 0}, "policy: no evaluation window"),
        ({"submit_window": MAX_BOUND_TIME + 1}, "policy: submit window too long"),
        ({"submit_window": 2**256 - 1}, "policy: submit window too long"),
        ({"submit_window": 1, "evaluation_window": MAX_BOUND_TIME}, "policy: windows too long"),
        ({"evaluation_window": 2**256 - 1}, "policy: windows too long"),
        ({"tier": 1}, "policy: no registry"),
        ({"payment_token": NOBODY}, "payments: token not taken"),
    ],
)
def test_post__bad_offer__reverts(market: Market, changes: dict[str, Any], reason: str) -> None:
    with boa.reverts(reason):
        market.post(**changes)


def test_post__tier_wider_than_its_field__reverts(market: Market) -> None:
    market.escrow.set_capability_registry(market.stranger, sender=market.admin)
    assert market.post(tier=255).terms.of_rates("tier") == 255
    with boa.reverts("terms: tier out of range"):
        market.post(tier=256)


@pytest.mark.parametrize(
    ("delay", "reason"),
    [
        (0, "policy: claim deadline passed"),
        (-1, "policy: claim deadline passed"),
        (30 * DAY + 1, "policy: claim deadline too far"),
    ],
)
def test_post__claim_deadline_out_of_range__reverts(market: Market, delay: int, reason: str) -> None:
    with boa.reverts(reason):
        market.post(claim_deadline=now() + delay)


def test_post__at_every_bound__is_accepted(market: Market) -> None:
    market.fund(market.requester, MAX_AMOUNT)
    job = market.post(
        price_floor=0,
        price_ceiling=MAX_AMOUNT,
        ramp=2**24 - 1,
        bond=MAX_AMOUNT,
        cancellation_bps=10_000,
        claim_deadline=now() + 30 * DAY,
        submit_window=1,
        evaluation_window=MAX_BOUND_TIME - 1,
    )
    assert job.terms.price_ceiling == MAX_AMOUNT
    assert market.post(claim_deadline=now() + 1, price_floor=1, price_ceiling=1, bond=1).id == 2


def test_post__before_there_is_an_evaluator__reverts(market: Market) -> None:
    escrow = deploy("JobEscrow.vy", market.staking.address, market.admin)
    with boa.reverts("policy: no evaluator"):
        escrow.post(market.offer(), sender=market.requester)
    escrow.set_evaluator(market.evaluator, sender=market.admin)
    with boa.reverts("policy: no arbiter"):
        escrow.post(market.offer(), sender=market.requester)
    with boa.reverts("payments: token not taken"):
        escrow.post(market.offer(is_exact=False), sender=market.requester)


def test_post__token_no_longer_taken__reverts(market: Market) -> None:
    market.escrow.set_payment_token(market.token.address, 0, sender=market.admin)
    with boa.reverts("payments: token not taken"):
        market.post()


def test_post__without_the_tokens__reverts(market: Market, stranger: str) -> None:
    with boa.reverts("mock: allowance"):
        market.escrow.post(market.offer(), sender=stranger)


def test_post__paused__all_three_ways_revert(market: Market, requester: str) -> None:
    escrow, offer = market.escrow, market.offer()
    escrow.pause(1, sender=market.admin)
    for call in (
        lambda: escrow.post(offer, sender=requester),
        lambda: escrow.post_with_permit(offer, 0, *NO_SIGNATURE, sender=requester),
        lambda: escrow.post_with_authorization(offer, 0, 0, bytes(32), *NO_SIGNATURE, sender=requester),
    ):
        with boa.reverts("pausable: closed"):
            call()
    escrow.unpause(1, sender=market.admin)
    escrow.pause(2, sender=market.admin)
    assert market.post().id == 1


# ------------------------------------------------------------------ post_with_permit
def sign(token: Any, primary_type: str, fields: str, message: dict[str, Any]) -> tuple[int, bytes, bytes]:
    """For the domain of `MockAuthorizationToken`."""
    domain = {
        "name": "USD Coin",
        "version": "2",
        "chainId": boa.env.evm.patch.chain_id,
        "verifyingContract": str(token.address),
    }
    kinds = [field.split() for field in fields.split(",")]
    types = {primary_type: [{"name": name, "type": kind} for kind, name in kinds]}
    signed = SIGNER.sign_typed_data(domain, types, message)
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def permit(market: Market, amount: int) -> tuple[int, bytes, bytes]:
    message = {
        "owner": SIGNER.address,
        "spender": market.escrow.address,
        "value": amount,
        "nonce": market.token.nonces(SIGNER.address),
        "deadline": now() + HOUR,
    }
    fields = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"
    return sign(market.token, "Permit", fields, message)


def authorization(market: Market, amount: int, **changes: Any) -> tuple[int, bytes, bytes]:
    message = {
        "from": SIGNER.address,
        "to": market.escrow.address,
        "value": amount,
        "validAfter": 0,
        "validBefore": now() + HOUR,
        "nonce": bytes(32),
    } | changes
    fields = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"
    return sign(market.token, "ReceiveWithAuthorization", fields, message)


@pytest.fixture
def dollars(market: Market) -> Market:
    """Prices in a token of six decimals with permits and authorizations, of which the signer has some."""
    market.list_token(deploy("mocks/MockAuthorizationToken.vy"), 10**30)
    market.token.mint(SIGNER.address, 1_000 * 10**6)
    return market


def dollar_offer(market: Market, **changes: Any) -> tuple[Any, ...]:
    return market.offer(**{"price_floor": 5 * 10**6, "price_ceiling": 5 * 10**6, "bond": 5 * MILL} | changes)


def test_post_with_permit__needs_no_allowance_before(dollars: Market) -> None:
    arguments = (dollar_offer(dollars), now() + HOUR, *permit(dollars, 5 * 10**6))
    job_id = dollars.escrow.post_with_permit(*arguments, sender=SIGNER.address)
    assert dollars.escrow.stage(job_id) == Stage.FUNDED
    assert dollars.owed() == 5 * 10**6
    assert dollars.token.allowance(SIGNER.address, dollars.escrow.address) == 0


def test_pitfall_21_permit_griefing__a_permit_that_somebody_sent_before_still_posts(dollars: Market) -> None:
    signature = permit(dollars, 5 * 10**6)
    deadline = now() + HOUR
    dollars.token.permit(
        SIGNER.address, dollars.escrow.address, 5 * 10**6, deadline, *signature, sender=dollars.stranger
    )
    offer = dollar_offer(dollars)
    job_id = dollars.escrow.post_with_permit(offer, deadline, *signature, sender=SIGNER.address)
    assert dollars.escrow.stage(job_id) == Stage.FUNDED


def test_post_with_permit__bad_permit_and_no_allowance__reverts(dollars: Market) -> None:
    with boa.reverts("mock: allowance"):
        dollars.escrow.post_with_permit(dollar_offer(dollars), 0, *NO_SIGNATURE, sender=SIGNER.address)


def test_post_with_permit__token_without_permits__the_allowance_decides(market: Market) -> None:
    job_id = market.escrow.post_with_permit(market.offer(), 0, *NO_SIGNATURE, sender=market.requester)
    assert market.escrow.stage(job_id) == Stage.FUNDED


def test_post_with_permit__somebody_elses_permit__spends_nothing_of_theirs(dollars: Market) -> None:
    signature = permit(dollars, 5 * 10**6)
    with boa.reverts("mock: allowance"):
        dollars.escrow.post_with_permit(
            dollar_offer(dollars), now() + HOUR, *signature, sender=dollars.stranger
        )


# ------------------------------------------------------------------ post_with_authorization
def test_post_with_authorization__needs_no_allowance(dollars: Market) -> None:
    arguments = (0, now() + HOUR, bytes(32), *authorization(dollars, 5 * 10**6))
    job_id = dollars.escrow.post_with_authorization(dollar_offer(dollars), *arguments, sender=SIGNER.address)
    assert dollars.escrow.stage(job_id) == Stage.FUNDED
    assert dollars.owed() == dollars.balance(dollars.escrow.address) == 5 * 10**6


def test_pitfall_18_replay__one_authorization_posts_one_job_of_its_signer_for_its_amount(
    dollars: Market,
) -> None:
    escrow = dollars.escrow
    arguments = (0, now() + HOUR, bytes(32), *authorization(dollars, 5 * 10**6))
    with boa.reverts():  # somebody else's caller
        escrow.post_with_authorization(dollar_offer(dollars), *arguments, sender=dollars.stranger)
    with boa.reverts():  # another amount
        offer = dollar_offer(dollars, price_ceiling=5 * 10**6 + 1, bond=6 * MILL)
        escrow.post_with_authorization(offer, *arguments, sender=SIGNER.address)
    with boa.reverts("mock: caller must be the payee"):  # past the escrow
        dollars.token.receiveWithAuthorization(
            SIGNER.address, escrow.address, 5 * 10**6, *arguments, sender=dollars.stranger
        )
    escrow.post_with_authorization(dollar_offer(dollars), *arguments, sender=SIGNER.address)
    with boa.reverts("mock: authorization is used"):
        escrow.post_with_authorization(dollar_offer(dollars), *arguments, sender=SIGNER.address)


def test_post_with_authorization__token_without_it__reverts(market: Market) -> None:
    with boa.reverts():
        market.escrow.post_with_authorization(
            market.offer(), 0, now() + HOUR, bytes(32), *NO_SIGNATURE, sender=market.requester
        )


# ------------------------------------------------------------------ cancel
def test_cancel__gives_the_price_back(market: Market, requester: str) -> None:
    before = market.balance(requester)
    job = market.post()
    market.escrow.cancel(job.id, astuple(job.terms), sender=requester)
    assert events_of(market.escrow) == [
        ("JobRejected", {"jobId": 1, "rejector": requester, "reason": bytes(32)}),
        ("Refunded", {"jobId": 1, "client": requester, "amount": PRICE}),
    ]
    assert (market.balance(requester), market.owed()) == (before, 0)
    assert (market.escrow.stage(1), market.escrow.closeReason(1)) == (Stage.CANCELLED, 4)
    assert (market.escrow.deadline(1), market.escrow.runway(1)) == (0, 0)
    assert market.escrow.commitment(1) == bytes(32)


@pytest.mark.parametrize("role", ["worker", "evaluator", "arbiter", "admin", "stranger", "treasury"])
def test_cancel__by_anybody_else__reverts(market: Market, role: str) -> None:
    job = market.post()
    with boa.reverts("escrow: not the requester"):
        market.escrow.cancel(job.id, astuple(job.terms), sender=getattr(market, role))


def test_cancel__other_terms__reverts(market: Market) -> None:
    job, other = market.post(), market.post(price_floor=1)
    with boa.reverts("escrow: other record"):
        market.escrow.cancel(job.id, astuple(other.terms), sender=market.requester)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.FUNDED])
def test_cancel__in_another_stage__reverts(market: Market, stage: Stage) -> None:
    job = market.at(stage)
    with boa.reverts("escrow: not open to a claim"):
        market.escrow.cancel(job.id, astuple(job.terms), sender=market.requester)


def test_cancel__a_job_that_never_was__reverts(market: Market) -> None:
    job = market.post()
    with boa.reverts("escrow: not open to a claim"):
        market.escrow.cancel(2, astuple(job.terms), sender=market.requester)
