"""A chain on which the same calls always cost the same gas: fixed keys, fixed clock, contracts compiled from the sources."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import yaml
from eth_account import Account
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from vyper.cli.vyper_compile import compile_files
from vyper.compiler.settings import Settings
from web3.contract import Contract
from web3.types import TxParams, TxReceipt

from proofmill.chain.types import ContractCall
from proofmill.devnet.anvil import Anvil

ROOT: Final = Path(__file__).resolve().parents[2]
FIRST_TIMESTAMP: Final = 2_000_000_000
GAS_LIMIT: Final = 25_000_000
TRANSACTION_LIMIT: Final = 2**24  # of one transaction since EIP-7825
ETHER: Final = 10**18


class TransactionReverted(RuntimeError):
    """A transaction of the benchmark failed: there is nothing to measure."""


def account(name: str) -> LocalAccount:
    """The same key for the same name, on every run."""
    key = sha256(f"proofmill gas bench: {name}".encode()).digest()
    owner: LocalAccount = Account.from_key(key)
    return owner


@functools.cache
def compiled(path: str) -> tuple[list[Any], str]:
    """ABI and creation code of a contract of the folder `contracts`, compiled from the sources."""
    configuration = yaml.safe_load((ROOT / "ape-config.yaml").read_text("utf-8"))
    settings = Settings(evm_version=configuration["vyper"]["evm_version"])
    source = Path("contracts") / path
    output = compile_files([source], ["abi", "bytecode"], paths=[str(ROOT)], settings=settings)[source]
    return output["abi"], output["bytecode"]


class GasChain:
    """anvil with a clock that moves one second a block, and senders that need no signature."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.web3 = anvil.web3
        anvil.request("anvil_autoImpersonateAccount", [True])
        anvil.request("anvil_setBlockTimestampInterval", [1])
        self.travel_to(FIRST_TIMESTAMP)
        anvil.mine()

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        """A chain for the time of a `with` block."""
        with Anvil() as anvil:
            yield cls(anvil)

    # ------------------------------------------------------------------ contracts
    def deploy(self, path: str, *arguments: Any, sender: str) -> Contract:
        """Compiles and deploys a contract of the folder `contracts`."""
        abi, code = compiled(path)
        factory = self.web3.eth.contract(abi=abi, bytecode=code)
        hashed = factory.constructor(*arguments).transact({"from": self._funded(sender), "gas": GAS_LIMIT})
        receipt = self.web3.eth.wait_for_transaction_receipt(hashed)
        if receipt["status"] != 1 or receipt["contractAddress"] is None:
            raise TransactionReverted(f"{path} cannot be deployed")
        return self.web3.eth.contract(address=receipt["contractAddress"], abi=abi)

    # ------------------------------------------------------------------ transactions
    def send(self, call: Any, sender: str) -> TxReceipt:
        """One transaction, which must succeed."""
        request = {"from": self._funded(sender), "gas": GAS_LIMIT}
        hashed = call.transact(request)
        receipt = self.web3.eth.wait_for_transaction_receipt(hashed, poll_latency=0.002)
        if receipt["status"] != 1:
            reason = "unknown"
            try:
                call.call({"from": sender, "gas": GAS_LIMIT})
            except Exception as error:  # noqa: BLE001  the reason is all that is wanted of it
                reason = str(error)
            raise TransactionReverted(f"{call.fn_name} reverts: {reason}")
        return receipt

    def transact(self, call: ContractCall, sender: str) -> TxReceipt:
        """One transaction of a call that a client has built, which must succeed."""
        request: TxParams = {"from": self.web3.to_checksum_address(sender), "data": HexBytes(call.data)}
        if call.to is not None:
            request["to"] = call.to
        hashed = self.web3.eth.send_transaction(request | {"gas": TRANSACTION_LIMIT})
        receipt = self.web3.eth.wait_for_transaction_receipt(hashed, poll_latency=0.002)
        if receipt["status"] != 1:
            raise TransactionReverted(f"{call.description} reverts")
        return receipt

    def gas(self, call: Any, sender: str) -> int:
        """What a transaction uses, intrinsic cost and calldata included."""
        return int(self.send(call, sender)["gasUsed"])

    def _funded(self, sender: str) -> str:
        if self.web3.eth.get_balance(self.web3.to_checksum_address(sender)) < ETHER:
            self.anvil.fund(sender, 10_000 * ETHER)
        return sender

    # ------------------------------------------------------------------ time
    def now(self) -> int:
        """Time of the last block."""
        return int(self.web3.eth.get_block("latest")["timestamp"])

    def travel_to(self, timestamp: int) -> None:
        """The next block has this time."""
        self.anvil.request("evm_setNextBlockTimestamp", [timestamp])

    def wait(self, seconds: int) -> None:
        """The next block comes so much later."""
        self.travel_to(self.now() + seconds)

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        """What happens inside has not happened afterwards."""
        snapshot = self.anvil.snapshot()
        try:
            yield
        finally:
            self.anvil.revert(snapshot)
