"""The typed client of ``OracleCommittee``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from eth_typing import ChecksumAddress

from proofmill.chain.client import Eip712Domain
from proofmill.chain.ownable import PausableClient
from proofmill.chain.reports import (
    MAXIMUM_FEW_VERDICTS,
    Equivocation,
    Measurement,
    Misjudgement,
    OpenedVerdict,
    ReportHead,
)
from proofmill.chain.types import BlockReference, ContractCall, address


class Member(NamedTuple):
    """An operator's place in the committee; ``key`` is empty for one that has not joined."""

    key: ChecksumAddress
    announced_key: ChecksumAddress
    effective_at: int
    bond: int


class OracleCommittee(PausableClient):
    """n = 3f + 1 bonded members that attest reports of verdicts and of measurements."""

    name: ClassVar[str] = "OracleCommittee"

    # ------------------------------------------------------------------ member's operator
    def join(self, key: str, signature: bytes) -> ContractCall:
        """Makes the caller a member with a signing key; the signature is the key's, see ``sign_key_grant``."""
        return self._build("join", address(key, "key"), signature)

    def leave(self) -> ContractCall:
        """Ends the caller's membership and frees its bond, once it is in no configuration."""
        return self._build("leave")

    def rotate_key(self, key: str, signature: bytes) -> ContractCall:
        """Announces the caller's next signing key."""
        return self._build("rotate_key", address(key, "key"), signature)

    # ------------------------------------------------------------------ anyone
    def apply_key(self, operator: str) -> ContractCall:
        """Puts a key into use whose notice has passed."""
        return self._build("apply_key", address(operator))

    def transmit(
        self,
        head: ReportHead,
        verdicts: Sequence[OpenedVerdict],
        signers: int,
        signatures: Sequence[bytes],
    ) -> ContractCall:
        """Relays an attested report of a few verdicts; ``signers`` is a mask of members, ``signatures`` in their order."""
        return self._transmission("transmit", head, verdicts, signers, signatures)

    def transmit_batch(
        self,
        head: ReportHead,
        verdicts: Sequence[OpenedVerdict],
        signers: int,
        signatures: Sequence[bytes],
    ) -> ContractCall:
        """The same for many verdicts, which costs more where there are few."""
        return self._transmission("transmit_batch", head, verdicts, signers, signatures)

    def transmission(
        self,
        head: ReportHead,
        verdicts: Sequence[OpenedVerdict],
        signers: int,
        signatures: Sequence[bytes],
    ) -> ContractCall:
        """Whichever of both fits the number of verdicts."""
        relay = self.transmit if len(verdicts) <= MAXIMUM_FEW_VERDICTS else self.transmit_batch
        return relay(head, verdicts, signers, signatures)

    def transmit_measurements(
        self,
        head: ReportHead,
        measurements: Sequence[Measurement],
        signers: int,
        signatures: Sequence[bytes],
    ) -> ContractCall:
        """Relays attested measurements to the capability registry."""
        return self._build(
            "transmit_measurements",
            head.to_abi(),
            [measurement.to_abi() for measurement in measurements],
            signers,
            list(signatures),
            description=f"OracleCommittee.transmit_measurements of report {head.sequence}",
        )

    def prove_equivocation(self, proof: Equivocation) -> ContractCall:
        """Takes the bond of a member that signed two reports under one number."""
        return self._build("prove_equivocation", proof.to_abi())

    def prove_misjudgement(self, proof: Misjudgement) -> ContractCall:
        """Takes the bond of a member whose verdict the arithmetic refuted."""
        return self._build("prove_misjudgement", proof.to_abi())

    def share_fees(self, escrow: str, token: str) -> ContractCall:
        """Collects this committee's fees and shares them among its members."""
        return self._build("share_fees", address(escrow), address(token))

    def _transmission(
        self,
        function: str,
        head: ReportHead,
        verdicts: Sequence[OpenedVerdict],
        signers: int,
        signatures: Sequence[bytes],
    ) -> ContractCall:
        return self._build(
            function,
            head.to_abi(),
            [verdict.to_abi() for verdict in verdicts],
            signers,
            list(signatures),
            description=f"OracleCommittee.{function} of report {head.sequence}",
        )

    # ------------------------------------------------------------------ owner
    def set_config(self, operators: Sequence[str], faults_tolerated: int) -> ContractCall:
        """Replaces the members; each must have joined."""
        return self._build("set_config", [address(operator) for operator in operators], faults_tolerated)

    def set_member_bond(self, member_bond: int) -> ContractCall:
        """Sets the bond of those who join from now on."""
        return self._build("set_member_bond", member_bond)

    # ------------------------------------------------------------------ views
    def report_digest(
        self, config_digest: bytes, sequence: int, report_hash: bytes, *, block: BlockReference = "latest"
    ) -> bytes:
        """What members sign, computed on chain."""
        return bytes(self._read("report_digest", config_digest, sequence, report_hash, block=block))

    def verdicts_hash(
        self, head: ReportHead, verdicts: Sequence[OpenedVerdict], *, block: BlockReference = "latest"
    ) -> bytes:
        """The hash of a report of verdicts, computed on chain."""
        items = [verdict.to_abi() for verdict in verdicts]
        return bytes(self._read("verdicts_hash", head.to_abi(), items, block=block))

    def measurements_hash(
        self, head: ReportHead, measurements: Sequence[Measurement], *, block: BlockReference = "latest"
    ) -> bytes:
        """The hash of a report of measurements, computed on chain."""
        items = [measurement.to_abi() for measurement in measurements]
        return bytes(self._read("measurements_hash", head.to_abi(), items, block=block))

    def key_grant_digest(self, operator: str, *, block: BlockReference = "latest") -> bytes:
        """What a key signs to work for an operator, computed on chain."""
        return bytes(self._read("key_grant_digest", address(operator), block=block))

    def eip712_domain(self, *, block: BlockReference = "latest") -> Eip712Domain:
        """ERC-5267: the domain of reports and of key grants."""
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
        """The members' operators, in the order of the signer mask."""
        return [address(member) for member in self._read("members", block=block)]

    def keys(self, *, block: BlockReference = "latest") -> list[ChecksumAddress]:
        """The members' signing keys, in the same order; the empty address for one that was ejected."""
        return [address(key) for key in self._read("keys", block=block)]

    def member(self, operator: str, *, block: BlockReference = "latest") -> Member:
        """An operator's place in the committee."""
        key, announced, effective_at, bond = self._read("member", address(operator), block=block)
        return Member(address(key), address(announced), int(effective_at), int(bond))

    def operator_of(self, key: str, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Whose key it is or was."""
        return address(self._read("operator_of", address(key), block=block))

    def latest_sequence(self, *, block: BlockReference = "latest") -> int:
        """The sequence number of the last report."""
        return int(self._read("latest_sequence", block=block))

    def maximum_report_age(self, *, block: BlockReference = "latest") -> int:
        """Seconds after which a report is too old to relay."""
        return int(self._read("maximum_report_age", block=block))

    def member_bond(self, *, block: BlockReference = "latest") -> int:
        """What joining commits of an operator's stake."""
        return int(self._read("member_bond", block=block))

    def staking(self, *, block: BlockReference = "latest") -> ChecksumAddress:
        """Where the bonds are committed."""
        return address(self._read("staking", block=block))
