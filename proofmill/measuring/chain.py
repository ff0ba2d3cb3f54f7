"""What measuring reads of the chain, on either side."""

from __future__ import annotations

from web3 import Web3

from proofmill.chain import OracleCommittee
from proofmill.measuring.figures import Panel
from proofmill.measuring.windows import Beacon


class ChainBlocks:
    """The blocks of a node."""

    def __init__(self, web3: Web3) -> None:
        self._web3 = web3

    def newest(self) -> int:
        """Number of the newest block."""
        return int(self._web3.eth.block_number)

    def beacon(self, number: int) -> Beacon:
        """A block and its randomness."""
        block = self._web3.eth.get_block(number)
        return Beacon(number, bytes(block["hash"]), bytes(block["mixHash"]))


class CommitteePanel:
    """The members as the contract names them: read whole once for each configuration, and asked once for each window."""

    def __init__(self, committee: OracleCommittee, chain_id: int) -> None:
        self._committee, self._chain_id = committee, chain_id
        self._panel: Panel | None = None

    def __call__(self) -> Panel:
        """The panel of the newest block.

        Raises:
            ChainError: the node cannot be reached.
        """
        block = bytes(self._committee.web3.eth.get_block("latest")["hash"])  # all parts of one configuration
        digest = self._committee.config_digest(block=block)
        if self._panel is None or self._panel.config_digest != digest:
            self._panel = Panel(
                chain_id=self._chain_id,
                committee=self._committee.address,
                config_digest=digest,
                keys=tuple(self._committee.keys(block=block)),
                faults_tolerated=self._committee.faults_tolerated(block=block),
            )
        return self._panel
