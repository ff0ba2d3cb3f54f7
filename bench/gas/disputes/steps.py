"""The terminal step of every kind of operator, on models so small that every check of it can be reached in seconds.

Only the step is sent: a proof is valid as soon as the roots of a trace are posted, so what the challenger would ask for first
is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import torch

from bench.gas.disputes.court import Court, Sent
from bench.gas.disputes.games import GameFailed, OneRun, Silent
from proofmill.chain import TransactionSender
from proofmill.disputes.claim import DisputedClaim
from proofmill.disputes.docket import Docket
from proofmill.disputes.evidence import accusation, evidence_tail
from proofmill.disputes.matter import Matter
from proofmill.disputes.prosecution import Progress, Prosecution
from proofmill.disputes.rerun import CommittedModel, Rerun
from proofmill.exact.trace.checks.judgement import CHECKS, FORM_STEPS
from proofmill.exact.trace.claims import (
    AnswerCommitment,
    RequestCommitment,
    RequestKind,
    answer_item,
    input_item,
)
from proofmill.exact.trace.evidence import Evidence, accuse, first_difference
from proofmill.exact.trace.geometry import Leaf, Part
from tests.suite.traces import MODELS, Forgery, Honest, falsify, forge, honest_run, places

CHANGES: Final = (1, -1, 1 << 20)
MOST_PLACES: Final = 8  # of a leaf's integers
PARTS: Final[tuple[Part, ...]] = ("values", "witness", "supplement")


class Accused(NamedTuple):
    """A false operator, with what is posted of it and what refutes it."""

    number: int
    kind: str
    check: str
    roots: list[bytes]
    evidence: Evidence


def operators() -> Iterator[tuple[str, int]]:
    """Model and number of the first operator of every kind, and of the first of it that commits to columns too."""
    seen = set[tuple[str, bool]]()
    for name in MODELS:
        honest = honest_run(name)
        for number, operator in enumerate(honest.program.descriptors, start=1):
            shape = operator.kind, honest.trace.run.geometry(number).supplement is not None
            if shape not in seen:
                seen.add(shape)
                yield name, number


def checks_of(kind: str) -> set[str]:
    """All checks of a kind but those of a leaf's form, which open that leaf alone."""
    return set(CHECKS[kind]) - set(FORM_STEPS)


def accusations(honest: Honest, number: int) -> Iterator[Accused]:
    """One for each check of an operator that a single false integer leads to."""
    operator, found = honest.program.descriptors[number - 1], set[str]()
    true = forge(honest, number)
    for part in PARTS:
        if getattr(true.geometry, part) is None:
            continue
        leaf = [place for place in places(true.geometry) if place.part == part][-1]
        count = true.geometry.grid(part).leaf_count(leaf.row, leaf.leaf)
        for at in {*range(min(count, MOST_PLACES)), count - 1}:
            for change in CHANGES:
                accused = _accuse(honest, number, true, leaf, at, change)
                if accused is not None and accused.check not in found:
                    found.add(accused.check)
                    yield accused
                if found == checks_of(operator.kind):
                    return


def _accuse(honest: Honest, number: int, true: Forgery, leaf: Leaf, at: int, change: int) -> Accused | None:
    false = forge(honest, number)
    if not falsify(false, leaf, at, change):
        return None
    view = honest.view(number, false)
    place = first_difference(view.operator, view.length, true, false)
    assert place is not None
    evidence = accuse(view, number, place, true, honest.program)
    if evidence is None:
        raise GameFailed(f"nothing refutes {place} of a {view.operator.kind}")
    roots = [*honest.trace.roots]
    roots[number] = false.root
    return Accused(number, view.operator.kind, evidence.step.name, roots, evidence)


def small_steps(court: Court) -> dict[tuple[str, str], Sent]:
    """The proof by operator and check, of two operators the dearer."""
    found: dict[tuple[str, str], Sent] = {}
    wanted: dict[str, list[int]] = {}
    for name, number in operators():
        wanted.setdefault(name, []).append(number)
    for name, numbers in wanted.items():
        for step, proof in _steps_of(court, honest_run(name), numbers):
            if step not in found or found[step].gas < proof.gas:
                found[step] = proof
    return found


def _steps_of(court: Court, honest: Honest, numbers: Sequence[int]) -> Iterator[tuple[tuple[str, str], Sent]]:
    """Of some operators of a model: one job and one challenge, which every step goes back to."""
    committed = CommittedModel(honest.model, honest.program)
    model_id = court.register(committed)
    game, (_, operator, challenger) = court.suite.dispute_game, court.chain.anvil.accounts[1:4]
    with court.game() as players:
        challenge_id, claim = _name(court, players, honest, model_id)
        for number in numbers:
            for accused in accusations(honest, number):
                judged = replace(honest.claim, roots=accused.roots)
                paths = accusation(number, accused.roots, honest.program)
                proof = game.prove(challenge_id, claim, paths, evidence_tail(judged, accused.evidence))
                with court.chain.rolled_back():
                    court.transact("operator", operator, game.post_trace(claim, accused.roots))
                    yield (accused.kind, accused.check), court.transact("challenger", challenger, proof)


def _name(court: Court, players: Any, honest: Honest, model_id: bytes) -> tuple[int, DisputedClaim]:
    """A job with a wrong answer, a challenge, and the claim that it names."""
    suite, run = court.suite, honest.trace.run
    rerun = Rerun(CommittedModel(honest.model, honest.program), honest.trace)
    last = rerun.operators
    rows = [rerun.rows(last).integers(Leaf("values", row)) for row in range(rerun.geometry(last).values.rows)]
    right = torch.tensor([row[0, 0].tolist() for row in rows if row is not None]).numpy()
    wrong = right.copy()
    wrong[-1, -1] += 1
    drawing = (run.sampling.inverse_temperature, run.sampling.seed) if run.sampling else (0, 0)
    request = RequestCommitment(RequestKind.MAP, [input_item(run.input.numpy())], *drawing)
    claimed = AnswerCommitment([answer_item(wrong)])
    job = court.submit(players, model_id, request.root, claimed.root)
    matter = Matter(job.id, model_id, request, [run.input], AnswerCommitment([answer_item(right)]), claimed)
    docket = Docket(suite.dispute_game, court.deployment.deployed_block)
    sender: TransactionSender = players.challenger
    prosecution = Prosecution(suite, sender, docket, OneRun(rerun), Silent(), secret=b"proofmill gas bench")
    challenge_id = prosecution.open(job)
    docket.refresh(int(court.chain.web3.eth.block_number))
    if prosecution.step(challenge_id, job, lambda: matter) is not Progress.MOVED:
        raise GameFailed("the sequence cannot be named")
    docket.refresh(int(court.chain.web3.eth.block_number))
    [claim] = docket.challenges()[challenge_id].claims.values()
    return challenge_id, claim
