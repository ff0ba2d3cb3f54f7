"""Figures and readings that the tests of the escrow share."""

from __future__ import annotations

from typing import Any

from eth_abi import encode
from eth_utils import keccak

from tests.unit.contracts.suite import (
    INPUT_ROOT,
    MILL,
    MODEL_ID,
    Job,
    Suite,
)

PRICE, BOND, LATE_PENALTY = 100 * MILL, 150 * MILL, 10 * MILL
STAKED = 1_000 * MILL
MAX_AMOUNT = 2**128 - 1
MAX_BOUND_TIME = 302_400
TERMS_TYPE = "(address,address,address,bytes32,bytes32,uint256,uint256,uint256,uint256,uint256,uint256)"


def commitment_of(job: Job, deliverable: bytes | None = None) -> bytes:
    terms_hash = keccak(encode([TERMS_TYPE], [job.terms]))
    return terms_hash if deliverable is None else keccak(terms_hash + deliverable)


def events_of_staking(suite: Suite) -> list[tuple[str, dict[str, Any]]]:
    """What staking logged inside the escrow's latest call."""
    return [
        (type(event).__name__, event._asdict())
        for event in suite.escrow.get_logs()
        if str(event.address) == str(suite.staking.address)
    ]


FORGERIES: list[dict[str, Any]] = [
    {"requester": "0x" + "66" * 20},
    {"provider": "0x" + "66" * 20},
    {"evaluator": "0x" + "66" * 20},
    {"model_id": INPUT_ROOT},
    {"input_root": MODEL_ID},
    {"price": PRICE + 1},
    {"bond": BOND - 1},
    {"late_penalty": 0},
    {"claim_deadline": 1},
    {"submit_window": 1},
    {"evaluation_window": 1},
]
