"""The account of the third act: whatever is not where it is due is named, so the demonstration cannot pass by it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from proofmill.client import MILL
from proofmill.devnet.dispute_act import DisputeAct, Slash, due
from proofmill.devnet.ledger import Balances, mismatches

MEMBER_BOND = 100 * MILL
SUPPLY = 10**9 * MILL
STAKES = {"forging-worker": 1_000 * MILL, "oracle-1": 1_000 * MILL, "oracle-3": 1_000 * MILL}
WALLETS = {"requester": 995 * MILL, "challenger": 200 * MILL, "forging-worker": 0, "oracle-0": 0}
BEFORE = Balances(WALLETS, STAKES, escrowed=0, distributed=0, bonds=0, total_supply=SUPPLY)
AFTER = Balances(
    {"requester": 995 * MILL, "challenger": 254 * MILL, "forging-worker": 10 * MILL, "oracle-0": 0},
    {"forging-worker": 960 * MILL, "oracle-1": 900 * MILL, "oracle-3": 900 * MILL},
    escrowed=0,
    distributed=0,
    bonds=0,
    total_supply=SUPPLY - 176 * MILL,
)


def slash(role: str, reporter: str = "challenger") -> Slash:
    return Slash(role, 0, 0, 0, 0, 0, reporter, block=1, time=1)


@pytest.fixture
def act() -> DisputeAct:
    """A job of 10 MILL with a bond of 40, which two members attested; a tenth of a slash is for the challenger."""
    terms = SimpleNamespace(
        bond=40 * MILL,
        rates=SimpleNamespace(reporter_bps=1_000),
        compensation=lambda price, taken: min(price, taken // 2),
    )
    job: Any = SimpleNamespace(price=10 * MILL, pay=10 * MILL, terms=terms)
    return DisputeAct(
        job=job,
        history=[],
        before=BEFORE,
        after=AFTER,
        slashes=[slash("forging-worker"), slash("oracle-1"), slash("oracle-3")],
        signers=["oracle-1", "oracle-3"],
    )


def test_due__everybody_has_paid__adds_up(act: DisputeAct) -> None:
    assert mismatches(BEFORE, AFTER, due(act, MEMBER_BOND)) == []


@pytest.mark.parametrize(
    ("after", "named"),
    [
        (replace(AFTER, stakes={**AFTER.stakes, "oracle-3": 1_000 * MILL}), "oracle-3: stake"),
        (replace(AFTER, stakes={**AFTER.stakes, "forging-worker": 1_000 * MILL}), "forging-worker: stake"),
        (replace(AFTER, wallets={**AFTER.wallets, "requester": 985 * MILL}), "requester: wallet"),
        (replace(AFTER, wallets={**AFTER.wallets, "challenger": 154 * MILL}), "challenger: wallet"),
        (replace(AFTER, bonds=100 * MILL), "bonds of challenges"),
        (replace(AFTER, total_supply=SUPPLY), "total supply"),
    ],
    ids=["signer spared", "liar spared", "no compensation", "bond gone", "bond kept", "nothing burned"],
)
def test_due__something_is_elsewhere__named(act: DisputeAct, after: Balances, named: str) -> None:
    problems = mismatches(BEFORE, after, due(act, MEMBER_BOND))
    assert [problem for problem in problems if problem.startswith(f"{named}: changed by ")]
    assert any(problem.startswith("all holders together changed by") for problem in problems)


def test_due__another_member_shows_a_signature_first__has_the_share(act: DisputeAct) -> None:
    raced = replace(act, slashes=[*act.slashes[:2], slash("oracle-3", reporter="oracle-0")])
    wallets = {**AFTER.wallets, "challenger": 229 * MILL, "oracle-0": 25 * MILL}
    assert mismatches(BEFORE, replace(AFTER, wallets=wallets), due(raced, MEMBER_BOND)) == []
