"""Figures and readings that the tests of the committee share."""

from __future__ import annotations

from typing import Any

import boa
from eth_abi import encode
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from tests.unit.contracts.suite import (
    COMPLETE,
    SUBMITTED,
    Suite,
)

MAX_VERDICTS = 32
MAX_SEQUENCE_STEP = 2**32
GAS_FLOOR = 400_000
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
VERDICTS_TYPE = "(address,uint256,bytes32,uint8,bytes32)[]"


def chain_id() -> int:
    return int(boa.env.evm.patch.chain_id)


def expected_config_digest(committee: Any, count: int, members: list[str], faults: int) -> bytes:
    fields = (chain_id(), str(committee.address), count, members, faults)
    digest = keccak(encode(["uint256", "address", "uint256", "address[]", "uint256"], fields))
    return b"\x00\x01" + digest[2:]


def expected_report_digest(committee: Any, report: tuple[Any, ...]) -> bytes:
    """EIP-712 by a library that has never seen the contract."""
    config_digest, sequence, observed_at, evidence_hash, verdicts = report
    report_hash = keccak(
        encode(["uint256", "bytes32", VERDICTS_TYPE], (observed_at, evidence_hash, list(verdicts)))
    )
    message = encode_typed_data(
        domain_data={
            "name": "Proofmill Oracle Committee",
            "version": "1",
            "chainId": chain_id(),
            "verifyingContract": str(committee.address),
        },
        message_types={
            "AttestedReport": [
                {"name": "configDigest", "type": "bytes32"},
                {"name": "sequence", "type": "uint64"},
                {"name": "reportHash", "type": "bytes32"},
            ]
        },
        message_data={"configDigest": config_digest, "sequence": sequence, "reportHash": report_hash},
    )
    return keccak(b"\x19" + message.version + message.header + message.body)


def refuse(suite: Suite, reason: str, job: Any, outcome: int = COMPLETE, **changes: Any) -> None:
    """The report, else correct, is refused for `reason`, and its sequence number stays free."""
    latest = suite.committee.latest_sequence()
    with boa.reverts(reason):
        suite.transmit([job], outcome, **changes)
    assert (suite.committee.latest_sequence(), suite.escrow.state(job.id)) == (latest, SUBMITTED)
