"""Random games over the real escrow, by honest and by hostile players, held against the model after every step.

Players stall, open challenge after challenge, reveal garbage, answer what nobody asked, wait for the last second, and a rival
commits first. Whatever the model refuses the contract must refuse with the same reason. INV-1: the game holds the bonds of
all open challenges. INV-2: bonds in = out + burned + to operators. INV-3: in the end strangers free every bond. And a case
whose operator answers, and against which there is no proof, is never refuted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boa
from eth_utils.crypto import keccak
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.models.dispute_game import (
    APPEALED,
    ATTESTED,
    CONDEMNED,
    CONTESTED,
    OPEN,
    SUBMITTED,
    DisputeGameModel,
    Refused,
)
from tests.models.staking import require
from tests.stateful.conftest import stateful_settings
from tests.suite.deployment import Job, now, travel_to
from tests.unit.contracts.dispute_game.bench import (
    BOND,
    CHALLENGE_WINDOW,
    WINDOW,
    Bench,
    deploy_bench,
    key_of,
    question,
)

PLAYERS = ("challenger", "rival", "operator", "requester")
players = st.sampled_from(PLAYERS)
indices = st.integers(0, 4)
leaves = st.integers(0, 3).map(lambda place: bytes([place]))


@dataclass
class Books:
    """The escrow as far as the game can see and change it."""

    bench: Bench
    jobs: dict[int, Job]
    stages: dict[int, int]
    deadlines: dict[int, int]

    def stage(self, job_id: int) -> int:
        return self.stages[job_id]

    def deadline(self, job_id: int) -> int:
        return self.deadlines[job_id]

    def window(self, job_id: int) -> int:
        return WINDOW

    def provider(self, job_id: int) -> str:
        return self.bench.operator

    def contest(self, job_id: int, now: int) -> None:
        require(now <= self.deadlines[job_id], "escrow: too late to contest")
        self.stages[job_id] |= 0x40
        self.deadlines[job_id] += WINDOW

    def dismiss(self, job_id: int, now: int) -> None:
        self.stages[job_id] ^= 0x40
        self.deadlines[job_id] -= WINDOW

    def uphold(self, job_id: int, now: int) -> None:
        self.close(job_id, 0x33)

    def convict(self, job_id: int, challenger: str, now: int) -> None:
        self.close(job_id, 0xB3 if self.stages[job_id] == ATTESTED else 0x94)

    def close(self, job_id: int, stage: int) -> None:
        self.stages[job_id], self.deadlines[job_id] = stage, 0


class DisputeGameMachine(RuleBasedStateMachine):
    @initialize()
    def deploy_all(self) -> None:
        boa.env.sstore_trace.clear()
        self.bench = deploy_bench()
        self.game = self.bench.game
        self.books = Books(self.bench, {}, {}, {})
        self.model = DisputeGameModel(self.books, BOND)
        self.claims: dict[int, Any] = {}  # challenge -> what it named
        self.proved: set[int] = set()  # jobs against which something was proved
        self.silent: set[int] = set()  # jobs whose operator let a clock run out
        self.supply = self.bench.suite.mill.totalSupply()
        self.submit("submitted")

    # ------------------------------------------------------------ how a step is made
    def agree(self, model: Callable[[], Any], contract: Callable[[], Any]) -> bool:
        try:
            expected = model()
        except Refused as refusal:
            note(f"refused: {refusal}")
            with boa.reverts(str(refusal)):
                contract()
            return False
        result = contract()
        assert expected is None or result is None or expected == result
        return True

    def who(self, name: str) -> str:
        return str(getattr(self.bench, name))

    def job(self, index: int) -> Job:
        return self.books.jobs[max(self.books.jobs) - index % len(self.books.jobs)]

    def number(self, index: int) -> int:
        """Of a challenge; the latest come first."""
        return len(self.model.challenges) - index % len(self.model.challenges)

    def challenged(self, number: int) -> Job:
        return self.books.jobs[self.model.challenges[number].job_id]

    def has_challenges(self) -> bool:
        return bool(self.model.challenges)

    # ------------------------------------------------------------ jobs
    @rule(state=st.sampled_from(["submitted", "submitted", "attested", "condemned"]))
    def submit(self, state: str) -> None:
        if len(self.books.jobs) < 4:
            job = getattr(self.bench, state)()
            self.books.jobs[job.id] = job
            self.books.stages[job.id] = {
                "submitted": SUBMITTED,
                "attested": ATTESTED,
                "condemned": CONDEMNED,
            }[state]
            self.books.deadlines[job.id] = self.bench.deadline(job)

    @rule(index=indices, complete=st.booleans())
    def judge(self, index: int, complete: bool) -> None:
        """The committee, where it still may."""
        job = self.job(index)
        if self.books.stages[job.id] == SUBMITTED and now() <= self.books.deadlines[job.id]:
            self.bench.suite.transmit([(job, 3 if complete else 4)])
            self.books.stages[job.id] = ATTESTED if complete else CONDEMNED
            self.books.deadlines[job.id] = now() + CHALLENGE_WINDOW

    @rule(index=indices)
    def finalize(self, index: int) -> None:
        """A stranger ends what nobody has decided in time."""
        job = self.job(index)
        stage = self.books.stages[job.id]
        if stage in (SUBMITTED, CONDEMNED, CONTESTED, APPEALED) and now() > self.books.deadlines[job.id]:
            self.bench.suite.escrow.finalize(*self.bench.of(job))
            self.books.close(job.id, 0x23 if stage in (SUBMITTED, CONTESTED) else 0x84)

    @rule(seconds=st.sampled_from([0, 1, 60, 600, 3_600]))
    def wait(self, seconds: int) -> None:
        travel_to(now() + seconds)

    @precondition(has_challenges)
    @rule(index=indices, late=st.integers(-1, 2))
    def wait_for_the_last_second(self, index: int, late: int) -> None:
        travel_to(max(now(), self.model.turn(self.number(index)).ends_at + late))

    # ------------------------------------------------------------ challengers
    @rule(index=indices, who=players)
    def commit(self, index: int, who: str) -> None:
        commitment = self.bench.commitment(self.job(index), self.who(who))
        self.game.commit(commitment, sender=self.who(who))
        self.model.commit(self.who(who), commitment, now())

    @rule(index=indices, who=players)
    def open(self, index: int, who: str) -> None:
        job, caller = self.job(index), self.who(who)
        if self.books.stages[job.id] in (SUBMITTED, CONDEMNED, CONTESTED, APPEALED, ATTESTED):
            commitment = self.bench.commitment(job, caller)
            self.agree(
                lambda: self.model.open(caller, job.id, commitment, now()),
                lambda: self.bench.open(job, caller),
            )

    @precondition(has_challenges)
    @rule(index=indices, item=st.integers(0, 2), is_own=st.integers(0, 4))
    def name(self, index: int, item: int, is_own: int) -> None:
        number = self.number(index)
        job, claim = self.challenged(number), self.bench.claim(self.challenged(number), item)
        caller = self.model.challenges[number].challenger if is_own else self.bench.stranger
        if self.agree(
            lambda: self.model.ask(caller, number, claim.id, now()),
            lambda: self.game.name_item(number, *self.bench.naming(job, item), sender=caller) and None,
        ):
            self.claims[number] = claim

    @precondition(has_challenges)
    @rule(index=indices, leaf=leaves)
    def ask(self, index: int, leaf: bytes) -> None:
        number = self.number(index)
        claim = self.claims.get(number)
        if claim is not None and claim.id in self.model.revealed_at:
            caller, node = self.model.challenges[number].challenger, keccak(keccak(leaf))
            self.agree(
                lambda: self.model.ask(caller, number, key_of(claim.id, 4, node), now()),
                lambda: self.game.ask(number, claim, question(node), sender=caller),
            )

    @precondition(has_challenges)
    @rule(index=indices)
    def ask_items(self, index: int) -> None:
        number = self.number(index)
        caller = self.model.challenges[number].challenger
        try:
            self.model.ask(caller, number, b"items" + bytes(27), now())
        except Refused as refusal:
            with boa.reverts(str(refusal)):
                self.bench.ask_items(number, self.challenged(number), caller)
            return
        self.model.challenges[number].pending = self.bench.ask_items(number, self.challenged(number), caller)

    # ------------------------------------------------------------ the operator, or anyone for it
    @precondition(has_challenges)
    @rule(index=indices)
    def answer(self, index: int) -> None:
        """Whatever the challenge waits for."""
        number = self.number(index)
        challenge, job = self.model.challenges[number], self.challenged(number)
        key = challenge.pending
        if key == bytes(32) or key in self.model.revealed_at:
            return
        claim = self.claims.get(number)
        if claim is not None and key == claim.id:
            self.bench.post(claim)
        elif claim is not None and (known := self.leaf_of(claim.id, key)) is not None:
            self.game.reveal_leaf(claim.id, known, sender=self.bench.stranger)
        else:
            rows, roots = zip(*self.bench.exchanges[job.id].answered, strict=True)
            self.game.reveal_items(job.id, self.bench.record(job), rows, roots, sender=self.bench.stranger)
        self.model.reveal(key, now())

    @staticmethod
    def leaf_of(claim_id: bytes, key: bytes) -> bytes | None:
        known = {key_of(claim_id, 4, keccak(keccak(bytes([place])))): bytes([place]) for place in range(4)}
        return known.get(key)

    @precondition(has_challenges)
    @rule(index=indices, leaf=leaves, is_garbage=st.booleans())
    def reveal_unasked(self, index: int, leaf: bytes, is_garbage: bool) -> None:
        claim = self.claims.get(self.number(index))
        if claim is not None:
            data = leaf + b"garbage" if is_garbage else leaf
            self.game.reveal_leaf(claim.id, data, sender=self.bench.stranger)
            self.model.reveal(key_of(claim.id, 4, keccak(keccak(data))), now())

    @rule(index=indices, who=st.sampled_from(["operator", "operator", "stranger"]))
    def appeal(self, index: int, who: str) -> None:
        job = self.job(index)
        if self.books.stages[job.id] in (SUBMITTED, CONDEMNED, CONTESTED, APPEALED, ATTESTED):
            self.agree(
                lambda: self.model.appeal(self.who(who), job.id, now()),
                lambda: self.game.appeal(*self.bench.of(job), sender=self.who(who)),
            )

    # ------------------------------------------------------------ anyone
    @precondition(has_challenges)
    @rule(index=indices, luck=st.integers(0, 3))
    def prove(self, index: int, luck: int) -> None:
        """A valid proof now and then, else one of nothing."""
        number = self.number(index)
        claim = self.claims.get(number)
        if claim is None or claim.id not in self.model.revealed_at:
            return
        if luck:
            with boa.reverts():
                self.bench.prove(number, claim, bytes(32))
        elif self.agree(
            lambda: self.model.refute(number),
            lambda: self.bench.prove(number, claim, self.game.trace_root(claim.id)),
        ):
            self.proved.add(claim.job_id)

    @precondition(has_challenges)
    @rule(index=indices)
    def time_out(self, index: int) -> None:
        number = self.number(index)
        turn = self.model.turn(number)
        is_done = self.agree(lambda: self.model.time_out(number, now()), lambda: self.game.time_out(number))
        if is_done and turn.is_defenders:
            self.silent.add(self.model.challenges[number].job_id)

    @precondition(has_challenges)
    @rule(index=indices)
    def take_lead(self, index: int) -> None:
        number = self.number(index)
        self.agree(lambda: self.model.take_lead(number), lambda: self.game.take_lead(number))

    @precondition(has_challenges)
    @rule(index=indices)
    def reclaim(self, index: int) -> None:
        number = self.number(index)
        self.agree(lambda: self.model.reclaim(number), lambda: self.game.reclaim(number))

    @rule(index=indices)
    def settle(self, index: int) -> None:
        job = self.job(index)
        self.agree(
            lambda: self.model.settle(job.id, now()) and None,
            lambda: self.game.settle(*self.bench.of(job), sender=self.bench.stranger),
        )

    # ------------------------------------------------------------ what always holds
    @invariant()
    def bonds_are_held_and_none_is_lost(self) -> None:
        mill = self.bench.suite.mill
        assert mill.balanceOf(self.game.address) == self.model.held
        to_providers = sum(self.model.to_providers.values())
        assert self.model.taken == self.model.held + self.model.returned + self.model.burned + to_providers

    @invariant()
    def challenges_and_cases_are_those_of_the_model(self) -> None:
        for number, challenge in self.model.challenges.items():
            found, turn = self.game.challenge(number), self.model.turn(number)
            assert (found.challenger, found.status, found.priority) == (
                challenge.challenger,
                challenge.status,
                challenge.priority,
            )
            assert (found.pending, found.asks) == (challenge.pending, challenge.asks)
            assert (found.turn_began_at, found.challenger_left, found.defender_left) == (
                turn.began_at,
                turn.challenger_left,
                turn.defender_left,
            )
        for job_id, job in self.books.jobs.items():
            case, found = self.model.cases[job_id], self.bench.case(job)
            open_challenges = len(self.model.open_challenges(job_id))
            assert (found.status, found.lead, found.appeal_deadline, found.open_challenges) == (
                case.status,
                case.lead,
                case.appeal_deadline,
                open_challenges,
            )
            assert self.game.ruling(job_id, self.bench.record(job)) == case.ruling
            assert (self.bench.stage(job), self.bench.deadline(job)) == (
                self.books.stages[job_id],
                self.books.deadlines[job_id],
            )

    @invariant()
    def nobody_who_answers_is_refuted_without_a_proof(self) -> None:
        for job_id, case in self.model.cases.items():
            if case.status == 2:
                assert job_id in self.proved | self.silent

    def teardown(self) -> None:
        """INV-3: strangers alone empty the game."""
        if not hasattr(self, "game"):
            return
        travel_to(now() + 10 * WINDOW)
        for job_id, job in self.books.jobs.items():
            if self.model.cases[job_id].status in (OPEN, 2):
                self.game.settle(*self.bench.of(job), sender=self.bench.stranger)
        for number, challenge in self.model.challenges.items():
            if challenge.status == OPEN:
                self.game.reclaim(number, sender=self.bench.stranger)
        assert self.bench.suite.mill.balanceOf(self.game.address) == 0


def test_dispute_game__does_what_the_model_does() -> None:
    run_state_machine_as_test(DisputeGameMachine, settings=stateful_settings())
