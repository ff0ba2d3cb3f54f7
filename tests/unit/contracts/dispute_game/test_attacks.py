"""What somebody tried to make an honest party lose by, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import boa
import pytest
from boa import BoaError
from eth_utils.crypto import keccak

from tests.suite.deployment import COIN, COMPLETE, HOUR, MILL, REJECT, now, travel_to
from tests.unit.contracts.dispute_game.bench import (
    BOND,
    CHALLENGE_WINDOW,
    EVALUATION,
    RESPONSE,
    ROOTS,
    SALT,
    TOTAL,
    WINDOW,
    Bench,
    accusation,
    exchange,
    question,
    wait,
)

FREE_WORD = b"\x5a" * 32


def dismissed(bench: Bench) -> tuple[Any, int, Any, bytes]:
    """A job that was doubted in vain, the challenge that was lost, and the claim and trace that it left behind."""
    job = bench.submitted()
    lost = bench.open(job, bench.rival)
    claim = bench.name(lost, job, who=bench.rival)
    root = bench.post(claim)
    wait(TOTAL + 1)
    bench.game.time_out(lost)
    bench.game.settle(*bench.of(job))
    return job, lost, claim, root


# ------------------------------------------------------------------ one job, several rounds and workers
@pytest.mark.parametrize("outcome", [COMPLETE, REJECT])
def test_rounds__a_challenge_that_was_lost_does_nothing_in_the_next(
    bench: Bench, game: Any, outcome: int
) -> None:
    job, lost, claim, root = dismissed(bench)
    bench.suite.transmit([(job, outcome)])
    if outcome == REJECT:
        game.appeal(*bench.of(job), sender=bench.operator)
    else:
        bench.open(job)
    before = tuple(bench.case(job))
    for call, reason in (
        (lambda: game.take_lead(lost), "challenge: lost"),
        (lambda: game.time_out(lost), "challenge: not open"),
        (lambda: game.reclaim(lost), "challenge: not open"),
        (lambda: bench.prove(lost, claim, root), "challenge: not open"),
        (lambda: bench.name(lost, job, who=bench.rival), "challenge: not open"),
    ):
        with boa.reverts(reason):
            call()
    assert tuple(bench.case(job)) == before
    assert before[1] == (1 if outcome == COMPLETE else 0)


def test_rounds__what_was_published_in_one_is_known_in_the_next(bench: Bench, game: Any) -> None:
    """An operator cannot tell another story of the same answer."""
    job, _, claim, root = dismissed(bench)
    bench.suite.transmit([(job, COMPLETE)])
    challenge = bench.open(job)
    assert bench.name(challenge, job) == claim
    assert game.challenge(challenge).is_answered
    with boa.reverts("trace: already posted"):
        game.post_trace(claim, ROOTS[::-1], sender=bench.operator)
    bench.prove(challenge, claim, root)
    game.settle(*bench.of(job))
    assert bench.suite.escrow.closeReason(job.id) == 11


def test_reopened_job__is_a_case_of_its_second_worker_only(bench: Bench, game: Any) -> None:
    """The first was late and has paid for that."""
    suite, late = bench.suite, bench.rival
    suite.staking.stake(1_000 * MILL, sender=late)
    talk = exchange()
    job = suite.post(
        bench.requester,
        is_exact=True,
        reopens=True,
        input_root=talk.request.root,
        evaluation_window=EVALUATION,
    )
    bench.exchanges[job.id] = talk
    suite.claim(job, late)
    first = job.answer._replace(deliverable=talk.deliverable)
    wait(2 * HOUR + 1)
    suite.escrow.claimRefund(job.id, job.terms, job.answer)
    suite.claim(job, bench.operator)
    suite.submit(job, talk.deliverable)

    stake = suite.staking.self_stake(late)
    with boa.reverts("case: another record"):
        game.open(job.id, job.terms, first, SALT, sender=bench.challenger)
    challenge = bench.open(job)
    claim = bench.name(challenge, job)
    with boa.reverts("case: not the operator"):
        game.post_trace(claim, ROOTS, sender=late)
    # A trace under its own name is another claim's.
    game.post_trace(claim._replace(provider=late), ROOTS, sender=late)
    assert not game.challenge(challenge).is_answered
    bench.prove(challenge, claim, bench.post(claim))
    game.settle(*bench.of(job))
    assert suite.staking.self_stake(late) == stake
    assert suite.escrow.closeReason(job.id) == 9


def test_claims__of_another_challenger_serve_everybody(bench: Bench, game: Any) -> None:
    """A rival that names the same claim, and a stranger that proves it there, change nothing for who was first."""
    job = bench.submitted()
    challenge, claim, root = bench.traced(job)
    wait(1)
    rivals = bench.open(job, bench.rival)
    bench.name(rivals, job, who=bench.rival)
    game.ask(rivals, claim, question(FREE_WORD), sender=bench.rival)
    bench.prove(rivals, claim, root)
    before = bench.mill(bench.challenger), bench.mill(bench.rival)
    game.settle(*bench.of(job))
    assert bench.case(job).lead == challenge
    assert (bench.mill(bench.challenger) - before[0], bench.mill(bench.rival) - before[1]) == (10 * MILL, 0)
    for number in (challenge, rivals):
        game.reclaim(number)
    assert bench.mill(game.address) == 0


# ------------------------------------------------------------------ many challengers
@pytest.mark.parametrize("state", ["submitted", "attested", "appealed"])
def test_rivals__who_join_a_case_neither_begin_it_anew_nor_end_each_other(
    bench: Bench, game: Any, state: str
) -> None:
    """Whoever comes later, and loses, takes nothing from who was first."""
    job = getattr(bench, state)()
    first = bench.open(job)
    rivals = bench.open(job, bench.rival)
    claim = bench.name(first, job)
    assert tuple(bench.case(job))[:3] == (1, 2, first)
    wait(TOTAL)
    root = bench.post(claim)
    wait(1)
    game.time_out(rivals)
    assert tuple(bench.case(job))[:3] == (1, 1, first)
    with boa.reverts("dispute: challenges are open"):
        game.settle(*bench.of(job))
    bench.prove(first, claim, root)
    game.settle(*bench.of(job))
    game.reclaim(first)
    assert bench.mill(game.address) == 0


def settling(bench: Bench, count: int) -> dict[str, int]:
    """Gas of each call that ends a case with so many challenges."""
    game, job = bench.game, bench.submitted()
    lost = bench.open(job)
    wait(TOTAL)
    for _ in range(count - 2):
        bench.open(job, bench.rival)
    last = bench.open(job)
    claim = bench.name(last, job)
    root = bench.post(claim)
    wait(1)
    gas = {}
    for name, call in (
        ("time_out", lambda: game.time_out(lost)),
        ("take_lead", lambda: game.take_lead(last)),
        ("prove", lambda: bench.prove(last, claim, root)),
        ("settle", lambda: game.settle(*bench.of(job))),
        ("reclaim", lambda: game.reclaim(last)),
    ):
        call()
        gas[name] = int(game._computation.get_gas_used())
    for number in range(lost + 1, last):
        game.reclaim(number)
    assert bench.mill(game.address) == bench.held == 0
    return gas


def test_many_challengers__cost_no_more_than_two(bench: Bench) -> None:
    """INV-3: whatever many open, no call becomes too dear for a block."""
    gas = []
    for count in (2, 100):
        with boa.env.anchor():
            gas.append(settling(bench, count))
    few, many = gas
    for name in few:
        # A word that another challenge has written already may be cheaper.
        assert abs(many[name] - few[name]) < 25_000, name


def test_self_challenge__that_is_won_on_purpose_loses_a_quarter_of_the_bond(bench: Bench, game: Any) -> None:
    """Requester, operator and challenger are one, and nobody else came."""
    party = (bench.requester, bench.operator, bench.challenger)

    def wealth() -> int:
        return sum(bench.mill(who) for who in party) + int(bench.suite.staking.self_stake(bench.operator))

    before = wealth()
    job = bench.submitted()
    bench.prove(*bench.traced(job))
    game.settle(*bench.of(job))
    game.reclaim(1)
    assert before - wealth() >= job.terms.bond // 4


# ------------------------------------------------------------------ the end cannot be spoiled
def test_settle__with_too_little_gas__does_all_or_nothing(bench: Bench, game: Any) -> None:
    """Neither is the escrow left untold, nor does the requester's token look as if it had refused."""
    bench.suite.fund(bench.requester, 0, 1_000 * COIN)
    price = 100 * COIN
    job = bench.submitted(
        payment_token=bench.suite.coin.address, price_floor=price, price_ceiling=price, bond=100 * MILL
    )
    bench.prove(*bench.traced(job))
    before = bench.suite.coin.balanceOf(bench.requester)
    outcomes = set()
    for gas in range(40_000, 700_000, 30_000):
        with boa.env.anchor():
            with suppress(BoaError):
                game.settle(*bench.of(job), gas=gas)
            refund = bench.suite.coin.balanceOf(bench.requester) - before
            outcomes.add((bench.case(job).status, int(bench.suite.escrow.closeReason(job.id)), refund))
    assert outcomes == {(2, 0, 0), (3, 9, price)}


def test_settle__when_the_payment_token_blocks_the_requester(bench: Bench, game: Any) -> None:
    coin = bench.suite.coin
    bench.suite.fund(bench.requester, 0, 1_000 * COIN)
    price = 100 * COIN
    job = bench.submitted(payment_token=coin.address, price_floor=price, price_ceiling=price, bond=100 * MILL)
    bench.prove(*bench.traced(job))
    coin.set_blocked(bench.requester, True)
    game.settle(*bench.of(job))
    assert bench.suite.escrow.closeReason(job.id) == 9
    assert bench.suite.escrow.credit(coin.address, bench.requester) == price


def play(bench: Bench, meddle: Callable[[], None]) -> list[int]:
    """What everybody has after a game in the midst of which somebody did something."""
    suite = bench.suite
    job = bench.submitted()
    challenge, claim, root = bench.traced(job)
    meddle()
    assert tuple(bench.game.challenge(challenge))[9:11] == (TOTAL, TOTAL)
    wait(TOTAL)
    bench.game.ask(challenge, claim, question(FREE_WORD), sender=bench.challenger)
    wait(TOTAL)
    bench.prove(challenge, claim, root)
    bench.game.settle(*bench.of(job))
    bench.game.reclaim(challenge)
    assert bench.mill(bench.game.address) == 0
    who = (bench.requester, bench.operator, bench.challenger, suite.insurance)
    return [bench.mill(each) for each in who] + [int(suite.staking.self_stake(bench.operator))]


def test_owner__changes_nothing_of_a_game_that_has_begun(bench: Bench, game: Any) -> None:
    """INV-4: not even by naming another arbiter, another committee, or by striking the escrow off as a verifier."""
    escrow, staking, admin = bench.suite.escrow, bench.suite.staking, bench.suite.admin

    def meddle() -> None:
        with boa.env.prank(admin):
            game.set_challenge_bond(10**24)
            escrow.set_windows(600, 3_600)
            escrow.set_rates(0, 0, 0, 0)
            escrow.set_arbiter(bench.stranger)
            escrow.set_evaluator(bench.stranger)
            escrow.set_payment_token(bench.suite.mill.address, 0)
            staking.set_verifier(escrow.address, False)

    with boa.env.anchor():
        undisturbed = play(bench, lambda: None)
    assert play(bench, meddle) == undisturbed


# ------------------------------------------------------------------ time
def test_clock__twelve_seconds_of_a_proposer_decide_no_answer_that_came_before(
    bench: Bench, game: Any
) -> None:
    """Whatever time a block claims, a reveal that is in the chain is counted with the time of its own block."""
    job = bench.submitted()
    challenge = bench.open(job)
    claim = bench.name(challenge, job)
    asked_at = now()
    travel_to(asked_at + TOTAL)
    bench.post(claim)
    travel_to(asked_at + TOTAL + 12)
    with boa.reverts("dispute: clock still runs"):
        game.time_out(challenge)
    assert game.challenge(challenge).defender_left == 0


def test_clock__a_challenge_of_an_appeal_in_its_last_second_leaves_time_to_uphold(
    bench: Bench, game: Any
) -> None:
    """An operator that answers at once has more than a third of the window left to have it said."""
    job = bench.condemned()
    travel_to(bench.deadline(job))
    game.appeal(*bench.of(job), sender=bench.operator)
    wait(RESPONSE)
    challenge = bench.open(job)
    claim = None
    for turn in range(8):
        wait(game.challenge(challenge).challenger_left)
        if claim is None:
            claim = bench.name(challenge, job)
            bench.post(claim)
        else:
            leaf = bytes([turn])
            game.ask(challenge, claim, question(keccak(keccak(leaf))), sender=bench.challenger)
            game.reveal_leaf(claim.id, leaf)
    wait(game.challenge(challenge).challenger_left + 1)
    game.time_out(challenge)
    assert bench.deadline(job) - now() > WINDOW // 3
    game.settle(*bench.of(job))
    assert bench.suite.escrow.closeReason(job.id) == 3


def test_attested__cannot_be_held_open_by_doubts_in_vain(bench: Bench, game: Any) -> None:
    """Each round costs a bond, and none begins after the challenge window."""
    job = bench.attested()
    last = bench.deadline(job)
    rounds = 0
    while now() <= last:
        challenge = bench.open(job, bench.rival)
        wait(TOTAL + 1)
        game.time_out(challenge)
        game.settle(*bench.of(job))
        rounds += 1
    assert rounds == CHALLENGE_WINDOW // (TOTAL + 1) + 1
    with boa.reverts("case: too late to challenge"):
        bench.open(job, bench.rival)
    assert (bench.case(job).status, bench.suite.escrow.closeReason(job.id)) == (3, 1)


def test_prove__with_nothing_of_its_own_in_it__serves_no_rival(bench: Bench, game: Any) -> None:
    """A proof seen on its way to the chain is worth nothing in a challenge that has named nothing, or another item."""
    job = bench.submitted()
    challenge, claim, root = bench.traced(job)
    rivals = bench.open(job, bench.rival)
    with boa.reverts("dispute: another claim"):
        bench.prove(rivals, claim, root, bench.rival)
    bench.name(rivals, job, 2, bench.rival)
    with boa.reverts("dispute: another claim"):
        game.prove(rivals, claim, accusation(), claim.evidence(root), sender=bench.rival)
    bench.prove(challenge, claim, root)
    assert bench.case(job).lead == challenge
    assert bench.mill(game.address) == 2 * BOND
