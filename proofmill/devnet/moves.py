"""All that a set of people did on chain in a range of blocks: who called what, with how much gas, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from web3 import Web3

from proofmill.chain import Suite
from proofmill.chain.client import ContractClient
from proofmill.chain.events import EventDecoder, EventLog
from proofmill.chain.history import describe, format_amount
from proofmill.disputes.docket import as_tuple

# What a call means, where its events do not tell.
_CALLS: Final[Mapping[str, str]] = {
    "MillToken.approve": "allows the next move to take tokens",
    "DisputeGame.commit": "says that it doubts an answer, not yet which",
    "DisputeGame.reveal_tree": "opens a part of its trace",
    "DisputeGame.reveal_rows": "reveals the hash of every row of it",
    "DisputeGame.reveal_leaves": "reveals the hash of every leaf of a row",
    "DisputeGame.reveal_row": "reveals a row of it, number by number",
    "DisputeGame.reveal_leaf": "reveals a leaf of it, number by number",
    "DisputeGame.reveal_items": "reveals what it answered to each sequence",
    "DisputeGame.prove": "shows one step that is false; the EVM computes it and agrees",
    "DisputeGame.contradict": "shows that the trace is not that of the answer",
}
# Events that history tells well enough.
_KNOWN: Final = frozenset(
    {
        "JobFunded",
        "JobSubmitted",
        "JobCompleted",
        "JobCondemned",
        "JobRejected",
        "JobRefuted",
        "PaymentReleased",
        "EarningsCollected",
        "EarningsPaid",
        "Refunded",
    }
)


_OF_A_ROW: Final = (3, 4)  # questions, see docs/DISPUTES.md


@dataclass(frozen=True)
class Move:
    """One transaction of somebody who takes part."""

    block: int
    time: int  # unix seconds
    role: str
    call: str  # contract and function
    gas: int
    words: str
    events: tuple[EventLog, ...]


def moves_between(
    web3: Web3, suite: Suite, roles: Mapping[str, str], first_block: int, last_block: int
) -> list[Move]:
    """Every transaction from an account of ``roles`` (role → address) to a contract of the suite, oldest first."""
    names = {address: role for role, address in roles.items()}
    contracts: dict[Any, ContractClient] = {client.address: client for client in _clients(suite)}
    decoder = EventDecoder([(client.name, client.contract) for client in contracts.values()])
    found = list[Move]()
    for number in range(first_block, last_block + 1):
        block: Any = web3.eth.get_block(number, full_transactions=True)
        for transaction in block["transactions"]:
            client = contracts.get(transaction.get("to"))  # None where a contract is made
            if client is None or transaction["from"] not in names:
                continue
            receipt = web3.eth.get_transaction_receipt(transaction["hash"])
            function, _ = client.contract.decode_function_input(transaction["input"])
            call = f"{client.name}.{function.fn_name}"
            events = tuple(decoder.decode_all(receipt["logs"]))
            found.append(
                Move(
                    block=number,
                    time=int(block["timestamp"]),
                    role=names[transaction["from"]],
                    call=call,
                    gas=int(receipt["gasUsed"]),
                    words=_words(call, events, names)
                    if receipt["status"]
                    else "is refused, and changes nothing",
                    events=events,
                )
            )
    return found


def gas_by_role(moves: Sequence[Move]) -> dict[str, int]:
    """What each has spent, in the order of first appearance."""
    spent = dict[str, int]()
    for move in moves:
        spent[move.role] = spent.get(move.role, 0) + move.gas
    return spent


def _words(call: str, events: Sequence[EventLog], names: Mapping[str, str]) -> str:
    told = [_CALLS.get(call, ""), *(_tell(event, names) for event in events)]
    return "; ".join(filter(None, told))


def _tell(event: EventLog, names: Mapping[str, str]) -> str:
    """An event in words, empty if the others of its transaction say the same."""
    args = event.args
    match event.name:
        case "JobClaimed":
            return f"takes the job for {format_amount(args['price'])}"
        case "ReportTransmitted":
            return f"report {args['sequence']}, with the signatures of its members"
        case "ChallengeOpened":
            return f"doubts the answer to job {args['job_id']}, with a bond of {format_amount(args['bond'])}"
        case "ItemNamed":
            return "names the sequence that is answered wrongly, and asks for its trace"
        case "TracePosted":
            return f"posts the roots of all {len(args['roots'])} values of its trace"
        case "Asked":
            question = as_tuple(args["question"])
            what, number, row = question[0], question[1], question[7]
            return (
                f"asks for row {row} of it" if what in _OF_A_ROW else f"asks what value {number} is made of"
            )
        case "BondReturned":
            return f"has its bond of {format_amount(args['amount'])} back"
        case "Slashed":
            return _tell_slash(args, names)
        case "MisjudgementProved":
            return "it signed for the refuted answer, and is expelled"
        case name if name in _KNOWN:
            return describe(event)
    return ""


def _tell_slash(args: Mapping[str, Any], names: Mapping[str, str]) -> str:
    loser = names.get(args["operator"], args["operator"])
    shares = [
        (names.get(args["client"], ""), args["compensation"]),
        (names.get(args["reporter"], ""), args["reward"]),
        ("the insurance", args["insured"]),
    ]
    parts = [f"{format_amount(amount)} to {name}" for name, amount in shares if amount]
    parts.append(f"{format_amount(args['burned'])} burned")
    return f"{loser} loses {format_amount(args['own'] + args['delegated'])}: {', '.join(parts)}"


def _clients(suite: Suite) -> Sequence[ContractClient]:
    return (suite.mill_token, suite.staking, suite.job_escrow, suite.oracle_committee, suite.dispute_game)
