"""All disputes of one game as its events tell them: who doubts what, what was asked, what was revealed.

Nothing is kept on disk: the last days of events are read again at a start, and the last blocks at every look, so that a
reorganisation takes back what it removes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from proofmill.disputes.claim import DisputedClaim
from proofmill.disputes.revealed import Revealed

#: Blocks that are read again at every look.
REREAD_BLOCKS = 64


class GameEvent(Protocol):
    """What a docket needs of an event."""

    @property
    def name(self) -> str: ...
    @property
    def args(self) -> Mapping[str, Any]: ...
    @property
    def block_number(self) -> int: ...
    @property
    def log_index(self) -> int: ...


class GameLog(Protocol):
    """Where events come from: `proofmill.chain.dispute_game.DisputeGame`."""

    def log(self, from_block: int, to_block: int) -> list[Any]: ...


@dataclass
class ChallengeFile:
    """What is known of one challenge."""

    id: int
    job_id: int
    record: bytes
    challenger: str
    claims: dict[bytes, DisputedClaim] = field(default_factory=dict)
    asked_items: bytes | None = None  # the key
    questions: list[tuple[bytes, bytes, tuple[Any, ...]]] = field(
        default_factory=list
    )  # claim, key, question
    is_lost: bool = False


def case_round(challenges: dict[int, ChallengeFile], job_id: int, record: bytes) -> int:
    """The last challenge of a submitted answer, 0 before there is one: a name for its present round.

    A case that was dismissed may be opened again, and what was sent once for the earlier round is to be sent once more.
    """
    return max(
        (file.id for file in challenges.values() if (file.job_id, file.record) == (job_id, record)), default=0
    )


class Docket:
    """Follows one game. Not for several threads."""

    def __init__(self, game: GameLog, first_block: int) -> None:
        self._game, self._next = game, first_block
        self._first = first_block
        self._events: list[GameEvent] = []

    def refresh(self, head: int) -> None:
        """Reads what happened up to block ``head``."""
        start = max(self._first, self._next - REREAD_BLOCKS)
        if head < start:
            return
        read = self._game.log(start, head)
        self._events = [event for event in self._events if event.block_number < start] + list(read)
        self._next = head + 1

    def challenges(self) -> dict[int, ChallengeFile]:
        """By id, also those that have ended."""
        files: dict[int, ChallengeFile] = {}
        for event in self._events:
            args = event.args
            if event.name == "ChallengeOpened":
                identifier = int(args["challenge_id"])
                files[identifier] = ChallengeFile(
                    identifier, int(args["job_id"]), bytes(args["record"]), str(args["challenger"])
                )
                continue
            found = files.get(int(args["challenge_id"])) if "challenge_id" in args else None
            if found is None:
                continue
            if event.name == "ItemsAsked":
                found.asked_items = bytes(args["key"])
            elif event.name == "ItemNamed":
                found.claims[bytes(args["claim_id"])] = DisputedClaim(*as_tuple(args["claim"]))
            elif event.name == "Asked":
                asked = (bytes(args["claim_id"]), bytes(args["key"]), as_tuple(args["question"]))
                found.questions.append(asked)
            elif event.name == "ChallengeLost":
                found.is_lost = True
        return files

    def revealed(self, claim_id: bytes) -> Revealed:
        """Everything that was published for a claim."""
        revealed = Revealed()
        for event in self._events:
            args = event.args
            if "claim_id" not in args or bytes(args["claim_id"]) != claim_id:
                continue
            if event.name == "TracePosted":
                revealed.note_trace([bytes(root) for root in args["roots"]])
            elif event.name == "HashesRevealed":
                hashes = [bytes(each) for each in args["hashes"]]
                revealed.note_hashes(bytes(args["key"]), hashes, bytes(args["supplement_root"]))
            elif event.name == "LeafRevealed":
                revealed.note_leaf(bytes(args["leaf"]))
        return revealed

    def outcome(self, job_id: int, record: bytes) -> int:
        """How the last round of a case was settled: 1 convicted, 2 upheld, 3 dismissed; 0 while it is not."""
        return self._outcomes().get((job_id, record), 0)

    def open_cases(self) -> list[tuple[int, bytes]]:
        """Job and record of each case that is not settled, in the order in which they were first opened."""
        return [case for case, outcome in self._outcomes().items() if outcome == 0]

    def _outcomes(self) -> dict[tuple[int, bytes], int]:
        found: dict[tuple[int, bytes], int] = {}
        for event in self._events:
            if event.name in ("CaseOpened", "CaseSettled"):
                case = (int(event.args["job_id"]), bytes(event.args["record"]))
                found[case] = int(event.args["outcome"]) if event.name == "CaseSettled" else 0
        return found

    def items(self, job_id: int, record: bytes) -> list[tuple[int, bytes]] | None:
        """Rows and root of each item of an answer; None if nobody revealed them."""
        for event in self._events:
            args = event.args
            if event.name == "ItemsRevealed" and (int(args["job_id"]), bytes(args["record"])) == (
                job_id,
                record,
            ):
                pairs = zip(args["rows"], args["roots"], strict=True)
                return [(int(rows), bytes(root)) for rows, root in pairs]
        return None


def as_tuple(struct: Any) -> tuple[Any, ...]:
    """A struct of an event as the plain tuple that calls take, whatever form the decoder gave it."""
    values = struct.values() if isinstance(struct, dict) else struct
    return tuple(
        as_tuple(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        for value in values
    )
