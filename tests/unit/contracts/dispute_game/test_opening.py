"""Who may doubt what, and until when: `commit`, `open`, `take_lead`, `appeal`."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.suite.deployment import DAY, MILL, NO_WORD, NOBODY, now, travel_to
from tests.unit.contracts.dispute_game.bench import (
    BOND,
    CHALLENGE_WINDOW,
    EVALUATION,
    RESPONSE,
    SALT,
    TOTAL,
    WINDOW,
    Bench,
    wait,
)

CONTESTED, APPEALED = 0x42, 0x62


# ------------------------------------------------------------------ commit
def test_commit__by_anyone(bench: Bench, game: Any) -> None:
    game.commit(SALT, sender=bench.stranger)
    assert bench.logged() == [("Committed", {"challenger": bench.stranger, "commitment": SALT})]


@pytest.mark.parametrize(("age", "counts"), [(0, True), (1, True), (DAY, True), (DAY + 1, False)])
def test_commit__gives_priority_for_a_day(bench: Bench, game: Any, age: int, counts: bool) -> None:
    job = bench.submitted(evaluation_window=2 * DAY)
    committed_at = now()
    game.commit(bench.commitment(job, bench.challenger), sender=bench.challenger)
    wait(age)
    challenge = bench.open(job)
    assert game.challenge(challenge).priority == (committed_at if counts else now())


def test_commit__of_another_account_or_answer_gives_none(bench: Bench, game: Any) -> None:
    job, other = bench.submitted(), bench.submitted()
    game.commit(bench.commitment(job, bench.challenger), sender=bench.rival)  # seen and repeated
    game.commit(bench.commitment(other, bench.challenger), sender=bench.challenger)
    wait(60)
    for who in (bench.challenger, bench.rival):
        assert game.challenge(bench.open(job, who)).priority == now()


def test_commit__again_by_another_does_not_postpone(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    game.commit(bench.commitment(job, bench.challenger), sender=bench.challenger)
    wait(60)
    game.commit(bench.commitment(job, bench.challenger), sender=bench.rival)
    wait(60)
    assert game.challenge(bench.open(job)).priority == now() - 120


# ------------------------------------------------------------------ open
def test_open__contests_the_job_and_takes_the_bond(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    deadline, before = bench.deadline(job), bench.mill(bench.challenger)

    assert bench.open(job) == 1

    record = bench.record(job)
    case = {"job_id": job.id, "record": record, "is_appeal": False, "deadline": deadline}
    opened = {
        "challenge_id": 1,
        "job_id": job.id,
        "challenger": bench.challenger,
        "record": record,
        "priority": now(),
        "bond": BOND,
        "clock": TOTAL,
    }
    assert bench.logged() == [("CaseOpened", case), ("ChallengeOpened", opened)]
    assert (bench.stage(job), bench.deadline(job)) == (CONTESTED, deadline + WINDOW)
    assert before - bench.mill(bench.challenger) == bench.mill(game.address) == BOND
    assert tuple(bench.case(job)) == (1, 1, 1, 0, NO_WORD)
    expected = (
        bench.challenger,
        job.id,
        record,
        NO_WORD,
        BOND,
        now(),
        1,
        NO_WORD,
        False,
        TOTAL,
        TOTAL,
        now(),
        0,
    )
    assert tuple(game.challenge(1)) == expected
    assert game.challenge_count() == 1


def test_open__joins_a_case(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    bench.open(job)
    assert bench.open(job, bench.rival) == 2
    assert [name for name, _ in bench.logged()] == ["ChallengeOpened"]
    assert tuple(bench.case(job))[:3] == (1, 2, 1)


@pytest.mark.parametrize(("late", "reason"), [(0, None), (1, "escrow: too late to contest")])
def test_open__of_a_submitted_job_until_its_evaluation_deadline(
    bench: Bench, late: int, reason: str | None
) -> None:
    job = bench.submitted()
    travel_to(bench.deadline(job) + late)
    if reason is None:
        bench.open(job)
    else:
        with boa.reverts(reason):
            bench.open(job)


@pytest.mark.parametrize("late", [0, 1])
def test_open__of_a_contested_job_until_its_evaluation_deadline(bench: Bench, late: int) -> None:
    job = bench.submitted()
    bench.open(job, bench.rival)
    travel_to(bench.deadline(job) - WINDOW + late)
    if not late:
        bench.open(job)
        return
    with boa.reverts("case: too late to challenge"):
        bench.open(job)


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("joins", [False, True])
def test_open__of_an_attested_job_in_its_challenge_window(bench: Bench, late: int, joins: bool) -> None:
    job = bench.attested()
    deadline = bench.deadline(job)
    assert deadline == now() + CHALLENGE_WINDOW
    if joins:
        bench.open(job, bench.rival)
    travel_to(deadline + late)
    if late:
        with boa.reverts("case: too late to challenge"):
            bench.open(job)
        return
    bench.open(job)
    assert (bench.stage(job), bench.deadline(job)) == (0x13, deadline)  # nothing to contest


@pytest.mark.parametrize("late", [0, 1])
def test_open__of_an_appeal_for_a_quarter_of_the_window(bench: Bench, late: int) -> None:
    job = bench.appealed()
    wait(RESPONSE + late)
    if not late:
        bench.open(job)
        return
    with boa.reverts("case: too late to challenge"):
        bench.open(job)


def test_open__not_of_a_rejected_job_that_nobody_has_appealed(bench: Bench) -> None:
    job = bench.condemned()
    with boa.reverts("case: not open to doubt"):
        bench.open(job)


def test_open__not_of_a_claimed_job(bench: Bench) -> None:
    """Even if its record could be had to look like that of an answer."""
    job = bench.suite.post(bench.requester, is_exact=True)
    bench.suite.claim(job, bench.operator)
    with boa.reverts("case: another record"):
        bench.open(job)
    looks_like_one = job.answer._replace(deliverable=EVALUATION.to_bytes(32, "big"))
    with boa.reverts("case: not open to doubt"):
        bench.game.open(job.id, job.terms, looks_like_one, SALT, sender=bench.challenger)


def test_open__not_of_a_job_that_is_over(bench: Bench) -> None:
    job = bench.submitted()
    wait(EVALUATION + 1)
    bench.suite.escrow.finalize(*bench.of(job))
    with boa.reverts("case: another record"):
        bench.open(job)


def test_open__not_of_another_arbiters_job(bench: Bench) -> None:
    bench.suite.escrow.set_arbiter(bench.rival, sender=bench.suite.admin)
    contested, paid = bench.submitted(), bench.attested()
    for job in (contested, paid):
        with boa.reverts("case: another arbiter"):
            bench.open(job)


def test_open__not_of_a_job_that_is_not_exact(bench: Bench) -> None:
    job = bench.submitted(is_exact=False)
    assert job.terms.arbiter == NOBODY
    with boa.reverts("case: another arbiter"):
        bench.open(job)


def test_open__not_with_another_answer(bench: Bench) -> None:
    job = bench.submitted()
    other = job.answer._replace(deliverable=SALT)
    with boa.reverts("case: another record"):
        bench.game.open(job.id, job.terms, other, SALT, sender=bench.challenger)


def test_open__not_after_the_case_is_refuted(bench: Bench) -> None:
    job = bench.submitted()
    bench.prove(*bench.traced(job))
    with boa.reverts("case: already refuted"):
        bench.open(job)


def test_open__not_without_the_bond(bench: Bench) -> None:
    job = bench.submitted()
    with boa.reverts("erc20: insufficient allowance"):
        bench.open(job, bench.stranger)


def test_open__by_the_operator_itself(bench: Bench) -> None:
    """It pays a fifth of a bond for each useless challenge, and blocks nobody."""
    job = bench.submitted()
    own = bench.open(job, bench.operator)
    before = bench.mill(bench.operator)
    other = bench.open(job)
    wait(TOTAL + 1)
    bench.game.time_out(own, sender=bench.operator)
    assert bench.mill(bench.operator) - before == BOND * 4 // 5
    assert bench.game.challenge(other).status == 1


# ------------------------------------------------------------------ lead
@pytest.mark.parametrize("first_opens_first", [True, False])
def test_open__the_first_committed_leads(bench: Bench, game: Any, first_opens_first: bool) -> None:
    job = bench.submitted()
    game.commit(bench.commitment(job, bench.rival), sender=bench.rival)
    wait(1)
    game.commit(bench.commitment(job, bench.challenger), sender=bench.challenger)
    wait(1)
    order = [bench.rival, bench.challenger]
    for who in order if first_opens_first else order[::-1]:
        bench.open(job, who)
    assert game.challenge(bench.case(job).lead).challenger == bench.rival


def test_open__of_two_of_one_second_the_first_opened_leads(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    first = bench.open(job, bench.rival)
    second = bench.open(job)
    assert bench.case(job).lead == first
    with boa.reverts("challenge: not the first"):
        game.take_lead(second, sender=bench.challenger)
    game.take_lead(first, sender=bench.stranger)  # changes nothing
    assert bench.case(job).lead == first


def test_take_lead__when_the_lead_has_lost(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    lead = bench.open(job, bench.rival)
    wait(1)
    heir = bench.open(job)
    wait(1)
    later = bench.open(job, bench.operator)
    travel_to(now() + TOTAL - 1)
    game.time_out(lead, sender=bench.stranger)
    assert bench.case(job).lead == 0
    game.take_lead(later, sender=bench.operator)
    assert bench.case(job).lead == later
    game.take_lead(heir, sender=bench.stranger)
    assert bench.case(job).lead == heir
    with boa.reverts("challenge: lost"):
        game.take_lead(lead, sender=bench.rival)


def test_take_lead__after_the_bond_is_back_until_the_case_is_settled(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    gone, heir = bench.open(job, bench.operator), bench.open(job, bench.rival)
    wait(TOTAL + 1)
    game.time_out(gone, sender=bench.stranger)
    game.commit(bench.commitment(job, bench.challenger), sender=bench.challenger)
    bench.prove(*bench.traced(job))
    assert game.challenge(bench.case(job).lead).challenger == bench.challenger
    game.reclaim(heir)
    game.take_lead(heir)
    assert bench.case(job).lead == heir
    game.settle(*bench.of(job))
    with boa.reverts("challenge: case settled"):
        game.take_lead(heir)


# ------------------------------------------------------------------ appeal
@pytest.mark.parametrize("who", ["operator", "hot_key"])
def test_appeal__takes_the_case_to_the_arithmetic(bench: Bench, who: str) -> None:
    job = bench.condemned()
    deadline = bench.deadline(job)
    bench.game.appeal(*bench.of(job), sender=getattr(bench, who))
    last = now() + RESPONSE
    opened = {"job_id": job.id, "record": bench.record(job), "is_appeal": True, "deadline": last}
    assert bench.logged() == [("CaseOpened", opened)]
    assert (bench.stage(job), bench.deadline(job)) == (APPEALED, deadline + WINDOW)
    assert tuple(bench.case(job)) == (1, 0, 0, last, NO_WORD)


@pytest.mark.parametrize("who", ["requester", "challenger", "stranger"])
def test_appeal__not_by_anyone_else(bench: Bench, who: str) -> None:
    job = bench.condemned()
    with boa.reverts("case: not the operator"):
        bench.game.appeal(*bench.of(job), sender=getattr(bench, who))


@pytest.mark.parametrize("state", ["submitted", "attested", "appealed"])
def test_appeal__not_of_a_job_that_is_not_condemned(bench: Bench, state: str) -> None:
    job = getattr(bench, state)()
    with boa.reverts("case: not condemned"):
        bench.game.appeal(*bench.of(job), sender=bench.operator)


@pytest.mark.parametrize("late", [0, 1])
def test_appeal__until_the_appeal_deadline(bench: Bench, late: int) -> None:
    job = bench.condemned()
    travel_to(bench.deadline(job) + late)
    if not late:
        bench.game.appeal(*bench.of(job), sender=bench.operator)
        return
    with boa.reverts("escrow: too late to contest"):
        bench.game.appeal(*bench.of(job), sender=bench.operator)


def test_appeal__of_another_arbiters_job(bench: Bench) -> None:
    bench.suite.escrow.set_arbiter(bench.rival, sender=bench.suite.admin)
    job = bench.condemned()
    with boa.reverts("case: another arbiter"):
        bench.game.appeal(*bench.of(job), sender=bench.operator)


def test_bond__of_a_challenge_is_that_of_its_day(bench: Bench, game: Any) -> None:
    """INV-4."""
    job = bench.submitted()
    bench.open(job)
    game.set_challenge_bond(7 * MILL, sender=bench.suite.admin)
    second = bench.open(job, bench.rival)
    assert [game.challenge(number).bond for number in (1, second)] == [BOND, 7 * MILL]
    assert bench.mill(game.address) == BOND + 7 * MILL == bench.held
