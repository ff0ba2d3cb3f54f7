"""Logs: reading a range of blocks in pieces that the node accepts, and decoding them by the ABIs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import requests
from eth_typing import ChecksumAddress
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import Web3RPCError
from web3.types import FilterParams, LogReceipt

from proofmill.chain.errors import NodeRefused, RpcUnavailable, rpc_message

FIRST_CHUNK: Final = 2_000  # blocks; what the stricter public nodes accept
MAXIMUM_CHUNK: Final = 50_000


@dataclass(frozen=True, slots=True)
class EventLog:
    """One decoded event. ``args`` are by the names of the ABI; structs are tuples in field order."""

    contract: str
    name: str
    args: Mapping[str, Any]
    address: ChecksumAddress
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    log_index: int


class EventDecoder:
    """Decodes the logs of a set of contracts; what is not theirs is not an error but nobody's."""

    def __init__(self, contracts: Iterable[tuple[str, Contract]]) -> None:
        self._events: dict[tuple[ChecksumAddress, bytes], tuple[str, str, Any]] = {}
        for contract_name, contract in contracts:
            for element in contract.abi:
                if element["type"] != "event":
                    continue
                event = contract.events[element["name"]]()
                self._events[(contract.address, bytes.fromhex(event.topic[2:]))] = (
                    contract_name,
                    str(element["name"]),
                    event,
                )

    def topics(self, names: Iterable[str] | None = None) -> list[str]:
        """The first topics of the named events, or of all."""
        chosen = None if names is None else set(names)
        known = {name for _, name, _ in self._events.values()}
        if chosen is not None and not chosen <= known:
            raise ValueError(f"no such events: {sorted(chosen - known)}")
        wanted = known if chosen is None else chosen
        return sorted(
            {f"0x{topic.hex()}" for (_, topic), event in self._events.items() if event[1] in wanted}
        )

    def decode(self, log: LogReceipt) -> EventLog | None:
        """The event of a log, or None where the log is of no known contract and event."""
        if not log["topics"]:
            return None
        found = self._events.get((log["address"], bytes(log["topics"][0])))
        if found is None:
            return None
        contract_name, event_name, event = found
        return EventLog(
            contract=contract_name,
            name=event_name,
            args=_plain(event.process_log(log)["args"]),
            address=log["address"],
            block_number=int(log["blockNumber"]),
            block_hash=bytes(log["blockHash"]),
            transaction_hash=bytes(log["transactionHash"]),
            log_index=int(log["logIndex"]),
        )

    def decode_all(self, logs: Iterable[LogReceipt]) -> list[EventLog]:
        """The known events among ``logs``, in their order."""
        return [event for log in logs if (event := self.decode(log)) is not None]


class LogReader:
    """Reads logs in ranges; halves the range when the node refuses it, and grows it when it does not."""

    def __init__(
        self, web3: Web3, addresses: Sequence[ChecksumAddress], *, first_chunk: int = FIRST_CHUNK
    ) -> None:
        self._web3 = web3
        self._addresses = list(addresses)
        self._chunk = first_chunk

    def read(self, from_block: int, to_block: int, topics: Sequence[Any] = ()) -> list[LogReceipt]:
        """All matching logs of the blocks ``from_block`` to ``to_block``, both included, in chain order."""
        return [log for piece in self._pieces(from_block, to_block, topics) for log in piece]

    def _pieces(self, start: int, to_block: int, topics: Sequence[Any]) -> Iterator[list[LogReceipt]]:
        while start <= to_block:
            end = min(to_block, start + self._chunk - 1)
            parameters: FilterParams = {
                "address": self._addresses,
                "fromBlock": start,
                "toBlock": end,
                "topics": list(topics),
            }
            try:
                piece = self._web3.eth.get_logs(parameters)
            except (Web3RPCError, RpcUnavailable) as error:
                if not _is_refusal(error):
                    raise
                if start == end:
                    raise NodeRefused(
                        f"the node refuses the logs of block {start} alone: {rpc_message(error)}",
                        remedy="Use a node that keeps the logs since the deployment.",
                    ) from error
                self._chunk = max(1, (end - start + 1) // 2)
                continue
            yield piece
            start = end + 1
            self._chunk = min(MAXIMUM_CHUNK, self._chunk * 2)


def _is_refusal(error: Exception) -> bool:
    """Whether a smaller range may help: the node said no, was too slow, or its proxy found it too large."""
    if isinstance(error, Web3RPCError):
        return True
    cause = error.__cause__
    if isinstance(cause, requests.HTTPError) and cause.response is not None:
        return cause.response.status_code in (400, 413, 422)
    return isinstance(cause, requests.ReadTimeout)


def _plain(value: Any) -> Any:
    """Decoded values without web3's own containers, so that equality and pickling behave."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return bytes(value) if isinstance(value, bytes) else value
