"""The typed client of ``OracleCommittee``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from eth_typing import ChecksumAddress

from proofmill.chain.client import Eip712Domain
from proofmill.chain.ownable import OwnableClient
from proofmill.chain.types import (
    BlockReference,
    CompactSignature,
    ContractCall,
    JobOpening,
    Report,
    address,
)


class OracleCommittee(OwnableClient):
    """n = 3f + 1 members that attest reports of verdicts."""

    name: ClassVar[str] = "OracleCommittee"

    # ------------------------------------------------------------------ writes
    def set_config(self, members: Sequence[str], faults_tolerated: int) -> ContractCall:
        """Replaces the members (owner only); the sequence starts anew under another digest."""
        return self._build("set_config", [address(member) for member in members], faults_tolerated)

    def transmit(
        self,
        report: Report,
        openings: Sequence[JobOpening],
        signers: int,
        signatures: Sequence[CompactSignature],
    ) -> ContractCall:
        """Relays an attested report; ``signers`` is a mask of members, ``signatures`` are in their order."""
        return self._build(
            "transmit",
            report.to_abi(),
            [opening.to_abi() for opening in openings],
            signers,
            [signature.to_abi() for signature in signatures],
            description=f"OracleCommittee.transmit of report {report.sequence}",
        )

    # ------------------------------------------------------------------ views
    def report_digest(self, report: Report, *, block: BlockReference = "latest") -> bytes:
        """What members sign, computed on chain."""
        return bytes(self._read("report_digest", report.to_abi(), block=block))

    def eip712_domain(self, *, block: BlockReference = "latest") -> Eip712Domain:
        """ERC-5267: the domain of reports."""
        return self._eip712_domain(block)

    def config_digest(self, *, block: BlockReference = "latest") -> bytes:
        """Names the current configuration."""
        return bytes(self._read("config_digest", block=block))

    def config_count(self, *, block: BlockReference = "latest") -> int:
        """How many configurations there have been."""
        return int(self._read("config_count", block=block))

    def faults_tolerated(self, *, block: BlockReference = "latest") -> int:
        """f: how many members may be dead or lying."""
        return int(self._read("faults_tolerated", block=block))

    def members(self, *, block: BlockReference = "latest") -> list[ChecksumAddress]:
        """The members, in the order of the signer mask."""
        return [address(member) for member in self._read("members", block=block)]

    def latest_sequence(self, *, block: BlockReference = "latest") -> int:
        """The sequence number of the last report."""
        return int(self._read("latest_sequence", block=block))

    def maximum_report_age(self, *, block: BlockReference = "latest") -> int:
        """Seconds after which a report is too old to relay."""
        return int(self._read("maximum_report_age", block=block))
