"""Two-step ownership, as every contract with an owner offers it."""

from __future__ import annotations

from eth_typing import ChecksumAddress

from proofmill.chain.client import ContractClient
from proofmill.chain.types import BlockReference, ContractCall, address


class OwnableClient(ContractClient):
    """A contract whose owner may set parameters; a new owner must accept."""

    def transfer_ownership(self, new_owner: str) -> ContractCall:
        """Names the next owner, who has no power until it accepts."""
        return self._build("transfer_ownership", address(new_owner))

    def accept_ownership(self) -> ContractCall:
        """Makes the caller the owner, if it was named."""
        return self._build("accept_ownership")

    def owner(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Who may set parameters."""
        return address(self._read("owner", block=block))

    def pending_owner(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Who may accept the ownership."""
        return address(self._read("pending_owner", block=block))
