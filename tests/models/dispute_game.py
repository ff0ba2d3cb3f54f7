"""What `DisputeGame` must do with time and bonds, in plain Python. Written from the design, not from the contract.

Where the contract reverts, the model raises `Refused` with the same reason and has changed nothing. What a question means is not
modelled: a key is a key. The escrow is somebody else's model, behind the small protocol `Escrow`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eth_utils.crypto import keccak

from tests.models.staking import Refused, require

__all__ = ["CaseModel", "ChallengeModel", "DisputeGameModel", "Escrow", "Refused", "tree_path", "tree_root"]

DAY = 86_400
MAX_ASKS = 8
NO_KEY = bytes(32)
NONE, OPEN, REFUTED, SETTLED = range(4)
LOST, RETURNED = 2, 3
SUBMITTED, CONDEMNED, CONTESTED, APPEALED, ATTESTED = 0x02, 0x22, 0x42, 0x62, 0x13
CONVICTED, UPHELD, DISMISSED = 1, 2, 3


# ------------------------------------------------------------------ trees
def tree_levels(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """All levels of a tree, from the places (free ones filled with zeros) to the root."""
    depth = (len(hashes) - 1).bit_length()
    level = [*hashes, *[bytes(32)] * (2**depth - len(hashes))]
    levels = [level]
    while len(level) > 1:
        level = [keccak(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
        levels.append(level)
    return levels


def tree_root(hashes: Sequence[bytes]) -> bytes:
    return tree_levels(hashes)[-1][0]


def tree_path(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Siblings of a place from the bottom up."""
    return [level[(index >> height) ^ 1] for height, level in enumerate(tree_levels(hashes)[:-1])]


# ------------------------------------------------------------------ the game
class Escrow(Protocol):
    """The escrow as the game sees it."""

    def stage(self, job_id: int) -> int: ...
    def deadline(self, job_id: int) -> int: ...
    def window(self, job_id: int) -> int: ...
    def provider(self, job_id: int) -> str: ...
    def contest(self, job_id: int, now: int) -> None: ...
    def dismiss(self, job_id: int, now: int) -> None: ...
    def uphold(self, job_id: int, now: int) -> None: ...
    def convict(self, job_id: int, challenger: str, now: int) -> None: ...


@dataclass
class ChallengeModel:
    """Clocks are those at the beginning of the turn that the last question began."""

    challenger: str
    job_id: int
    bond: int
    priority: int
    began_at: int
    challenger_left: int
    defender_left: int
    status: int = OPEN
    pending: bytes = NO_KEY
    claim: bytes = NO_KEY
    asks: int = 0


@dataclass
class CaseModel:
    status: int = NONE
    lead: int = 0
    appeal_deadline: int = 0
    ruling: int = 0


@dataclass(frozen=True)
class TurnModel:
    is_defenders: bool
    began_at: int
    challenger_left: int
    defender_left: int

    @property
    def ends_at(self) -> int:
        """The last second in which its move is in time."""
        return self.began_at + (self.defender_left if self.is_defenders else self.challenger_left)


@dataclass
class DisputeGameModel:
    escrow: Escrow
    bond: int
    challenges: dict[int, ChallengeModel] = field(default_factory=dict)
    cases: defaultdict[int, CaseModel] = field(default_factory=lambda: defaultdict(CaseModel))
    committed_at: dict[tuple[str, bytes], int] = field(default_factory=dict)
    revealed_at: dict[bytes, int] = field(default_factory=dict)
    taken: int = 0  # bonds that came in
    returned: int = 0
    burned: int = 0
    to_providers: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    # -------------------------------------------------------------- views
    @property
    def held(self) -> int:
        """Bonds of all open challenges."""
        return sum(challenge.bond for challenge in self.challenges.values() if challenge.status == OPEN)

    def open_challenges(self, job_id: int) -> list[int]:
        return [
            number
            for number, challenge in self.challenges.items()
            if challenge.job_id == job_id and challenge.status == OPEN
        ]

    def clock(self, job_id: int) -> tuple[int, int]:
        window = self.escrow.window(job_id)
        return 9 * window // 32, 3 * window // 256

    def turn(self, number: int) -> TurnModel:
        """Whose move it is, after what has been revealed."""
        challenge = self.challenges[number]
        asked = TurnModel(
            challenge.pending != NO_KEY,
            challenge.began_at,
            challenge.challenger_left,
            challenge.defender_left,
        )
        if not asked.is_defenders or challenge.pending not in self.revealed_at:
            return asked
        _, extension = self.clock(challenge.job_id)
        answered_at = max(self.revealed_at[challenge.pending], challenge.began_at)
        return TurnModel(
            False,
            answered_at,
            max(challenge.challenger_left, extension),
            max(challenge.defender_left - (answered_at - challenge.began_at), 0),
        )

    # -------------------------------------------------------------- challenger
    def commit(self, who: str, commitment: bytes, now: int) -> None:
        self.committed_at[who, commitment] = now

    def open(self, who: str, job_id: int, commitment: bytes, now: int) -> int:
        case, stage, deadline = self.cases[job_id], self.escrow.stage(job_id), self.escrow.deadline(job_id)
        require(case.status != REFUTED, "case: already refuted")
        if stage == SUBMITTED:
            self.escrow.contest(job_id, now)
            self.cases[job_id] = CaseModel(OPEN)
        elif stage == ATTESTED:
            require(now <= deadline, "case: too late to challenge")
            if case.status != OPEN:
                self.cases[job_id] = CaseModel(OPEN)
        else:
            require(case.status == OPEN and stage in (CONTESTED, APPEALED), "case: not open to doubt")
            last = case.appeal_deadline if stage == APPEALED else deadline - self.escrow.window(job_id)
            require(now <= last, "case: too late to challenge")
        priority = self.committed_at.get((who, commitment), 0)
        if priority + DAY < now:
            priority = now
        total, _ = self.clock(job_id)
        number = len(self.challenges) + 1
        self.challenges[number] = ChallengeModel(who, job_id, self.bond, priority, now, total, total)
        self.taken += self.bond
        self._consider(number)
        return number

    def ask(self, who: str, number: int, key: bytes, now: int) -> None:
        challenge = self.challenges[number]
        require(who == challenge.challenger, "dispute: not the challenger")
        require(challenge.status == OPEN, "challenge: not open")
        require(self.cases[challenge.job_id].status == OPEN, "case: not open")
        turn = self.turn(number)
        require(not turn.is_defenders, "dispute: not answered yet")
        require(challenge.asks < MAX_ASKS, "dispute: no questions left")
        require(now <= turn.ends_at, "clock: challenger too late")
        _, extension = self.clock(challenge.job_id)
        challenge.asks += 1
        challenge.pending = key
        challenge.challenger_left = turn.challenger_left - (now - turn.began_at)
        challenge.defender_left = max(turn.defender_left, extension)
        challenge.began_at = now

    # -------------------------------------------------------------- defender
    def appeal(self, who: str, job_id: int, now: int) -> None:
        require(who == self.escrow.provider(job_id), "case: not the operator")
        require(self.escrow.stage(job_id) == CONDEMNED, "case: not condemned")
        self.escrow.contest(job_id, now)
        self.cases[job_id] = CaseModel(OPEN, appeal_deadline=now + self.escrow.window(job_id) // 4)

    def reveal(self, key: bytes, now: int) -> None:
        self.revealed_at.setdefault(key, now)

    # -------------------------------------------------------------- anyone
    def refute(self, number: int, *, is_silence: bool = False) -> None:
        challenge = self.challenges[number]
        case = self.cases[challenge.job_id]
        require(challenge.status == OPEN, "challenge: not open")
        require(case.status == OPEN, "case: not open")
        case.status = REFUTED
        case.ruling = 0 if is_silence else 1
        self._consider(number)

    def take_lead(self, number: int) -> None:
        challenge = self.challenges[number]
        require(self.cases[challenge.job_id].status in (OPEN, REFUTED), "challenge: case settled")
        require(challenge.status in (OPEN, RETURNED), "challenge: lost")
        require(self._consider(number), "challenge: not the first")

    def time_out(self, number: int, now: int) -> None:
        challenge = self.challenges[number]
        require(challenge.status == OPEN, "challenge: not open")
        case = self.cases[challenge.job_id]
        require(case.status == OPEN, "case: not open")
        turn = self.turn(number)
        require(now > turn.ends_at, "dispute: clock still runs")
        if turn.is_defenders:
            self.refute(number, is_silence=True)
            return
        challenge.status = LOST
        share = challenge.bond * 8_000 // 10_000
        self.to_providers[self.escrow.provider(challenge.job_id)] += share
        self.burned += challenge.bond - share
        if case.lead == number:
            case.lead = 0

    def settle(self, job_id: int, now: int) -> int:
        """What the escrow was told."""
        case, stage, deadline = self.cases[job_id], self.escrow.stage(job_id), self.escrow.deadline(job_id)
        require(case.status in (OPEN, REFUTED), "dispute: nothing to settle")
        if stage == ATTESTED:
            can_be_told = now <= deadline + self.escrow.window(job_id)
        else:
            can_be_told = stage in (CONTESTED, APPEALED) and now <= deadline
        if not can_be_told:
            case.status = SETTLED
            return DISMISSED
        if case.status == REFUTED:
            self.escrow.convict(job_id, self.challenges[case.lead].challenger, now)
            case.status = SETTLED
            return CONVICTED
        require(not self.open_challenges(job_id), "dispute: challenges are open")
        if stage == APPEALED:
            require(now > case.appeal_deadline, "dispute: appeal still open")
            self.escrow.uphold(job_id, now)
            case.status, case.ruling = SETTLED, 2
            return UPHELD
        if stage == CONTESTED:
            self.escrow.dismiss(job_id, now)
        case.status = SETTLED
        return DISMISSED

    def reclaim(self, number: int) -> None:
        challenge = self.challenges[number]
        require(challenge.status == OPEN, "challenge: not open")
        require(self.cases[challenge.job_id].status != OPEN, "dispute: not decided yet")
        challenge.status = RETURNED
        self.returned += challenge.bond

    # -------------------------------------------------------------- internal
    def _consider(self, number: int) -> bool:
        """Whether the challenge leads now."""
        case = self.cases[self.challenges[number].job_id]
        if case.lead and self.challenges[case.lead].priority <= self.challenges[number].priority:
            return case.lead == number
        case.lead = number
        return True
