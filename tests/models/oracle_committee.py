"""What a committee's report hashes to, who must sign it and what they sign, in plain Python.

Written from the specification, not from the contracts. EIP-712 is left to eth-account, which has never seen them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

COMPLETE, REJECT, VOID = 3, 4, 5
VERDICTS, MEASUREMENTS = "verdicts", "measurements"
TERMS_TYPE = (
    "(address,address,address,address,address,address,bytes32,uint256,uint256,uint256,uint256,uint256)"
)
MEASUREMENT_TYPE = "(bytes32,address,uint256,uint256,uint256,uint256,bytes32,uint256,uint256)"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
MAX_SEQUENCE_STEP = 2**32
KEY_NOTICE = 86_400


class Report(NamedTuple):
    config_digest: bytes
    sequence: int
    observed_at: int
    evidence_hash: bytes
    target: str


class Terms(NamedTuple):
    requester: str
    provider: str
    evaluator: str
    arbiter: str
    payment_token: str
    callback: str
    request_hash: bytes
    price_floor: int
    price_ceiling: int
    bond: int
    schedule: int
    rates: int


class Answer(NamedTuple):
    provider: str
    claimed_at: int
    deliverable: bytes


class Verdict(NamedTuple):
    job_id: int
    outcome: int
    terms: Terms
    answer: Answer


class Measurement(NamedTuple):
    device_id: bytes
    operator: str
    device_class: int
    operations_per_second: int
    memory_bytes: int
    picojoules_per_operation: int
    evidence_hash: bytes
    observed_at: int
    expires_at: int


# ------------------------------------------------------------------ hashes
def words(types: Sequence[str], values: Sequence[Any]) -> bytes:
    return keccak(encode(list(types), list(values)))


def commitment_of(verdict: Verdict) -> bytes:
    """The submitted job's record, in 256 bit."""
    terms_hash = words([TERMS_TYPE], [verdict.terms])
    return words(["bytes32", "address", "uint256", "bytes32"], [terms_hash, *verdict.answer])


def chained(kind: str, report: Report, items: Sequence[bytes]) -> bytes:
    link = words(
        ["bytes32", "uint256", "bytes32", "address"],
        [keccak(text=kind), report.observed_at, report.evidence_hash, report.target],
    )
    for item in items:
        link = words(["bytes32", "bytes32"], [link, item])
    return link


def verdict_hash(verdict: Verdict) -> bytes:
    """One item of a report."""
    return words(["uint256", "uint8", "bytes32"], [verdict.job_id, verdict.outcome, commitment_of(verdict)])


def verdicts_hash(report: Report, verdicts: Sequence[Verdict]) -> bytes:
    return chained(VERDICTS, report, [verdict_hash(verdict) for verdict in verdicts])


def measurements_hash(report: Report, measurements: Sequence[Measurement]) -> bytes:
    return chained(MEASUREMENTS, report, [words([MEASUREMENT_TYPE], [item]) for item in measurements])


def config_digest(
    chain_id: int, contract: str, count: int, operators: Sequence[str], keys: Sequence[str], faults: int
) -> bytes:
    whole = words(
        ["uint256", "address", "uint256", "address[]", "address[]", "uint256"],
        [chain_id, contract, count, list(operators), list(keys), faults],
    )
    return b"\x00\x01" + bytes(7) + whole[9:]


def proof_id(key: str, digest: bytes, sequence: int) -> bytes:
    return words(["address", "bytes32", "uint64"], [key, digest, sequence])


# ------------------------------------------------------------------ EIP-712
def typed_digest(
    chain_id: int, contract: str, name: str, fields: Sequence[tuple[str, str]], values: Sequence[Any]
) -> bytes:
    message = encode_typed_data(
        domain_data={
            "name": "Proofmill Oracle Committee",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": contract,
        },
        message_types={name: [{"name": field, "type": kind} for kind, field in fields]},
        message_data={field: value for (_, field), value in zip(fields, values, strict=True)},
    )
    return keccak(b"\x19" + message.version + message.header + message.body)


def report_digest(chain_id: int, contract: str, digest: bytes, sequence: int, report_hash: bytes) -> bytes:
    fields = (("bytes32", "configDigest"), ("uint64", "sequence"), ("bytes32", "reportHash"))
    return typed_digest(chain_id, contract, "AttestedReport", fields, (digest, sequence, report_hash))


def key_grant_digest(chain_id: int, contract: str, operator: str) -> bytes:
    return typed_digest(chain_id, contract, "KeyGrant", (("address", "operator"),), (operator,))


# ------------------------------------------------------------------ rules
def signatures_required(outcomes: Sequence[int], faults: int) -> int:
    """Only what takes nothing from anybody is believed on the word of one honest member."""
    return faults + 1 if all(outcome == COMPLETE for outcome in outcomes) else 2 * faults + 1


def shares_of_fees(balance: int, seated: int) -> tuple[int, int]:
    """What each member gets, and what stays."""
    return balance // seated, balance % seated
