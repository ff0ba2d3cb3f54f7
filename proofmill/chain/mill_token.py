"""The typed client of ``MillToken``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, Hash32
from eth_utils.crypto import keccak

from proofmill.chain.client import ContractClient, Eip712Domain
from proofmill.chain.typed_data import domain_separator, typed_digest
from proofmill.chain.types import BlockReference, ContractCall, address

TOKEN_NAME: Final = "Proofmill"
TOKEN_VERSION: Final = "1"
PERMIT_TYPE: Final = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"


@dataclass(frozen=True, slots=True)
class Permit:
    """A signed ERC-2612 allowance; whoever holds it may hand it in."""

    owner: ChecksumAddress
    spender: ChecksumAddress
    amount: int
    deadline: int
    v: int
    r: bytes
    s: bytes


class MillToken(ContractClient):
    """ERC-20 with permits and burning."""

    name: ClassVar[str] = "MillToken"

    # ------------------------------------------------------------------ writes
    def transfer(self, to: str, amount: int) -> ContractCall:
        """Pays from the caller's balance."""
        return self._build("transfer", address(to), amount)

    def transfer_from(self, owner: str, to: str, amount: int) -> ContractCall:
        """Pays from the owner's balance by an allowance to the caller."""
        return self._build("transferFrom", address(owner), address(to), amount)

    def approve(self, spender: str, amount: int) -> ContractCall:
        """Sets what the spender may take from the caller."""
        return self._build("approve", address(spender), amount)

    def permit(
        self, owner: str, spender: str, amount: int, deadline: int, v: int, r: bytes, s: bytes
    ) -> ContractCall:
        """Sets an allowance by the owner's signature."""
        return self._build("permit", address(owner), address(spender), amount, deadline, v, r, s)

    def use_permit(self, permit: Permit) -> ContractCall:
        """Hands in a signed permit."""
        return self.permit(
            permit.owner, permit.spender, permit.amount, permit.deadline, permit.v, permit.r, permit.s
        )

    def burn(self, amount: int) -> ContractCall:
        """Destroys tokens of the caller."""
        return self._build("burn", amount)

    def burn_from(self, owner: str, amount: int) -> ContractCall:
        """Destroys tokens of the owner by an allowance to the caller."""
        return self._build("burn_from", address(owner), amount)

    def sign_permit(
        self, account: LocalAccount, spender: str, amount: int, deadline: int, *, nonce: int | None = None
    ) -> Permit:
        """Signs an allowance; the domain is computed here: no node can make us sign for another token."""
        used_nonce = self.nonces(account.address) if nonce is None else nonce
        struct_hash = keccak(
            encode(
                ["bytes32", "address", "address", "uint256", "uint256", "uint256"],
                (keccak(text=PERMIT_TYPE), account.address, address(spender), amount, used_nonce, deadline),
            )
        )
        domain = domain_separator(TOKEN_NAME, TOKEN_VERSION, self.web3.eth.chain_id, self.address)
        signed = account.unsafe_sign_hash(Hash32(typed_digest(domain, struct_hash)))
        return Permit(
            owner=account.address,
            spender=address(spender),
            amount=amount,
            deadline=deadline,
            v=signed.v,
            r=signed.r.to_bytes(32, "big"),
            s=signed.s.to_bytes(32, "big"),
        )

    # ------------------------------------------------------------------ views
    def token_name(self, *, block: BlockReference = "latest") -> str:
        """The ERC-20 ``name`` (``name`` itself is the contract's name here)."""
        return str(self._read("name", block=block))

    def symbol(self, *, block: BlockReference = "latest") -> str:
        """The ticker."""
        return str(self._read("symbol", block=block))

    def decimals(self, *, block: BlockReference = "latest") -> int:
        """Decimal places of one token."""
        return int(self._read("decimals", block=block))

    def total_supply(self, *, block: BlockReference = "latest") -> int:
        """All tokens that exist."""
        return int(self._read("totalSupply", block=block))

    def balance_of(self, owner: str, *, block: BlockReference = "latest") -> int:
        """Tokens of an owner."""
        return int(self._read("balanceOf", address(owner), block=block))

    def allowance(self, owner: str, spender: str, *, block: BlockReference = "latest") -> int:
        """What the spender may still take from the owner."""
        return int(self._read("allowance", address(owner), address(spender), block=block))

    def nonces(self, owner: str, *, block: BlockReference = "latest") -> int:
        """The nonce of the owner's next permit."""
        return int(self._read("nonces", address(owner), block=block))

    def domain_separator(self, *, block: BlockReference = "latest") -> bytes:
        """The EIP-712 domain of permits."""
        return bytes(self._read("DOMAIN_SEPARATOR", block=block))

    def eip712_domain(self, *, block: BlockReference = "latest") -> Eip712Domain:
        """ERC-5267: the domain of permits."""
        return self._eip712_domain(block)
