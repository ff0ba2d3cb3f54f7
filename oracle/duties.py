"""What a member does besides judging and talking: it challenges wrong answers, accuses those who signed for them, shares fees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eth_utils.crypto import keccak

from oracle.accusations import Accusations
from oracle.ballots import Ballots
from oracle.committee_view import CommitteeView
from oracle.config import OracleSettings
from oracle.doubt import Doubts
from oracle.fees import FeeSharing
from oracle.money_check import MoneyCheck
from oracle.purse import Purse
from oracle.settlements import LOOK_BACK_SECONDS, Settlements
from oracle.statements import Statements
from oracle.transmitted import TransmissionReader
from proofmill.chain.block_search import first_block_since
from proofmill.chain.errors import node_failures
from proofmill.disputes.docket import Docket
from proofmill.disputes.matter import KnownModels, Reruns
from proofmill.disputes.prosecution import Prosecution
from proofmill.jobs import Engine
from proofmill.node import Node
from proofmill.store import BlobFetcher


@dataclass(frozen=True)
class Duties:
    """The duties of one member, for `oracle.service.Oracle`, and what two of them share with its cycle."""

    doubts: Doubts
    accusations: Accusations
    fees: FeeSharing
    settlements: Settlements
    disputes: bool

    def by_name(self) -> Mapping[str, Callable[[CommitteeView], object]]:
        """In the order in which they are done: clocks run only for the first."""
        own: dict[str, Callable[[CommitteeView], object]] = {}
        if self.disputes:
            own["doubts"] = lambda _: self.doubts.step()
            own["accusations"] = lambda _: self.accusations.step()
        return own | {"fees": self.fees.step}


def build_duties(
    node: Node,
    settings: OracleSettings,
    *,
    ballots: Ballots,
    statements: Statements,
    engine: Engine,
    fetcher: BlobFetcher,
    money: MoneyCheck,
) -> Duties:
    """The duties of the member whose key `node` holds."""
    suite, account, log = node.suite, node.account, node.log
    with node_failures():
        first_block = first_block_since(node.web3, LOOK_BACK_SECONDS, node.deployment.deployed_block)
        member = suite.oracle_committee.operator_of(account.address)
    purse = Purse(suite, account.address, settings.mill_value, settings.challenge_budget)
    docket = Docket(suite.dispute_game, first_block)
    settlements = Settlements(suite, first_block)
    # Salts that this member makes again after a restart, and nobody who does not have the key.
    secret = keccak(b"salts of disputes" + bytes(account.key))
    return Duties(
        doubts=Doubts(
            account=account.address,
            suite=suite,
            docket=docket,
            prosecution=Prosecution(suite, node.sender, docket, Reruns(KnownModels()), log, secret=secret),
            ballots=ballots,
            engine=engine,
            fetcher=fetcher,
            purse=purse,
            log=log,
            confirm=money.of_answer,
        ),
        accusations=Accusations(
            member=member,
            suite=suite,
            sender=node.sender,
            settlements=settlements,
            reader=TransmissionReader(node.web3, node.deployment.chain_id, suite.oracle_committee),
            statements=statements,
            purse=purse,
            log=log,
        ),
        fees=FeeSharing(account=account, suite=suite, sender=node.sender, purse=purse, log=log),
        settlements=settlements,
        disputes=settings.disputes,
    )
