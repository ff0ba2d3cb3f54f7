"""Who is paid for a challenge, and who loses by the ruling."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.suite.deployment import COMPLETE, MEMBER_BOND, REJECT, Job
from tests.unit.contracts.dispute_game.bench import RESPONSE, TOTAL, Bench, exchange, wait

UNKNOWN_MODEL = b"nobody's model".ljust(32, b"\1")
NO_KIND_OF_REQUEST = 3


def rewarded(bench: Bench, job: Job) -> list[str]:
    """Who of the challengers has more after the case is settled."""
    who = ["challenger", "rival"]
    before = {name: bench.mill(getattr(bench, name)) for name in who}
    bench.game.settle(*bench.of(job))
    return [name for name in who if bench.mill(getattr(bench, name)) > before[name]]


# ------------------------------------------------------------------ the lead
def test_lead__copied_from_a_commitment_that_somebody_saw(bench: Bench, game: Any) -> None:
    """It names its challenger, so a rival that repeats it, or opens with the same salt, is as early as its own call."""
    job = bench.submitted()
    game.commit(bench.commitment(job, bench.challenger), sender=bench.challenger)
    game.commit(bench.commitment(job, bench.challenger), sender=bench.rival)
    wait(12)
    bench.open(job, bench.rival)
    bench.prove(*bench.traced(job))
    assert rewarded(bench, job) == ["challenger"]


def test_lead__of_a_proof_that_somebody_copied(bench: Bench, game: Any) -> None:
    """A rival that has named the same claim sends the same proof first, and settles at once."""
    job = bench.submitted()
    game.commit(bench.commitment(job, bench.challenger), sender=bench.challenger)
    wait(12)
    _, claim, root = bench.traced(job)
    wait(1)
    rivals = bench.open(job, bench.rival)
    bench.name(rivals, job, who=bench.rival)
    bench.prove(rivals, claim, root, bench.rival)
    assert rewarded(bench, job) == ["challenger"]


def test_lead__that_lost_is_followed_by_who_refutes__and_needs_nobodys_word(bench: Bench, game: Any) -> None:
    """A throw-away challenge in front of an honest one does not cost it its reward."""
    job = bench.submitted()
    first = bench.open(job, bench.rival)
    wait(1)
    challenge, claim, root = bench.traced(job)
    wait(TOTAL)
    game.time_out(first)
    assert bench.case(job).lead == 0
    bench.prove(challenge, claim, root)
    assert rewarded(bench, job) == ["challenger"]


# ------------------------------------------------------------------ signers
def judged(bench: Bench, job: Job, outcome: int) -> tuple[Any, ...]:
    """The committee's verdict takes effect; what shows that its first member signed it."""
    suite = bench.suite
    head = suite.report(suite.escrow)
    verdict = (job.id, outcome, job.terms, job.answer)
    digest = suite.committee.report_digest(head[0], head[1], suite.committee.verdicts_hash(head, [verdict]))
    suite.transmit([(job, outcome)])
    commitment = keccak(
        encode(
            ["bytes32", "address", "uint256", "bytes32"],
            [suite.escrow.terms_hash(job.terms), *job.answer],
        )
    )
    item = keccak(encode(["uint256", "uint8", "bytes32"], [job.id, outcome, commitment]))
    signature = bytes(suite.members[0].unsafe_sign_hash(digest).signature)
    return suite.members[0].address, head, [item], 0, verdict, signature


def test_signer__of_a_false_completion_loses_its_bond(bench: Bench, game: Any) -> None:
    job = bench.submitted()
    proof = judged(bench, job, COMPLETE)
    bench.prove(*bench.traced(job))
    assert bench.suite.committee.prove_misjudgement(proof, sender=bench.stranger) == MEMBER_BOND


@pytest.mark.parametrize("dismissed", [False, True])
def test_signer__of_a_right_completion_keeps_it__whatever_the_operator_lets_pass(
    bench: Bench, game: Any, dismissed: bool
) -> None:
    """An operator that falls silent, or a friend that doubts in vain, refutes no signer."""
    job = bench.submitted()
    proof = judged(bench, job, COMPLETE)
    challenge = bench.open(job)
    if not dismissed:
        bench.name(challenge, job)
    wait(TOTAL + 1)
    game.time_out(challenge)
    game.settle(*bench.of(job))
    with boa.reverts("committee: verdict not refuted"):
        bench.suite.committee.prove_misjudgement(proof, sender=bench.stranger)


def test_signer__of_a_right_rejection_keeps_it__when_somebody_proves_the_answer_wrong(
    bench: Bench, game: Any
) -> None:
    job = bench.submitted()
    proof = judged(bench, job, REJECT)
    game.appeal(*bench.of(job), sender=bench.operator)
    bench.prove(*bench.traced(job))
    game.settle(*bench.of(job))
    with boa.reverts("committee: verdict not refuted"):
        bench.suite.committee.prove_misjudgement(proof, sender=bench.stranger)


@pytest.mark.parametrize("trick", ["model that nobody registered", "malformed request"])
def test_signer__of_a_rejection_keeps_it__when_no_answer_to_the_job_could_be_doubted(
    bench: Bench, game: Any, trick: str
) -> None:
    """Requester, operator and reporter are one: it wants a quarter of each bond, and its price comes back as pay."""
    if trick == "malformed request":
        talk, changes = exchange(NO_KIND_OF_REQUEST), {}
    else:
        talk, changes = exchange(), {"model_id": UNKNOWN_MODEL}
    job = bench.submitted(talk, deliverable=b"\x13" * 32, **changes)
    proof = judged(bench, job, REJECT)
    game.appeal(*bench.of(job), sender=bench.operator)
    # An honest challenger has the bond and the truth, and can ask for nothing.
    challenge = bench.open(job)
    arguments = [job.terms, job.answer, changes.get("model_id", bench.naming(job)[2]), *bench.naming(job)[3:]]
    reason = (
        "claim: unknown kind of request" if trick == "malformed request" else "claim: model not registered"
    )
    with boa.reverts(reason):
        game.name_item(challenge, *arguments, sender=bench.challenger)
    wait(max(TOTAL, RESPONSE) + 1)
    game.time_out(challenge)
    game.settle(*bench.of(job))
    with boa.reverts("committee: verdict not refuted"):
        bench.suite.committee.prove_misjudgement(proof, sender=bench.stranger)
