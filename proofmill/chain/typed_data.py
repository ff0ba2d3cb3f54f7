"""What members of the committee sign, computed without a node.

Each function equals its counterpart on chain; the integration tests compare them with the deployed contracts.
"""

from __future__ import annotations

from typing import Final

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_typing import ChecksumAddress, Hash32
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from proofmill.chain.errors import InvalidSignature
from proofmill.chain.reports import SignedByMembers
from proofmill.chain.types import address, bytes32

COMMITTEE_NAME: Final = "Proofmill Oracle Committee"
COMMITTEE_VERSION: Final = "1"
DOMAIN_TYPE: Final = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
ATTESTED_REPORT_TYPE: Final = "AttestedReport(bytes32 configDigest,uint64 sequence,bytes32 reportHash)"
KEY_GRANT_TYPE: Final = "KeyGrant(address operator)"
CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGNATURE_BYTES: Final = 65  # r ‖ s ‖ v
FIRST_RECOVERY_ID: Final = 27


def domain_separator(name: str, version: str, chain_id: int, contract: str) -> bytes:
    """The EIP-712 domain of a contract."""
    values = (keccak(text=DOMAIN_TYPE), keccak(text=name), keccak(text=version), chain_id, address(contract))
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], values))


def typed_digest(domain: bytes, struct_hash: bytes) -> bytes:
    """What EIP-712 signs."""
    return keccak(b"\x19\x01" + domain + struct_hash)


def report_digest(
    config_digest: bytes, sequence: int, report_hash: bytes, chain_id: int, committee: str
) -> bytes:
    """``OracleCommittee.report_digest``: the EIP-712 digest that members sign."""
    values = (keccak(text=ATTESTED_REPORT_TYPE), config_digest, sequence, report_hash)
    struct_hash = keccak(encode(["bytes32", "bytes32", "uint64", "bytes32"], values))
    return typed_digest(committee_domain(chain_id, committee), struct_hash)


def digest_of(report: SignedByMembers, chain_id: int, committee: str) -> bytes:
    """The digest that members sign of this report."""
    head = report.head
    return report_digest(head.config_digest, head.sequence, report.hash(), chain_id, committee)


def key_grant_digest(operator: str, chain_id: int, committee: str) -> bytes:
    """What a signing key signs to work for an operator: the proof that whoever names the key also holds it."""
    values = (keccak(text=KEY_GRANT_TYPE), address(operator, "operator"))
    return typed_digest(committee_domain(chain_id, committee), keccak(encode(["bytes32", "address"], values)))


def sign_report(report: SignedByMembers, account: LocalAccount, chain_id: int, committee: str) -> bytes:
    """One member's signature of a report."""
    return sign_digest(digest_of(report, chain_id, committee), account)


def sign_key_grant(key: LocalAccount, operator: str, chain_id: int, committee: str) -> bytes:
    """The signature with which ``join`` and ``rotate_key`` accept a key."""
    return sign_digest(key_grant_digest(operator, chain_id, committee), key)


def sign_digest(digest: bytes, account: LocalAccount) -> bytes:
    """A signature of a 32-byte digest in the form r ‖ s ‖ v; eth-account always gives the low s."""
    signed = account.unsafe_sign_hash(Hash32(bytes32(digest, "digest")))
    return signed.r.to_bytes(32, "big") + signed.s.to_bytes(32, "big") + bytes([signed.v])


def recover_digest_signer(digest: bytes, signature: bytes) -> ChecksumAddress:
    """Who signed a digest; refuses the high s, which the contract refuses too."""
    if len(signature) != SIGNATURE_BYTES or signature[-1] not in (FIRST_RECOVERY_ID, FIRST_RECOVERY_ID + 1):
        raise InvalidSignature(
            "the signature is not of the form r, s, v of 65 bytes in all",
            remedy="Discard it: honest members sign in this form.",
        )
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if s > CURVE_ORDER // 2:
        raise InvalidSignature(
            "the signature is not in the low half of the curve",
            remedy="Discard it: honest members sign with a low s.",
        )
    message_hash = bytes32(digest, "digest")
    try:
        full = Signature(vrs=(signature[-1] - FIRST_RECOVERY_ID, r, s))
        public_key = full.recover_public_key_from_msg_hash(message_hash)
    except (BadSignature, ValidationError) as error:
        raise InvalidSignature(f"the signature recovers to nobody: {error}", remedy="Discard it.") from error
    return public_key.to_checksum_address()


def recover_signer(
    report: SignedByMembers, signature: bytes, chain_id: int, committee: str
) -> ChecksumAddress:
    """Which key signed a report."""
    return recover_digest_signer(digest_of(report, chain_id, committee), signature)


def committee_domain(chain_id: int, committee: str) -> bytes:
    """The EIP-712 domain of everything that members sign."""
    return domain_separator(COMMITTEE_NAME, COMMITTEE_VERSION, chain_id, committee)
