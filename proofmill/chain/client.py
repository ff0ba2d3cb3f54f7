"""What the typed clients share: views with typed failures, and writes that are built and never sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any, ClassVar, NamedTuple, cast

from eth_abi.exceptions import DecodingError
from eth_typing import ABI, ChecksumAddress, HexStr
from eth_utils.abi import get_abi_output_types
from web3 import Web3
from web3.exceptions import ContractLogicError, Web3RPCError
from web3.types import BlockIdentifier, TxParams, TxReceipt

from proofmill.chain.errors import (
    CallReverted,
    EventNotFound,
    NoContractCode,
    NodeRefused,
    is_revert,
    revert_data,
    revert_reason,
    rpc_message,
)
from proofmill.chain.events import EventDecoder, EventLog
from proofmill.chain.types import BlockReference, ContractCall, address


class Eip712Domain(NamedTuple):
    """What ERC-5267 says of a contract's signatures."""

    fields: bytes
    name: str
    version: str
    chain_id: int
    contract: ChecksumAddress
    salt: bytes
    extensions: tuple[int, ...]


@cache
def load_abi(name: str) -> ABI:
    """The ABI of one of our contracts, as it was compiled."""
    text = resources.files("proofmill.chain").joinpath("abi", f"{name}.json").read_text("utf-8")
    return cast(ABI, json.loads(text))


class ContractClient:
    """One contract at one address. Views take an optional ``block``; writes return a ``ContractCall``."""

    name: ClassVar[str]

    def __init__(self, web3: Web3, contract_address: str) -> None:
        self.web3 = web3
        self.address = address(contract_address, f"address of {self.name}")
        self.contract = web3.eth.contract(address=self.address, abi=load_abi(self.name))
        self.decoder = EventDecoder([(self.name, self.contract)])

    def __repr__(self) -> str:
        return f"{self.name}({self.address})"

    def check_code(self) -> None:
        """Fails unless the address holds code."""
        if not self.web3.eth.get_code(self.address):
            raise NoContractCode(
                f"there is no contract at {self.address}, expected {self.name}",
                remedy="Check the deployment manifest and the chain that the node serves.",
            )

    def events(self, receipt: TxReceipt) -> list[EventLog]:
        """The events of this contract in a receipt, in order."""
        return self.decoder.decode_all(receipt["logs"])

    def event(self, receipt: TxReceipt, name: str) -> EventLog:
        """The only event of this name in a receipt."""
        found = [event for event in self.events(receipt) if event.name == name]
        if len(found) != 1:
            raise EventNotFound(
                f"the receipt holds {len(found)} events {name} of {self.name}, expected one",
                remedy="Check that the receipt is that of the right call.",
            )
        return found[0]

    def _read(self, function: str, *arguments: Any, block: BlockReference = "latest") -> Any:
        parameters: TxParams = {"to": self.address, "data": self._encode(function, arguments)}
        with self._failures(function):
            returned = bytes(self.web3.eth.call(parameters, cast(BlockIdentifier, block)))
        if not returned:  # an address without code accepts every call and returns nothing
            self.check_code()
        types = get_abi_output_types(self.contract.get_function_by_name(function).abi)
        try:
            values = self.web3.codec.decode(types, returned)
        except DecodingError as error:
            raise NoContractCode(
                f"{self.address} does not answer {self.name}.{function}: another contract, or another version",
                remedy="Check the deployment manifest; run `make setup` if the contracts changed.",
            ) from error
        return values[0] if len(values) == 1 else values

    def _eip712_domain(self, block: BlockReference) -> Eip712Domain:
        fields, name, version, chain_id, contract, salt, extensions = self._read("eip712Domain", block=block)
        return Eip712Domain(
            bytes(fields), name, version, chain_id, address(contract), bytes(salt), tuple(extensions)
        )

    def _encode(self, function: str, arguments: Sequence[Any]) -> HexStr:
        return HexStr(self.contract.encode_abi(function, args=arguments))

    def _build(
        self, function: str, *arguments: Any, description: str | None = None, gas: int | None = None
    ) -> ContractCall:
        data = bytes.fromhex(self._encode(function, arguments)[2:])
        return ContractCall(self.address, data, description or f"{self.name}.{function}", gas)

    @contextmanager
    def _failures(self, function: str) -> Iterator[None]:
        description = f"{self.name}.{function}"
        try:
            yield
        except ContractLogicError as error:
            raise CallReverted(description, revert_reason(error), revert_data(error)) from error
        except Web3RPCError as error:
            if is_revert(error):
                raise CallReverted(description, revert_reason(error), revert_data(error)) from error
            raise NodeRefused(
                f"the node refuses {description}: {rpc_message(error)}",
                remedy="Use a node that keeps the state of the block asked for.",
            ) from error
