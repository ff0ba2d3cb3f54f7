"""The typed client of a registry that runs inside the test, and a sender that applies calls at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import boa
import pytest
from eth_utils.conversions import to_hex
from web3 import Web3
from web3.providers import BaseProvider
from web3.types import RPCEndpoint, RPCResponse, TxReceipt

from proofmill.chain import client
from proofmill.chain.errors import CallReverted
from proofmill.chain.model_registry import ModelRegistry
from proofmill.chain.types import ContractCall
from tests.suite.deployment import actor, deploy


class LocalProvider(BaseProvider):
    """Answers `eth_call` from titanoboa's chain."""

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method == "eth_chainId":
            return {"jsonrpc": "2.0", "id": 1, "result": "0x1"}
        assert method == "eth_call", method
        call = params[0]
        result = boa.env.execute_code(call["to"], data=bytes.fromhex(call["data"][2:]))
        assert not result.is_error
        return {"jsonrpc": "2.0", "id": 1, "result": to_hex(bytes(result.output))}


class LocalSender:
    """Applies calls in order; fails when `budget` is used up, as a process that is killed."""

    def __init__(self, account: str, budget: int = 10**6) -> None:
        self.account, self.budget = account, budget
        self.sent: list[str] = []

    def send_many(self, calls: Sequence[tuple[str, ContractCall]]) -> list[TxReceipt]:
        return [self._send(intent, call) for intent, call in calls]

    def _send(self, intent: str, call: ContractCall) -> TxReceipt:
        if not self.budget:
            raise KeyboardInterrupt
        assert intent not in self.sent, "an intent is sent once"
        assert call.to is not None
        result = boa.env.execute_code(call.to, sender=self.account, data=call.data)
        if result.is_error:
            output = bytes(result.output)
            size = int.from_bytes(output[36:68], "big")
            raise CallReverted(call.description, output[68 : 68 + size].decode())
        self.budget -= 1
        self.sent.append(intent)
        receipt: Any = {"gasUsed": 1000}
        return receipt  # type: ignore[no-any-return]


@pytest.fixture
def owner() -> LocalSender:
    """Of the registry."""
    return LocalSender(actor("models-admin"))


@pytest.fixture
def contract(owner: LocalSender) -> Any:
    return deploy("ModelRegistry.vy", owner.account)


@pytest.fixture
def registry(contract: Any, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    abi = json.loads(json.dumps(contract.abi))
    monkeypatch.setattr(client, "load_abi", lambda name: {"ModelRegistry": abi}[name])
    return ModelRegistry(Web3(LocalProvider()), str(contract.address))


@pytest.fixture
def registrant() -> LocalSender:
    return LocalSender(actor("registrant"))
