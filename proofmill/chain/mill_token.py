"""The typed client of ``MillToken``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, Hash32
from eth_utils.crypto import keccak

from proofmill.chain.client import ContractClient, Eip712Domain
from proofmill.chain.typed_data import domain_separator, typed_digest
from proofmill.chain.types import BlockReference, ContractCall, address, bytes32

TOKEN_NAME: Final = "Proofmill"
TOKEN_VERSION: Final = "1"
RECEIVE_TYPE: Final = (
    "ReceiveWithAuthorization(address from,address to,uint256 value,"
    "uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
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


@dataclass(frozen=True, slots=True)
class Authorization:
    """A signed ERC-3009 transfer that only its receiver can hand in."""

    owner: ChecksumAddress
    receiver: ChecksumAddress
    amount: int
    valid_after: int
    valid_before: int
    nonce: bytes
    v: int
    r: bytes
    s: bytes


class Checkpoint(NamedTuple):
    """From a timepoint on an account has this many votes."""

    timepoint: int
    votes: int


class MillToken(ContractClient):
    """ERC-20 with permits, signed transfers, votes and burning. Its ERC-20 part fits any payment token."""

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

    def transfer_with_authorization(
        self,
        owner: str,
        to: str,
        amount: int,
        valid_after: int,
        valid_before: int,
        nonce: bytes,
        v: int,
        r: bytes,
        s: bytes,
    ) -> ContractCall:
        """Moves tokens as their holder signed; anyone may call."""
        return self._build(
            "transferWithAuthorization",
            *(address(owner), address(to), amount, valid_after, valid_before, nonce, v, r, s),
        )

    def receive_with_authorization(
        self,
        owner: str,
        to: str,
        amount: int,
        valid_after: int,
        valid_before: int,
        nonce: bytes,
        v: int,
        r: bytes,
        s: bytes,
    ) -> ContractCall:
        """Takes tokens that their holder signed over to the caller."""
        return self._build(
            "receiveWithAuthorization",
            *(address(owner), address(to), amount, valid_after, valid_before, nonce, v, r, s),
        )

    def cancel_authorization(self, authorizer: str, nonce: bytes, v: int, r: bytes, s: bytes) -> ContractCall:
        """Makes an authorization worthless before anyone uses it."""
        return self._build("cancelAuthorization", address(authorizer), nonce, v, r, s)

    def delegate(self, delegatee: str) -> ContractCall:
        """Lets a delegate vote with all that the caller has and will have."""
        return self._build("delegate", address(delegatee))

    def delegate_by_sig(
        self, delegatee: str, nonce: int, expiry: int, v: int, r: bytes, s: bytes
    ) -> ContractCall:
        """Delegates the signer's votes."""
        return self._build("delegateBySig", address(delegatee), nonce, expiry, v, r, s)

    def sign_authorization(
        self, account: LocalAccount, receiver: str, amount: int, valid_before: int, nonce: bytes
    ) -> Authorization:
        """Signs a transfer for ``receiver`` to take; ``nonce`` is any word that the account has not used."""
        values = (account.address, address(receiver), amount, 0, valid_before, bytes32(nonce, "nonce"))
        types = ["bytes32", "address", "address", "uint256", "uint256", "uint256", "bytes32"]
        struct_hash = keccak(encode(types, (keccak(text=RECEIVE_TYPE), *values)))
        v, r, s = self._sign(account, struct_hash)
        return Authorization(*values, v, r, s)

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
        v, r, s = self._sign(account, struct_hash)
        return Permit(account.address, address(spender), amount, deadline, v, r, s)

    def _sign(self, account: LocalAccount, struct_hash: bytes) -> tuple[int, bytes, bytes]:
        domain = domain_separator(TOKEN_NAME, TOKEN_VERSION, self.web3.eth.chain_id, self.address)
        signed = account.unsafe_sign_hash(Hash32(typed_digest(domain, struct_hash)))
        return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")

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

    def authorization_state(self, authorizer: str, nonce: bytes, *, block: BlockReference = "latest") -> bool:
        """Whether an authorization was used or cancelled."""
        return bool(self._read("authorizationState", address(authorizer), nonce, block=block))

    def delegates(self, account: str, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Who votes with an account's tokens; nobody until it delegates, be it to itself."""
        return address(self._read("delegates", address(account), block=block))

    def get_votes(self, account: str, *, block: BlockReference = "latest") -> int:
        """Votes of an account now."""
        return int(self._read("getVotes", address(account), block=block))

    def get_past_votes(self, account: str, timepoint: int, *, block: BlockReference = "latest") -> int:
        """Votes of an account at a past timepoint of the token's clock."""
        return int(self._read("getPastVotes", address(account), timepoint, block=block))

    def get_past_total_supply(self, timepoint: int, *, block: BlockReference = "latest") -> int:
        """The supply at a past timepoint."""
        return int(self._read("getPastTotalSupply", timepoint, block=block))

    def clock(self, *, block: BlockReference = "latest") -> int:
        """The current timepoint."""
        return int(self._read("clock", block=block))

    def clock_mode(self, *, block: BlockReference = "latest") -> str:
        """What timepoints are, in the words of ERC-6372."""
        return str(self._read("CLOCK_MODE", block=block))

    def num_checkpoints(self, account: str, *, block: BlockReference = "latest") -> int:
        """How often an account's votes have changed."""
        return int(self._read("numCheckpoints", address(account), block=block))

    def checkpoints(self, account: str, index: int, *, block: BlockReference = "latest") -> Checkpoint:
        """One change of an account's votes."""
        return Checkpoint(*map(int, self._read("checkpoints", address(account), index, block=block)))

    def nonces(self, owner: str, *, block: BlockReference = "latest") -> int:
        """The nonce of the owner's next permit."""
        return int(self._read("nonces", address(owner), block=block))

    def domain_separator(self, *, block: BlockReference = "latest") -> bytes:
        """The EIP-712 domain of permits."""
        return bytes(self._read("DOMAIN_SEPARATOR", block=block))

    def eip712_domain(self, *, block: BlockReference = "latest") -> Eip712Domain:
        """ERC-5267: the domain of permits."""
        return self._eip712_domain(block)
