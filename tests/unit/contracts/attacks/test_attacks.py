"""Each of these was found by somebody who tried to steal, and succeeded before a rule was changed."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.suite.deployment import (
    COMPLETE,
    DAY,
    HOUR,
    MEMBER_BOND,
    MILL,
    NOBODY,
    REASON,
    REJECT,
    Suite,
    actor,
    deploy_suite,
    key_grant,
    now,
    travel_to,
)


@pytest.fixture
def suite() -> Suite:
    return deploy_suite()


@pytest.fixture
def worker(suite: Suite) -> str:
    worker = actor("worker")
    suite.fund(worker, 100_000 * MILL)
    suite.staking.stake(100_000 * MILL, sender=worker)
    return worker


@pytest.fixture
def requester(suite: Suite) -> str:
    requester = actor("requester")
    suite.fund(requester, 10_000 * MILL)
    return requester


@pytest.fixture
def alias(suite: Suite) -> str:
    """Somebody who is really another party of the attack."""
    alias = actor("alias")
    suite.fund(alias, 300_000 * MILL)
    return alias


def equivocation(suite: Suite, member: LocalAccount, sequence: int = 77) -> tuple[Any, ...]:
    """Two stories of one member under one number."""
    digest, hashes = suite.committee.config_digest(), (b"a" * 32, b"b" * 32)
    signed = [
        bytes(member.unsafe_sign_hash(suite.committee.report_digest(digest, sequence, value)).signature)
        for value in hashes
    ]
    return member.address, digest, sequence, hashes[0], signed[0], hashes[1], signed[1]


def replace_and_leave(suite: Suite, member: LocalAccount) -> None:
    """The owner gives the member's seat to somebody else, and the member leaves."""
    successor = Account.from_key(b"\x55" * 32)
    suite.fund(successor.address, 20 * MEMBER_BOND)
    suite.staking.stake(20 * MEMBER_BOND, sender=successor.address)
    grant = key_grant(successor, suite.committee.address, successor.address)
    suite.committee.join(successor.address, grant, sender=successor.address)
    others = [other.address for other in suite.members if other is not member]
    suite.committee.set_config([*others, successor.address], 1, sender=suite.admin)
    suite.committee.leave(sender=member.address)


def leave_with(suite: Suite, owner: str, pool: int, shares: int) -> None:
    suite.staking.requestRedeem(pool, shares, sender=owner)
    travel_to(now() + 14 * DAY)
    suite.staking.redeem(pool, owner, 1)


def shield(suite: Suite, operator: str, alias: str, bond: int) -> None:
    """Jobs for one unit, posted to oneself, that pledge as much stake as can be pledged."""
    for _ in range(3):
        job = suite.post(
            alias,
            price_floor=1,
            price_ceiling=1,
            bond=bond,
            provider=operator,
            submit_window=83 * HOUR,
            evaluation_window=HOUR,
        )
        suite.claim(job, operator)


# ------------------------------------------------------------------ stake hidden behind sham pledges
def test_refuted_after_payment__costs_as_much__however_much_is_pledged(
    suite: Suite, worker: str, requester: str, alias: str
) -> None:
    job = suite.post(requester, is_exact=True, bond=1_000 * MILL)
    suite.claim(job, worker)
    suite.submit(job)
    suite.transmit([(job, COMPLETE)])  # wrongly attested and paid
    shield(suite, worker, alias, 10_000 * MILL)
    before = suite.staking.self_stake(worker)
    suite.escrow.convict(job.id, job.terms, job.answer, suite.stranger, REASON, sender=suite.arbiter)
    assert before - suite.staking.self_stake(worker) == 1_000 * MILL


def test_member_that_left__answers_with_its_stake__however_much_is_pledged(suite: Suite, alias: str) -> None:
    member = suite.members[0]
    proof = equivocation(suite, member)
    replace_and_leave(suite, member)
    shield(suite, member.address, alias, 20_000 * MILL)
    assert suite.committee.prove_equivocation(proof, sender=suite.stranger) == MEMBER_BOND


# ------------------------------------------------------------------ a bond hollowed out
def test_member_bond__stays_in_full__when_delegators_who_stood_behind_it_leave(
    suite: Suite, alias: str
) -> None:
    member = suite.members[0]
    staking, operator = suite.staking, member.address
    staking.set_terms(0, True, sender=operator)
    staking.delegate(operator, 200_000 * MILL, 0, sender=alias)
    own, delegated = staking.own_pool(operator), staking.delegation_pool(operator)
    shares = staking.shares_of(own, operator)
    with boa.reverts("commit: stake backs open work"):
        staking.requestRedeem(own, shares - MEMBER_BOND + 1, sender=operator)
    leave_with(suite, operator, own, shares - MEMBER_BOND)
    leave_with(suite, alias, delegated, staking.shares_of(delegated, alias))
    proof = equivocation(suite, member)
    assert suite.committee.prove_equivocation(proof, sender=suite.stranger) == MEMBER_BOND


def test_member_bond__cannot_be_taken_by_another_verifier(suite: Suite) -> None:
    member = suite.members[0]
    operator = member.address
    staking, admin = suite.staking, suite.admin
    verifier = actor("verifier")
    staking.set_verifier(verifier, True, sender=admin)
    staking.set_slash_caps(5_000, 5_000, sender=admin)
    pool = staking.own_pool(operator)
    leave_with(suite, operator, pool, staking.shares_of(pool, operator) - 2 * MEMBER_BOND)
    # Whatever can be pledged to the other verifier is pledged and taken, and everything beyond it that the caps allow.
    while staking.self_stake(operator) > 0:
        released = min(staking.commit_room(operator)[1], staking.self_stake(operator))
        if released:
            staking.commit(operator, operator, released, sender=verifier)
        penalty = (operator, released, 2**96, NOBODY, 0, NOBODY, 0, REASON)
        before = staking.self_stake(operator)
        staking.slash(penalty, sender=verifier)
        travel_to(now() + 31 * DAY)
        if staking.self_stake(operator) == before:
            break
    assert staking.self_stake(operator) == MEMBER_BOND
    assert (
        suite.committee.prove_equivocation(equivocation(suite, member), sender=suite.stranger) == MEMBER_BOND
    )
    assert suite.committee.keys()[0] == NOBODY


def test_member_that_left__with_a_unit_more_than_its_bond__can_be_punished(suite: Suite, alias: str) -> None:
    """A slash may take dust beyond what was asked for; the proof must not trip over it."""
    member = suite.members[0]
    staking, operator = suite.staking, member.address
    proof = equivocation(suite, member)
    replace_and_leave(suite, member)
    pool = staking.own_pool(operator)
    leave_with(suite, operator, pool, staking.shares_of(pool, operator) - MEMBER_BOND - 1)
    staking.set_terms(0, True, sender=operator)
    staking.delegate(operator, 200_000 * MILL, 0, sender=alias)
    assert suite.committee.prove_equivocation(proof, sender=suite.stranger) >= MEMBER_BOND


# ------------------------------------------------------------------ one member against the others
def test_rotation__voids_nothing_that_the_others_signed(suite: Suite, worker: str, requester: str) -> None:
    member = suite.members[3]
    key = Account.from_key(b"\x77" * 32)
    grant = key_grant(key, suite.committee.address, member.address)
    suite.committee.rotate_key(key.address, grant, sender=member.address)
    travel_to(now() + DAY)
    job = suite.post(requester, provider=worker, evaluation_window=600)
    suite.claim(job, worker)
    suite.submit(job)
    report, items = suite.report(suite.escrow), [(job.id, COMPLETE, job.terms, job.answer)]
    report_hash = suite.committee.verdicts_hash(report, items)
    digest = suite.committee.report_digest(report[0], report[1], report_hash)
    signed = suite.sign(digest, [0, 1])
    suite.committee.apply_key(member.address, sender=suite.stranger)  # just before the report
    suite.committee.transmit(report, items, *signed, sender=suite.relayer)
    assert suite.escrow.earnings(suite.mill.address, worker) > 0


# ------------------------------------------------------------------ a requester and a worker
def test_reopening__with_a_ramp__is_refused(suite: Suite, requester: str) -> None:
    """Two aliases would claim at the floor, be late, and claim again at the ceiling."""
    offer = suite.offer(price_floor=1, price_ceiling=1_000, bond=1_000, ramp=HOUR, reopens=True)
    with boa.reverts("policy: reopens with a ramp"):
        suite.escrow.post(offer, sender=requester)


def test_earnings__above_what_staking_takes_at_once__leave_in_parts(suite: Suite, worker: str) -> None:
    """A token of very many units must not lock what was earned in it."""
    most = 2**96 - 1
    rich = actor("rich requester")
    suite.fund(rich, 0, 2 * most)
    suite.escrow.set_payment_token(suite.coin.address, 1, sender=suite.admin)
    for _ in range(2):
        job = suite.post(
            rich,
            payment_token=suite.coin.address,
            price_floor=most,
            price_ceiling=most,
            bond=most // 10**18 + 1,
        )
        suite.claim(job, worker)
        suite.submit(job)
        suite.transmit([(job, COMPLETE)])
    earned = suite.escrow.earnings(suite.coin.address, worker)
    assert earned > most
    collected = [suite.escrow.collect_earnings(suite.coin.address, worker) for _ in range(2)]
    assert collected == [most, earned - most]
    assert suite.escrow.earnings(suite.coin.address, worker) == 0


def test_accusing_oneself__always_costs(suite: Suite, worker: str) -> None:
    """Worker, requester and reporter are one: at least a quarter of what is taken is gone."""
    alias = actor("own requester")
    suite.fund(alias, 1_000 * MILL)
    job = suite.post(alias, bond=1_000 * MILL)
    suite.claim(job, worker)
    travel_to(now() + 3 * HOUR)
    held = (worker, alias)
    before = suite.staking.self_stake(worker) + sum(suite.mill.balanceOf(account) for account in held)
    suite.escrow.claimRefund(job.id, job.terms, job.answer, sender=alias)
    after = suite.staking.self_stake(worker) + sum(suite.mill.balanceOf(account) for account in held)
    penalty = 100 * MILL
    assert after <= before + 100 * MILL - penalty // 4  # the price came back too


def test_rejection__of_a_contested_job__is_impossible(suite: Suite, worker: str, requester: str) -> None:
    job = suite.post(requester, is_exact=True)
    suite.claim(job, worker)
    suite.submit(job)
    suite.escrow.contest(job.id, job.terms, job.answer, sender=suite.arbiter)
    suite.transmit([(job, REJECT)])
    assert suite.escrow.stage(job.id) == 0x42
