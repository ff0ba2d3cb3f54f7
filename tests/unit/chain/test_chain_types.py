"""Values and typed data without a node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from hypothesis import given
from hypothesis import strategies as st
from web3 import Web3

from proofmill.chain.errors import InvalidSignature, InvalidValue, revert_text
from proofmill.chain.reports import (
    MAXIMUM_VERDICTS,
    MEASUREMENTS_KIND,
    Measurement,
    OpenedVerdict,
    Outcome,
    Report,
    ReportHead,
    Verdict,
    measurements_hash,
)
from proofmill.chain.typed_data import (
    COMMITTEE_NAME,
    CURVE_ORDER,
    digest_of,
    key_grant_digest,
    recover_digest_signer,
    recover_signer,
    sign_digest,
    sign_key_grant,
    sign_report,
)
from proofmill.chain.types import EMPTY_ADDRESS, JobState, address
from tests.unit.chain.values import heads, measurements, numbers, opened_verdicts, words

COMMITTEE = "0x" + "33" * 20
DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
HEAD = ReportHead(bytes(32), 1, 1, bytes(32), EMPTY_ADDRESS)
verdicts = st.builds(Verdict, numbers, st.sampled_from(Outcome), words)
reports = st.builds(Report, heads, st.lists(verdicts, max_size=4).map(tuple))
keys = st.integers(1, CURVE_ORDER - 1).map(lambda number: Account.from_key(number.to_bytes(32, "big")))


def domain(chain_id: int) -> dict[str, object]:
    return {
        "name": COMMITTEE_NAME,
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": Web3.to_checksum_address(COMMITTEE),
    }


@given(head=heads, opened=opened_verdicts)
def test_abi__head_and_opened_verdict__round_trip(head: ReportHead, opened: OpenedVerdict) -> None:
    assert ReportHead.from_abi(head.to_abi()) == head
    assert OpenedVerdict.from_abi(opened.to_abi()) == opened
    assert opened.verdict.outcome is opened.outcome


@given(report=reports, other=verdicts)
def test_report_hash__any_change__is_another_hash(report: Report, other: Verdict) -> None:
    """The chain of hashes binds every item, their order and their number, and the head but for what the digest holds."""
    longer = Report(report.head, (*report.verdicts, other))
    assert longer.hash() != report.hash()
    if report.verdicts and report.verdicts[0] != other:
        assert Report(report.head, (other, *report.verdicts)).hash() != longer.hash()
    assert (
        Report(replace(report.head, target=address("0x" + "44" * 20)), report.verdicts).hash()
        != report.hash()
    )


@given(report=reports)
def test_report_hash__definition__is_that_of_the_interface(report: Report) -> None:
    head = report.head
    types = ["bytes32", "uint256", "bytes32", "address"]
    chained = Web3.keccak(
        encode(types, (Web3.keccak(text="verdicts"), head.observed_at, head.evidence_hash, head.target))
    )
    for item in report.verdicts:
        values = (item.job_id, int(item.outcome), item.commitment)
        chained = Web3.keccak(
            encode(
                ["bytes32", "bytes32"],
                (chained, Web3.keccak(encode(["uint256", "uint8", "bytes32"], values))),
            )
        )
    assert report.hash() == chained


@given(head=heads, items=st.lists(measurements, max_size=3))
def test_measurements_hash__definition__is_that_of_the_interface(
    head: ReportHead, items: list[Measurement]
) -> None:
    assert Web3.keccak(text="measurements") == MEASUREMENTS_KIND
    start = (MEASUREMENTS_KIND, head.observed_at, head.evidence_hash, head.target)
    chained = Web3.keccak(encode(["bytes32", "uint256", "bytes32", "address"], start))
    types = "(bytes32,address,uint256,uint256,uint256,uint256,bytes32,uint256,uint256)"
    for item in items:
        chained = Web3.keccak(chained + Web3.keccak(encode([types], [item.to_abi()])))
    assert measurements_hash(head, items) == chained


@given(report=reports, account=keys)
def test_sign_report__any_key__recovers_with_low_s(report: Report, account: LocalAccount) -> None:
    signature = sign_report(report, account, 31337, COMMITTEE)
    assert recover_signer(report, signature, 31337, COMMITTEE) == account.address
    assert len(signature) == 65
    assert int.from_bytes(signature[32:64], "big") <= CURVE_ORDER // 2
    assert recover_signer(report, signature, 1, COMMITTEE) != account.address


@given(account=keys, operator=words.map(lambda word: Web3.to_checksum_address(word[:20])))
def test_key_grant__any_operator__is_that_of_eip712(account: LocalAccount, operator: str) -> None:
    message = {
        "types": {"EIP712Domain": DOMAIN_FIELDS, "KeyGrant": [{"name": "operator", "type": "address"}]},
        "primaryType": "KeyGrant",
        "domain": domain(5),
        "message": {"operator": operator},
    }
    signable = encode_typed_data(full_message=message)
    expected = Web3.keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert key_grant_digest(operator, 5, COMMITTEE) == expected
    grant = sign_key_grant(account, operator, 5, COMMITTEE)
    assert recover_digest_signer(expected, grant) == account.address


@given(report=reports)
def test_report_digest__any_report__is_that_of_eip712(report: Report) -> None:
    message = {
        "types": {
            "EIP712Domain": DOMAIN_FIELDS,
            "AttestedReport": [
                {"name": "configDigest", "type": "bytes32"},
                {"name": "sequence", "type": "uint64"},
                {"name": "reportHash", "type": "bytes32"},
            ],
        },
        "primaryType": "AttestedReport",
        "domain": domain(5),
        "message": {
            "configDigest": report.head.config_digest,
            "sequence": report.head.sequence,
            "reportHash": report.hash(),
        },
    }
    signable = encode_typed_data(full_message=message)
    expected = Web3.keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert digest_of(report, 5, COMMITTEE) == expected


def test_recover__high_s__is_refused() -> None:
    good = sign_digest(b"\x02" * 32, Account.from_key(b"\x01" * 32))
    least_high = CURVE_ORDER // 2 + 1
    with pytest.raises(InvalidSignature, match="low half"):
        recover_digest_signer(b"\x02" * 32, good[:32] + least_high.to_bytes(32, "big") + good[64:])


@pytest.mark.parametrize("r", [bytes(32), b"\xff" * 32])
def test_recover__no_point__is_refused(r: bytes) -> None:
    with pytest.raises(InvalidSignature):
        recover_digest_signer(b"\x02" * 32, r + b"\x01" * 32 + b"\x1b")


@pytest.mark.parametrize(
    "change", [lambda good: good[:64], lambda good: good + b"\0", lambda good: good[:64] + b"\0"]
)
def test_recover__another_form__is_refused(change: Callable[[bytes], bytes]) -> None:
    good = sign_digest(b"\x02" * 32, Account.from_key(b"\x01" * 32))
    with pytest.raises(InvalidSignature, match="65 bytes"):
        recover_digest_signer(b"\x02" * 32, change(good))


@pytest.mark.parametrize(
    "values",
    [
        {"commitment": b"short"},
        {"job_id": -1},
        {"job_id": True},
        {"job_id": 2**256},
        {"outcome": 6},
        {"outcome": 2},
    ],
)
def test_verdict__value_out_of_range__is_refused(values: dict[str, object]) -> None:
    good: dict[str, object] = {"job_id": 1, "outcome": 3, "commitment": bytes(32)}
    Verdict(**good)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue) as caught:
        Verdict(**{**good, **values})  # type: ignore[arg-type]
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("outcome", "takes"), [(Outcome.COMPLETE, False), (Outcome.REJECT, True), (Outcome.VOID, True)]
)
def test_takes_money__each_outcome__decides_the_quorum(outcome: Outcome, takes: bool) -> None:
    calm = Verdict(1, Outcome.COMPLETE, bytes(32))
    assert Report(HEAD, (calm, Verdict(2, outcome, bytes(32)))).takes_money is takes


def test_report__too_many_verdicts__is_refused() -> None:
    verdict = Verdict(1, Outcome.REJECT, bytes(32))
    Report(HEAD, (verdict,) * MAXIMUM_VERDICTS)
    with pytest.raises(InvalidValue):
        Report(HEAD, (verdict,) * (MAXIMUM_VERDICTS + 1))
    with pytest.raises(InvalidValue):
        replace(HEAD, sequence=2**64)


def test_from_abi__wrong_number_of_fields__is_refused() -> None:
    with pytest.raises(InvalidValue):
        ReportHead.from_abi((bytes(32), 1))


@pytest.mark.parametrize(
    ("data", "words_"),
    [
        ("08c379a0" + f"{32:064x}{5:064x}" + b"scope".hex() + "00" * 27, "scope"),
        ("08c379a0" + f"{32:064x}{50:064x}" + b"cut off by the lo".hex(), "cut off by the lo"),
        ("4e487b71" + f"{0x11:064x}", "panic 0x11"),
        ("", "no reason given"),
        ("08c379a0" + f"{32:064x}{2:064x}" + "fffe" + "00" * 30, "0x08c379a0"),
        ("12345678", "0x12345678"),
    ],
)
def test_revert_text__whatever_a_contract_gave__is_readable(data: str, words_: str) -> None:
    assert revert_text(bytes.fromhex(data)).startswith(words_)


def test_job_state__settled_states__are_final() -> None:
    assert [state.is_final for state in JobState] == [False, False, False, True, True, True]


def test_address__mixed_case_with_a_wrong_checksum__is_refused() -> None:
    """One digit of a copied address changed: the money would be lost."""
    with pytest.raises(InvalidValue, match="not an address"):
        address("0xAb2d3c9692f223eF15cA572363A7C6c7d4eb2762")
    assert (
        address("0xab2d3c9692f223ef15ca572363a7c6c7d4eb2762").lower()
        == "0xab2d3c9692f223ef15ca572363a7c6c7d4eb2762"
    )
