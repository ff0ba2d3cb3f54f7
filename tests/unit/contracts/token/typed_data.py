"""What holders sign, as their wallets sign it (eth_account's EIP-712). No test lives here."""

from __future__ import annotations

from typing import Any, NamedTuple

import boa
from eth_account import Account
from eth_account.signers.local import LocalAccount

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

OWNER = Account.from_key(b"\x77" * 32)  # a holder who signs
OTHER = Account.from_key(b"\x78" * 32)  # another one, who would like to sign for it

_PAYMENT = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"
TYPE_TEXTS = {
    "Permit": "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline",
    "TransferWithAuthorization": _PAYMENT,
    "ReceiveWithAuthorization": _PAYMENT,
    "CancelAuthorization": "address authorizer,bytes32 nonce",
    "Delegation": "address delegatee,uint256 nonce,uint256 expiry",
}


class Signature(NamedTuple):
    """As the token takes it."""

    v: int
    r: bytes
    s: bytes

    def malleated(self) -> Signature:
        """The other signature of the same digest by the same key, which anybody can compute."""
        high_s = SECP256K1_ORDER - int.from_bytes(self.s, "big")
        return Signature(55 - self.v, self.r, high_s.to_bytes(32, "big"))


NO_SIGNATURE = Signature(27, bytes(32), bytes(32))  # recovery fails


def sign(
    token: Any, signer: LocalAccount, primary_type: str, message: dict[str, Any], **domain: Any
) -> Signature:
    """Sign for the token's domain, or for one that differs in the fields named."""
    whole_domain: dict[str, Any] = {
        "name": "Proofmill",
        "version": "1",
        "chainId": boa.env.evm.patch.chain_id,
        "verifyingContract": str(token.address),
    }
    assert domain.keys() <= whole_domain.keys()
    fields = [field.split() for field in TYPE_TEXTS[primary_type].split(",")]
    assert message.keys() == {name for _, name in fields}
    signed = signer.sign_typed_data(
        domain_data=whole_domain | domain,
        message_types={primary_type: [{"name": name, "type": kind} for kind, name in fields]},
        message_data=message,
    )
    return Signature(signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))


class Permit(NamedTuple):
    """The fields of a permit in the order in which the token takes them."""

    owner: str
    spender: str
    value: int
    deadline: int

    def sign(self, token: Any, nonce: int, *, signer: LocalAccount = OWNER, **domain: Any) -> Signature:
        return sign(token, signer, "Permit", self._asdict() | {"nonce": nonce}, **domain)


class Payment(NamedTuple):
    """The fields of both kinds of ERC-3009 authorization in the order in which the token takes them."""

    source: str
    target: str
    value: int
    valid_after: int
    valid_before: int
    nonce: bytes

    def sign(
        self, token: Any, primary_type: str, *, signer: LocalAccount = OWNER, **domain: Any
    ) -> Signature:
        message = dict(zip(("from", "to", "value", "validAfter", "validBefore", "nonce"), self, strict=True))
        return sign(token, signer, primary_type, message, **domain)


def sign_cancel(token: Any, nonce: bytes, *, signer: LocalAccount = OWNER, **domain: Any) -> Signature:
    message = {"authorizer": signer.address, "nonce": nonce}
    return sign(token, signer, "CancelAuthorization", message, **domain)


class Delegation(NamedTuple):
    """The fields of a delegation in the order in which the token takes them."""

    delegatee: str
    nonce: int
    expiry: int

    def sign(self, token: Any, *, signer: LocalAccount = OWNER, **domain: Any) -> Signature:
        return sign(token, signer, "Delegation", self._asdict(), **domain)
