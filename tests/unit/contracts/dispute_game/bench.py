"""A dispute game over the real escrow and staking, and what its players need to know. No test lives here.

What a question means and what a step proves are played by mocks: they have tests of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import boa
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.models.dispute_game import tree_path, tree_root
from tests.suite.deployment import (
    HOUR,
    MAX_UINT256,
    MILL,
    MODEL_ID,
    Job,
    Suite,
    actor,
    deploy,
    deploy_suite,
    events_of,
    now,
    travel_to,
)

WINDOW = 2 * HOUR  # of a dispute
TOTAL, EXTENSION, RESPONSE = 9 * WINDOW // 32, 3 * WINDOW // 256, WINDOW // 4
EVALUATION = 3 * HOUR
CHALLENGE_WINDOW = HOUR
BOND = 100 * MILL
SALT = b"salt".ljust(32, b"\6")
PROGRAM_ROOT = b"program".ljust(32, b"\7")
OPERATORS = 3
ROOTS = [bytes([place + 1]) * 32 for place in range(OPERATORS + 1)]
NO_KEY = bytes(32)
MAP, GENERATION = 1, 2

REQUEST_TYPES = "(uint256,uint256,bytes32,uint256,uint256,uint256,uint256)"
CLAIM_TYPES = (
    "(uint256,bytes32,address,uint256,bytes32,uint256,uint256,uint256,uint256,uint256,uint256,bytes32,uint256,bytes32,"
    "uint256,uint256)"
)
TRACE_TYPES = "(bytes32,uint256,bytes32,uint256,uint256,uint256)"


class Request(NamedTuple):
    """`IDisputeGame.Request`."""

    kind: int
    count: int  # type: ignore[assignment]  # a tuple has a method of this name
    items_root: bytes
    inverse_temperature: int = 5
    seed: int = 6
    maximum_new_tokens: int = 0
    stop_token: int = MAX_UINT256

    @property
    def root(self) -> bytes:
        return keccak(encode([REQUEST_TYPES], [tuple(self)]))


class Claim(NamedTuple):
    """`IDisputeGame.Claim`."""

    job_id: int
    record: bytes
    provider: str
    item: int
    program_root: bytes
    operators: int
    length: int
    inverse_temperature: int
    seed: int
    kind: int
    prompt_rows: int
    prompt_root: bytes
    answer_rows: int
    answer_root: bytes
    maximum_new_tokens: int
    stop_token: int

    @property
    def id(self) -> bytes:
        return keccak(encode([CLAIM_TYPES], [tuple(self)]))

    def trace(self, trace_root: bytes) -> tuple[Any, ...]:
        """`IOpVerifier.Trace`."""
        return self[4], self[5], trace_root, *self[6:9]

    def evidence(self, trace_root: bytes) -> bytes:
        """What the mock of the verifier takes for a violation."""
        return encode([TRACE_TYPES], [self.trace(trace_root)])


class Item(NamedTuple):
    """Rows and root of one sequence."""

    rows: int
    root: bytes

    @property
    def hash(self) -> bytes:
        return keccak(keccak(encode(["uint256", "bytes32"], [self.rows, self.root])))


def items(*rows: int, of: bytes) -> list[Item]:
    return [Item(each, keccak(of + bytes([place]))) for place, each in enumerate(rows)]


@dataclass
class Exchange:
    """What was asked and what was answered, item by item."""

    asked: list[Item]
    answered: list[Item]
    request: Request

    @property
    def deliverable(self) -> bytes:
        root = tree_root([item.hash for item in self.answered])
        return keccak(encode(["uint256", "bytes32"], [len(self.answered), root]))

    def opened(self, which: list[Item], item: int) -> tuple[int, bytes, list[bytes]]:
        """`IDisputeGame.Item`."""
        return which[item].rows, which[item].root, tree_path([each.hash for each in which], item)


def exchange(
    kind: int = MAP,
    prompts: tuple[int, ...] = (7, 8, 9),
    answers: tuple[int, ...] = (1, 1, 1),
    **changes: Any,
) -> Exchange:
    asked, answered = items(*prompts, of=b"asked"), items(*answers, of=b"answered")
    root = tree_root([item.hash for item in asked])
    request = Request(kind, len(prompts), root, maximum_new_tokens=4 if kind == GENERATION else 0)
    return Exchange(asked, answered, request._replace(**changes))


def question(
    node: bytes, form: int = 4, numbers: Sequence[int] = (0,) * 5, **changes: Any
) -> tuple[Any, ...]:
    """`ITraceReader.Question` as the mock reads it: the numbers of the key are in row, section, leaf, part and number."""
    fields: dict[str, Any] = {
        "what": form,
        "number": numbers[4],
        "descriptor": b"descriptor",
        "descriptor_path": [],
        "output_root": tree_root(ROOTS),
        "output_path": [],
        "part": numbers[3],
        "row": numbers[0],
        "section": numbers[1],
        "leaf": numbers[2],
        "node": node,
        "path": [],
    }
    fields.update(changes)
    return tuple(fields.values())


def key_of(id: bytes, form: int, node: bytes, numbers: Sequence[int] = (0,) * 5) -> bytes:
    """Of a question or a reveal: a, b, c, d and how many hashes there are."""
    return keccak(encode(["bytes32", "uint256", "bytes32", *["uint256"] * 5], [id, form, node, *numbers]))


def contradiction(token: int, root: bytes | None = None) -> tuple[Any, ...]:
    """`ITraceReader.Contradiction` as the mock reads it."""
    word = bytes(32)
    return 4, b"", [], tree_root(ROOTS) if root is None else root, [], 0, 0, 0, word, [], word, [], token


def accusation(number: int = 1) -> tuple[Any, ...]:
    """`IOpVerifier.Accusation`; the mock looks at the number only."""
    word = bytes(32)
    return 6, number, word, [], word, [], 0, word, [], 0, word, []


@dataclass
class Bench:
    """The game, its contracts, and who plays which part."""

    suite: Suite
    game: Any
    registry: Any
    requester: str
    operator: str
    hot_key: str
    challenger: str
    rival: str
    stranger: str
    exchanges: dict[int, Exchange] = field(default_factory=dict)

    # ------------------------------------------------------------ jobs
    def submitted(
        self, talk: Exchange | None = None, *, deliverable: bytes | None = None, **changes: Any
    ) -> Job:
        """An exact job with an answer that nobody has judged."""
        talk = exchange() if talk is None else talk
        changes = {
            "is_exact": True,
            "input_root": talk.request.root,
            "evaluation_window": EVALUATION,
            **changes,
        }
        job = self.suite.post(self.requester, **changes)
        self.suite.claim(job, self.operator)
        self.suite.submit(job, talk.deliverable if deliverable is None else deliverable)
        self.exchanges[job.id] = talk
        return job

    def attested(self, **changes: Any) -> Job:
        job = self.submitted(**changes)
        self.suite.transmit([(job, 3)])
        return job

    def condemned(self, **changes: Any) -> Job:
        job = self.submitted(**changes)
        self.suite.transmit([(job, 4)])
        return job

    def appealed(self, **changes: Any) -> Job:
        job = self.condemned(**changes)
        self.game.appeal(*self.of(job), sender=self.operator)
        return job

    @staticmethod
    def of(job: Job) -> tuple[Any, ...]:
        return job.id, job.terms, job.answer

    def record(self, job: Job) -> bytes:
        """The escrow's commitment, also when it keeps none any more."""
        terms_hash = self.suite.escrow.terms_hash(job.terms)
        words = [terms_hash, job.answer.provider, job.answer.claimed_at, job.answer.deliverable]
        return bytes(6) + keccak(encode(["bytes32", "address", "uint256", "bytes32"], words))[6:]

    def stage(self, job: Job) -> int:
        return int(self.suite.escrow.stage(job.id))

    def deadline(self, job: Job) -> int:
        return int(self.suite.escrow.deadline(job.id))

    # ------------------------------------------------------------ the game
    def case(self, job: Job) -> Any:
        return self.game.case(job.id, self.record(job))

    def commitment(self, job: Job, who: str, salt: bytes = SALT) -> bytes:
        return keccak(
            encode(["address", "uint256", "bytes32", "bytes32"], [who, job.id, self.record(job), salt])
        )

    def open(self, job: Job, who: str | None = None) -> int:
        return int(self.game.open(*self.of(job), SALT, sender=who or self.challenger))

    def claim(self, job: Job, item: int = 1) -> Claim:
        talk = self.exchanges[job.id]
        asked, answered, request = talk.asked[item], talk.answered[item], talk.request
        is_generation = request.kind == GENERATION and answered.rows > 0
        return Claim(
            job.id,
            self.record(job),
            job.answer.provider,
            item,
            PROGRAM_ROOT,
            OPERATORS,
            asked.rows + (answered.rows - 1 if is_generation else 0),
            request.inverse_temperature,
            request.seed,
            request.kind,
            *asked,
            *answered,
            request.maximum_new_tokens,
            request.stop_token,
        )

    def naming(self, job: Job, item: int = 1) -> list[Any]:
        """Arguments of `name_item` after the challenge."""
        talk = self.exchanges[job.id]
        opened = [talk.opened(which, item) for which in (talk.asked, talk.answered)]
        return [job.terms, job.answer, MODEL_ID, talk.request, item, *opened]

    def name(self, challenge: int, job: Job, item: int = 1, who: str | None = None) -> Claim:
        self.game.name_item(challenge, *self.naming(job, item), sender=who or self.challenger)
        return self.claim(job, item)

    def ask_items(self, challenge: int, job: Job, who: str | None = None) -> bytes:
        """The key that is asked for."""
        talk = self.exchanges[job.id]
        self.game.ask_items(
            challenge, job.terms, job.answer, MODEL_ID, talk.request, sender=who or self.challenger
        )
        case_id = keccak(encode(["uint256", "bytes32"], [job.id, self.record(job)]))
        return key_of(case_id, 5, job.answer.deliverable, (0, 0, 0, 0, talk.request.count))

    def post(self, claim: Claim) -> bytes:
        """The root of the trace."""
        self.game.post_trace(claim, ROOTS, sender=self.operator)
        return tree_root(ROOTS)

    def traced(self, job: Job) -> tuple[int, Claim, bytes]:
        """A challenge that has named an item, whose trace is posted."""
        challenge = self.open(job)
        claim = self.name(challenge, job)
        return challenge, claim, self.post(claim)

    def prove(self, challenge: int, claim: Claim, trace_root: bytes, who: str | None = None) -> None:
        evidence = claim.evidence(trace_root)
        self.game.prove(challenge, claim, accusation(), evidence, sender=who or self.stranger)

    # ------------------------------------------------------------ money
    def mill(self, who: str) -> int:
        return int(self.suite.mill.balanceOf(who))

    @property
    def held(self) -> int:
        """Bonds of all challenges that are open."""
        numbers = range(1, self.game.challenge_count() + 1)
        challenges = [self.game.challenge(number) for number in numbers]
        return sum(each.bond for each in challenges if each.status == 1)

    def logged(self) -> list[tuple[str, dict[str, Any]]]:
        return events_of(self.game)


def deploy_bench() -> Bench:
    suite = deploy_suite()
    reader, verifier = deploy("mocks/MockTraceReader.vy"), deploy("mocks/MockOpVerifier.vy")
    registry = deploy("mocks/MockModelRegistry.vy")
    registry.set_model(MODEL_ID, PROGRAM_ROOT, OPERATORS)
    parts = (suite.escrow, suite.staking, registry, reader, verifier)
    game = deploy("DisputeGame.vy", *[part.address for part in parts], suite.admin)
    with boa.env.prank(suite.admin):
        suite.escrow.set_arbiter(game.address)
        suite.escrow.set_windows(CHALLENGE_WINDOW, WINDOW)
    bench = Bench(
        suite,
        game,
        registry,
        requester=actor("requester"),
        operator=actor("operator"),
        hot_key=actor("hot key"),
        challenger=actor("challenger"),
        rival=actor("rival"),
        stranger=suite.stranger,
    )
    for who in (bench.requester, bench.operator, bench.challenger, bench.rival):
        suite.fund(who, 200_000 * MILL)
        suite.mill.approve(game.address, MAX_UINT256, sender=who)
    suite.staking.stake(100_000 * MILL, sender=bench.operator)
    suite.staking.set_hot_key(bench.hot_key, True, sender=bench.operator)
    return bench


def wait(seconds: int) -> None:
    travel_to(now() + seconds)
