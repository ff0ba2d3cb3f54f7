"""The committee on the real escrow, staking, token and registry: what each outcome does, and what an item costs."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi.abi import decode
from eth_account import Account

from tests.models.oracle_committee import Answer, Terms, Verdict, commitment_of, proof_id
from tests.suite.deployment import (
    COIN,
    COMPLETE,
    EVIDENCE,
    MEMBER_BOND,
    MILL,
    REJECT,
    ROOT,
    VOID,
    Job,
    Suite,
    actor,
    deploy,
    deploy_suite,
    events_of,
    now,
)
from tests.unit.contracts.oracle_committee.assembly import (
    Assembly,
    long_signature,
    measurement,
)

ITEM_GAS_FLOOR = 1_000_000
# What titanoboa does not count: the surcharge of a first touch (2,100 for a slot, 2,600 for an account), for more slots than
# any item touches.
COLD_SURCHARGE = 60 * 2_600
REQUESTER, WORKER = "0x" + "0A" * 20, "0x" + "0b" * 20


@pytest.fixture(scope="module")
def suite() -> Suite:
    whole = deploy_suite()
    for account in (REQUESTER, WORKER):
        whole.fund(account, 100_000 * MILL, 100_000 * COIN)
    whole.staking.stake(50_000 * MILL, sender=WORKER)
    return whole


def logged_below(suite: Suite, contract: Any, name: str) -> list[Any]:
    """The events of one name that a contract logged while the committee's latest call ran."""
    return [
        event
        for event in suite.committee.get_logs()
        if type(event).__name__ == name and str(event.address) == str(contract.address)
    ]


def submitted(suite: Suite, **changes: Any) -> Job:
    job = suite.post(REQUESTER, **changes)
    suite.claim(job, WORKER)
    suite.submit(job)
    return job


def verdict_of(job: Job, outcome: int) -> tuple[Any, ...]:
    return (job.id, outcome, job.terms, job.answer)


def assembly_of(suite: Suite) -> Assembly:
    """The builders of reports and proofs, for these contracts."""
    return Assembly(
        staking=suite.staking,
        escrow=suite.escrow,
        committee=suite.committee,
        admin=suite.admin,
        relayer=suite.relayer,
        stranger=suite.stranger,
        reporter=suite.stranger,
        operators=[member.address for member in suite.members],
        keys=suite.members,
        faults=1,
    )


# ------------------------------------------------------------------ outcomes
def test_transmit__completion__pays_and_names_the_evidence(suite: Suite) -> None:
    job = submitted(suite)
    suite.transmit([(job, COMPLETE)])
    assert events_of(suite.committee)[-1][1]["applied"] == 1
    assert suite.escrow.closeReason(job.id) == 1
    assert suite.escrow.earnings(suite.mill.address, job.answer.provider) == 97 * MILL
    (completed,) = logged_below(suite, suite.escrow, "JobCompleted")
    assert (completed.evaluator, completed.reason) == (suite.committee.address, EVIDENCE)


def test_transmit__rejection__takes_the_bond_of_the_worker(suite: Suite) -> None:
    job = submitted(suite)
    before = suite.staking.slashable(job.answer.provider)
    suite.transmit([(job, REJECT)])
    assert events_of(suite.committee)[-1][1]["applied"] == 1
    assert before - suite.staking.slashable(job.answer.provider) == 100 * MILL
    assert suite.escrow.closeReason(job.id) == 8


def test_transmit__void__pays_the_cancellation_fee(suite: Suite) -> None:
    job = submitted(suite)
    before = suite.mill.balanceOf(REQUESTER)
    suite.transmit([(job, VOID)])
    assert suite.escrow.closeReason(job.id) == 10
    assert suite.mill.balanceOf(REQUESTER) - before == 90 * MILL


def test_transmit__settled_before__names_the_cause(suite: Suite) -> None:
    job = submitted(suite)
    suite.transmit([(job, COMPLETE)])
    suite.transmit([(job, COMPLETE)])
    ((name, fields), _) = events_of(suite.committee)
    assert (name, fields["index"]) == ("ItemRefused", 0)
    assert decode(["string"], fields["cause"][4:])[0].startswith("escrow: ")


def test_transmit_measurements__gives_a_tier_that_the_escrow_reads(suite: Suite) -> None:
    suite.registry.set_tier(1, 10**9, 0, sender=suite.admin)
    job = suite.post(REQUESTER, tier=1)
    with boa.reverts():
        suite.claim(job, WORKER)
    builder = assembly_of(suite)
    suite.committee.transmit_measurements(
        *builder.signed_measurements([measurement(WORKER)], target=str(suite.registry.address))
    )
    assert suite.registry.tier_at(WORKER, now() + 86_400) == 1
    suite.claim(job, WORKER)


def test_share_fees__reaches_the_members_through_staking(suite: Suite) -> None:
    suite.transmit([(submitted(suite), COMPLETE), (submitted(suite), COMPLETE)])
    suite.committee.share_fees(suite.escrow.address, suite.mill.address, sender=suite.stranger)
    assert events_of(suite.committee) == [("FeesShared", {"token": suite.mill.address, "amount": 2 * MILL})]
    for member in suite.members:
        operator = member.address
        assert suite.staking.earned(operator, suite.mill.address, operator) == MILL // 2
    assert suite.mill.allowance(suite.committee.address, suite.staking.address) == 0


# ------------------------------------------------------------------ members' bonds
def test_prove_equivocation__takes_the_bond_out_of_the_stake(suite: Suite) -> None:
    builder, operator = assembly_of(suite), suite.members[0].address
    before, balance = suite.staking.slashable(operator), suite.mill.balanceOf(suite.stranger)
    proof = builder.equivocation(suite.members[0])
    assert suite.committee.prove_equivocation(proof, sender=suite.stranger) == MEMBER_BOND
    assert before - suite.staking.slashable(operator) == MEMBER_BOND
    assert suite.staking.committed(operator) == 0
    assert suite.mill.balanceOf(suite.stranger) - balance == MEMBER_BOND // 4
    (slashed,) = logged_below(suite, suite.staking, "Slashed")
    assert slashed.reason == proof_id(operator, proof[1], 9)
    assert (slashed.reporter, slashed.compensation) == (suite.stranger, 0)


def test_prove_equivocation__of_one_that_left__is_capped_by_staking(suite: Suite) -> None:
    builder, operator = assembly_of(suite), actor("newcomer")
    key = Account.from_key(b"\x77" * 32)
    suite.fund(operator, 20 * MEMBER_BOND)
    suite.staking.stake(20 * MEMBER_BOND, sender=operator)
    suite.committee.join(key.address, builder.grant(key, operator), sender=operator)
    suite.committee.leave(sender=operator)
    assert suite.staking.committed(operator) == 0
    taken = suite.committee.prove_equivocation(builder.equivocation(key), sender=suite.stranger)
    assert 0 < taken <= MEMBER_BOND
    assert suite.staking.slashable(operator) == 20 * MEMBER_BOND - taken


def test_leave__frees_the_stake(suite: Suite) -> None:
    builder, operator = assembly_of(suite), actor("newcomer")
    key = Account.from_key(b"\x78" * 32)
    suite.fund(operator, 20 * MEMBER_BOND)
    suite.staking.stake(20 * MEMBER_BOND, sender=operator)
    before = suite.staking.available(operator)
    suite.committee.join(key.address, builder.grant(key, operator), sender=operator)
    assert suite.staking.committed_to(suite.committee.address, operator) == MEMBER_BOND
    suite.committee.leave(sender=operator)
    assert suite.staking.available(operator) == before


# ------------------------------------------------------------------ gas
@pytest.mark.parametrize("outcome", [COMPLETE, REJECT, VOID])
def test_gas_floor__is_more_than_twice_what_the_dearest_item_uses(suite: Suite, outcome: int) -> None:
    """With a callback and with a token that take all the gas that the escrow gives them."""
    callback = deploy("mocks/MockJobCallback.vy")
    callback.behave(2)
    job = submitted(suite, callback=callback.address)
    name = {COMPLETE: "complete", REJECT: "reject", VOID: "void"}[outcome]
    with boa.env.prank(suite.committee.address):
        getattr(suite.escrow, name)(job.id, job.terms, job.answer, EVIDENCE)
    assert 2 * (suite.escrow._computation.get_gas_used() + COLD_SURCHARGE) < ITEM_GAS_FLOOR


def test_gas_floor__is_the_contracts() -> None:
    text = (ROOT / "contracts" / "modules" / "transmission.vy").read_text("utf-8")
    assert f"ITEM_GAS_FLOOR: constant(uint256) = {ITEM_GAS_FLOOR:_}\n" in text


@pytest.mark.parametrize("outcome", [COMPLETE, REJECT, VOID])
def test_relayer__that_starves_a_real_item__fails_as_a_whole(suite: Suite, outcome: int) -> None:
    """Whatever gas is sent, the job is settled or nothing happens."""
    callback = deploy("mocks/MockJobCallback.vy")
    callback.behave(2)
    job = submitted(suite, callback=callback.address)
    builder = assembly_of(suite)
    items = [verdict_of(job, outcome)]
    head = builder.report()
    digest = builder.digest(head, suite.committee.verdicts_hash(head, items))
    places = range(2 if outcome == COMPLETE else 3)
    signatures = [long_signature(suite.members[place], digest) for place in places]
    results = set()
    for gas in range(100_000, 1_300_000, 40_000):
        with boa.env.anchor():
            try:
                suite.committee.transmit(head, items, (1 << len(signatures)) - 1, signatures, gas=gas)
            except boa.BoaError:
                results.add("nothing")
            else:
                results.add("settled" if events_of(suite.committee)[-1][1]["applied"] == 1 else "refused")
    assert results == {"nothing", "settled"}


def test_commitment__is_the_low_208_bits_of_what_members_sign(suite: Suite) -> None:
    job = submitted(suite)
    item = Verdict(job.id, COMPLETE, Terms(*job.terms), Answer(*job.answer))
    low = (2**208 - 1) & int.from_bytes(commitment_of(item), "big")
    assert int.from_bytes(suite.escrow.commitment(job.id), "big") == low
