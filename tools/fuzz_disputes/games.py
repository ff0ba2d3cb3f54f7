"""One game: a job, its answer, a challenger, and who must have which money when it is over."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import boa

from adversaries.hostile_accuser import HostileAccuser
from tests.suite.deployment import COMPLETE, MAX_UINT256, Job
from tests.suite.disputes import Court, Dispute
from tools.fuzz_disputes.lies import Told
from tools.fuzz_disputes.subjects import Subject, Work

ATTESTED, UNOPPOSED, CONVICTED = 1, 2, 9  # `JobEscrow.closeReason`
CHALLENGE_LOST: Final = 2
MOST_QUESTIONS: Final = 7  # naming the item was the first of eight
#: Calls of the game that the operator pays for.
DEFENDERS: Final = ("post_trace", "reveal_rows", "reveal_tree", "reveal_leaves", "reveal_row", "reveal_leaf")


@dataclass(frozen=True)
class Outcome:
    """How a game ended; ``failure`` says what should not have happened. Gas is titanoboa's, without the transaction's own."""

    model: str
    task: str
    lie: str
    operator: str  # that was lied about
    accused: str  # in the proof
    check: str
    is_lie: bool
    is_convicted: bool
    replies: int = 0
    proof_gas: int = 0
    defender_gas: int = 0
    seconds: float = 0.0
    words: str = ""
    failure: str = ""


class GameFailed(AssertionError):
    """The game ended otherwise than the arithmetic says."""


def dispute_of(court: Court, subject: Subject, model_id: bytes, work: Work, told: Told) -> Dispute:
    """The job before anybody doubts it."""
    return Dispute(
        court,
        subject.committed,
        model_id,
        told.own,
        told.defended,
        told.answer,
        work.prompt,
        told.tokens,
        len(work.tokens),
        MAX_UINT256,
        is_garbled=told.is_garbled,
        is_silent=told.is_silent,
        leaves=told.leaves,
    )


def play_lie(
    court: Court, subject: Subject, model_id: bytes, work: Work, told: Told, generator: random.Random
) -> Outcome:
    """A game about what was told; never raises, but says what failed."""
    started, is_lie = time.monotonic(), told.differs(work)
    dispute, is_convicted, failure = None, False, ""
    try:
        dispute = dispute_of(court, subject, model_id, work, told)
        with boa.env.anchor():
            is_convicted = _play(court, dispute, is_lie=is_lie, generator=generator)
    except Exception as error:  # noqa: BLE001  whatever it is, it is what the fuzzer looks for
        failure = _failure(error)
    accused, check = dispute.check if dispute else ("", "")
    gas = dispute.gas if dispute else {}
    return Outcome(
        model=subject.name,
        task=work.task,
        lie=told.kind,
        operator=told.operator,
        accused=accused,
        check=check,
        is_lie=is_lie,
        is_convicted=is_convicted,
        replies=len(dispute.replies) if dispute else 0,
        proof_gas=sum(
            sum(each) for call, each in gas.items() if call.startswith("prove") or call == "contradict"
        ),
        defender_gas=sum(sum(gas.get(call, [])) for call in DEFENDERS),
        seconds=time.monotonic() - started,
        words=dispute.words if dispute and dispute.words else told.words,
        failure=failure,
    )


def _play(court: Court, dispute: Dispute, *, is_lie: bool, generator: random.Random) -> bool:
    before = Holdings.of(court)
    job = dispute.submit()
    challenge_id = dispute.open_and_name()
    is_refuted = dispute.play(challenge_id)
    _require(is_refuted == is_lie, "an honest operator was refuted" if is_refuted else "nothing was found")
    if is_refuted:
        convict(court, job, challenge_id, before)
        return True
    for _ in range(generator.randint(0, 3)):
        ask_anything(dispute, challenge_id, accuser_of(dispute, generator))
    acquit(court, job, challenge_id, before)
    return False


@dataclass(frozen=True)
class Holdings:
    """What the three have, in stake tokens."""

    requester: int
    challenger: int
    operator: int  # with its stake and what it has earned
    stake: int

    @classmethod
    def of(cls, court: Court) -> Holdings:
        mill, staking, operator = court.suite.mill, court.suite.staking, court.operator
        stake = int(staking.self_stake(operator))
        earned = int(staking.earned(operator, mill.address, operator))
        return cls(
            int(mill.balanceOf(court.requester)),
            int(mill.balanceOf(court.challenger)),
            int(mill.balanceOf(operator)) + stake + earned,
            stake,
        )


def convict(court: Court, job: Job, challenge_id: int, before: Holdings, reason: int = CONVICTED) -> None:
    """Settles a refuted case and looks at everybody's money."""
    court.settle(job)
    court.game.reclaim(challenge_id)
    after = Holdings.of(court)
    _require(court.suite.escrow.closeReason(job.id) == reason, "the job was not closed as convicted")
    _require(after.stake < before.stake, "the operator was not slashed")
    _require(after.requester >= before.requester, "the requester was not refunded")
    _require(after.challenger > before.challenger, "the challenger was not paid")


def acquit(court: Court, job: Job, challenge_id: int, before: Holdings) -> None:
    """The challenger falls silent; the operator must be paid, and have most of the bond."""
    game, escrow = court.game, court.suite.escrow
    challenge = game.challenge(challenge_id)
    boa.env.evm.patch.timestamp = challenge.turn_began_at + challenge.challenger_left + 1
    game.time_out(challenge_id)
    _require(game.challenge(challenge_id).status == CHALLENGE_LOST, "the challenger kept its bond")
    bond_share = Holdings.of(court).operator - before.operator
    _require(bond_share >= 0, "a won challenge cost the operator money")
    court.settle(job)
    if boa.env.evm.patch.timestamp <= escrow.deadline(job.id):
        court.suite.transmit([(job, COMPLETE)])
        _require(escrow.closeReason(job.id) == ATTESTED, "the committee could not complete the job")
    else:
        escrow.finalize(job.id, job.terms, job.answer)
        _require(escrow.closeReason(job.id) == UNOPPOSED, "the answer was not paid for")
    after = Holdings.of(court)
    _require(after.stake >= before.stake, "an honest operator was slashed")
    _require(after.operator > before.operator, "an honest operator earned nothing")
    _require(after.challenger < before.challenger, "a challenge without reason cost nothing")


def _failure(error: Exception) -> str:
    """What went wrong, in a line."""
    try:
        words = str(error)
    except Exception as another:  # noqa: BLE001  a revert is told with all calldata, which may be beyond the decoder
        words = f"(told by {type(another).__name__}) {getattr(error, 'args', ())!r:.200}"
    return f"{type(error).__name__}: {words[:400]}"


def _require(holds: bool, words: str) -> None:
    if not holds:
        raise GameFailed(words)


# ------------------------------------------------------------------ accusers without a reason
def accuser_of(dispute: Dispute, generator: random.Random) -> HostileAccuser:
    return HostileAccuser(dispute.claim, dispute.defended, dispute.answer_leaves, generator)


def ask_anything(dispute: Dispute, challenge_id: int, accuser: HostileAccuser) -> None:
    """One question, which the operator answers at once."""
    game, question = dispute.court.game, accuser.question()
    boa.env.time_travel(seconds=3)
    game.ask(challenge_id, dispute.claim, question, sender=dispute.court.challenger)
    if not game.challenge(challenge_id).is_answered:
        dispute.reply(question)
    _require(game.challenge(challenge_id).is_answered, f"an answer to question {question[0]} was not taken")


def asks_everything(dispute: Dispute, challenge_id: int, generator: random.Random) -> str:
    """All questions that one has, and one more."""
    accuser = accuser_of(dispute, generator)
    for _ in range(MOST_QUESTIONS):
        ask_anything(dispute, challenge_id, accuser)
    with boa.reverts("dispute: no questions left"):
        dispute.court.game.ask(
            challenge_id, dispute.claim, accuser.question(), sender=dispute.court.challenger
        )
    return "questions"


def accuses_true_steps(dispute: Dispute, challenge_id: int, generator: random.Random) -> str:
    """Sound evidence about steps that are right."""
    accuser, kinds = accuser_of(dispute, generator), []
    for _ in range(3):
        kind, accusation, evidence = accuser.true_step()
        with boa.reverts("dispute: the step is right"):
            _prove(dispute, challenge_id, accusation, evidence)
        kinds.append(kind)
    return " ".join(kinds)


def sends_garbage(dispute: Dispute, challenge_id: int, generator: random.Random) -> str:
    """Evidence that was tampered with, swapped paths among it."""
    for what, accusation, evidence in accuser_of(dispute, generator).garbage():
        _refused(partial(_prove, dispute, challenge_id, accusation, evidence), what)
    return "garbage"


def contradicts(dispute: Dispute, challenge_id: int, generator: random.Random) -> str:
    """Contradictions that are none."""
    game, who = dispute.court.game, dispute.court.challenger
    for each in accuser_of(dispute, generator).false_contradictions():
        call = partial(game.contradict, challenge_id, dispute.claim, each, sender=who)
        _refused(call, f"contradiction {each[0]}")
    return "contradictions"


def stalls(dispute: Dispute, challenge_id: int, generator: random.Random) -> str:
    """Every question in the last second; the operator answers in its last second too."""
    game, accuser = dispute.court.game, accuser_of(dispute, generator)
    for _ in range(MOST_QUESTIONS):
        challenge = game.challenge(challenge_id)
        boa.env.evm.patch.timestamp = challenge.turn_began_at + challenge.challenger_left
        question = accuser.question()
        game.ask(challenge_id, dispute.claim, question, sender=dispute.court.challenger)
        challenge = game.challenge(challenge_id)
        if challenge.is_answered:
            continue
        boa.env.evm.patch.timestamp = challenge.turn_began_at + challenge.defender_left
        with boa.reverts("dispute: clock still runs"):
            game.time_out(challenge_id)
        dispute.reply(question)
        _require(
            game.challenge(challenge_id).is_answered, f"an answer to question {question[0]} was not taken"
        )
    return "stalling"


Strategy = Callable[[Dispute, int, random.Random], str]
STRATEGIES: Final[dict[str, Strategy]] = {
    "asks everything": asks_everything,
    "true steps": accuses_true_steps,
    "garbage evidence": sends_garbage,
    "false contradictions": contradicts,
    "stalls": stalls,
}


def play_hostile(
    court: Court,
    subject: Subject,
    model_id: bytes,
    work: Work,
    told: Told,
    strategy: str,
    generator: random.Random,
) -> Outcome:
    """An honest operator against one of the accusers."""
    started, failure, words, dispute = time.monotonic(), "", "", None
    try:
        dispute = dispute_of(court, subject, model_id, work, told)
        with boa.env.anchor():
            before = Holdings.of(court)
            job = dispute.submit()
            challenge_id = dispute.open_and_name()
            dispute.post_trace()
            words = STRATEGIES[strategy](dispute, challenge_id, generator)
            acquit(court, job, challenge_id, before)
    except Exception as error:  # noqa: BLE001  as above
        failure = _failure(error)
    gas: dict[str, list[int]] = dispute.gas if dispute else {}
    return Outcome(
        model=subject.name,
        task=work.task,
        lie=strategy,
        operator="",
        accused="",
        check="",
        is_lie=False,
        is_convicted=False,
        replies=len(dispute.replies) if dispute else 0,
        defender_gas=sum(sum(gas.get(call, [])) for call in DEFENDERS),
        seconds=time.monotonic() - started,
        words=words,
        failure=failure,
    )


def _prove(dispute: Dispute, challenge_id: int, accusation: Any, evidence: bytes) -> None:
    who = dispute.court.challenger
    dispute.court.game.prove(challenge_id, dispute.claim, tuple(accusation), evidence, sender=who)


def _refused(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except boa.BoaError:
        return
    raise GameFailed(f"{what} was taken for evidence")
