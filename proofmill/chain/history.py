"""What happened to a job on chain, transaction by transaction: for people who want to see it, and for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_typing import ChecksumAddress
from web3 import Web3
from web3.types import LogReceipt

from proofmill.chain.client import ContractClient
from proofmill.chain.deployment import Deployment, Suite
from proofmill.chain.events import EventDecoder, EventLog, LogReader
from proofmill.chain.job_escrow import JobEscrow
from proofmill.chain.types import address

# What each event means to a reader; events that are not listed are shown by their name alone.
_MEANINGS: Mapping[str, str] = {
    "JobCreated": "job {jobId} created",
    "JobPosted": "terms published",
    "JobFunded": "{amount} escrowed",
    "ProviderSet": "claimed by {provider}",
    "JobClaimed": "price fixed at {price}",
    "JobSubmitted": "answer {deliverable} submitted",
    "JobReopened": "{provider} was late, the job waits for another worker",
    "ReportTransmitted": "report {sequence} of the committee accepted",
    "ItemRefused": "verdict {index} of the report refused",
    "JobCompleted": "answer accepted",
    "JobCondemned": "answer condemned, the worker may appeal",
    "JobRejected": "job rejected",
    "JobVoided": "the request could not be served",
    "JobContested": "the arbiter is asked",
    "ContestDismissed": "the arbiter dismissed the contest",
    "JobRefuted": "the paid answer was proved wrong",
    "PaymentReleased": "{amount} earned by the worker",
    "EarningsCollected": "{amount} of earnings collected",
    "EarningsDistributed": "{amount} shared out, {cut} of it to the operator",
    "EarningsPaid": "{amount} of earnings paid out",
    "Slashed": "{own} of own stake slashed, {delegated} delegated; {reward} to the reporter, {burned} burned",
    "Compensated": "{amount} of the slashed stake to the requester",
    "Refunded": "{amount} back to the requester",
    "PayoutDeferred": "{amount} waits for {account}",
    "Withdrawn": "{amount} withdrawn",
    "CallbackFinished": "callback finished",
    "JobExpired": "job expired",
}
_AMOUNTS = frozenset({"amount", "burned", "compensation", "price", "cut", "own", "delegated", "reward"})
TOKEN_UNIT = 10**18


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One transaction that moved a job."""

    block_number: int
    block_time: int
    transaction_hash: bytes
    sender: ChecksumAddress
    contract: str
    function: str
    gas_used: int
    events: tuple[EventLog, ...]

    def descriptions(self) -> list[str]:
        """Each event in words, in order; token transfers are left out, the events after them name the amounts."""
        return [describe(event) for event in self.events if event.name in _MEANINGS]


def describe(event: EventLog) -> str:
    """An event in words."""
    meaning = _MEANINGS.get(event.name)
    if meaning is None:
        return event.name
    return meaning.format(**{name: _shown(name, value) for name, value in event.args.items()})


def format_amount(amount: int) -> str:
    """Smallest units as MILL, with the decimals that matter and no more."""
    whole, fraction = divmod(abs(amount), TOKEN_UNIT)
    digits = f"{fraction:018d}".rstrip("0")
    return f"{'-' if amount < 0 else ''}{whole:,}{'.' + digits if digits else ''} MILL"


def _shown(name: str, value: Any) -> str:
    if name in _AMOUNTS:
        return format_amount(int(value))
    if isinstance(value, bytes):
        return f"0x{value.hex()[:12]}…"
    return str(value)


def job_history(web3: Web3, deployment: Deployment, job_id: int) -> list[HistoryEntry]:
    """Every transaction that touched job `job_id`, oldest first, with all events of our contracts in it."""
    suite = deployment.connect(web3)
    posted = suite.job_escrow.job(job_id).posted_block
    head = int(web3.eth.block_number)
    return _entries(web3, suite, _transactions_of(suite.job_escrow, job_id, posted, head))


def earnings_history(
    web3: Web3, deployment: Deployment, operator: str, from_block: int
) -> list[HistoryEntry]:
    """Every transaction since `from_block` that collected or paid out what `operator` has earned, oldest first."""
    suite = deployment.connect(web3)
    word = f"0x{address(operator)[2:].lower().rjust(64, '0')}"
    head = int(web3.eth.block_number)
    logs = [
        *_logs(suite.job_escrow, ["EarningsCollected"], word, from_block, head),
        *_logs(suite.staking, ["EarningsPaid"], word, from_block, head),
    ]
    logs.sort(key=lambda log: (log["blockNumber"], log["logIndex"]))
    return _entries(web3, suite, list(dict.fromkeys(bytes(log["transactionHash"]) for log in logs)))


def _logs(
    client: ContractClient, events: Sequence[str], second_topic: str, from_block: int, to_block: int
) -> list[LogReceipt]:
    """The logs of some events whose indexed fields are a token and an account."""
    reader = LogReader(client.web3, [client.address])
    return reader.read(from_block, to_block, [client.decoder.topics(events), None, second_topic])


def _entries(web3: Web3, suite: Suite, hashes: Sequence[bytes]) -> list[HistoryEntry]:
    decoder = EventDecoder([(client.name, client.contract) for client in _clients(suite)])
    return [_entry(web3, suite, decoder, transaction_hash) for transaction_hash in hashes]


def _transactions_of(escrow: JobEscrow, job_id: int, from_block: int, to_block: int) -> list[bytes]:
    reader = LogReader(escrow.web3, [escrow.address])
    logs = reader.read(from_block, to_block, [None, f"0x{job_id:064x}"])
    return list(dict.fromkeys(bytes(log["transactionHash"]) for log in logs))


def _clients(suite: Suite) -> Sequence[Any]:
    return (suite.job_escrow, suite.staking, suite.oracle_committee, suite.dispute_game)


def _entry(web3: Web3, suite: Suite, decoder: EventDecoder, transaction_hash: bytes) -> HistoryEntry:
    transaction = web3.eth.get_transaction(transaction_hash)  # type: ignore[arg-type]  # web3 takes hashes as bytes
    receipt = web3.eth.get_transaction_receipt(transaction_hash)  # type: ignore[arg-type]
    number = int(receipt["blockNumber"])
    contract, function = "unknown", "unknown"
    for client in _clients(suite):
        if client.address == transaction["to"]:
            contract = client.name
            function = str(client.contract.decode_function_input(transaction["input"])[0].fn_name)
    return HistoryEntry(
        block_number=number,
        block_time=int(web3.eth.get_block(number)["timestamp"]),
        transaction_hash=transaction_hash,
        sender=receipt["from"],
        contract=contract,
        function=function,
        gas_used=int(receipt["gasUsed"]),
        events=tuple(decoder.decode_all(receipt["logs"])),
    )
