"""A whole game: a job whose operator lies, and both sides played by the code that plays them in life."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adversaries.forged_run import Lie
from bench.gas.disputes.court import Court, Players, Sent
from bench.gas.disputes.works import Work
from proofmill.chain import CloseReason, Job
from proofmill.disputes.claim import DisputedClaim
from proofmill.disputes.defence import Defence
from proofmill.disputes.docket import Docket
from proofmill.disputes.evidence import CHECKS
from proofmill.disputes.matter import KnownModels, Matter, Reruns
from proofmill.disputes.prosecution import Progress, Prosecution
from proofmill.disputes.rerun import Rerun
from proofmill.exact.program.kinds import KINDS

MOST_LOOKS: Final = 60
REPLIES: Final = frozenset(
    {"post_trace", "reveal_rows", "reveal_tree", "reveal_leaves", "reveal_row", "reveal_leaf", "reveal_items"}
)
KIND_OF_CODE: Final = {kind.code: name for name, kind in KINDS.items()}


class GameFailed(RuntimeError):
    """A game did not end in a conviction: there is nothing to measure."""


class OneRun(Reruns):
    """A player's only trace, made beforehand."""

    def __init__(self, rerun: Rerun) -> None:
        super().__init__(KnownModels())
        self._rerun = rerun

    def of(self, claim_id: bytes, claim: DisputedClaim, matter: Matter) -> Rerun:
        return self._rerun


class Silent:
    """A narrator that tells nobody."""

    def info(self, event: str, **facts: Any) -> None: ...

    warning = error = info


@dataclass(frozen=True)
class Game:
    """What was sent after the job's answer."""

    sent: Sequence[Sent]
    kind: str  # of the operator that was refuted
    check: str
    seconds: int  # from the submission to the settlement, by the blocks' times

    @property
    def proof(self) -> Sent:
        """The terminal step."""
        [proof] = [sent for sent in self.sent if sent.name == "prove"]
        return proof

    @property
    def replies(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.name in REPLIES]

    def gas_of(self, side: str) -> int:
        """All that a side sent for the dispute."""
        return sum(sent.gas for sent in self.moves(side))

    def moves(self, side: str) -> list[Sent]:
        """A side's transactions, in order."""
        return [sent for sent in self.sent if sent.side == side]


def whole_game(
    court: Court, work: Work, lies: Sequence[Lie], pause: Callable[[], None] = lambda: None
) -> Game:
    """The operator answers by a trace with lies in it and defends that trace. ``pause`` comes after each look at the chain."""
    model_id, defended = court.register(work.committed), work.forged(lies)
    return play(court, work, model_id, defended, pause)


def play(court: Court, work: Work, model_id: bytes, defended: Rerun, pause: Callable[[], None]) -> Game:
    """A game about a trace that was made beforehand."""
    right, answer = work.answer(work.honest), work.answer(defended)
    if (right == answer).all():
        answer[-1, -1] ^= 1  # a lie that nothing follows from: the answer is wrong by itself
    claimed = work.commitment(answer)
    with court.game() as players:
        job = court.submit(players, model_id, work.request.root, claimed.root)
        submitted_at = court.chain.now()
        matter = Matter(
            job_id=job.id,
            model_id=model_id,
            request=work.request,
            inputs=[work.prompt],
            own=work.commitment(right),
            claimed=claimed,
            claimed_tokens=[tuple(int(each) for each in answer[:, 0])] if work.tokens else (),
        )
        _play_out(court, players, job, matter, work.honest, defended, pause)
        job = court.suite.job_escrow.job(job.id)
        if job.close_reason is not CloseReason.CONVICTED:
            raise GameFailed(f"{work.name}: the job was closed as {job.close_reason}")
        return _game_of(court, players, submitted_at)


def _play_out(
    court: Court,
    players: Players,
    job: Job,
    matter: Matter,
    own: Rerun,
    defended: Rerun,
    pause: Callable[[], None],
) -> None:
    suite, log = court.suite, Silent()
    docket = Docket(suite.dispute_game, court.deployment.deployed_block)
    prosecution = Prosecution(
        suite, players.challenger, docket, OneRun(own), log, secret=b"proofmill gas bench"
    )
    defence = Defence(players.operator.address, suite, players.operator, docket, OneRun(defended), log)
    challenge_id = prosecution.open(job)
    for _ in range(MOST_LOOKS):
        docket.refresh(int(court.chain.web3.eth.block_number))
        progress = prosecution.step(challenge_id, job, lambda: matter)
        if progress not in (Progress.MOVED, Progress.WAITING):
            break
        docket.refresh(int(court.chain.web3.eth.block_number))
        defence.step(docket.challenges()[challenge_id], job, lambda: matter)
        pause()
    if progress is not Progress.WON:
        raise GameFailed(f"the challenger's game ends as {progress}")


def _game_of(court: Court, players: Players, submitted_at: int) -> Game:
    sent = players.sent
    game = court.suite.dispute_game
    [proof] = [each for each in sent if each.name == "prove"]
    contract = court.chain.web3.eth.contract(address=game.address, abi=game.contract.abi)
    _, arguments = contract.decode_function_input(proof.data)
    check = int.from_bytes(arguments["_evidence"][:32], "big")
    [settled] = [each.timestamp for each in sent if each.name == "settle"]
    return Game(sent, KIND_OF_CODE[arguments["_accusation"]["kind"]], CHECKS[check], settled - submitted_at)
