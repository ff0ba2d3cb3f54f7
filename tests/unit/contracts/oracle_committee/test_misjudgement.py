"""Verdicts that the arithmetic refuted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boa
import pytest
from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.models.oracle_committee import (
    COMPLETE,
    REJECT,
    VOID,
    Verdict,
    commitment_of,
    verdict_hash,
    verdicts_hash,
)
from tests.suite.deployment import NOBODY, deploy, events_of
from tests.unit.contracts.oracle_committee.assembly import (
    BOND,
    Assembly,
    compact_signature,
    key_accounts,
    long_signature,
    verdict,
)

NO_RULING, REFUTED, UPHELD = 0, 1, 2
JOB = 16


@pytest.fixture
def arbiter() -> Any:
    return deploy("mocks/MockArbiter.vy")


def record_of(item: Verdict) -> bytes:
    """What the escrow keeps: 208 bits."""
    return commitment_of(item)[6:].rjust(32, b"\0")


def judged(arbiter: Any, outcome: int = COMPLETE, job_id: int = JOB) -> Verdict:
    """A verdict on a job whose terms name this arbiter."""
    item = verdict(job_id, outcome)
    return item._replace(terms=item.terms._replace(arbiter=str(arbiter.address)))


def misjudgement(
    assembly: Assembly,
    signer: LocalAccount,
    verdicts: Sequence[Verdict],
    *,
    index: int = 0,
    report: dict[str, Any] | None = None,
    **changes: Any,
) -> tuple[Any, ...]:
    """The report that a key signed, and one verdict in it."""
    head = assembly.report(**(report or {}))
    fields = {
        "key": signer.address,
        "report": head,
        "items": [verdict_hash(item) for item in verdicts],
        "index": index,
        "verdict": verdicts[min(index, len(verdicts) - 1)],
        "signature": long_signature(signer, assembly.digest(head, verdicts_hash(head, verdicts))),
    }
    assert changes.keys() <= fields.keys()
    return tuple({**fields, **changes}.values())


# ------------------------------------------------------------------ what a proof does
def test_prove_misjudgement__takes_the_whole_bond_and_ejects(assembly: Assembly, arbiter: Any) -> None:
    committee, operator, key = assembly.committee, assembly.operators[2], assembly.keys[2]
    items = [verdict(32), judged(arbiter, COMPLETE), verdict(64)]
    arbiter.rule(JOB, record_of(items[1]), REFUTED)
    proof = misjudgement(assembly, key, items, index=1)
    assert committee.prove_misjudgement(proof, sender=assembly.reporter) == BOND
    [(name, fields)] = events_of(committee)
    assert name == "MisjudgementProved"
    assert fields == {
        "operator": operator,
        "key": key.address,
        "job_id": JOB,
        "record": record_of(items[1]),
        "reporter": assembly.reporter,
        "taken": BOND,
    }
    proof_id = keccak(
        encode(
            ["address", "address", "uint256", "bytes32"],
            [key.address, arbiter.address, JOB, record_of(items[1])],
        )
    )
    expected = (operator, BOND, BOND, NOBODY, 0, assembly.reporter, 2_500, proof_id)
    assert tuple(assembly.staking.penalty()) == expected
    assert committee.member(operator) == (NOBODY, NOBODY, 0, 0)
    assert committee.keys()[2] == NOBODY


def test_prove_misjudgement__every_signer_of_a_report_that_was_relayed__pays(
    assembly: Assembly, arbiter: Any
) -> None:
    item = judged(arbiter)
    head, items, _, signatures = assembly.signed([item])
    assembly.committee.transmit(head, items, 0b11, signatures)
    arbiter.rule(JOB, record_of(item), REFUTED)
    for place in (0, 1):
        proof = (
            assembly.keys[place].address,
            head,
            [verdict_hash(item)],
            0,
            item,
            signatures[place],
        )
        assert assembly.committee.prove_misjudgement(proof) == BOND
    assert assembly.staking.slashes() == 2


def test_prove_misjudgement__compact_signature_and_the_largest_report__tell_too(
    assembly: Assembly, arbiter: Any
) -> None:
    items = [judged(arbiter, job_id=16 * (place + 1)) for place in range(64)]
    arbiter.rule(items[63].job_id, record_of(items[63]), REFUTED)
    proof = misjudgement(assembly, assembly.keys[0], items, index=63)
    digest = assembly.digest(proof[1], verdicts_hash(proof[1], items))
    compact = (*proof[:5], compact_signature(assembly.keys[0], digest))
    assert assembly.committee.prove_misjudgement(compact) == BOND


def test_prove_misjudgement__twice__reverts(assembly: Assembly, arbiter: Any) -> None:
    """Also by another report on the same job, and after the member has come back."""
    committee, key, item = assembly.committee, assembly.keys[0], judged(arbiter)
    arbiter.rule(JOB, record_of(item), REFUTED)
    first = misjudgement(assembly, key, [item])
    other = misjudgement(assembly, key, [verdict(32), item], index=1, report={"sequence": 77})
    committee.prove_misjudgement(first)
    with boa.reverts("committee: already punished"):
        committee.prove_misjudgement(first)
    assembly.join(assembly.operators[0], key)
    for again in (first, other):
        with boa.reverts("committee: already punished"):
            committee.prove_misjudgement(again)
    assert assembly.staking.slashes() == 1


def test_prove_misjudgement__of_one_without_a_bond__is_not_used_up(assembly: Assembly, arbiter: Any) -> None:
    operator, key = assembly.newcomer()
    item = judged(arbiter)
    arbiter.rule(JOB, record_of(item), REFUTED)
    proof = misjudgement(assembly, key, [item])
    assembly.staking.set_slash_room(0)
    assembly.committee.leave(sender=operator)
    with boa.reverts("committee: nothing to take"):
        assembly.committee.prove_misjudgement(proof)
    assembly.staking.set_slash_room(BOND)
    assert assembly.committee.prove_misjudgement(proof) == BOND
    with boa.reverts("committee: already punished"):
        assembly.committee.prove_misjudgement(proof)


# ------------------------------------------------------------------ what is no proof
@pytest.mark.parametrize(
    ("outcome", "ruling"),
    [
        (COMPLETE, NO_RULING),
        (COMPLETE, UPHELD),
        (REJECT, NO_RULING),
        (REJECT, REFUTED),
        (REJECT, UPHELD),  # by silence: nobody doubted the answer in time, or nobody could
        (VOID, REFUTED),
        (VOID, UPHELD),
    ],
)
def test_prove_misjudgement__verdict_that_no_proof_refutes__reverts(
    assembly: Assembly, arbiter: Any, outcome: int, ruling: int
) -> None:
    item = judged(arbiter, outcome)
    arbiter.rule(JOB, record_of(item), ruling)
    with boa.reverts("committee: verdict not refuted"):
        assembly.committee.prove_misjudgement(misjudgement(assembly, assembly.keys[0], [item]))


def test_prove_misjudgement__ruling_on_another_job_or_record__reverts(
    assembly: Assembly, arbiter: Any
) -> None:
    item = judged(arbiter)
    arbiter.rule(JOB + 1, record_of(item), REFUTED)
    arbiter.rule(JOB, record_of(judged(arbiter, job_id=32)), REFUTED)
    with boa.reverts("committee: verdict not refuted"):
        assembly.committee.prove_misjudgement(misjudgement(assembly, assembly.keys[0], [item]))


def test_prove_misjudgement__terms_with_an_arbiter_of_the_accusers_own__are_not_what_was_signed(
    assembly: Assembly, arbiter: Any
) -> None:
    genuine = judged(arbiter)
    hostile = deploy("mocks/MockArbiter.vy")
    forged = genuine._replace(terms=genuine.terms._replace(arbiter=str(hostile.address)))
    hostile.rule(JOB, record_of(forged), REFUTED)
    with boa.reverts("committee: another item"):
        assembly.committee.prove_misjudgement(
            misjudgement(assembly, assembly.keys[0], [genuine], verdict=forged)
        )
    with boa.reverts("committee: verdict not signed"):
        assembly.committee.prove_misjudgement(
            misjudgement(assembly, assembly.keys[0], [genuine], verdict=forged, items=[verdict_hash(forged)])
        )


def test_prove_misjudgement__job_without_an_arbiter__reverts(assembly: Assembly) -> None:
    with boa.reverts("committee: no arbiter"):
        assembly.committee.prove_misjudgement(misjudgement(assembly, assembly.keys[0], [verdict(JOB)]))


def test_prove_misjudgement__place_beyond_the_report__reverts(assembly: Assembly, arbiter: Any) -> None:
    item = judged(arbiter)
    with boa.reverts("committee: no such item"):
        assembly.committee.prove_misjudgement(misjudgement(assembly, assembly.keys[0], [item], index=1))


def test_prove_misjudgement__signature_of_another_or_none__reverts(assembly: Assembly, arbiter: Any) -> None:
    item = judged(arbiter)
    arbiter.rule(JOB, record_of(item), REFUTED)
    others = misjudgement(assembly, assembly.keys[1], [item])[5]
    for signature in (others, b"", bytes(65)):
        with boa.reverts("committee: verdict not signed"):
            assembly.committee.prove_misjudgement(
                misjudgement(assembly, assembly.keys[0], [item], signature=signature)
            )
    assert assembly.staking.slashes() == 0


def test_prove_misjudgement__key_of_nobody_or_strange_configuration__reverts(
    assembly: Assembly, arbiter: Any
) -> None:
    item = judged(arbiter)
    with boa.reverts("committee: key of nobody"):
        assembly.committee.prove_misjudgement(misjudgement(assembly, key_accounts(1, salt=50)[0], [item]))
    strange = {"config_digest": b"strange".ljust(32, b"\1")}
    with boa.reverts("committee: unknown digest"):
        assembly.committee.prove_misjudgement(
            misjudgement(assembly, assembly.keys[0], [item], report=strange)
        )
