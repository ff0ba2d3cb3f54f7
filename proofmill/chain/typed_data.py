"""What members of the committee sign, and the hashes that bind a job, computed without a node.

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
from proofmill.chain.types import CompactSignature, JobTerms, Report, address, bytes32

COMMITTEE_NAME: Final = "Proofmill Oracle Committee"
COMMITTEE_VERSION: Final = "1"
DOMAIN_TYPE: Final = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
ATTESTED_REPORT_TYPE: Final = "AttestedReport(bytes32 configDigest,uint64 sequence,bytes32 reportHash)"
TERMS_TYPES: Final = (
    *("address", "address", "address", "bytes32", "bytes32"),
    *("uint256", "uint256", "uint256", "uint256", "uint256", "uint256"),
)
VERDICT_TYPE: Final = "(address,uint256,bytes32,uint8,bytes32)"
CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PARITY_BIT: Final = 1 << 255


def terms_hash(terms: JobTerms) -> bytes:
    """``JobEscrow.terms_hash``: also the commitment of a job until its answer is submitted."""
    return keccak(encode(TERMS_TYPES, terms.to_abi()))


def commitment(terms: JobTerms, deliverable: bytes | None = None) -> bytes:
    """``JobEscrow.commitment`` of a job with these terms, and from the submission on with this answer."""
    hashed_terms = terms_hash(terms)
    if deliverable is None:
        return hashed_terms
    return keccak(hashed_terms + bytes32(deliverable, "deliverable"))


def domain_separator(name: str, version: str, chain_id: int, contract: str) -> bytes:
    """The EIP-712 domain of a contract."""
    values = (keccak(text=DOMAIN_TYPE), keccak(text=name), keccak(text=version), chain_id, address(contract))
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], values))


def typed_digest(domain: bytes, struct_hash: bytes) -> bytes:
    """What EIP-712 signs."""
    return keccak(b"\x19\x01" + domain + struct_hash)


def report_hash(report: Report) -> bytes:
    """The part of a report that the signed struct carries by its hash."""
    verdicts = [verdict.to_abi() for verdict in report.verdicts]
    types = ["uint256", "bytes32", f"{VERDICT_TYPE}[]"]
    return keccak(encode(types, (report.observed_at, report.evidence_hash, verdicts)))


def report_digest(report: Report, chain_id: int, committee: str) -> bytes:
    """``OracleCommittee.report_digest``: the EIP-712 digest that members sign."""
    values = (keccak(text=ATTESTED_REPORT_TYPE), report.config_digest, report.sequence, report_hash(report))
    struct_hash = keccak(encode(["bytes32", "bytes32", "uint64", "bytes32"], values))
    return typed_digest(domain_separator(COMMITTEE_NAME, COMMITTEE_VERSION, chain_id, committee), struct_hash)


def sign_report(report: Report, account: LocalAccount, chain_id: int, committee: str) -> CompactSignature:
    """One member's signature of a report."""
    return sign_digest(report_digest(report, chain_id, committee), account)


def sign_digest(digest: bytes, account: LocalAccount) -> CompactSignature:
    """A compact signature of a 32-byte digest; eth-account always gives the low s."""
    signed = account.unsafe_sign_hash(Hash32(bytes32(digest, "digest")))
    parity = signed.v - 27
    vs = (parity << 255) | signed.s
    return CompactSignature(signed.r.to_bytes(32, "big"), vs.to_bytes(32, "big"))


def recover_digest_signer(digest: bytes, signature: CompactSignature) -> ChecksumAddress:
    """Who signed a digest; refuses the high s, which the contract refuses too."""
    vs = int.from_bytes(signature.vs, "big")
    parity, s = vs >> 255, vs & (PARITY_BIT - 1)
    if s > CURVE_ORDER // 2:
        raise InvalidSignature(
            "the signature is not in the low half of the curve",
            remedy="Discard it: honest members sign with a low s.",
        )
    message_hash = bytes32(digest, "digest")
    try:
        full = Signature(vrs=(parity, int.from_bytes(signature.r, "big"), s))
        public_key = full.recover_public_key_from_msg_hash(message_hash)
    except (BadSignature, ValidationError) as error:
        raise InvalidSignature(f"the signature recovers to nobody: {error}", remedy="Discard it.") from error
    return public_key.to_checksum_address()


def recover_signer(
    report: Report, signature: CompactSignature, chain_id: int, committee: str
) -> ChecksumAddress:
    """Which member signed a report."""
    return recover_digest_signer(report_digest(report, chain_id, committee), signature)
