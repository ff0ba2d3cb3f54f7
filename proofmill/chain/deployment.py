"""The deployment manifest: which contracts make up a deployment, where, and what code they hold."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from web3 import Web3

from proofmill.chain.contracts import (
    CapabilityRegistry,
    DisputeGame,
    JobEscrow,
    MillToken,
    ModelRegistry,
    OracleCommittee,
    Staking,
)
from proofmill.chain.errors import DeploymentInvalid, DeploymentNotFound, InvalidValue, WrongChain
from proofmill.chain.types import address

CONTRACT_FIELDS: Final = (
    "mill_token",
    "staking",
    "job_escrow",
    "oracle_committee",
    "capability_registry",
    "model_registry",
    "linear_verifier",
    "element_verifier",
    "activation_verifier",
    "row_verifier",
    "attention_verifier",
    "selection_verifier",
    "op_verifier",
    "trace_reader",
    "dispute_game",
)
REMEDY: Final = "Use the manifest that `ape run deploy` wrote for this chain."


@dataclass(frozen=True, slots=True)
class Suite:
    """The typed clients of one deployment; contracts that only other contracts call have none."""

    mill_token: MillToken
    staking: Staking
    job_escrow: JobEscrow
    oracle_committee: OracleCommittee
    capability_registry: CapabilityRegistry
    model_registry: ModelRegistry
    dispute_game: DisputeGame


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the contracts are. No event precedes ``deployed_block``; ``code_hashes`` are by field name."""

    chain_id: int
    mill_token: ChecksumAddress
    staking: ChecksumAddress
    job_escrow: ChecksumAddress
    oracle_committee: ChecksumAddress
    capability_registry: ChecksumAddress
    model_registry: ChecksumAddress
    linear_verifier: ChecksumAddress
    element_verifier: ChecksumAddress
    activation_verifier: ChecksumAddress
    row_verifier: ChecksumAddress
    attention_verifier: ChecksumAddress
    selection_verifier: ChecksumAddress
    op_verifier: ChecksumAddress
    trace_reader: ChecksumAddress
    dispute_game: ChecksumAddress
    deployed_block: int
    name: str = "proofmill"
    code_hashes: Mapping[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Writes the manifest, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path, web3: Web3 | None = None) -> Deployment:
        """Reads a manifest; with a connection, also checks it against the chain."""
        try:
            values = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise DeploymentNotFound(f"there is no deployment manifest at {path}", remedy=REMEDY) from None
        except (OSError, ValueError) as error:
            raise DeploymentInvalid(f"{path} is no deployment manifest: {error}", remedy=REMEDY) from error
        deployment = cls._from_json(values, path)
        if web3 is not None:
            deployment.verify(web3)
        return deployment

    @classmethod
    def _from_json(cls, values: Any, path: Path) -> Deployment:
        expected = {"chain_id": int, "deployed_block": int, "name": str, "code_hashes": dict}
        expected |= dict.fromkeys(CONTRACT_FIELDS, str)
        if not isinstance(values, dict) or set(values) != set(expected):
            raise DeploymentInvalid(f"{path} must have exactly the fields {sorted(expected)}", remedy=REMEDY)
        for name, kind in expected.items():
            if type(values[name]) is not kind:
                raise DeploymentInvalid(f"{path}: {name} is not of type {kind.__name__}", remedy=REMEDY)
        if set(values["code_hashes"]) != set(CONTRACT_FIELDS):
            raise DeploymentInvalid(f"{path}: code_hashes must name every contract", remedy=REMEDY)
        try:
            addresses = {name: address(values[name], name) for name in CONTRACT_FIELDS}
        except InvalidValue as error:
            raise DeploymentInvalid(f"{path}: {error}", remedy=REMEDY) from error
        return cls(**{**values, **addresses})

    def verify(self, web3: Web3) -> None:
        """Fails unless the node serves this chain and each address holds the code of the manifest."""
        chain_id = web3.eth.chain_id
        if chain_id != self.chain_id:
            raise WrongChain(
                f"the manifest is of chain {self.chain_id}, the node serves {chain_id}",
                remedy="Use the node or the manifest of the right chain.",
            )
        found = code_hashes(web3, {name: getattr(self, name) for name in CONTRACT_FIELDS})
        for name, expected in self.code_hashes.items():
            if found[name] != expected:
                raise DeploymentInvalid(
                    f"{name} at {getattr(self, name)} has {found[name] or 'no code'}, "
                    f"the manifest says code of the hash {expected}",
                    remedy="The chain was started anew, or the manifest is another's: deploy or replace it.",
                )

    def connect(self, web3: Web3) -> Suite:
        """The typed clients."""
        return Suite(
            mill_token=MillToken(web3, self.mill_token),
            staking=Staking(web3, self.staking),
            job_escrow=JobEscrow(web3, self.job_escrow, deployed_block=self.deployed_block),
            oracle_committee=OracleCommittee(web3, self.oracle_committee),
            capability_registry=CapabilityRegistry(web3, self.capability_registry),
            model_registry=ModelRegistry(web3, self.model_registry),
            dispute_game=DisputeGame(web3, self.dispute_game),
        )


def code_hashes(web3: Web3, addresses: Mapping[str, ChecksumAddress]) -> dict[str, str]:
    """The keccak of the code at each address; empty where there is none."""
    codes = {name: bytes(web3.eth.get_code(where)) for name, where in addresses.items()}
    return {name: f"0x{keccak(code).hex()}" if code else "" for name, code in codes.items()}
