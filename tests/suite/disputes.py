"""Disputes on the real contracts: a job, a challenger and an operator that play it out. No test lives here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import boa
import numpy as np
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from adversaries.forged_trace import GarbledAnswer
from proofmill.disputes.challenger import Agree, Ask, AwaitTrace, Challenger, Contradict, Prove
from proofmill.disputes.claim import GENERATION, DisputedClaim
from proofmill.disputes.claimed_answer import ClaimedToken
from proofmill.disputes.defender import Defender
from proofmill.disputes.rerun import CommittedModel, Rerun
from proofmill.disputes.revealed import Revealed
from proofmill.exact.commitment.keccak import Bytes
from proofmill.exact.errors import InvalidOpening
from proofmill.exact.trace.claims import (
    AnswerCommitment,
    Item,
    RequestCommitment,
    RequestKind,
    answer_item,
    answer_tokens,
    input_item,
)
from proofmill.exact.trace.geometry import Leaf
from tests.suite.deployment import (
    DAY,
    HOUR,
    MAX_UINT256,
    MILL,
    Job,
    Suite,
    actor,
    deploy,
    deploy_suite,
    events_of,
)

EMPTY = bytes(32)
VERIFIERS = ("Linear", "Element", "Activation", "Row", "Attention", "Selection")
OPERATOR_STAKE = 100_000 * MILL


@dataclass
class Court:
    """The money contracts with the dispute contracts as their arbiter."""

    suite: Suite
    models: Any
    reader: Any
    verifier: Any
    game: Any
    requester: str
    operator: str
    challenger: str

    def register(self, committed: CommittedModel, *, manifest: bytes = b"manifest") -> bytes:
        """Registers a program, every group of its descriptors; returns the model's id."""
        program = committed.program
        head = program.open(0)
        count = len(program.descriptors) + 1
        model_id = self.models.begin(
            program.root, EMPTY, keccak(manifest), head.data, list(head.path), "ipfs://model"
        )
        for group in range(-(-count // 16)):
            leaves = [program.open(number) for number in range(16 * group, min(16 * group + 16, count))]
            path = list(leaves[0].path[min(4, program.depth) :])
            self.models.check(model_id, group, [leaf.data for leaf in leaves], path)
        assert self.models.is_registered(model_id)
        return bytes(model_id)

    def submit(
        self, model_id: bytes, request: RequestCommitment, deliverable: bytes, *, price: int = 100 * MILL
    ) -> Job:
        """Posts an exact job, claims it and submits an answer."""
        job = self.suite.post(
            self.requester,
            model_id=model_id,
            input_root=request.root,
            is_exact=True,
            price_floor=price,
            price_ceiling=price,
            bond=price,
            claim_deadline=int(boa.env.evm.patch.timestamp) + DAY,
            submit_window=2 * HOUR,
        )
        self.suite.claim(job, self.operator)
        self.suite.submit(job, deliverable)
        return job

    def record(self, job: Job) -> bytes:
        return bytes(self.suite.escrow.commitment(job.id))

    def open(self, job: Job, *, challenger: str | None = None) -> int:
        """A challenge that was committed one block earlier."""
        who, salt = challenger or self.challenger, keccak(text="salt")
        types = ["address", "uint256", "bytes32", "bytes32"]
        commitment = keccak(encode(types, [who, job.id, self.record(job), salt]))
        self.game.commit(commitment, sender=who)
        boa.env.time_travel(seconds=2)
        return int(self.game.open(job.id, job.terms, job.answer, salt, sender=who))

    def settle(self, job: Job) -> None:
        self.game.settle(job.id, job.terms, job.answer)


def open_court() -> Court:
    """Deploys everything, with an operator that has stake and a challenger that has a bond."""
    suite = deploy_suite()
    models = deploy("ModelRegistry.vy", suite.admin)
    reader = deploy("TraceReader.vy")
    steps = [deploy(f"{name}Verifier.vy").address for name in VERIFIERS]
    verifier = deploy("OpVerifier.vy", *steps)
    game = deploy(
        "DisputeGame.vy",
        suite.escrow.address,
        suite.staking.address,
        models.address,
        reader.address,
        verifier.address,
        suite.admin,
    )
    suite.escrow.set_arbiter(game.address, sender=suite.admin)
    court = Court(
        suite, models, reader, verifier, game, actor("requester"), actor("operator"), actor("challenger")
    )
    for account in (court.requester, court.operator, court.challenger):
        suite.fund(account, 2 * OPERATOR_STAKE)
        suite.mill.approve(game.address, MAX_UINT256, sender=account)
    suite.staking.stake(OPERATOR_STAKE, sender=court.operator)
    return court


def rows_of_answer(rerun: Rerun, first_row: int = 0) -> np.ndarray[Any, Any]:
    """Rows of a run's last value from one on, as integers [rows, width]."""
    rows, last = rerun.rows(rerun.operators), rerun.operators
    found = []
    for row in range(first_row, rerun.geometry(last).values.rows):
        integers = rows.integers(Leaf("values", row))
        assert integers is not None
        found.append(integers[0, 0])
    return np.stack(found)


def leaves_of_item(item: Item) -> Bytes:
    """Leaf hashes of an answer's rows: uint8 [rows, 1, leaves, 32]."""
    return np.stack([item.leaf_hashes(row) for row in range(item.rows)])[:, None]


@dataclass
class Dispute:
    """One job of one sequence: `own` is the right run, `defended` what the operator defends, `answer` what it submitted."""

    court: Court
    committed: CommittedModel
    model_id: bytes
    own: Rerun
    defended: Rerun
    answer: np.ndarray[Any, Any]
    prompt: np.ndarray[Any, Any]
    tokens: tuple[ClaimedToken, ...] = ()  # of a generation, as the challenger reads them
    maximum_new_tokens: int = 0
    stop_token: int = MAX_UINT256
    replies: list[str] = field(default_factory=list)
    gas: dict[str, list[int]] = field(default_factory=dict)  # by call, in titanoboa's measure
    revealed: Revealed = field(default_factory=Revealed)
    words: str = ""
    check: tuple[str, str] = ("", "")
    is_garbled: bool = (
        False  # the trace is none that a run makes: its operator may have nothing to answer with
    )
    is_silent: bool = False  # the operator never answers
    leaves: tuple[bytes, ...] = ()  # of a generation whose answer is not all tokens

    def __post_init__(self) -> None:
        is_generation = bool(self.tokens)
        sampling = self.own.trace.run.sampling
        kind = RequestKind.GENERATION if is_generation else RequestKind.MAP
        self.request = RequestCommitment(
            kind,
            [input_item(self.prompt)],
            sampling.inverse_temperature if sampling else 0,
            sampling.seed if sampling else 0,
            self.maximum_new_tokens,
            self.stop_token,
        )
        self.item = self._item()
        self.commitment = AnswerCommitment([self.item])

    def _item(self) -> Item:
        if self.leaves:
            return GarbledAnswer(self.leaves)
        if self.tokens:
            return answer_tokens([int(token) for token in self.tokens if isinstance(token, int)])
        return answer_item(self.answer)

    def submit(self) -> Job:
        self.job = self.court.submit(self.model_id, self.request, self.commitment.root)
        return self.job

    def open_and_name(self, *, challenger: str | None = None) -> int:
        challenge_id = self.court.open(self.job, challenger=challenger)
        self._note("open")
        self.name(challenge_id, challenger=challenger)
        return challenge_id

    def name(self, challenge_id: int, *, challenger: str | None = None) -> None:
        """Names the only sequence."""
        court, job = self.court, self.job
        asked, answered = self.request.open(0), self.commitment.open(0)
        claim_id = court.game.name_item(
            challenge_id,
            job.terms,
            job.answer,
            self.model_id,
            tuple(self.request.words),
            0,
            (asked.rows, asked.root, list(asked.path)),
            (answered.rows, answered.root, list(answered.path)),
            sender=challenger or court.challenger,
        )
        self._note("name_item")
        [named] = [fields for name, fields in events_of(court.game) if name == "ItemNamed"]
        self.claim_id, self.claim = bytes(claim_id), DisputedClaim(*named["claim"])

    def play(self, challenge_id: int, *, challenger: str | None = None) -> bool:
        """Until something is proved; False if the challenger finds nothing."""
        game, self.revealed = self.court.game, Revealed()
        player = Challenger(self.claim, self.claim_id, self.own, self.revealed, self.tokens)
        who = challenger or self.court.challenger
        for _ in range(20):
            boa.env.time_travel(seconds=12)
            move = player.next_move()
            match move:
                case AwaitTrace():
                    if self.is_silent:
                        return self._time_out(challenge_id)
                    self.post_trace()
                case Ask(question=question, key=key):
                    game.ask(challenge_id, self.claim, question, sender=who)
                    self._note("ask")
                    if not self._reply(question, key):
                        assert self.is_garbled, move.words
                        return self._time_out(challenge_id)
                case Prove(accusation=accusation, evidence=evidence):
                    self.words, self.check = move.words, (move.kind, move.check)
                    game.prove(challenge_id, self.claim, tuple(accusation), evidence, sender=who)
                    self._note(f"prove {move.kind}.{move.check}")
                    return True
                case Contradict(contradiction=contradiction):
                    self.words, self.check = move.words, ("claim", str(contradiction[0]))
                    game.contradict(challenge_id, self.claim, contradiction, sender=who)
                    self._note("contradict")
                    return True
                case Agree():
                    return False
        raise AssertionError(f"no end after {self.replies}")

    @property
    def answer_leaves(self) -> Bytes:
        """Leaf hashes of the submitted answer: uint8 [rows, 1, leaves, 32]."""
        return leaves_of_item(self.item)

    def post_trace(self) -> None:
        """The operator's first move."""
        posted = Defender(self.defended, self.answer_leaves).trace()
        self.court.game.post_trace(self.claim, posted, sender=self.court.operator)
        self._note("post_trace")
        self.replies.append("post_trace")
        self.revealed.note_trace(posted)

    def reply(self, question: Sequence[Any]) -> None:
        """The operator's answer to a question that was asked."""
        reveal = Defender(self.defended, self.answer_leaves).answer(question)
        getattr(self.court.game, reveal.function)(self.claim_id, *reveal.arguments)
        self._note(reveal.function)
        self.replies.append(reveal.function)

    def _reply(self, question: Sequence[Any], key: bytes) -> bool:
        """Whether the operator could answer."""
        try:
            self.reply(question)
        except (boa.BoaError, InvalidOpening):  # a garbled trace has another shape than what is asked for
            if not self.is_garbled:
                raise
            return False
        self._take(self.revealed, key)
        return bool(self.court.game.revealed_at(key) != 0)

    def _time_out(self, challenge_id: int) -> bool:
        """The challenger waits until the operator's clock has run out."""
        game = self.court.game
        challenge = game.challenge(challenge_id)
        boa.env.evm.patch.timestamp = challenge.turn_began_at + challenge.defender_left + 1
        game.time_out(challenge_id)
        self._note("time_out")
        self.words, self.check = "the operator is silent", ("claim", "silence")
        return True

    def _take(self, revealed: Revealed, key: bytes) -> None:
        for name, fields in events_of(self.court.game):
            if name == "HashesRevealed":
                revealed.note_hashes(
                    key, [bytes(each) for each in fields["hashes"]], fields["supplement_root"]
                )
            elif name == "LeafRevealed":
                revealed.note_leaf(bytes(fields["leaf"]))

    def _note(self, call: str) -> None:
        self.gas.setdefault(call, []).append(int(self.court.game._computation.get_gas_used()))

    @property
    def is_generation(self) -> bool:
        return self.claim.kind == GENERATION


def balances(court: Court, accounts: Sequence[str]) -> list[int]:
    return [court.suite.mill.balanceOf(account) for account in accounts]
