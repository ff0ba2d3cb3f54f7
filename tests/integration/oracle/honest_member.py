"""One honest member of a committee whose other members may lie, on a real chain. No test lives here.

It is made anew for each look, as after a restart: what it knows is on the chain, in its database and in its store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress

from oracle.accusations import Accusations
from oracle.ballots import Ballots
from oracle.chain_watch import ChainWatch
from oracle.committee_view import CommitteeView
from oracle.doubt import Doubts
from oracle.judge import Judge
from oracle.purse import Purse
from oracle.registered import Registrations
from oracle.settlements import Settlements
from oracle.statements import Statements
from oracle.transmitted import TransmissionReader
from proofmill.chain import Suite, TransactionSender, open_database
from proofmill.chain.job_board import JobBoard
from proofmill.devnet.anvil import CHAIN_ID, Anvil
from proofmill.disputes.docket import Docket
from proofmill.disputes.matter import Reruns
from proofmill.disputes.prosecution import Prosecution
from proofmill.jobs import identify
from proofmill.store import BlobFetcher, DirectoryStore
from tests.integration.disputes.trial import Log, RightEngine, Shelf, Trial, request_blob


class Killed(BaseException):
    """The process ends here; nothing catches it."""


class DyingSender:
    """Sends, and takes the process with it: each move once before it is sent and once after it is mined."""

    def __init__(self, sender: TransactionSender, moves: dict[str, int]) -> None:
        self._sender, self._moves = sender, moves
        self.address = sender.address

    def status(self, intent: str) -> Any:
        return self._sender.status(intent)

    def send(self, intent: str, call: Any) -> Any:
        seen = self._moves[intent] = self._moves.get(intent, 0) + 1
        if seen == 1:
            raise Killed
        receipt = self._sender.send(intent, call)
        if seen == 2:
            raise Killed
        return receipt


@dataclass
class HonestMember:
    """The member with the last seat. `looks` counts what it has done."""

    anvil: Anvil
    suite: Suite
    deployed_block: int
    account: LocalAccount
    sender: TransactionSender
    directory: Path
    mill_value: int = 10**16
    log: Log = field(default_factory=Log)
    moves: dict[str, int] | None = None  # where given, it dies at each of them
    reruns: Reruns = field(default_factory=lambda: Reruns(Shelf()))  # kept only because they take long

    def __post_init__(self) -> None:
        store = DirectoryStore(self.directory / "blobs", identify=identify)
        store.put(request_blob())

    @property
    def address(self) -> ChecksumAddress:
        return ChecksumAddress(self.account.address)

    @property
    def nonce(self) -> int:
        return int(self.anvil.web3.eth.get_transaction_count(self.address))

    def purse(self) -> Purse:
        return Purse(self.suite, self.address, self.mill_value, 0)

    def look(self) -> CommitteeView:
        """One look at everything, by a process that has just been started."""
        suite, web3 = self.suite, self.anvil.web3
        log: Any = self.log
        sender: Any = self.sender if self.moves is None else DyingSender(self.sender, self.moves)
        database = open_database(self.directory / "oracle.db")
        try:
            ballots, statements = Ballots(database), Statements(database)
            board = JobBoard(
                web3, suite.job_escrow, database, start_block=self.deployed_block, confirmations=1
            )
            settlements = Settlements(suite, self.deployed_block)
            view = ChainWatch(CHAIN_ID, suite.oracle_committee, board, settlements, ballots).look()
            store = DirectoryStore(self.directory / "blobs", identify=identify)
            fetcher = BlobFetcher(store, rounds=1)
            judge = Judge(
                engine=RightEngine(),
                fetcher=fetcher,
                store=store,
                ballots=ballots,
                is_provable=Registrations(suite.model_registry, self.deployed_block).is_provable,
                log=log,
            )
            while (
                job := judge.next_of(
                    view.submitted.values(), view.challengeable.values(), now=view.block_time
                )
            ) is not None:
                judge.consider(job)
            docket = Docket(suite.dispute_game, self.deployed_block)
            Doubts(
                account=self.address,
                suite=suite,
                docket=docket,
                prosecution=Prosecution(suite, sender, docket, self.reruns, log, secret=b"a secret"),
                ballots=ballots,
                engine=RightEngine(),
                fetcher=fetcher,
                purse=self.purse(),
                log=log,
            ).step()
            Accusations(
                member=self.address,
                suite=suite,
                sender=sender,
                settlements=settlements,
                reader=TransmissionReader(web3, CHAIN_ID, suite.oracle_committee),
                statements=statements,
                purse=self.purse(),
                log=log,
            ).step()
            return view
        finally:
            database.dispose()

    def look_and_survive(self) -> None:
        try:
            self.look()
        except Killed:
            return

    def play(self, trial: Trial, *, is_defended: bool = True) -> None:
        """Until neither side has anything to do."""
        for _ in range(60):
            before = (self.nonce, dict(self.moves or {}))
            self.look_and_survive()
            moved = is_defended and trial.defend()
            if (self.nonce, dict(self.moves or {})) == before and not moved:
                return
        raise AssertionError("it does not end")
