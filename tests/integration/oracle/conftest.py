"""A job whose answer may be wrong, and the honest member of a committee, for all tests of the oracle on a real chain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from proofmill.chain import Deployment, Journal, Suite, TransactionSender
from proofmill.devnet.anvil import Anvil
from proofmill.disputes.matter import Reruns
from proofmill.jobs import EmbeddingAnswer
from proofmill.model_registration import register
from tests.integration.committee import FIRST_MEMBER
from tests.integration.conftest import SenderFactory
from tests.integration.disputes.trial import (
    CHALLENGE_WINDOW,
    DISPUTE_WINDOW,
    STAKE,
    Shelf,
    Trial,
    registration,
    submit,
)
from tests.integration.offers import PRICE
from tests.integration.oracle.honest_member import HonestMember
from tests.integration.own_chain import deployment, session_anvil

__all__ = ["deployment", "session_anvil"]

BOND = 100 * 10**18
EVALUATOR_FEE_BPS = 200
HONEST = FIRST_MEMBER + 3
Open = Callable[..., Trial]


@pytest.fixture
def requester(suite: Suite, make_sender: SenderFactory) -> TransactionSender:
    sender = make_sender()
    sender.send("allow escrow", suite.mill_token.approve(suite.job_escrow.address, 100 * PRICE))
    return sender


@pytest.fixture
def submitted(
    anvil: Anvil,
    suite: Suite,
    deployment: Deployment,
    requester: TransactionSender,
    make_sender: SenderFactory,
    tmp_path: Path,
) -> Open:
    """A submitted exact job of a registered model; the challenger of the trial is a stranger."""
    owner, operator, stranger = (
        make_sender(account=anvil.accounts[index], database=Journal(tmp_path / f"{index}.db"))
        for index in (0, 2, 3)
    )
    owner.send("windows", suite.job_escrow.set_windows(CHALLENGE_WINDOW, DISPUTE_WINDOW))
    owner.send(
        "rates",
        suite.job_escrow.set_rates(*suite.job_escrow.rates()._replace(evaluator_fee_bps=EVALUATOR_FEE_BPS)),
    )
    register(registration(), suite.model_registry, owner)
    owner.send("fund", suite.mill_token.transfer(anvil.accounts[HONEST].address, BOND))
    operator.send("allow staking", suite.mill_token.approve(suite.staking.address, STAKE))
    operator.send("stake", suite.staking.stake(STAKE))

    def build(answer: EmbeddingAnswer, reruns: Reruns | None = None) -> Trial:
        job_id = submit(suite, requester, operator, answer)
        known = reruns or Reruns(Shelf())
        return Trial(anvil, suite, deployment.deployed_block, job_id, operator, stranger, answer, known)

    return build


@pytest.fixture
def member(
    anvil: Anvil, suite: Suite, deployment: Deployment, make_sender: SenderFactory, tmp_path: Path
) -> HonestMember:
    account = anvil.accounts[HONEST]
    sender = make_sender(account=account, database=Journal(tmp_path / "honest.db"))
    directory = tmp_path / "member"
    directory.mkdir()
    return HonestMember(anvil, suite, deployment.deployed_block, account, sender, directory)
