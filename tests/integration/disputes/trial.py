"""A job of two sequences on a real chain, an operator that answered it, and a challenger that doubts it. No test lives here.

Every step of a player is made by objects that are made for it: what a player knows is on the chain and in its journal.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from adversaries.forged_run import ForgedRun, Lie
from proofmill.chain import Job, Suite, TransactionSender
from proofmill.devnet.anvil import Anvil
from proofmill.disputes.claim import DisputedClaim
from proofmill.disputes.defence import Defence
from proofmill.disputes.docket import Docket
from proofmill.disputes.matter import Matter, Reruns, embedding_matter, sequences_as_inputs
from proofmill.disputes.prosecution import Progress, Prosecution
from proofmill.disputes.rerun import CommittedModel, Rerun
from proofmill.exact.manifest.document import describe
from proofmill.exact.trace.geometry import Leaf
from proofmill.jobs import EmbeddingAnswer, EmbeddingRequest
from proofmill.model_registration import Registration
from tests.integration.offers import offer
from tests.suite.traces import LENGTHS, MODELS

MODEL = "wide_encoder"
STAKE = 100 * 10**18
CHALLENGE_WINDOW, DISPUTE_WINDOW, EVALUATION_WINDOW = 600, 3_600, 20_000
WRONG_SEQUENCE = 1
SEQUENCES = tuple(
    tuple(random.Random(place).randrange(9) for place in range(LENGTHS[MODEL] - number))
    for number in range(2)
)


@functools.cache
def committed() -> CommittedModel:
    return CommittedModel.of(MODELS[MODEL]("E16", 3))


@functools.cache
def registration() -> Registration:
    return Registration.of(describe(committed().model))


@functools.cache
def honest(number: int) -> Rerun:
    return Rerun.of(committed(), sequences_as_inputs(SEQUENCES)[number])


def answer_row(rerun: Rerun) -> npt.NDArray[np.int32]:
    integers = rerun.rows(rerun.operators).integers(Leaf("values", 0))
    assert integers is not None
    return np.array(integers[0, 0], dtype=np.int32)


@functools.cache
def right_answer() -> EmbeddingAnswer:
    return EmbeddingAnswer(np.stack([answer_row(honest(number)) for number in range(len(SEQUENCES))]))


def request_blob() -> bytes:
    return EmbeddingRequest(registration().model_id, SEQUENCES).to_bytes()


class RightEngine:
    """Serves the one model, and knows the answer to the one request."""

    def model_ids(self) -> frozenset[bytes]:
        return frozenset({registration().model_id})

    def load(self) -> None: ...

    def validate(self, model_id: bytes, request: bytes) -> object:
        return EmbeddingRequest.from_bytes(request)

    def execute(self, model_id: bytes, request: bytes, progress: object = None) -> bytes:
        assert (model_id, request) == (registration().model_id, request_blob())
        return right_answer().to_bytes()


def lie_about(kind: str) -> Lie:
    """One integer of the first operator of a kind is far from what it should be, in the sequence that is answered wrongly."""
    rerun = honest(WRONG_SEQUENCE)
    kinds = [descriptor.kind for descriptor in rerun.program.descriptors]
    number = kinds.index(kind) + 1
    integers = rerun.rows(number).integers(Leaf("values", 0))
    assert integers is not None
    last = integers.shape[2] - 1
    return Lie(number, "values", 0, 0, last, int(integers[0, 0, last]) ^ 1 << 26)


class Shelf:
    """The one model."""

    def committed(self, model_id: bytes) -> CommittedModel:
        assert model_id == registration().model_id
        return committed()


class ForgedReruns(Reruns):
    """The traces of an operator that lied about one sequence, and goes on lying."""

    def __init__(self, lie: Lie) -> None:
        super().__init__(Shelf())
        self._lie = lie

    def of(self, claim_id: bytes, claim: DisputedClaim, matter: Matter) -> Rerun:
        return self.forged(matter.input_of(claim))

    def forged(self, sequence: Tensor) -> Rerun:
        return Rerun.of_run(committed(), ForgedRun(committed().model, sequence, [self._lie]))

    def answer(self) -> EmbeddingAnswer:
        rows = [answer_row(honest(number)) for number in range(len(SEQUENCES))]
        rows[WRONG_SEQUENCE] = answer_row(self.forged(sequences_as_inputs(SEQUENCES)[WRONG_SEQUENCE]))
        return EmbeddingAnswer(np.stack(rows))


@dataclass
class Log:
    """A logger that keeps its lines."""

    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append((event, facts))

    warning = error = info

    def said(self, event: str) -> bool:
        return any(name == event for name, _ in self.lines)


@dataclass
class Trial:
    """One submitted job. `is_served`: whether the challenger can fetch the answer."""

    anvil: Anvil
    suite: Suite
    first_block: int
    job_id: int
    operator: TransactionSender
    challenger: TransactionSender
    answer: EmbeddingAnswer
    reruns: Reruns  # of the operator
    is_served: bool = True
    log: Log = field(default_factory=Log)

    @property
    def job(self) -> Job:
        return self.suite.job_escrow.job(self.job_id)

    def docket(self) -> Docket:
        docket = Docket(self.suite.dispute_game, self.first_block)
        docket.refresh(int(self.anvil.web3.eth.block_number))
        return docket

    def matter(self, *, is_served: bool = True) -> Matter:
        claimed = self.answer.to_bytes() if is_served else None
        return embedding_matter(self.job, request_blob(), right_answer().to_bytes(), claimed)

    def now(self) -> int:
        return int(self.anvil.web3.eth.get_block("latest")["timestamp"])

    def prosecution(self, reruns: Reruns | None = None, **options: Any) -> Prosecution:
        return Prosecution(
            self.suite,
            self.challenger,
            self.docket(),
            reruns or Reruns(Shelf()),
            self.log,
            secret=b"a secret",
            **options,
        )

    def defence(self) -> Defence:
        return Defence(self.operator.address, self.suite, self.operator, self.docket(), self.reruns, self.log)

    def prosecute(self, challenge_id: int) -> Progress:
        return self.prosecution().step(challenge_id, self.job, lambda: self.matter(is_served=self.is_served))

    def prosecute_as(self, enemy: ForgedReruns, challenge_id: int) -> Progress:
        """As one whose own runs are false, and who takes the answers that they give for right."""
        matter = replace(self.matter(), own=enemy.answer().commitment)
        return self.prosecution(enemy).step(challenge_id, self.job, lambda: matter)

    def defend(self) -> bool:
        """One look at everything, as an operator's own process takes it."""
        defence, moved = self.defence(), False
        for file in self.docket().challenges().values():
            moved |= defence.step(file, self.job, self.matter)
        return moved or defence.settle(self.job)

    def defend_until_nothing_is_left(self) -> None:
        for _ in range(10):
            if not self.defend():
                return
        raise AssertionError("the defence does not end")

    def play(self, challenge_id: int, *, is_defended: bool = True) -> Progress:
        """Until neither side moves."""
        for _ in range(40):
            progress = self.prosecute(challenge_id)
            moved = is_defended and self.defend()
            if progress is not Progress.MOVED and not moved:
                return progress
        raise AssertionError("the dispute does not end")

    def balances(self) -> Callable[[], list[int]]:
        """What operator and challenger have got or lost since, in tokens."""
        token, accounts = self.suite.mill_token, (self.operator.address, self.challenger.address)
        before = [token.balance_of(account) for account in accounts]
        return lambda: [
            token.balance_of(account) - amount for account, amount in zip(accounts, before, strict=True)
        ]


def submit(
    suite: Suite,
    requester: TransactionSender,
    operator: TransactionSender,
    answer: EmbeddingAnswer,
) -> int:
    """A job of the request, claimed and answered."""
    escrow, name = suite.job_escrow, answer.root.hex()
    request = EmbeddingRequest.from_bytes(request_blob())
    wanted = offer(
        suite,
        model_id=request.model_id,
        input_root=request.root,
        evaluation_window=EVALUATION_WINDOW,
        is_exact=True,
    )
    posted = escrow.posted_in(requester.send(f"post {name}", escrow.post(wanted)))
    operator.send(f"claim {name}", escrow.claim(posted.id, posted.terms, operator.address))
    operator.send(f"submit {name}", escrow.submit(posted.id, escrow.job(posted.id).claim, answer.root))
    return posted.id
