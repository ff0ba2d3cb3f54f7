"""One anvil and one deployed suite for all tests on a bare chain; every test goes back to the same state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3

from proofmill.chain import Deployment, Journal, SenderPolicy, Suite, TransactionSender, sign_key_grant
from proofmill.chain.fees import GWEI
from proofmill.deploy import DeployParameters, configure_committee, deploy_suite
from proofmill.devnet.anvil import CHAIN_ID, Anvil

OPERATOR_TOKENS = 1_000 * 10**18
MEMBER_STAKE = 1_000 * 10**18
MEMBER_BOND = 100 * 10**18
SenderFactory = Callable[..., TransactionSender]


@pytest.fixture(scope="session")
def session_anvil() -> Iterator[Anvil]:
    with Anvil() as anvil:
        yield anvil


@pytest.fixture(scope="session")
def deployment(session_anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    accounts = session_anvil.accounts
    journal = Journal(tmp_path_factory.mktemp("deploy") / "journal.db")
    members = accounts[5:9]
    web3, policy = session_anvil.web3, SenderPolicy(poll_interval=0.01)
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


@pytest.fixture
def anvil(session_anvil: Anvil, deployment: Deployment) -> Iterator[Anvil]:
    """The shared anvil, rolled back after the test whatever the test did."""
    snapshot = session_anvil.snapshot()
    try:
        yield session_anvil
    finally:
        session_anvil.set_mining(True)
        session_anvil.revert(snapshot)
        session_anvil.request("anvil_dropAllTransactions", [])
        session_anvil.set_next_base_fee(GWEI)  # a fee that was set survives the rollback


@pytest.fixture
def web3(anvil: Anvil) -> Web3:
    return anvil.web3


@pytest.fixture
def suite(deployment: Deployment, web3: Web3) -> Suite:
    return deployment.connect(web3)


@pytest.fixture
def operator(anvil: Anvil) -> LocalAccount:
    return anvil.accounts[1]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


@pytest.fixture
def make_sender(web3: Web3, operator: LocalAccount, journal: Journal) -> Iterator[SenderFactory]:
    """Builds senders of the operator by default, and closes them all."""
    senders: list[TransactionSender] = []

    def make(
        *,
        connection: Web3 = web3,
        account: LocalAccount = operator,
        database: Journal = journal,
        sleep: Callable[[float], None] | None = None,
        **policy: Any,
    ) -> TransactionSender:
        arguments: dict[str, Any] = {} if sleep is None else {"sleep": sleep}
        chosen = SenderPolicy(**{"poll_interval": 0.01, "give_up": 20.0, **policy})
        sender = TransactionSender(connection, account, database, policy=chosen, **arguments)
        senders.append(sender)
        return sender

    yield make
    for sender in senders:
        sender.close()


@pytest.fixture
def sender(make_sender: SenderFactory) -> TransactionSender:
    return make_sender()
