"""How cases and challenges end, and where each bond goes."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_utils.crypto import keccak

from tests.suite.deployment import MILL, NO_WORD, NOBODY, deploy, now, travel_to
from tests.unit.contracts.dispute_game.bench import (
    BOND,
    EXTENSION,
    RESPONSE,
    ROOTS,
    TOTAL,
    WINDOW,
    Bench,
    accusation,
    contradiction,
    question,
    wait,
)

FALSE_STEP = keccak(b"a step of the trace is false")
CONTRADICTION = keccak(b"the trace contradicts the claim")
SILENCE = keccak(b"the operator did not answer in time")
CONVICTED, UPHELD, DISMISSED = 1, 2, 3


def silent(bench: Bench, job: Any) -> int:
    """A challenge whose question the operator has let pass."""
    challenge = bench.open(job)
    bench.name(challenge, job)
    wait(TOTAL + 1)
    return challenge


# ------------------------------------------------------------------ proofs
@pytest.mark.parametrize("who", ["challenger", "rival", "operator", "stranger"])
def test_prove__refutes(bench: Bench, game: Any, who: str) -> None:
    job = bench.submitted()
    challenge, claim, root = bench.traced(job)
    bench.prove(challenge, claim, root, getattr(bench, who))
    fields = {"job_id": job.id, "record": bench.record(job), "challenge_id": challenge, "reason": FALSE_STEP}
    assert bench.logged() == [("CaseRefuted", fields)]
    assert (bench.case(job).status, bench.case(job).reason) == (2, FALSE_STEP)
    assert game.ruling(job.id, bench.record(job)) == 1


def test_prove__not_what_is_right_or_unsound(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge, claim, root = bench.traced(job)
    with boa.reverts("dispute: the step is right"):
        game.prove(challenge, claim, accusation(), b"", sender=bench.challenger)
    with boa.reverts("mock: no such operator"):
        game.prove(challenge, claim, accusation(0), claim.evidence(root), sender=bench.challenger)
    with boa.reverts("dispute: another claim"):
        bench.prove(challenge, claim._replace(length=1), root)


def test_prove__not_before_the_trace_is_posted(bench: Bench) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    claim = bench.name(challenge, job)
    with boa.reverts("dispute: no trace yet"):
        bench.prove(challenge, claim, NO_WORD)


def test_prove__without_a_claim(bench: Bench) -> None:
    job = bench.submitted()
    with boa.reverts("dispute: another claim"):
        bench.prove(bench.open(job), bench.claim(job), NO_WORD)
    with boa.reverts("dispute: another claim"):
        bench.prove(77, bench.claim(job), NO_WORD)


@pytest.mark.parametrize("whose", ["challenger", "defender"])
def test_prove__when_a_clock_has_run_out_but_nobody_said_so(bench: Bench, game: Any, whose: str) -> None:
    job = bench.submitted()
    challenge, claim, root = bench.traced(job)
    if whose == "defender":
        game.ask(challenge, claim, question(b"\1" * 32), sender=bench.challenger)
    wait(TOTAL + 10)
    bench.prove(challenge, claim, root)
    assert bench.case(job).status == 2


def test_prove__only_once_and_not_for_a_lost_challenge(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    lost = bench.open(job, bench.rival)
    claim = bench.name(lost, job, who=bench.rival)
    root = bench.post(claim)
    wait(TOTAL + 1)
    game.time_out(lost)
    with boa.reverts("challenge: not open"):
        bench.prove(lost, claim, root)
    other = bench.open(job)
    bench.name(other, job)
    assert game.challenge(other).is_answered  # the trace is known
    bench.prove(other, claim, root)
    with boa.reverts("case: not open"):
        bench.prove(other, claim, root)
    with boa.reverts("case: not open"):
        bench.name(other, job)
    with boa.reverts("case: not open"):
        game.time_out(other)
    game.reclaim(other)
    with boa.reverts("challenge: not open"):
        bench.name(other, job)


def test_contradict__refutes(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge, claim, _ = bench.traced(job)
    with boa.reverts("dispute: no contradiction"):
        game.contradict(challenge, claim, contradiction(claim.answer_rows + 1), sender=bench.stranger)
    with boa.reverts("dispute: no contradiction"):
        game.contradict(challenge, claim, contradiction(claim.answer_rows, NO_WORD), sender=bench.stranger)
    with boa.reverts("dispute: another claim"):
        game.contradict(challenge, claim._replace(item=2), contradiction(1), sender=bench.stranger)
    game.contradict(challenge, claim, contradiction(claim.answer_rows), sender=bench.stranger)
    assert bench.case(job).reason == CONTRADICTION
    assert game.ruling(job.id, bench.record(job)) == 1


# ------------------------------------------------------------------ time-outs
def test_time_out__of_the_challenger(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    before, supply = bench.mill(bench.operator), bench.suite.mill.totalSupply()
    wait(TOTAL)
    with boa.reverts("dispute: clock still runs"):
        game.time_out(challenge)
    wait(1)
    game.time_out(challenge, sender=bench.stranger)
    share = BOND * 4 // 5
    fields = {
        "challenge_id": challenge,
        "challenger": bench.challenger,
        "to_provider": share,
        "burned": BOND - share,
    }
    assert bench.logged() == [("ChallengeLost", fields)]
    assert bench.mill(bench.operator) - before == share
    assert supply - bench.suite.mill.totalSupply() == BOND - share
    assert bench.mill(game.address) == bench.held == 0
    assert (game.challenge(challenge).status, tuple(bench.case(job))[:3]) == (2, (1, 0, 0))
    for again in (game.time_out, game.reclaim):
        with boa.reverts("challenge: not open"):
            again(challenge)


def test_time_out__of_the_defender_is_no_finding(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    challenge = bench.open(job)
    bench.name(challenge, job)
    wait(TOTAL)
    with boa.reverts("dispute: clock still runs"):
        game.time_out(challenge)
    wait(1)
    game.time_out(challenge, sender=bench.stranger)
    fields = {"job_id": job.id, "record": bench.record(job), "challenge_id": challenge, "reason": SILENCE}
    assert bench.logged() == [("CaseRefuted", fields)]
    assert game.ruling(job.id, bench.record(job)) == 0


def test_time_out__of_nothing(game: Any) -> None:
    with boa.reverts("challenge: not open"):
        game.time_out(1)


# ------------------------------------------------------------------ settling
def test_settle__convicts_rewards_the_lead_and_frees_all_bonds(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    game.commit(bench.commitment(job, bench.rival), sender=bench.rival)
    wait(1)
    bench.prove(*bench.traced(job))
    # Whoever opens after the proof comes too late; whoever was open before is the lead if it committed before.
    with boa.reverts("case: already refuted"):
        bench.open(job, bench.rival)
    before = bench.mill(bench.challenger)
    game.settle(*bench.of(job), sender=bench.stranger)
    settled = {"job_id": job.id, "record": bench.record(job), "outcome": CONVICTED}
    assert bench.logged() == [("CaseSettled", settled)]
    assert bench.suite.escrow.closeReason(job.id) == 9
    assert bench.mill(bench.challenger) - before == 10 * MILL  # a tenth of the bond that was slashed
    game.reclaim(1, sender=bench.stranger)
    fields = {"challenge_id": 1, "challenger": bench.challenger, "amount": BOND}
    assert bench.logged() == [("BondReturned", fields)]
    assert bench.mill(bench.challenger) - before == 10 * MILL + BOND
    assert bench.mill(game.address) == 0
    with boa.reverts("dispute: nothing to settle"):
        game.settle(*bench.of(job))
    with boa.reverts("challenge: not open"):
        game.reclaim(1)


@pytest.mark.parametrize("rival_opens_first", [True, False])
@pytest.mark.parametrize("rival_commits_first", [True, False])
def test_settle__of_two_challengers_the_first_committed_is_rewarded(
    bench: Bench, game: Any, rival_opens_first: bool, rival_commits_first: bool
) -> None:
    job = bench.submitted()
    order = [bench.rival, bench.challenger]
    for who in order if rival_commits_first else order[::-1]:
        game.commit(bench.commitment(job, who), sender=who)
        wait(1)
    if rival_opens_first:
        bench.open(job, bench.rival)
    traced = bench.traced(job)
    if not rival_opens_first:
        bench.open(job, bench.rival)
    bench.prove(*traced)
    before = {who: bench.mill(who) for who in order}
    game.settle(*bench.of(job))
    rewarded = [who for who in order if bench.mill(who) > before[who]]
    assert rewarded == [bench.rival if rival_commits_first else bench.challenger]
    for number in (1, 2):
        game.reclaim(number)
    assert bench.mill(game.address) == 0


def test_settle__dismisses_when_nobody_doubts_any_more(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    deadline = bench.deadline(job)
    challenge = bench.open(job)
    with boa.reverts("dispute: challenges are open"):
        game.settle(*bench.of(job))
    with boa.reverts("dispute: not decided yet"):
        game.reclaim(challenge)
    wait(TOTAL + 1)
    game.time_out(challenge)
    game.settle(*bench.of(job))
    assert bench.logged() == [
        ("CaseSettled", {"job_id": job.id, "record": bench.record(job), "outcome": DISMISSED})
    ]
    assert (bench.stage(job), bench.deadline(job)) == (0x02, deadline)
    # The committee may judge it, and anyone may doubt it again.
    again = bench.open(job)
    assert tuple(bench.case(job))[:3] == (1, 1, again)


def test_settle__upholds_an_appeal_that_nobody_refuted(bench: Bench, game: Any) -> None:
    job = bench.appealed()
    wait(RESPONSE)
    with boa.reverts("dispute: appeal still open"):
        game.settle(*bench.of(job))
    wait(1)
    game.settle(*bench.of(job), sender=bench.stranger)
    assert bench.logged() == [
        ("CaseSettled", {"job_id": job.id, "record": bench.record(job), "outcome": UPHELD})
    ]
    assert bench.suite.escrow.closeReason(job.id) == 3
    assert game.ruling(job.id, bench.record(job)) == 2


def test_settle__convicts_an_appeal_that_was_refuted(bench: Bench, game: Any) -> None:
    job = bench.appealed()
    bench.prove(*bench.traced(job))
    game.settle(*bench.of(job))
    assert bench.suite.escrow.closeReason(job.id) == 9
    assert game.ruling(job.id, bench.record(job)) == 1


def test_settle__refutes_an_attested_job(bench: Bench, game: Any) -> None:
    job = bench.attested()
    travel_to(bench.deadline(job))
    bench.prove(*bench.traced(job))
    before = bench.suite.staking.self_stake(bench.operator)
    game.settle(*bench.of(job))
    assert bench.suite.escrow.closeReason(job.id) == 11
    assert before - bench.suite.staking.self_stake(bench.operator) == 100 * MILL
    game.reclaim(1)


def test_settle__of_an_attested_job_that_was_right(bench: Bench, game: Any) -> None:
    job = bench.attested()
    challenge = bench.open(job)
    wait(TOTAL + 1)
    game.time_out(challenge)
    game.settle(*bench.of(job))
    assert bench.suite.escrow.closeReason(job.id) == 1
    assert bench.case(job).status == 3
    bench.open(job)  # the challenge window has not passed


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("state", ["submitted", "attested", "appealed"])
def test_settle__until_the_escrows_last_second(bench: Bench, game: Any, state: str, late: int) -> None:
    job = getattr(bench, state)()
    challenge = silent(bench, job)
    game.time_out(challenge)
    travel_to(bench.deadline(job) + (WINDOW if state == "attested" else 0) + late)
    game.settle(*bench.of(job))
    assert dict(bench.logged())["CaseSettled"]["outcome"] == (DISMISSED if late else CONVICTED)
    game.reclaim(challenge)
    assert bench.mill(game.address) == 0


@pytest.mark.parametrize("is_refuted", [True, False])
def test_settle__when_the_escrow_has_closed_the_job(bench: Bench, game: Any, is_refuted: bool) -> None:
    """INV-3: nobody came in time; no bond stays."""
    job = bench.submitted()
    challenge = silent(bench, job)
    if is_refuted:
        game.time_out(challenge)
    travel_to(bench.deadline(job) + 1)
    bench.suite.escrow.finalize(*bench.of(job))
    if not is_refuted:
        with boa.reverts("dispute: not decided yet"):
            game.reclaim(challenge)
    game.settle(*bench.of(job), sender=bench.stranger)
    assert dict(bench.logged())["CaseSettled"]["outcome"] == DISMISSED
    game.reclaim(challenge, sender=bench.stranger)
    assert bench.mill(game.address) == 0


def test_reclaim__works_before_the_escrow_is_told_and_when_it_cannot_be(bench: Bench, game: Any) -> None:
    """Staking that no longer knows the escrow makes `convict` fail; the bonds do not wait for it."""
    job = bench.submitted()
    bench.prove(*bench.traced(job))
    bench.suite.staking.set_verifier(bench.suite.escrow.address, False, sender=bench.suite.admin)
    game.reclaim(1)
    assert bench.mill(game.address) == 0


def test_settle__of_nothing(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    with boa.reverts("dispute: nothing to settle"):
        game.settle(*bench.of(job))
    bench.open(job)
    with boa.reverts("dispute: nothing to settle"):  # another answer is another case
        game.settle(job.id, job.terms, job.answer._replace(deliverable=b"\1" * 32))


# ------------------------------------------------------------------ time in all
@pytest.mark.parametrize("state", ["submitted", "attested", "appealed"])
def test_time__whatever_is_opened_in_the_last_second_ends_in_time(
    bench: Bench, game: Any, state: str
) -> None:
    """Both sides use every second that they have."""
    job = getattr(bench, state)()
    if state == "appealed":
        wait(RESPONSE)
    else:
        travel_to(bench.deadline(job))
    challenge = bench.open(job)
    claim = None
    for turn in range(8):
        wait(game.challenge(challenge).challenger_left)
        if claim is None:
            claim = bench.name(challenge, job)
        else:
            game.ask(challenge, claim, question(keccak(keccak(bytes([turn])))), sender=bench.challenger)
        wait(game.challenge(challenge).defender_left)
        if turn == 0:
            bench.post(claim)
        else:
            game.reveal_leaf(claim.id, bytes([turn]))
    wait(game.challenge(challenge).challenger_left + 1)
    game.time_out(challenge)
    game.settle(*bench.of(job))
    last = bench.deadline(job)
    if state == "submitted":
        last += WINDOW  # the escrow took it off again
    elif state == "attested":
        last += WINDOW
    else:
        assert bench.suite.escrow.closeReason(job.id) == 3  # upheld in time
        return
    assert now() < last


def test_time__shares_of_every_window_fit(game: Any) -> None:
    for window in (3_600, 3_601, 86_400, 172_799, 172_800):
        total, extension = game.clock_of(window)
        assert (total, extension) == (9 * window // 32, 3 * window // 256)
        assert window // 4 + 2 * total + 15 * extension + 1 < window
    assert game.clock_of(WINDOW) == (TOTAL, EXTENSION)


# ------------------------------------------------------------------ settings
def test_deployment(bench: Bench, game: Any) -> None:
    assert game.owner() == bench.suite.admin
    assert (game.challenge_bond(), game.challenge_count()) == (BOND, 0)
    assert tuple(game.challenge(1))[:7] == (NOBODY, 0, NO_WORD, NO_WORD, 0, 0, 0)
    assert game.ruling(1, NO_WORD) == 0
    parts = [bench.suite.escrow, bench.suite.staking, bench.registry, bench.registry, bench.registry]
    addresses = [part.address for part in parts]
    for place, nobody, reason in (
        (0, NOBODY, "case: no escrow"),
        (2, NOBODY, "dispute: no contract"),
        (3, bench.stranger, "dispute: no contract"),
        (4, NOBODY, "dispute: no contract"),
    ):
        with boa.reverts(reason):
            deploy("DisputeGame.vy", *addresses[:place], nobody, *addresses[place + 1 :], bench.suite.admin)


def test_deployment__fits_the_limit(game: Any) -> None:
    assert len(boa.env.get_code(game.address)) < 24_576


def test_set_challenge_bond(bench: Bench, game: Any) -> None:
    admin = bench.suite.admin
    for bond in (MILL, 10**24):
        game.set_challenge_bond(bond, sender=admin)
        assert bench.logged() == [("ChallengeBondSet", {"bond": bond})]
        assert game.challenge_bond() == bond
    for bond in (MILL - 1, 10**24 + 1):
        with boa.reverts("bond: out of bounds"):
            game.set_challenge_bond(bond, sender=admin)
    for who in (bench.operator, bench.challenger, bench.stranger):
        with boa.reverts("ownership: not the owner"):
            game.set_challenge_bond(MILL, sender=who)


def test_post_trace__of_an_unnamed_claim_decides_nothing(bench: Bench, game: Any) -> None:
    """A trace of an invented claim serves nobody: a proof needs a challenge that has named it."""
    job = bench.submitted()
    challenge = bench.open(job)
    invented = bench.claim(job)._replace(program_root=NO_WORD)
    game.post_trace(invented, ROOTS, sender=bench.hot_key)
    with boa.reverts("dispute: another claim"):
        bench.prove(challenge, invented, game.trace_root(invented.id))
