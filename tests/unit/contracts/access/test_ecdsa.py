"""Recovery of a signer: one signature for each digest and key, and nobody for everything else."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from tests.suite.deployment import MAX_UINT256, NOBODY, deploy
from tests.unit.contracts.token.typed_data import SECP256K1_ORDER

SIGNER = Account.from_key(b"\x55" * 32)
DIGEST = keccak(text="digest")
FIELD_PRIME = 2**256 - 2**32 - 977
LARGEST_LOW_S = SECP256K1_ORDER // 2


@pytest.fixture
def recovery() -> Any:
    return deploy("mocks/EcdsaHarness.vy")


@pytest.fixture
def signature() -> tuple[int, int, int]:
    signed = SIGNER.unsafe_sign_hash(DIGEST)
    return signed.v, signed.r, signed.s


def compact(v: int, s: int) -> int:
    """EIP-2098: parity and s in one word."""
    return (v - 27) << 255 | s


def test_recover__the_signer(recovery: Any, signature: tuple[int, int, int]) -> None:
    assert recovery.recover(DIGEST, *signature) == SIGNER.address


def test_recover_compact__the_signer(recovery: Any, signature: tuple[int, int, int]) -> None:
    v, r, s = signature
    assert recovery.recover_compact(DIGEST, r, compact(v, s)) == SIGNER.address


def test_recover_compact__both_parities(recovery: Any) -> None:
    parities = set()
    for number in range(12):
        digest = keccak(number.to_bytes(32, "big"))
        signed = SIGNER.unsafe_sign_hash(digest)
        parities.add(signed.v)
        assert recovery.recover_compact(digest, signed.r, compact(signed.v, signed.s)) == SIGNER.address
    assert parities == {27, 28}


def test_recover_compact__example_of_eip_2098(recovery: Any) -> None:
    """Its first two vectors, signed by the key 0x1234567890…1234."""
    signer = Account.from_key("0x" + "1234567890" * 6 + "1234").address
    for text, r, vs in (
        (
            "Hello World",
            0x68A020A209D3D56C46F38CC50A33F704F4A9A10A59377F8DD762AC66910E9B90,
            0x7E865AD05C4035AB5792787D4A0297A43617AE897930A6FE4D822B8FAEA52064,
        ),
        (
            "It's a small(er) world",
            0x9328DA16089FCBA9BECECA81663203989F2DF5FE1FAA6291A45381C81BD17F76,
            0x939C6D6B623B42DA56557E5E734A43DC83345DDFADEC52CBE24D0CC64F550793,
        ),
    ):
        digest = keccak(b"\x19Ethereum Signed Message:\n" + str(len(text)).encode() + text.encode())
        assert recovery.recover_compact(digest, r, vs) == signer


def test_recover__high_s__is_nobody(recovery: Any, signature: tuple[int, int, int]) -> None:
    v, r, s = signature
    assert recovery.recover(DIGEST, 55 - v, r, SECP256K1_ORDER - s) == NOBODY


def test_recover__bound_of_s(recovery: Any, signature: tuple[int, int, int]) -> None:
    """The largest low s recovers to somebody, the next one to nobody."""
    _, r, _ = signature
    assert recovery.recover(DIGEST, 27, r, LARGEST_LOW_S) != NOBODY
    assert recovery.recover(DIGEST, 27, r, LARGEST_LOW_S + 1) == NOBODY


def test_recover_compact__high_s__is_nobody(recovery: Any, signature: tuple[int, int, int]) -> None:
    v, r, s = signature
    for other_v in (27, 28):
        assert recovery.recover_compact(DIGEST, r, (other_v - 27) << 255 | LARGEST_LOW_S + 1) == NOBODY
    # The other signature has s above 2 ** 255 or takes the parity's place: either way it is not the signer's.
    assert recovery.recover_compact(DIGEST, r, SECP256K1_ORDER - s) != SIGNER.address
    assert recovery.recover_compact(DIGEST, r, compact(55 - v, s)) != SIGNER.address


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 27 + 256, 28 + 2**255, MAX_UINT256])
def test_recover__odd_v__is_nobody(recovery: Any, signature: tuple[int, int, int], v: int) -> None:
    _, r, s = signature
    assert recovery.recover(DIGEST, v, r, s) == NOBODY


@pytest.mark.parametrize(
    ("r", "s"),
    [
        (0, 1),
        (1, 0),
        (0, 0),
        (SECP256K1_ORDER, 1),
        (FIELD_PRIME, 1),
        (MAX_UINT256, 1),
        (5, 1),  # no point of the curve has this x
    ],
)
def test_recover__no_point__is_nobody(recovery: Any, r: int, s: int) -> None:
    for v in (27, 28):
        assert recovery.recover(DIGEST, v, r, s) == NOBODY
        assert recovery.recover_compact(DIGEST, r, compact(v, s)) == NOBODY


def test_recover__another_digest__is_not_the_signer(recovery: Any, signature: tuple[int, int, int]) -> None:
    assert recovery.recover(keccak(DIGEST), *signature) != SIGNER.address


def test_recover__is_not_confused_by_a_failure_before(recovery: Any, signature: tuple[int, int, int]) -> None:
    """The precompile answers nothing when it fails: what a call before left in memory must not be taken for it."""
    assert recovery.recover(DIGEST, *signature) == SIGNER.address
    assert recovery.recover(DIGEST, 29, *signature[1:]) == NOBODY
    assert recovery.recover(DIGEST, *signature) == SIGNER.address
