"""One anvil and one deployed suite for the tests of a folder on a bare chain; every test goes back to the same state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3

from proofmill.chain import Deployment, Journal, SenderPolicy, Suite, TransactionSender
from proofmill.chain.fees import GWEI
from proofmill.devnet.anvil import Anvil
from tests.integration.own_chain import deployment, session_anvil

__all__ = ["deployment", "session_anvil"]

SenderFactory = Callable[..., TransactionSender]


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
