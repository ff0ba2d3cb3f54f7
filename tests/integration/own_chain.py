"""An anvil with the whole suite deployed, for the folder whose conftest imports these fixtures.

Each folder has its own: anvil keeps a bounded history, and after some hundreds of tests that were rolled back and reorganised
its blocks do not fit each other any more, which our event sync rightly refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proofmill.chain import Deployment, Journal, SenderPolicy, TransactionSender, sign_key_grant
from proofmill.deploy import DeployParameters, configure_committee, deploy_suite
from proofmill.devnet.anvil import CHAIN_ID, Anvil

OPERATOR_TOKENS = 1_000 * 10**18
MEMBER_STAKE = 1_000 * 10**18
MEMBER_BOND = 100 * 10**18


@pytest.fixture(scope="session")
def session_anvil() -> Iterator[Anvil]:
    with Anvil() as anvil:
        yield anvil


@pytest.fixture(scope="session")
def deployment(session_anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return deployed_on(session_anvil, tmp_path_factory.mktemp("deploy"))


def deployed_on(anvil: Anvil, directory: Path) -> Deployment:
    """The whole suite on a chain of its own, with tokens for three operators and a committee of four."""
    accounts = anvil.accounts
    journal = Journal(directory / "journal.db")
    members = accounts[5:9]
    web3, policy = anvil.web3, SenderPolicy(poll_interval=0.01)
    with TransactionSender(web3, accounts[0], journal, policy=policy) as sender:
        deployment = deploy_suite(web3, sender, parameters=DeployParameters(member_bond=MEMBER_BOND))
        suite = deployment.connect(web3)
        token, staking = suite.mill_token, suite.staking
        for index in (1, 2, 3):
            sender.send(f"fund {index}", token.transfer(accounts[index].address, OPERATOR_TOKENS))
        sender.send("allow staking", token.approve(staking.address, len(members) * MEMBER_STAKE))
        for member in members:
            sender.send(f"stake {member.address}", staking.stake_for(member.address, MEMBER_STAKE))
            grant = sign_key_grant(member, member.address, CHAIN_ID, suite.oracle_committee.address)
            with TransactionSender(web3, member, journal, policy=policy) as joining:
                joining.send("join", suite.oracle_committee.join(member.address, grant))
        assert configure_committee(suite, sender, [member.address for member in members], 1)
    return deployment
