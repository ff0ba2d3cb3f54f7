"""Values and typed data without a node."""

from __future__ import annotations

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from hypothesis import given
from hypothesis import strategies as st
from web3 import Web3

from proofmill.chain.errors import InvalidSignature, InvalidValue
from proofmill.chain.typed_data import (
    COMMITTEE_NAME,
    CURVE_ORDER,
    commitment,
    recover_digest_signer,
    recover_signer,
    report_digest,
    report_hash,
    sign_digest,
    sign_report,
    terms_hash,
)
from proofmill.chain.types import (
    EMPTY_ADDRESS,
    MAXIMUM_VERDICTS,
    CompactSignature,
    JobOpening,
    JobState,
    JobTerms,
    Outcome,
    Report,
    Verdict,
    address,
)

COMMITTEE = "0x" + "33" * 20
words = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20).map(Web3.to_checksum_address)
amounts = st.integers(0, 2**256 - 1)
all_terms = st.builds(JobTerms, addresses, addresses, addresses, words, words, *[amounts] * 6)
verdicts = st.builds(Verdict, addresses, amounts, words, st.sampled_from(Outcome), words)
reports = st.builds(
    Report, words, st.integers(0, 2**64 - 1), amounts, words, st.lists(verdicts, max_size=4).map(tuple)
)
keys = st.integers(1, CURVE_ORDER - 1).map(lambda number: Account.from_key(number.to_bytes(32, "big")))


@given(terms=all_terms, answer=words)
def test_abi__terms_and_opening__round_trip(terms: JobTerms, answer: bytes) -> None:
    opening = JobOpening(terms, answer)
    assert JobTerms.from_abi(terms.to_abi()) == terms
    assert JobOpening.from_abi(opening.to_abi()) == opening
    assert commitment(terms) == terms_hash(terms)
    assert commitment(terms, answer) == Web3.keccak(terms_hash(terms) + answer)


@given(report=reports)
def test_abi__report__round_trips(report: Report) -> None:
    assert Report.from_abi(report.to_abi()) == report


@given(report=reports, account=keys)
def test_sign_report__any_key__recovers_with_low_s(report: Report, account: LocalAccount) -> None:
    signature = sign_report(report, account, 31337, COMMITTEE)
    assert recover_signer(report, signature, 31337, COMMITTEE) == account.address
    assert CompactSignature.from_bytes(signature.to_bytes()) == signature
    assert int.from_bytes(signature.vs, "big") % 2**255 <= CURVE_ORDER // 2
    assert recover_signer(report, signature, 1, COMMITTEE) != account.address


@given(report=reports)
def test_report_digest__any_report__is_that_of_eip712(report: Report) -> None:
    message = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "AttestedReport": [
                {"name": "configDigest", "type": "bytes32"},
                {"name": "sequence", "type": "uint64"},
                {"name": "reportHash", "type": "bytes32"},
            ],
        },
        "primaryType": "AttestedReport",
        "domain": {
            "name": COMMITTEE_NAME,
            "version": "1",
            "chainId": 5,
            "verifyingContract": Web3.to_checksum_address(COMMITTEE),
        },
        "message": {
            "configDigest": report.config_digest,
            "sequence": report.sequence,
            "reportHash": report_hash(report),
        },
    }
    signable = encode_typed_data(full_message=message)
    expected = Web3.keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert report_digest(report, 5, COMMITTEE) == expected


def test_recover__high_s__is_refused() -> None:
    good = sign_digest(b"\x02" * 32, Account.from_key(b"\x01" * 32))
    least_high = CURVE_ORDER // 2 + 1
    with pytest.raises(InvalidSignature, match="low half"):
        recover_digest_signer(b"\x02" * 32, CompactSignature(good.r, least_high.to_bytes(32, "big")))


@pytest.mark.parametrize("r", [bytes(32), b"\xff" * 32])
def test_recover__no_point__is_refused(r: bytes) -> None:
    with pytest.raises(InvalidSignature):
        recover_digest_signer(b"\x02" * 32, CompactSignature(r, b"\x01" * 32))


@pytest.mark.parametrize(
    "values",
    [
        {"escrow": "0x12"},
        {"commitment": b"short"},
        {"job_id": -1},
        {"job_id": True},
        {"job_id": 2**256},
        {"outcome": 5},
    ],
)
def test_verdict__value_out_of_range__is_refused(values: dict[str, object]) -> None:
    good: dict[str, object] = {
        "escrow": EMPTY_ADDRESS,
        "job_id": 1,
        "commitment": bytes(32),
        "outcome": 3,
        "reason": bytes(32),
    }
    Verdict(**good)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue) as caught:
        Verdict(**{**good, **values})  # type: ignore[arg-type]
    assert caught.value.remedy


def test_report__too_many_verdicts__is_refused() -> None:
    verdict = Verdict(EMPTY_ADDRESS, 1, bytes(32), Outcome.REJECT, bytes(32))
    report = Report(bytes(32), 1, 1, bytes(32), (verdict,) * MAXIMUM_VERDICTS)
    assert report.rejects
    with pytest.raises(InvalidValue):
        Report(bytes(32), 1, 1, bytes(32), (verdict,) * (MAXIMUM_VERDICTS + 1))
    with pytest.raises(InvalidValue):
        Report(bytes(32), 2**64, 1, bytes(32), ())


def test_from_abi__wrong_number_of_fields__is_refused() -> None:
    with pytest.raises(InvalidValue):
        Verdict.from_abi((EMPTY_ADDRESS, 1))


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
