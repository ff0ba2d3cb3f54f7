"""The suite as `proofmill.deploy` deploys it, with a requester, an operator and a challenger whose transactions are noted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from eth_account.signers.local import LocalAccount
from web3.types import TxReceipt

from bench.gas.chain import GasChain, compiled
from bench.gas.disputes import HARDFORK
from proofmill.chain import Deployment, Job, JobOffer, Journal, SenderPolicy, Suite, TransactionSender
from proofmill.chain.types import EMPTY_ADDRESS, ContractCall
from proofmill.deploy import INITIAL_RATES, Artifacts, DeployParameters, deploy_suite
from proofmill.disputes.rerun import CommittedModel
from proofmill.exact.manifest.document import describe
from proofmill.model_registration import Registration, register

MILL: Final = 10**18
TOKENS: Final = 10_000 * MILL
STAKE: Final = 1_000 * MILL
PRICE: Final = 100 * MILL
CHALLENGE_WINDOW, DISPUTE_WINDOW, EVALUATION_WINDOW = 600, 3_600, 20_000  # seconds
POLICY: Final = SenderPolicy(poll_interval=0.004)  # seconds: blocks come as soon as there is a transaction
BASE_GAS: Final = 21_000
ZERO_BYTE, OTHER_BYTE = 4, 16  # gas of calldata
ZERO_BYTE_AT_LEAST, OTHER_BYTE_AT_LEAST = 10, 40  # of a whole transaction, EIP-7623


@dataclass(frozen=True)
class Sent:
    """One transaction. ``execution`` is what the contracts used, without the transaction's own gas and its calldata's."""

    side: str
    function: str  # "DisputeGame.prove"
    gas: int
    execution: int
    data: bytes = field(repr=False)
    timestamp: int  # of its block

    @property
    def zero_bytes(self) -> int:
        return self.data.count(0)

    @property
    def other_bytes(self) -> int:
        return len(self.data) - self.zero_bytes

    @property
    def standard(self) -> int:
        """Gas by the rule before EIP-7623."""
        return BASE_GAS + ZERO_BYTE * self.zero_bytes + OTHER_BYTE * self.other_bytes + self.execution

    @property
    def floor(self) -> int:
        """The least that a transaction with this calldata costs since EIP-7623."""
        return BASE_GAS + ZERO_BYTE_AT_LEAST * self.zero_bytes + OTHER_BYTE_AT_LEAST * self.other_bytes

    @property
    def name(self) -> str:
        return self.function.rpartition(".")[2]


class MiscountedGas(RuntimeError):
    """A receipt does not say what the rules of gas make of its transaction."""


def note(chain: GasChain, side: str, call: ContractCall, receipt: TxReceipt) -> Sent:
    """What a transaction cost, and why. Raises MiscountedGas."""
    transaction = "0x" + bytes(receipt["transactionHash"]).hex()
    [frame, *_] = chain.anvil.request("trace_transaction", [transaction])
    sent = Sent(
        side,
        call.description,
        int(receipt["gasUsed"]),
        int(frame["result"]["gasUsed"], 16),
        call.data,
        int(chain.web3.eth.get_block(receipt["blockNumber"])["timestamp"]),
    )
    # Storage that is given back makes a transaction cheaper, by a fifth at most; nothing makes it dearer.
    if not max(sent.floor, sent.standard * 4 // 5) <= sent.gas <= max(sent.floor, sent.standard):
        raise MiscountedGas(f"{sent} should cost {sent.standard}, and at least {sent.floor}")
    return sent


class NotingSender(TransactionSender):
    """Notes what it sends, once for each transaction."""

    def __init__(self, side: str, chain: GasChain, account: LocalAccount, journal: Journal) -> None:
        super().__init__(chain.web3, account, journal, policy=POLICY)
        self._side, self._chain = side, chain
        self.sent: dict[bytes, Sent] = {}

    def send(self, intent: str, call: ContractCall, *, value: int = 0) -> TxReceipt:
        receipt = super().send(intent, call, value=value)
        transaction = bytes(receipt["transactionHash"])
        if transaction not in self.sent:
            self.sent[transaction] = note(self._chain, self._side, call, receipt)
        return receipt


class SourceArtifacts(Artifacts):
    """Contracts compiled from the sources, as all others of this benchmark."""

    def creation_code(self, contract_name: str) -> bytes:
        return bytes.fromhex(compiled(f"{contract_name}.vy")[1].removeprefix("0x"))


@dataclass
class Players:
    """Senders with empty journals, for the time of one game."""

    requester: NotingSender
    operator: NotingSender
    challenger: NotingSender

    @property
    def sent(self) -> list[Sent]:
        """By operator and challenger, each in its own order."""
        return [*self.operator.sent.values(), *self.challenger.sent.values()]


@dataclass
class Court:
    """One deployment. Everything that is played on it is undone afterwards."""

    chain: GasChain
    deployment: Deployment
    suite: Suite
    folder: Path
    models: dict[bytes, bytes] = field(default_factory=dict)  # program root: model id
    journals: int = 0

    @classmethod
    @contextmanager
    def opened(cls, chain: GasChain) -> Iterator[Self]:
        """Deployed and staked, with short windows so that their times are small numbers in calldata as in life."""
        fork = chain.anvil.request("anvil_nodeInfo", [])["hardFork"]
        if fork != HARDFORK:
            raise MiscountedGas(f"this anvil has the rules of {fork}, the figures are of {HARDFORK}")
        with TemporaryDirectory(prefix="proofmill-gas-") as name:
            folder = Path(name)
            account, journal = chain.anvil.accounts[0], Journal(folder / "owner.db")
            with TransactionSender(chain.web3, account, journal, policy=POLICY) as owner:
                # The terms of a job hold the rates of its day: with the escrow's own, no default of ours moves the figures.
                parameters = DeployParameters(late_penalty_bps=INITIAL_RATES.late_penalty_bps)
                deployment = deploy_suite(chain.web3, owner, SourceArtifacts(), parameters)
                court = cls(chain, deployment, deployment.connect(chain.web3), folder)
                token, escrow = court.suite.mill_token, court.suite.job_escrow
                owner.send("windows", escrow.set_windows(CHALLENGE_WINDOW, DISPUTE_WINDOW))
                for account in chain.anvil.accounts[1:4]:
                    owner.send(f"fund {account.address}", token.transfer(account.address, TOKENS))
            with court._players() as players:
                staking = court.suite.staking
                players.operator.send("allow staking", token.approve(staking.address, STAKE))
                players.operator.send("stake", staking.stake(STAKE))
                players.requester.send("allow escrow", token.approve(escrow.address, TOKENS))
            yield court

    @contextmanager
    def game(self) -> Iterator[Players]:
        """What happens inside has not happened afterwards."""
        with self.chain.rolled_back(), self._players() as players:
            yield players

    @contextmanager
    def _players(self) -> Iterator[Players]:
        self.journals += 1
        with ExitStack() as stack:
            yield Players(
                *(
                    stack.enter_context(
                        NotingSender(
                            side, self.chain, account, Journal(self.folder / f"{self.journals} {side}.db")
                        )
                    )
                    for side, account in zip(
                        ("requester", "operator", "challenger"), self.chain.anvil.accounts[1:4], strict=True
                    )
                )
            )

    def transact(self, side: str, account: LocalAccount, call: ContractCall) -> Sent:
        """One transaction without a journal, for what may be undone one by one. Raises TransactionReverted."""
        return note(self.chain, side, call, self.chain.transact(call, account.address))

    def register(self, committed: CommittedModel) -> bytes:
        """The id of a model, registered when it is first met and for good."""
        root = committed.program.root
        if root not in self.models:
            registration = Registration.of(describe(committed.model))
            with self._players() as players:
                register(registration, self.suite.model_registry, players.requester)
            self.models[root] = registration.model_id
        return self.models[root]

    def submit(self, players: Players, model_id: bytes, request_root: bytes, deliverable: bytes) -> Job:
        """A job of a request, posted, claimed and answered."""
        escrow, now = self.suite.job_escrow, self.chain.now()
        offer = JobOffer(
            provider=EMPTY_ADDRESS,
            payment_token=self.suite.mill_token.address,
            callback=EMPTY_ADDRESS,
            model_id=model_id,
            input_root=request_root,
            price_floor=PRICE,
            price_ceiling=PRICE,
            ramp=0,
            bond=PRICE,
            cancellation_bps=0,
            claim_deadline=now + 1_000,
            submit_window=1_000,
            evaluation_window=EVALUATION_WINDOW,
            is_exact=True,
        )
        posted = escrow.posted_in(players.requester.send("post", escrow.post(offer)))
        operator = players.operator
        operator.send("claim", escrow.claim(posted.id, posted.terms, operator.address))
        operator.send("submit", escrow.submit(posted.id, escrow.job(posted.id).claim, deliverable))
        operator.sent.clear()  # what it sends from here on is its defence
        return escrow.job(posted.id)
