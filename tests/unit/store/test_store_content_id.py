"""Identifiers: known vectors, every accepted form, every refusal."""

from __future__ import annotations

import hashlib

import pytest

from proofmill.store import InvalidContentId, content_id, describe, from_cid, to_cid

EMPTY_CID = (
    "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"  # the CID of no bytes, as IPFS gives it
)
HELLO_CID = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"  # "hello world", as IPFS gives it


def test_to_cid__known_blobs__equals_ipfs() -> None:
    assert to_cid(content_id(b"")) == EMPTY_CID
    assert to_cid(content_id(b"hello world")) == HELLO_CID


@pytest.mark.parametrize("form", [to_cid, bytes.hex, lambda d: "0x" + d.hex(), lambda d: d.hex().upper()])
def test_from_cid__each_form__gives_the_digest(form) -> None:  # type: ignore[no-untyped-def]
    digest = hashlib.sha256(b"proof").digest()
    assert from_cid(form(digest)) == digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "0x",
        "0x" + "0" * 63,
        "0X" + "0" * 64,
        "g" * 64,
        "٣" * 64,  # digits, but not hexadecimal ones
        EMPTY_CID.upper(),
        EMPTY_CID + "a",
        EMPTY_CID[:-1],
        EMPTY_CID[:-1] + "v",  # the same digest with unused bits set
        "z" + EMPTY_CID[1:],
        "bafybei" + EMPTY_CID[7:],  # dag-pb codec
        "b" + "1" * 58,
        "../" * 20,
        "b" + "é" * 58,
    ],
)
def test_from_cid__not_an_identifier__is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(InvalidContentId) as caught:
        from_cid(text)
    assert "bafkrei" in caught.value.remedy


@pytest.mark.parametrize("digest", [b"", b"\0" * 31, b"\0" * 33, bytearray(32), "0" * 32])
def test_to_cid__not_a_digest__is_refused(digest: bytes) -> None:
    with pytest.raises(InvalidContentId):
        to_cid(digest)


def test_describe__sha2_256_of_the_bytes__is_a_cid() -> None:
    digest = content_id(b"hello world")
    assert describe(digest, b"hello world") == HELLO_CID
    for unproved in (describe(digest), describe(digest, b"hello")):
        assert unproved == "0x" + digest.hex()
        assert from_cid(unproved) == digest
    with pytest.raises(InvalidContentId):
        describe(digest[:31])
