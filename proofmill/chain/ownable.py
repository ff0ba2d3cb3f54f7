"""What several contracts offer alike: two-step ownership, and entries that can be closed."""

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


class PausableClient(OwnableClient):
    """A contract whose entries can be closed, one bit flag for each kind of new obligation. Exits never close."""

    def pause(self, flags: int) -> ContractCall:
        """Closes the named entries (pauser only)."""
        return self._build("pause", flags)

    def unpause(self, flags: int) -> ContractCall:
        """Opens the named entries (unpauser only)."""
        return self._build("unpause", flags)

    def set_pauser(self, pauser: str) -> ContractCall:
        """Names who may close (owner only)."""
        return self._build("set_pauser", address(pauser))

    def set_unpauser(self, unpauser: str) -> ContractCall:
        """Names who may open (owner only)."""
        return self._build("set_unpauser", address(unpauser))

    def closed(self, *, block: BlockReference = "latest") -> int:
        """The flags of the entries that are closed."""
        return int(self._read("closed", block=block))

    def pauser(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Who may close entries."""
        return address(self._read("pauser", block=block))

    def unpauser(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Who may open entries."""
        return address(self._read("unpauser", block=block))
