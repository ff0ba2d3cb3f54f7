"""Finding out what a call would do before it costs anything, and why a mined one failed."""

from __future__ import annotations

from typing import Any, Final, cast

from eth_typing import ChecksumAddress
from web3 import Web3
from web3.exceptions import ContractLogicError, Web3RPCError
from web3.types import BlockIdentifier, TxParams, TxReceipt, Wei

from proofmill.chain.errors import (
    CallReverted,
    InsufficientFunds,
    NodeRefused,
    is_revert,
    revert_data,
    revert_reason,
    rpc_message,
)
from proofmill.chain.types import ContractCall

FUNDS_MESSAGES: Final = ("insufficient funds", "insufficient balance", "not enough funds")


def call_parameters(sender: ChecksumAddress, call: ContractCall, value: int) -> TxParams:
    """A call in the form that nodes take."""
    parameters: TxParams = {"from": sender, "data": call.data, "value": Wei(value)}
    if call.to is not None:
        parameters["to"] = call.to
    return parameters


def simulate(web3: Web3, sender: ChecksumAddress, call: ContractCall, value: int, block: str) -> int:
    """The gas that a call needs; ``CallReverted`` with the contract's reason if it would fail."""
    parameters = call_parameters(sender, call, value)
    at = cast(BlockIdentifier, block)
    try:
        web3.eth.call(
            parameters, at
        )  # for the reason: nodes report it more reliably here than in an estimate
        return int(web3.eth.estimate_gas(parameters, at))
    except (ContractLogicError, Web3RPCError) as error:
        raise simulation_failure(error, sender, call) from error


def simulation_failure(error: Any, sender: ChecksumAddress, call: ContractCall) -> Exception:
    """What a node's refusal of a simulation means."""
    message = rpc_message(error)
    # First: a contract too may speak of an insufficient balance, and means its own tokens.
    if isinstance(error, ContractLogicError) or is_revert(error):
        return CallReverted(call.description, revert_reason(error), revert_data(error))
    if any(known in message.lower() for known in FUNDS_MESSAGES):
        return insufficient_funds(sender, message)
    return NodeRefused(
        f"the node refuses to simulate {call.description}: {message}",
        remedy="Check the call and the node's limits.",
    )


def insufficient_funds(sender: ChecksumAddress, detail: str) -> InsufficientFunds:
    """The account is too poor."""
    return InsufficientFunds(
        f"{sender} cannot pay for gas and value: {detail}", remedy=f"Send ether to {sender}, then run again."
    )


def failure_of(
    web3: Web3, sender: ChecksumAddress, call: ContractCall, value: int, gas_limit: int, receipt: TxReceipt
) -> str:
    """Why a mined transaction reverted, by replaying it after its block and, failing that, before it."""
    if receipt["gasUsed"] >= gas_limit:
        return "out of gas"
    parameters = call_parameters(sender, call, value)
    for number in (receipt["blockNumber"], receipt["blockNumber"] - 1):
        try:
            web3.eth.call(parameters, cast(BlockIdentifier, number))
        except (ContractLogicError, Web3RPCError) as error:
            if isinstance(error, ContractLogicError) or is_revert(error):
                return revert_reason(error)
    return "unknown; the call succeeds before and after its block"
