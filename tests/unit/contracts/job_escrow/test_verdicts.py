"""The evaluator: complete, complete_many, reject, void. The arbiter: contest, dismiss, uphold, convict."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import boa
import pytest

from tests.models.job_escrow import Answer, Stage, answer_hash, low_bits
from tests.suite.deployment import DAY, HOUR, NOBODY, REASON, events_of, now, travel_to
from tests.unit.contracts.job_escrow.market import (
    BOND,
    CHALLENGE_WINDOW,
    DISPUTE_WINDOW,
    EVALUATOR_FEE,
    PRICE,
    PROTOCOL_FEE,
    Job,
    Market,
)

EVALUATOR_CALLS = ("complete", "reject", "void")
ARBITER_CALLS = ("contest", "dismiss", "uphold", "convict")
OTHER_ROLES = ("requester", "worker", "hot_key", "admin", "treasury", "challenger", "stranger")
NET = PRICE - PROTOCOL_FEE - EVALUATOR_FEE


def judge(market: Market, call: str, job: Job, sender: str, answer: Answer | None = None) -> None:
    """Any call of evaluator or arbiter."""
    arguments: tuple[Any, ...] = (job.id, astuple(job.terms), astuple(answer or job.answer))
    if call == "convict":
        arguments += (market.challenger,)
    if call not in ("contest", "dismiss"):
        arguments += (REASON,)
    if call == "complete_many":
        arguments = ([arguments[:3]], REASON)
    getattr(market.escrow, call)(*arguments, sender=sender)


def penalty(market: Market) -> dict[str, Any]:
    """What Staking was told last."""
    fields = (
        "operator",
        "released",
        "amount",
        "client",
        "compensation",
        "reporter",
        "reporter_bps",
        "reason",
    )
    return dict(zip(fields, market.staking.penalty(), strict=True))


# ------------------------------------------------------------------ who and when
@pytest.mark.parametrize("call", [*EVALUATOR_CALLS, "complete_many"])
@pytest.mark.parametrize("role", [*OTHER_ROLES, "arbiter"])
def test_evaluator_calls__by_anybody_else__revert(market: Market, call: str, role: str) -> None:
    job = market.submitted()
    with boa.reverts("escrow: not the evaluator"):
        judge(market, call, job, getattr(market, role))


@pytest.mark.parametrize("call", ARBITER_CALLS)
@pytest.mark.parametrize("role", [*OTHER_ROLES, "evaluator"])
def test_arbiter_calls__by_anybody_else__revert(market: Market, call: str, role: str) -> None:
    job = market.submitted() if call == "contest" else market.contested()
    with boa.reverts("escrow: not the arbiter"):
        judge(market, call, job, getattr(market, role))


@pytest.mark.parametrize("call", [*EVALUATOR_CALLS, "complete_many"])
@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.SUBMITTED])
def test_evaluator_calls__in_another_stage__revert(market: Market, call: str, stage: Stage) -> None:
    """Neither what is contested nor what is condemned is the evaluator's any more."""
    job = market.at(stage)
    with boa.reverts("escrow: not submitted"):
        judge(market, call, job, market.evaluator)


@pytest.mark.parametrize("call", ["dismiss", "uphold", "convict"])
@pytest.mark.parametrize(
    "stage", [stage for stage in Stage if stage not in (Stage.CONTESTED, Stage.CONDEMNED_CONTESTED)]
)
def test_arbiter_calls__what_is_not_contested__revert(market: Market, call: str, stage: Stage) -> None:
    if (stage, call) == (Stage.ATTESTED, "convict"):
        return  # see test_convict__after_the_payment
    job = market.at(stage)
    with boa.reverts("escrow: not contested"):
        judge(market, call, job, market.arbiter)


@pytest.mark.parametrize(
    "stage", [stage for stage in Stage if stage not in (Stage.SUBMITTED, Stage.CONDEMNED)]
)
def test_contest__in_another_stage__reverts(market: Market, stage: Stage) -> None:
    job = market.at(stage)
    with boa.reverts("escrow: nothing to contest"):
        judge(market, "contest", job, market.arbiter)


@pytest.mark.parametrize("call", [*EVALUATOR_CALLS, "contest", "dismiss", "uphold", "convict"])
@pytest.mark.parametrize("field", ["provider", "claimed_at", "deliverable"])
def test_judges__another_answer__revert(market: Market, call: str, field: str) -> None:
    is_arbiter = call in ARBITER_CALLS
    job = market.contested() if call in ("dismiss", "uphold", "convict") else market.submitted()
    fields = {"provider": market.stranger, "claimed_at": job.answer.claimed_at - 1, "deliverable": REASON}
    answer = Answer(**(vars(job.answer) | {field: fields[field]}))
    with boa.reverts("escrow: other record"):
        judge(market, call, job, market.arbiter if is_arbiter else market.evaluator, answer)


@pytest.mark.parametrize(
    ("call", "reason"),
    [(call, "escrow: evaluation too late") for call in (*EVALUATOR_CALLS, "complete_many")]
    + [("contest", "escrow: too late to contest")]
    + [(call, "escrow: dispute too late") for call in ("dismiss", "uphold", "convict")],
)
def test_judges__deadline_is_inclusive(market: Market, call: str, reason: str) -> None:
    sender = market.evaluator if "evaluation" in reason else market.arbiter
    build = market.contested if "dispute" in reason else market.submitted
    first, second = build(), build()
    market.reach_deadline(first)
    judge(market, call, first, sender)
    travel_to(now() + 1)
    with boa.reverts(reason):
        judge(market, call, second, sender)


@pytest.mark.parametrize("call", ARBITER_CALLS)
def test_arbiter_calls__job_without_an_arbiter__revert(market: Market, call: str) -> None:
    """Also where the zero address itself would call."""
    job = market.submitted(is_exact=False)
    reason = "escrow: not the arbiter" if call == "contest" else "escrow: not contested"
    with boa.reverts(reason):
        judge(market, call, job, market.arbiter)


# ------------------------------------------------------------------ complete
@pytest.mark.parametrize("call", ["complete", "complete_many"])
def test_complete__pays_the_worker_and_frees_the_bond(market: Market, call: str) -> None:
    job = market.submitted()
    judge(market, call, job, market.evaluator)
    assert events_of(market.escrow) == [
        ("JobCompleted", {"jobId": 1, "evaluator": market.evaluator, "reason": REASON}),
        ("PaymentReleased", {"jobId": 1, "provider": market.worker, "amount": NET}),
    ]
    assert market.earnings(market.worker) == NET
    assert market.fees() == (PROTOCOL_FEE, EVALUATOR_FEE)
    assert market.staking.committed(market.worker) == 0
    assert market.owed() == PRICE
    assert (market.escrow.stage(1), market.escrow.state(1), market.escrow.closeReason(1)) == (0x13, 3, 1)
    assert market.escrow.deadline(1) == now() + CHALLENGE_WINDOW
    assert market.escrow.commitment(1) == low_bits(answer_hash(job.terms.hash, job.answer))
    assert market.escrow.runway(1) == 0


def test_complete__below_the_ceiling__the_change_is_the_requesters_credit(market: Market) -> None:
    market.completed(price_floor=PRICE * 3 // 4, ramp=HOUR)
    assert events_of(market.escrow)[-1] == (
        "Refunded",
        {"jobId": 1, "client": market.requester, "amount": PRICE // 4},
    )
    assert market.credit(market.requester) == PRICE // 4
    assert market.earnings(market.worker) + sum(market.fees()) == PRICE * 3 // 4


def test_complete__job_without_an_arbiter__leaves_nothing_to_refute(market: Market) -> None:
    market.completed(is_exact=False)
    assert (market.escrow.deadline(1), market.escrow.commitment(1)) == (0, bytes(32))


def test_complete_many__pays_each(market: Market) -> None:
    jobs = [market.submitted() for _ in range(3)]
    market.escrow.complete_many([job.arguments for job in jobs], REASON, sender=market.evaluator)
    assert market.earnings(market.worker) == 3 * NET
    assert [market.escrow.closeReason(job.id) for job in jobs] == [1, 1, 1]


def test_complete_many__a_duplicate__reverts_the_whole_batch(market: Market) -> None:
    job, other = market.submitted(), market.submitted()
    with boa.reverts("escrow: not submitted"):
        market.escrow.complete_many(
            [job.arguments, other.arguments, job.arguments], REASON, sender=market.evaluator
        )
    assert market.earnings(market.worker) == 0


def test_complete_many__as_many_as_64(market: Market) -> None:
    jobs = [market.submitted(bond=PRICE) for _ in range(64)]
    batch = [job.arguments for job in jobs]
    with pytest.raises(Exception, match=r"complete_many|[Ll]ength|encod"):
        market.escrow.complete_many([*batch, batch[0]], REASON, sender=market.evaluator)
    market.escrow.complete_many(batch, REASON, sender=market.evaluator)
    assert market.earnings(market.worker) == 64 * NET


def test_complete_many__none__does_nothing(market: Market) -> None:
    market.escrow.complete_many([], REASON, sender=market.stranger)
    assert events_of(market.escrow) == []


# ------------------------------------------------------------------ reject
def test_reject__without_an_arbiter__is_final(market: Market) -> None:
    job = market.condemned(is_exact=False)
    assert events_of(market.escrow) == [
        ("JobRejected", {"jobId": 1, "rejector": market.evaluator, "reason": REASON}),
        ("Compensated", compensation(market, PRICE)),
        ("Refunded", {"jobId": 1, "client": market.requester, "amount": PRICE}),
    ]
    assert penalty(market) == penalty_of(market, BOND, BOND, NOBODY, REASON)
    assert (market.escrow.stage(job.id), market.escrow.closeReason(1)) == (0x84, 8)
    assert market.owed() == 0


def test_reject__with_an_arbiter__condemns_and_moves_nothing(market: Market) -> None:
    job = market.condemned()
    deadline = now() + CHALLENGE_WINDOW
    assert events_of(market.escrow) == [
        (
            "JobCondemned",
            {"jobId": 1, "evaluator": market.evaluator, "deadline": deadline, "reason": REASON},
        )
    ]
    assert (market.escrow.stage(1), market.escrow.state(1), market.escrow.deadline(1)) == (0x22, 2, deadline)
    assert market.escrow.commitment(1) == low_bits(answer_hash(job.terms.hash, job.answer))
    assert (market.owed(), market.staking.committed(market.worker)) == (PRICE, BOND)


# ------------------------------------------------------------------ void
def test_void__pays_the_cancellation_fee_and_refunds_the_rest(market: Market) -> None:
    job = market.submitted()
    before = market.balance(market.requester)
    market.escrow.void(*job.arguments, REASON, sender=market.evaluator)
    fee = PRICE // 10
    net = fee - fee // 100 - fee * 3 // 100
    assert events_of(market.escrow) == [
        ("JobRejected", {"jobId": 1, "rejector": market.evaluator, "reason": REASON}),
        ("JobVoided", {"jobId": 1, "evaluator": market.evaluator, "reason": REASON}),
        ("PaymentReleased", {"jobId": 1, "provider": market.worker, "amount": net}),
        ("Refunded", {"jobId": 1, "client": market.requester, "amount": PRICE - fee}),
    ]
    assert market.balance(market.requester) - before == PRICE - fee
    assert market.fees() == (fee // 100, fee * 3 // 100)
    assert (market.escrow.stage(1), market.escrow.closeReason(1)) == (0xA4, 10)
    assert (market.staking.committed(market.worker), market.staking.slashes()) == (0, 0)


@pytest.mark.parametrize(("bps", "refunded"), [(0, PRICE), (10_000, 0)])
def test_void__nothing_or_everything_for_the_worker(market: Market, bps: int, refunded: int) -> None:
    job = market.submitted(cancellation_bps=bps)
    before = market.balance(market.requester)
    market.escrow.void(*job.arguments, REASON, sender=market.evaluator)
    names = [name for name, _ in events_of(market.escrow)]
    assert ("Refunded" in names, "PaymentReleased" in names) == (refunded > 0, bps > 0)
    assert market.balance(market.requester) - before == refunded
    assert market.owed() == PRICE - refunded


# ------------------------------------------------------------------ contest and dismiss
@pytest.mark.parametrize(("condemned", "stage"), [(False, 0x42), (True, 0x62)])
def test_contest__gives_the_arbiter_its_window_beyond_the_deadline(
    market: Market, condemned: bool, stage: int
) -> None:
    job = market.condemned() if condemned else market.submitted()
    deadline = market.escrow.deadline(1)
    travel_to(now() + 60)
    market.escrow.contest(*job.arguments, sender=market.arbiter)
    assert events_of(market.escrow) == [("JobContested", {"jobId": 1, "arbiter": market.arbiter})]
    assert (market.escrow.stage(1), market.escrow.state(1)) == (stage, 2)
    assert market.escrow.deadline(1) == deadline + DISPUTE_WINDOW
    assert market.escrow.runway(1) == deadline + DISPUTE_WINDOW + 1 - now()
    assert market.escrow.closeReason(1) == 0


@pytest.mark.parametrize("condemned", [False, True])
def test_dismiss__the_job_is_where_it_was(market: Market, condemned: bool) -> None:
    job = market.condemned() if condemned else market.submitted()
    before = [view(1) for view in (market.escrow.stage, market.escrow.deadline, market.escrow.commitment)]
    market.escrow.contest(*job.arguments, sender=market.arbiter)
    market.escrow.dismiss(*job.arguments, sender=market.arbiter)
    assert events_of(market.escrow) == [("ContestDismissed", {"jobId": 1, "arbiter": market.arbiter})]
    after = [view(1) for view in (market.escrow.stage, market.escrow.deadline, market.escrow.commitment)]
    assert after == before


def test_dismiss__in_time__the_evaluator_may_still_judge(market: Market) -> None:
    job = market.contested()
    market.escrow.dismiss(*job.arguments, sender=market.arbiter)
    market.escrow.complete(*job.arguments, REASON, sender=market.evaluator)
    assert market.escrow.closeReason(1) == 1


def test_dismiss__after_the_evaluation_deadline__only_silence_is_left(market: Market) -> None:
    job = market.contested()
    travel_to(market.escrow.deadline(1) - DISPUTE_WINDOW + 1)
    market.escrow.dismiss(*job.arguments, sender=market.arbiter)
    assert market.escrow.runway(1) == 0
    with boa.reverts("escrow: evaluation too late"):
        market.escrow.reject(*job.arguments, REASON, sender=market.evaluator)
    with boa.reverts("escrow: too late to contest"):
        market.escrow.contest(*job.arguments, sender=market.arbiter)
    market.escrow.finalize(*job.arguments, sender=market.stranger)
    assert market.escrow.closeReason(1) == 2


def test_contest__again_and_again__never_moves_the_end(market: Market) -> None:
    job = market.submitted()
    ends = set()
    for _ in range(3):
        market.escrow.contest(*job.arguments, sender=market.arbiter)
        ends.add(market.escrow.deadline(1))
        travel_to(now() + 60)
        market.escrow.dismiss(*job.arguments, sender=market.arbiter)
    assert ends == {job.answer.claimed_at + 3 * HOUR + DISPUTE_WINDOW}


# ------------------------------------------------------------------ uphold
@pytest.mark.parametrize("condemned", [False, True])
def test_uphold__pays_the_worker_and_not_the_evaluator(market: Market, condemned: bool) -> None:
    job = market.appealed() if condemned else market.contested()
    market.escrow.uphold(*job.arguments, REASON, sender=market.arbiter)
    assert events_of(market.escrow) == [
        ("JobCompleted", {"jobId": 1, "evaluator": market.arbiter, "reason": REASON}),
        ("PaymentReleased", {"jobId": 1, "provider": market.worker, "amount": PRICE - PROTOCOL_FEE}),
    ]
    assert market.fees() == (PROTOCOL_FEE, 0)
    assert (market.escrow.stage(1), market.escrow.closeReason(1), market.escrow.deadline(1)) == (0x33, 3, 0)
    assert (market.staking.committed(market.worker), market.staking.slashes()) == (0, 0)


# ------------------------------------------------------------------ convict
@pytest.mark.parametrize("condemned", [False, True])
def test_convict__slashes_the_bond_and_refunds(market: Market, condemned: bool) -> None:
    job = market.appealed() if condemned else market.contested()
    market.escrow.convict(*job.arguments, market.challenger, REASON, sender=market.arbiter)
    assert events_of(market.escrow) == [
        ("JobRejected", {"jobId": 1, "rejector": market.arbiter, "reason": REASON}),
        ("Compensated", compensation(market, PRICE)),
        ("Refunded", {"jobId": 1, "client": market.requester, "amount": PRICE}),
    ]
    assert penalty(market) == penalty_of(market, BOND, BOND, market.challenger, REASON)
    assert (market.escrow.stage(1), market.escrow.closeReason(1), market.owed()) == (0x94, 9, 0)
    with boa.reverts("escrow: not contested"):
        market.escrow.convict(*job.arguments, market.challenger, REASON, sender=market.arbiter)


def test_convict__compensation_is_capped_by_the_price_in_stake(market: Market) -> None:
    """At a third of the ceiling; the bond is worth two ceilings."""
    market.escrow.set_payment_token(market.token.address, 10**18 // 2, sender=market.admin)
    job = market.contested(price_floor=PRICE // 3, ramp=HOUR)
    market.escrow.convict(*job.arguments, market.challenger, REASON, sender=market.arbiter)
    assert penalty(market)["compensation"] == (PRICE // 2) * (PRICE // 3) // PRICE


def test_convict__after_the_payment__slashes_what_there_is_and_moves_no_payment(market: Market) -> None:
    job = market.completed()
    travel_to(market.escrow.deadline(1) + DISPUTE_WINDOW)  # the last second
    owed = market.owed()
    market.escrow.convict(*job.arguments, market.challenger, REASON, sender=market.arbiter)
    assert events_of(market.escrow) == [
        ("JobRefuted", {"jobId": 1, "arbiter": market.arbiter, "reason": REASON}),
        ("Compensated", compensation(market, PRICE)),
    ]
    assert penalty(market) == penalty_of(market, 0, BOND, market.challenger, REASON)
    assert (market.escrow.stage(1), market.escrow.state(1), market.escrow.closeReason(1)) == (0xB3, 3, 11)
    assert (market.escrow.deadline(1), market.escrow.commitment(1)) == (0, bytes(32))
    assert market.owed() == owed
    with boa.reverts("escrow: not contested"):  # not twice
        market.escrow.convict(*job.arguments, market.challenger, REASON, sender=market.arbiter)


def test_convict__after_the_payment_and_all_windows__reverts(market: Market) -> None:
    job = market.completed()
    travel_to(market.escrow.deadline(1) + DISPUTE_WINDOW + 1)
    with boa.reverts("escrow: too late to refute"):
        market.escrow.convict(*job.arguments, market.challenger, REASON, sender=market.arbiter)


def test_convict__after_the_payment__by_a_stranger_or_of_another_answer__reverts(market: Market) -> None:
    job = market.completed()
    with boa.reverts("escrow: not the arbiter"):
        judge(market, "convict", job, market.stranger)
    with boa.reverts("escrow: other record"):
        judge(market, "convict", job, market.arbiter, Answer(market.worker, now(), REASON))


def test_convict__paid_job_without_an_arbiter__reverts(market: Market) -> None:
    job = market.completed(is_exact=False)
    with boa.reverts("escrow: other record"):
        judge(market, "convict", job, market.arbiter)


def test_judgement__staking_refuses__nothing_happened(market: Market) -> None:
    job = market.contested()
    market.staking.set_refusing(True)
    with boa.reverts("mock: staking refuses"):
        judge(market, "convict", job, market.arbiter)
    assert (market.escrow.stage(1), market.owed()) == (Stage.CONTESTED, PRICE)
    market.staking.set_refusing(False)
    judge(market, "convict", job, market.arbiter)


def test_stake_outlives_fault__longest_life_of_a_job_is_six_and_a_half_days(market: Market) -> None:
    market.escrow.set_windows(DAY, 2 * DAY, sender=market.admin)
    job = market.claimed(submit_window=302_400 - 1, evaluation_window=1)
    start = now()
    market.reach_deadline(job)
    market.answer(job)
    market.reach_deadline(job)
    market.escrow.reject(*job.arguments, REASON, sender=market.evaluator)
    market.reach_deadline(job)
    market.escrow.contest(*job.arguments, sender=market.arbiter)
    assert market.escrow.deadline(1) - start == 13 * DAY // 2


def compensation(market: Market, amount: int) -> dict[str, Any]:
    return {"jobId": 1, "requester": market.requester, "provider": market.worker, "amount": amount}


def penalty_of(market: Market, released: int, amount: int, reporter: str, reason: bytes) -> dict[str, Any]:
    return {
        "operator": market.worker,
        "released": released,
        "amount": amount,
        "client": market.requester,
        "compensation": PRICE,
        "reporter": reporter,
        "reporter_bps": 1_000,
        "reason": reason,
    }
