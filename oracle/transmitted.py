"""A report as it went to the chain: its verdicts and the signatures, read from the transaction that relayed it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eth_typing import ChecksumAddress, Hash32
from eth_utils.abi import function_abi_to_4byte_selector
from web3 import Web3
from web3.exceptions import TransactionNotFound
from web3.types import RPCEndpoint

from oracle.statements import Statements
from proofmill.chain import OracleCommittee
from proofmill.chain.errors import InvalidSignature
from proofmill.chain.reports import OpenedVerdict, Report, ReportHead
from proofmill.chain.typed_data import recover_signer
from proofmill.errors import ProofmillError
from proofmill.logs import Logger

RELAYS = ("transmit", "transmit_batch")


class NotReadable(ProofmillError):
    """What a transaction handed to the committee cannot be seen from this node."""


@dataclass(frozen=True)
class Transmission:
    """A report and its signatures, in the order in which the committee took them."""

    report: Report
    signatures: tuple[bytes, ...]


class TransmissionReader:
    """Reads what a transaction gave to the committee, also through a contract in between that would hide it."""

    def __init__(self, web3: Web3, chain_id: int, committee: OracleCommittee) -> None:
        self._web3, self._chain_id, self._committee = web3, chain_id, committee
        self._selectors = {
            function_abi_to_4byte_selector(committee.contract.get_function_by_name(name).abi)
            for name in RELAYS
        }

    def read(self, transaction_hash: bytes) -> list[Transmission]:
        """Every report of verdicts that the transaction relayed.

        Raises NotReadable: the node does not have it, or it went through another contract and the node traces none.
        """
        try:
            transaction = self._web3.eth.get_transaction(Hash32(transaction_hash))
        except TransactionNotFound as error:
            raise NotReadable(
                f"the node does not have transaction 0x{transaction_hash.hex()}",
                remedy="Use a node that keeps the transactions of the last week.",
            ) from error
        if transaction.get("to") == self._committee.address:
            return self._decoded([bytes(transaction["input"])])
        return self._decoded(self._traced(transaction_hash))

    def note(self, transaction_hash: bytes, statements: Statements, log: Logger) -> None:
        """Keep every signature of every report that the transaction relayed."""
        for transmission in self.read(transaction_hash):
            for signature in transmission.signatures:
                try:
                    key = recover_signer(
                        transmission.report, signature, self._chain_id, self._committee.address
                    )
                except InvalidSignature as error:
                    # A contract's own signature: the chain has taken it, but it names nobody by itself.
                    log.info("a signature names nobody", error=str(error))
                    continue
                statements.note(transmission.report, ChecksumAddress(key), signature)

    def _decoded(self, inputs: list[bytes]) -> list[Transmission]:
        found: list[Transmission] = []
        for data in inputs:
            if data[:4] not in self._selectors:
                continue
            _, arguments = self._committee.contract.decode_function_input(data)
            head, opened, _, signatures = arguments.values()
            verdicts = tuple(OpenedVerdict.from_abi(each).verdict for each in opened)
            report = Report(ReportHead.from_abi(head), verdicts)
            found.append(Transmission(report, tuple(bytes(each) for each in signatures)))
        return found

    def _traced(self, transaction_hash: bytes) -> list[bytes]:
        """The calldata of each call to the committee in the transaction that did not fail."""
        method = RPCEndpoint("debug_traceTransaction")
        parameters = ["0x" + transaction_hash.hex(), {"tracer": "callTracer"}]
        answer = self._web3.provider.make_request(method, parameters)
        result = answer.get("result")
        if not isinstance(result, Mapping):
            raise NotReadable(
                f"transaction 0x{transaction_hash.hex()} relayed a report through another contract, and the node traces none",
                remedy="Give this member a node that answers debug_traceTransaction: whoever hides signatures has a reason.",
            )
        return [
            bytes.fromhex(str(call["input"])[2:])
            for call in _calls(result)
            if str(call.get("to", "")).lower() == self._committee.address.lower() and not call.get("error")
        ]


def _calls(frame: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield frame
    for inner in frame.get("calls") or ():
        yield from _calls(inner)
