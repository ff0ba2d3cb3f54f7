"""Whole games on the real contracts: lies of every kind about small models, and what becomes of everybody's money."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import boa
import numpy as np
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.models.oracle_committee import Verdict, verdict_hash
from tests.property.disputes.test_players import committed, honest
from tests.suite.deployment import COMPLETE, MEMBER_BOND, MILL, REJECT, Job, actor
from tests.suite.disputes import OPERATOR_STAKE, Court, Dispute, open_court
from tests.suite.traces import MODELS, SAMPLING
from tools.fuzz_disputes.games import STRATEGIES, Holdings, convict, dispute_of, play_hostile, play_lie
from tools.fuzz_disputes.lies import ABOUT_OPERATORS, LIES, NOTHING, Liar, Told
from tools.fuzz_disputes.subjects import Subject, Work, rows_of_answer

UPHELD, CONVICTED, REFUTED = 3, 9, 11
VOCABULARY = 9
LYING_ABOUT_OPERATORS = sorted(ABOUT_OPERATORS)


@dataclass(frozen=True)
class Stage:
    """A court with all small models registered."""

    court: Court
    models: dict[str, bytes]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with boa.env.anchor():
        court = open_court()
        ids = {name: court.register(committed(name), manifest=name.encode()) for name in MODELS}
        yield Stage(court, ids)


def subject_of(name: str) -> Subject:
    return Subject(name, committed(name), (1, 12), vocabulary=VOCABULARY)


def work_of(name: str) -> Work:
    """The map that `test_players` plays about."""
    own = honest(name)
    ids = own.trace.run.input
    prompt = ids.numpy() if ids.shape[1] > 1 else ids[:, 0].numpy()
    return Work(prompt, SAMPLING.get(name), own, rows_of_answer(own))


def a_lie(name: str, seed: int = 0) -> Told:
    """One that is told about some operator and goes on from it."""
    generator = random.Random(seed)
    subject = subject_of(name)
    told = Liar(subject, work_of(name), generator).tell("by one", generator.choice(subject.kinds))
    assert told is not None
    assert told.differs(work_of(name))
    return told


def dispute(stage: Stage, told: Told, name: str = "encoder") -> Dispute:
    return dispute_of(stage.court, subject_of(name), stage.models[name], work_of(name), told)


def the_truth(name: str) -> Told:
    told = Liar(subject_of(name), work_of(name), random.Random(0)).tell(NOTHING, subject_of(name).kinds[0])
    assert told is not None
    return told


# ------------------------------------------------------------------ every kind of lie
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_operator__lied_about__is_convicted(stage: Stage, name: str) -> None:
    generator, subject, work = random.Random(name), subject_of(name), work_of(name)
    kinds = subject.kinds
    for place, operator in enumerate(kinds):
        kind = LYING_ABOUT_OPERATORS[(place + generator.randrange(8)) % len(LYING_ABOUT_OPERATORS)]
        told = Liar(subject, work, generator).tell(kind, operator) or Liar(subject, work, generator).tell(
            "by one", operator
        )
        assert told is not None
        outcome = play_lie(stage.court, subject, stage.models[name], work, told, generator)
        assert not outcome.failure, (kind, operator, told.words, outcome)
        assert outcome.is_convicted == told.differs(work)
        assert outcome.replies <= 4


@pytest.mark.parametrize("kind", sorted(set(LIES) - {NOTHING}))
def test_generation__every_kind_of_lie__is_convicted(stage: Stage, kind: str) -> None:
    generator, subject = random.Random(kind), subject_of("decoder")
    work = subject.work("generation", random.Random(5))
    operators = (
        ["quantise"]
        if kind == "header only"
        else ["linear"]
        if kind == "other weights"
        else ["add", "choose"]
    )
    for operator in operators:
        told = Liar(subject, work, generator).tell(kind, operator)
        assert told is not None
        assert told.differs(work)
        outcome = play_lie(stage.court, subject, stage.models["decoder"], work, told, generator)
        assert not outcome.failure, (told.words, outcome)
        assert outcome.is_convicted


@pytest.mark.parametrize("is_traced", [False, True])
@pytest.mark.parametrize(
    ("place", "leaf"),
    [
        (0, b"\0\0\3"),
        (1, b"\0\0\0\0\3"),
        (2, VOCABULARY.to_bytes(4, "big")),
        (0, b"\xff" * 4),
        (1, b""),
    ],
)
def test_generation__a_leaf_that_is_no_token__is_shown_whatever_the_trace_is(
    stage: Stage, place: int, leaf: bytes, *, is_traced: bool
) -> None:
    """By the integer if it is known; else by what the trace has there, or by what its program is said to have chosen."""
    generator, subject = random.Random(0), subject_of("decoder")
    work = subject.work("generation", random.Random(5))
    shown = [(False, ("choose", "maximum") if is_traced else ("claim", "4"), 3)]
    if len(leaf) == 4:
        shown.append((True, ("claim", "8"), 1))
    for is_known, check, replies in shown:
        told = Liar(subject, work, generator).leaf(place, leaf, is_known=is_known, is_traced=is_traced)
        assert told.differs(work)
        outcome = play_lie(stage.court, subject, stage.models["decoder"], work, told, generator)
        assert not outcome.failure, outcome
        assert outcome.is_convicted
        assert ((outcome.accused, outcome.check), outcome.replies) == (check, replies)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_an_honest_operator__against_a_hostile_challenger__is_paid(stage: Stage, strategy: str) -> None:
    name, generator = random.Random(strategy).choice(sorted(MODELS)), random.Random(strategy)
    told = the_truth(name)
    outcome = play_hostile(
        stage.court, subject_of(name), stage.models[name], work_of(name), told, strategy, generator
    )
    assert not outcome.failure, outcome


# ------------------------------------------------------------------ the committee
def judge(court: Court, job: Job, outcome: int) -> list[tuple[Any, ...]]:
    """What the committee says of a job, and the proof of it against each signer."""
    suite = court.suite
    report = suite.report(suite.escrow)
    verdict = Verdict(job.id, outcome, job.terms, job.answer)
    report_hash = suite.committee.verdicts_hash(report, [tuple(verdict)])
    digest = suite.committee.report_digest(report[0], report[1], report_hash)
    places = range(2 if outcome == COMPLETE else 3)
    mask, signatures = suite.sign(digest, places)
    suite.committee.transmit(report, [tuple(verdict)], mask, signatures, sender=suite.relayer)
    return [
        (suite.members[place].address, report, [verdict_hash(verdict)], 0, tuple(verdict), signature)
        for place, signature in zip(places, signatures, strict=True)
    ]


def assert_all_pay(court: Court, proofs: list[tuple[Any, ...]]) -> None:
    """Every signer loses its bond, and whoever shows it has a quarter."""
    suite = court.suite
    for proof in proofs:
        before, reward = suite.staking.self_stake(proof[0]), suite.mill.balanceOf(suite.stranger)
        assert suite.committee.prove_misjudgement(proof, sender=suite.stranger) == MEMBER_BOND
        assert before - suite.staking.self_stake(proof[0]) == MEMBER_BOND
        assert suite.mill.balanceOf(suite.stranger) - reward == MEMBER_BOND // 4
        with boa.reverts():
            suite.committee.prove_misjudgement(proof)


def assert_nobody_pays(court: Court, proofs: list[tuple[Any, ...]]) -> None:
    """No signature is one for an answer that was proved wrong."""
    for proof in proofs:
        with boa.reverts("committee: verdict not refuted"):
            court.suite.committee.prove_misjudgement(proof)


def test_committee_attested_the_lie__operator_and_signers_pay(stage: Stage) -> None:
    court = stage.court
    with boa.env.anchor():
        game = dispute(stage, a_lie("encoder"))
        job = game.submit()
        proofs = judge(court, job, COMPLETE)
        assert court.suite.escrow.closeReason(job.id) == 1
        with boa.reverts("committee: verdict not refuted"):
            court.suite.committee.prove_misjudgement(proofs[0])
        before = Holdings.of(court)
        challenge = game.open_and_name()
        assert game.play(challenge)
        assert_all_pay(court, proofs)
        convict(court, job, challenge, before, REFUTED)
        assert court.suite.staking.self_stake(court.operator) <= OPERATOR_STAKE - 100 * MILL


def test_committee_rejected_the_truth__an_appeal_is_upheld_and_no_signer_pays(stage: Stage) -> None:
    court = stage.court
    with boa.env.anchor():
        game = dispute(stage, the_truth("decoder"), "decoder")
        before = Holdings.of(court)
        job = game.submit()
        proofs = judge(court, job, REJECT)
        court.game.appeal(job.id, job.terms, job.answer, sender=court.operator)
        challenge = game.open_and_name()
        assert not game.play(challenge)
        clock = court.game.challenge(challenge)
        boa.env.evm.patch.timestamp = clock.turn_began_at + clock.challenger_left + 1
        court.game.time_out(challenge)
        deadline = court.game.case(job.id, court.record(job)).appeal_deadline
        boa.env.evm.patch.timestamp = max(deadline, boa.env.evm.patch.timestamp) + 1
        court.settle(job)
        assert court.suite.escrow.closeReason(job.id) == UPHELD
        after = Holdings.of(court)
        assert after.operator > before.operator
        assert after.stake >= before.stake
        assert_nobody_pays(court, proofs)  # nobody doubted the answer in time, which proves nothing


def test_committee_rejected_a_lie__its_appeal_is_refuted_and_no_signer_pays(stage: Stage) -> None:
    court = stage.court
    with boa.env.anchor():
        game = dispute(stage, a_lie("wide_decoder", 1), "wide_decoder")
        before = Holdings.of(court)
        job = game.submit()
        proofs = judge(court, job, REJECT)
        court.game.appeal(job.id, job.terms, job.answer, sender=court.operator)
        challenge = game.open_and_name()
        assert game.play(challenge)
        convict(court, job, challenge, before)
        assert_nobody_pays(court, proofs)


# ------------------------------------------------------------------ two challengers
@pytest.mark.parametrize("first_opens_late", [False, True])
def test_two_challengers__whoever_committed_first_is_rewarded(
    stage: Stage, *, first_opens_late: bool
) -> None:
    """Also when the other one opens earlier and proves it."""
    court, first, second = stage.court, actor("first"), actor("second")
    with boa.env.anchor():
        for account in (first, second):
            court.suite.fund(account, OPERATOR_STAKE)
            court.suite.mill.approve(court.game.address, 2**256 - 1, sender=account)
        game = dispute(stage, a_lie("classifier", 2), "classifier")
        job = game.submit()
        for who in (first, second):
            salted = encode(
                ["address", "uint256", "bytes32", "bytes32"], [who, job.id, court.record(job), b"\1" * 32]
            )
            court.game.commit(keccak(salted), sender=who)
            boa.env.time_travel(seconds=24)
        ids = {}
        for who in (second, first) if first_opens_late else (first, second):
            ids[who] = court.game.open(job.id, job.terms, job.answer, b"\1" * 32, sender=who)
        game.name(ids[second], challenger=second)
        assert game.play(ids[second], challenger=second)
        held = {who: court.suite.mill.balanceOf(who) for who in (first, second)}
        court.settle(job)
        assert court.suite.escrow.closeReason(job.id) == CONVICTED
        assert court.suite.mill.balanceOf(first) > held[first]
        assert court.suite.mill.balanceOf(second) == held[second]
        for who in (first, second):
            court.game.reclaim(ids[who])
        assert court.suite.mill.balanceOf(second) == OPERATOR_STAKE


def test_a_model_that_is_not_registered__cannot_be_disputed(stage: Stage) -> None:
    with boa.env.anchor():
        game = dispute(stage, a_lie("encoder"))
        game.model_id = b"\7" * 32
        game.submit()
        with boa.reverts("claim: model not registered"):
            game.open_and_name()


def test_rows_of_several_groups_that_all_differ__are_proved(stage: Stage) -> None:
    """Of more than 512 rows only one group is asked for; what lies above it is what the operator has revealed."""
    name, generator = "wide_encoder", random.Random(3)
    subject = replace(subject_of(name), lengths=(530, 530))
    work = subject.work("map", generator)
    told = Liar(subject, work, generator).tell("other weights", "embedding")
    assert told is not None
    outcome = play_lie(stage.court, subject, stage.models[name], work, told, generator)
    assert not outcome.failure, outcome
    assert outcome.is_convicted
    assert outcome.replies == 4


@pytest.mark.parametrize("is_traced", [False, True])
def test_rows_of_several_groups__one_is_no_token__is_shown(stage: Stage, *, is_traced: bool) -> None:
    """The rows of the group with the answer are asked for; those of the others are known to nobody else."""
    name = "wide_decoder"
    subject = subject_of(name)
    prompt = np.array([random.Random(place).randrange(VOCABULARY) for place in range(600)])
    honest = subject.rerun(prompt, None)
    answer = rows_of_answer(honest, len(prompt) - 1)
    work = Work(prompt, None, honest, answer, (int(answer[0, 0]),))
    told = Liar(subject, work, random.Random(0)).leaf(0, b"\1" * 5, is_known=False, is_traced=is_traced)
    outcome = play_lie(stage.court, subject, stage.models[name], work, told, random.Random(0))
    assert not outcome.failure, outcome
    assert outcome.is_convicted
    assert outcome.check == ("maximum" if is_traced else "4")
    assert outcome.replies == 4
