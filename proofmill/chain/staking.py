"""The typed client of ``Staking``."""

from __future__ import annotations

from typing import ClassVar

from eth_typing import ChecksumAddress

from proofmill.chain.ownable import OwnableClient
from proofmill.chain.types import BlockReference, ContractCall, address


class Staking(OwnableClient):
    """What operators have at risk."""

    name: ClassVar[str] = "Staking"

    # ------------------------------------------------------------------ operator
    def stake(self, amount: int) -> ContractCall:
        """Adds to the caller's stake."""
        return self._build("stake", amount)

    def stake_for(self, operator: str, amount: int) -> ContractCall:
        """Adds to the operator's stake, from the caller's tokens."""
        return self._build("stake_for", address(operator), amount)

    def request_unstake(self, amount: int) -> ContractCall:
        """Begins to thaw stake of the caller."""
        return self._build("request_unstake", amount)

    def withdraw(self, operator: str, request_id: int) -> ContractCall:
        """Pays thawed stake to its operator; anyone may call."""
        return self._build("withdraw", address(operator), request_id)

    # ------------------------------------------------------------------ verifier
    def commit(self, operator: str, amount: int) -> ContractCall:
        """Commits stake to open work (verifiers only)."""
        return self._build("commit", address(operator), amount)

    def release(self, operator: str, amount: int) -> ContractCall:
        """Releases committed stake (verifiers only)."""
        return self._build("release", address(operator), amount)

    def slash(
        self, operator: str, released: int, amount: int, beneficiary: str, compensation: int, reason: bytes
    ) -> ContractCall:
        """Takes stake (verifiers only)."""
        return self._build(
            "slash", address(operator), released, amount, address(beneficiary), compensation, reason
        )

    # ------------------------------------------------------------------ owner
    def set_verifier(self, verifier: str, authorised: bool) -> ContractCall:
        """Lets a contract commit and slash, or no longer commit."""
        return self._build("set_verifier", address(verifier), authorised)

    def set_thaw_period(self, thaw_period: int) -> ContractCall:
        """Sets the thaw period of later requests."""
        return self._build("set_thaw_period", thaw_period)

    # ------------------------------------------------------------------ views
    def active(self, operator: str, *, block: BlockReference = "latest") -> int:
        """Stake that is not thawing, committed or not."""
        return int(self._read("active", address(operator), block=block))

    def thawing(self, operator: str, *, block: BlockReference = "latest") -> int:
        """Stake on its way out, still slashable."""
        return int(self._read("thawing", address(operator), block=block))

    def committed(self, operator: str, *, block: BlockReference = "latest") -> int:
        """Active stake that open work holds."""
        return int(self._read("committed", address(operator), block=block))

    def committed_to(self, verifier: str, operator: str, *, block: BlockReference = "latest") -> int:
        """The part of ``committed`` that one verifier holds."""
        return int(self._read("committed_to", address(verifier), address(operator), block=block))

    def available(self, operator: str, *, block: BlockReference = "latest") -> int:
        """Active stake that new work may commit."""
        return int(self._read("available", address(operator), block=block))

    def slashable(self, operator: str, *, block: BlockReference = "latest") -> int:
        """Everything a slash can reach."""
        return int(self._read("slashable", address(operator), block=block))

    def unstake_request(
        self, operator: str, request_id: int, *, block: BlockReference = "latest"
    ) -> tuple[int, int]:
        """The amount of a request and the time at which it may be withdrawn."""
        amount, ready_at = self._read("unstake_request", address(operator), request_id, block=block)
        return int(amount), int(ready_at)

    def unstake_request_count(self, operator: str, *, block: BlockReference = "latest") -> int:
        """How many requests an operator ever made; their ids count from 0."""
        return int(self._read("unstake_request_count", address(operator), block=block))

    def total_staked(self, *, block: BlockReference = "latest") -> int:
        """What the contract owes in all."""
        return int(self._read("total_staked", block=block))

    def is_verifier(self, verifier: str, *, block: BlockReference = "latest") -> bool:
        """Whether a contract may commit stake."""
        return bool(self._read("is_verifier", address(verifier), block=block))

    def thaw_period(self, *, block: BlockReference = "latest") -> int:
        """Seconds from a request to its withdrawal."""
        return int(self._read("thaw_period", block=block))

    def stake_token(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """The token that is staked."""
        return address(self._read("stake_token", block=block))
