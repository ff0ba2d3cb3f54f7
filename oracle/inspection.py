"""Looking at a member from outside: its chain, and a copy of its database, while the service runs or not.

Nothing is locked, sent or written where the service looks: the database is copied in one consistent state and thrown away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from eth_typing import ChecksumAddress
from sqlalchemy import Engine
from web3 import Web3

from oracle.ballots import Ballots
from oracle.chain_watch import ChainWatch
from oracle.committee_view import CommitteeView
from oracle.config import OracleSettings
from oracle.settlements import LOOK_BACK_SECONDS, Settlements
from proofmill.chain import Deployment, Suite, connect, load_keystore, open_database
from proofmill.chain.block_search import first_block_since
from proofmill.chain.errors import JournalUnavailable
from proofmill.chain.job_board import JobBoard
from proofmill.chain.types import address

DATABASE = "oracle.db"


@dataclass(frozen=True)
class Inspection:
    """A member as it can be seen now; made by `open`."""

    settings: OracleSettings
    key: ChecksumAddress
    web3: Web3
    deployment: Deployment
    suite: Suite
    database: Engine  # a copy
    has_run: bool  # whether there was a database to copy

    @classmethod
    @contextmanager
    def open(cls, settings: OracleSettings) -> Iterator[Inspection]:
        """Connect, and copy the database.

        Raises:
            ProofmillError: a setting points nowhere, the chain is another one, or the database cannot be read.
        """
        account = load_keystore(settings.keystore, settings.password_file)
        deployment = Deployment.load(settings.deployment)
        web3 = connect(settings.rpc_url, expected_chain_id=deployment.chain_id)
        deployment.verify(web3)
        original = settings.data_directory / DATABASE
        with TemporaryDirectory(prefix="proofmill-oracle-") as directory:
            copy = Path(directory) / DATABASE
            if has_run := original.exists():
                _copy(original, copy)
            database = open_database(copy)
            try:
                yield cls(
                    settings=settings,
                    key=address(account.address),
                    web3=web3,
                    deployment=deployment,
                    suite=deployment.connect(web3),
                    database=database,
                    has_run=has_run,
                )
            finally:
                database.dispose()

    def first_block(self) -> int:
        """The first block of which anything can still matter."""
        return first_block_since(self.web3, LOOK_BACK_SECONDS, self.deployment.deployed_block)

    def look(self, ballots: Ballots, first_block: int) -> CommitteeView:
        """The chain as the member's next cycle would see it."""
        board = JobBoard(
            self.web3,
            self.suite.job_escrow,
            self.database,
            start_block=self.deployment.deployed_block,
            confirmations=self.settings.confirmations,
        )
        settlements = Settlements(self.suite, first_block)
        committee = self.suite.oracle_committee
        return ChainWatch(self.deployment.chain_id, committee, board, settlements, ballots).look()


def _copy(original: Path, copy: Path) -> None:
    """All that is committed, whoever writes meanwhile."""
    try:
        with (
            closing(sqlite3.connect(f"{original.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise JournalUnavailable(
            f"the database {original} cannot be copied: {error}",
            remedy="Run this as the user of the service, on its machine, with room for a copy in the temporary directory.",
        ) from error
