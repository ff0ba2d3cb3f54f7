"""Everything of the chain that can fail as expected, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from web3.exceptions import BadResponseFormat, ContractLogicError, Web3RPCError
from web3.types import TxReceipt

from proofmill.errors import ProofmillError

ERROR_STRING_SELECTOR = bytes.fromhex("08c379a0")  # Error(string)
PANIC_SELECTOR = bytes.fromhex("4e487b71")  # Panic(uint256)


class ChainError(ProofmillError):
    """Base of every expected failure of ``proofmill.chain``."""


class RpcUnavailable(ChainError, ConnectionError):
    """The node did not answer: refused, timed out, or an HTTP error after the retries."""


class RateLimited(RpcUnavailable):
    """The node is there and wants fewer questions; ``retry_after`` is in seconds."""

    def __init__(self, message: str, *, remedy: str, retry_after: float) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class EndpointsDisagree(ChainError):
    """Not enough endpoints say the same of one block; the message names who said what."""


class BlockGone(ChainError, LookupError):
    """The block that reads are bound to has left the chain."""


class NodeRefused(ChainError):
    """The node answered a well-formed request with an error that we cannot work around."""


class WrongChain(ChainError, ValueError):
    """The node serves another chain than the configuration names."""


class NoContractCode(ChainError, ValueError):
    """The address holds no contract."""


class CallReverted(ChainError):
    """A simulated call reverts; nothing was sent and no gas was spent. ``reason`` is the contract's own."""

    def __init__(self, description: str, reason: str, data: bytes = b"") -> None:
        super().__init__(
            f"{description} would revert: {reason}",
            remedy="Nothing was sent. Check what the reason names; docs/CONTRACTS.md lists the reasons.",
        )
        self.reason = reason
        self.data = data


class TransactionReverted(ChainError):
    """A transaction was mined and reverted: gas was spent and nothing else happened."""

    def __init__(self, intent: str, transaction_hash: bytes, reason: str, receipt: TxReceipt | None) -> None:
        super().__init__(
            f"transaction 0x{transaction_hash.hex()} of intent {intent!r} reverted: {reason}",
            remedy="The state changed between simulation and mining. To try again, use a new intent.",
        )
        self.intent = intent
        self.transaction_hash = transaction_hash
        self.reason = reason
        self.receipt = receipt


class TransactionPending(ChainError, TimeoutError):
    """A transaction was broadcast and is not final in the time allowed; the journal keeps it."""


class FeeCeilingReached(ChainError):
    """Being mined now would cost more per gas than the policy allows."""


class InsufficientFunds(ChainError):
    """The account cannot pay for gas and value."""


class IntentConflict(ChainError, ValueError):
    """An intent of the journal was asked for again with another call."""


class SenderLocked(ChainError):
    """Another sender, in this process or another, already works with this key."""


class JournalUnavailable(ChainError):
    """The database of the journal or of the event cursor cannot be used."""


class ChainReplaced(ChainError, ValueError):
    """The database belongs to another chain that has the same chain id."""


class JobNotFound(ChainError, LookupError):
    """The escrow has no job of this number at this block."""


class EventNotFound(ChainError, LookupError):
    """A receipt does not hold the event that the caller expects in it."""


class InvalidValue(ChainError, ValueError):
    """A value does not fit its field on chain."""


class InvalidSignature(ChainError, ValueError):
    """A signature is malformed, not in the low half, or recovers to nobody."""


class KeystoreNotFound(ChainError, FileNotFoundError):
    """A keystore or password file is missing."""


class KeystoreExists(ChainError, FileExistsError):
    """A keystore would be overwritten, and with it a key."""


class KeystoreInvalid(ChainError, ValueError):
    """A keystore file is not an eth-account version 3 keystore, or a password file is empty."""


class WrongPassword(ChainError, ValueError):
    """The password does not open the keystore."""


class DeploymentNotFound(ChainError, FileNotFoundError):
    """There is no deployment manifest at the path."""


class DeploymentInvalid(ChainError, ValueError):
    """A deployment manifest is malformed, or the chain holds other code than it names."""


def revert_data(error: ContractLogicError | Web3RPCError) -> bytes:
    """The bytes a contract reverted with, as far as the node says."""
    candidates: list[object] = [getattr(error, "data", None)]
    response = getattr(error, "rpc_response", None)
    if isinstance(response, Mapping):
        detail = response.get("error")
        if isinstance(detail, Mapping):
            candidates.append(detail.get("data"))
    for candidate in candidates:
        if isinstance(candidate, Mapping):  # some nodes wrap the bytes once more
            candidate = candidate.get("data")
        if isinstance(candidate, str) and candidate.startswith("0x"):
            return bytes.fromhex(candidate[2:])
    return b""


def revert_reason(error: ContractLogicError | Web3RPCError) -> str:
    """What a contract gave as its reason: the string of ``Error(string)``, a panic code, or the raw bytes."""
    data = revert_data(error)
    if data:
        return revert_text(data)
    message = rpc_message(error).removeprefix("execution reverted").lstrip(": ")
    return message if message not in ("", "no data") else "no reason given"


def revert_text(data: bytes) -> str:
    """The words in what a contract reverted with, as far as there are any: a log may have cut it."""
    try:
        if data[:4] == ERROR_STRING_SELECTOR and len(data) >= 68:
            length = int.from_bytes(data[36:68], "big")
            if len(data) < 68 + length:
                return data[68:].decode(errors="replace")
            return data[68 : 68 + length].decode()
        if data[:4] == PANIC_SELECTOR:
            return f"panic 0x{decode(['uint256'], data[4:])[0]:02x}"
    except (DecodingError, UnicodeDecodeError):
        pass
    return f"0x{data.hex()}" if data else "no reason given"


def rpc_message(error: Exception) -> str:
    """The message of a node's error, without the envelope."""
    response = getattr(error, "rpc_response", None)
    if isinstance(response, Mapping):
        detail: Any = response.get("error")
        if isinstance(detail, Mapping) and "message" in detail:
            return str(detail["message"])
        if isinstance(detail, str):
            return detail
    message = getattr(error, "message", None)
    return str(message) if message else str(error)


def is_revert(error: Web3RPCError) -> bool:
    """Whether a node's generic error is in truth a reverted call (nodes differ in how they say so)."""
    return "revert" in rpc_message(error).lower() or bool(revert_data(error))


@contextmanager
def node_failures() -> Iterator[None]:
    """Turns what web3 raises when a node answers with an error into ours: a rate limit, a block it does not have (yet)."""
    try:
        yield
    except (Web3RPCError, BadResponseFormat) as error:
        raise NodeRefused(
            f"the node answered with an error: {rpc_message(error)}",
            remedy="Try again in a moment; if it persists, use a node that is in step with the chain and has no such limit.",
        ) from error
