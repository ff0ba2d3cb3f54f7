"""Deploys the contracts, wires them together and hands them to their owner.

Each step is an intent of the journaled sender, so a run that was interrupted is finished by running it again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from web3 import Web3

from proofmill.chain.contracts import JobEscrow, OracleCommittee, Staking, load_abi
from proofmill.chain.deployment import CONTRACT_FIELDS, Deployment, code_hashes
from proofmill.chain.sender import TransactionSender
from proofmill.chain.types import EMPTY_ADDRESS, ContractCall, address
from proofmill.errors import ProofmillError

BUILD_FOLDER: Final = Path(__file__).resolve().parents[1] / ".build"
BASIS_POINTS: Final = 10_000
DAY: Final = 86_400
MILL: Final = 10**18
MAXIMUM_FAULTS: Final = 10  # 31 members
CONTRACT_NAMES: Final = dict(
    zip(CONTRACT_FIELDS, ("MillToken", "Staking", "JobEscrow", "OracleCommittee"), strict=True)
)


class ArtifactMissing(ProofmillError, FileNotFoundError):
    """The compiled contracts are not there."""


class InvalidParameters(ProofmillError, ValueError):
    """A deployment parameter is outside of its bounds."""


@dataclass(frozen=True, slots=True)
class DeployParameters:
    """What a deployment may choose. The bounds are those of the contracts, checked here before gas is spent."""

    name: str = "proofmill"  # also names the intents: deploying anew on the same chain takes a new name
    supply: int = 1_000_000_000 * MILL
    token_holder: str | None = None  # None: the deployer
    admin: str | None = None  # None: the deployer
    thaw_period: int = 7 * DAY
    minimum_bond_bps: int = BASIS_POINTS
    late_penalty_bps: int = 1_000
    maximum_report_age: int = 3_600
    members: Sequence[str] = ()  # empty: no committee yet
    faults_tolerated: int = 0

    def __post_init__(self) -> None:
        _check("name", len(self.name), 1, 100)
        _check("supply", self.supply, 1, 2**128 - 1)
        _check("thaw_period", self.thaw_period, 7 * DAY, 28 * DAY)
        _check("minimum_bond_bps", self.minimum_bond_bps, 1_000, 10 * BASIS_POINTS)
        _check("late_penalty_bps", self.late_penalty_bps, 0, 5_000)
        _check("maximum_report_age", self.maximum_report_age, 300, DAY)
        _check("faults_tolerated", self.faults_tolerated, 0, MAXIMUM_FAULTS)
        if self.members and len(self.members) != 3 * self.faults_tolerated + 1:
            raise InvalidParameters(
                f"{len(self.members)} members do not tolerate {self.faults_tolerated} faults",
                remedy=f"Name {3 * self.faults_tolerated + 1} members, or choose another number of faults.",
            )


class Artifacts:
    """Creation bytecode from ape's build folder: one file per contract, or the project manifest."""

    def __init__(self, folder: Path = BUILD_FOLDER) -> None:
        self._folder = folder
        self._manifest: dict[str, Any] | None = None

    def creation_code(self, contract_name: str) -> bytes:
        """The bytecode that, followed by its constructor's arguments, deploys a contract."""
        path = self._folder / f"{contract_name}.json"
        contract_type = _read_json(path) if path.exists() else self._from_manifest(contract_name)
        code = contract_type.get("deploymentBytecode")
        text = code.get("bytecode") if isinstance(code, dict) else None
        if not isinstance(text, str) or len(text) <= 2:
            raise _missing(f"{contract_name} has no bytecode in {self._folder}")
        return bytes.fromhex(text.removeprefix("0x"))

    def _from_manifest(self, contract_name: str) -> dict[str, Any]:
        if self._manifest is None:
            path = self._folder / "__local__.json"
            if not path.exists():
                raise _missing(f"there are no compiled contracts in {self._folder}")
            self._manifest = _read_json(path)
        found = self._manifest.get("contractTypes", {}).get(contract_name)
        if not isinstance(found, dict):
            raise _missing(f"{contract_name} is not among the compiled contracts in {self._folder}")
        return found


def deploy_suite(
    web3: Web3,
    sender: TransactionSender,
    artifacts: Artifacts | None = None,
    parameters: DeployParameters | None = None,
) -> Deployment:
    """Deploys and wires the suite, or finishes doing so, and returns its manifest.

    The deployer owns the contracts until they are wired. Another admin is then named and has to accept.
    """
    chosen = parameters or DeployParameters()
    code = artifacts or Artifacts()
    deployer = sender.address
    admin = address(chosen.admin or deployer, "admin")
    where, first_block = _deploy_contracts(web3, sender, code, chosen)
    staking = Staking(web3, where["staking"])
    escrow = JobEscrow(web3, where["job_escrow"])
    committee = OracleCommittee(web3, where["oracle_committee"])
    steps = [
        ("authorise escrow", staking.set_verifier(escrow.address, True)),
        ("set evaluator", escrow.set_evaluator(committee.address)),
    ]
    if chosen.members:
        steps.append(("set committee", committee.set_config(chosen.members, chosen.faults_tolerated)))
    if admin != deployer:
        steps += [
            (f"hand over {contract.name}", contract.transfer_ownership(admin))
            for contract in (staking, escrow, committee)
        ]
    sender.send_many([(f"deploy {chosen.name}: {step}", call) for step, call in steps])
    return Deployment(
        chain_id=sender.chain_id,
        **where,
        deployed_block=first_block,
        name=chosen.name,
        code_hashes=code_hashes(web3, where),
    )


def _deploy_contracts(
    web3: Web3, sender: TransactionSender, artifacts: Artifacts, parameters: DeployParameters
) -> tuple[dict[str, ChecksumAddress], int]:
    """The four addresses and the block of the first; each constructor takes addresses of those before it."""
    deployer = sender.address
    where: dict[str, ChecksumAddress] = {}
    blocks: list[int] = []
    for name, contract_name in CONTRACT_NAMES.items():
        arguments: dict[str, tuple[Any, ...]] = {
            "mill_token": (address(parameters.token_holder or deployer), parameters.supply),
            "staking": (where.get("mill_token"), deployer, parameters.thaw_period),
            "job_escrow": (
                where.get("mill_token"),
                where.get("staking"),
                deployer,
                parameters.minimum_bond_bps,
                parameters.late_penalty_bps,
            ),
            "oracle_committee": (deployer, parameters.maximum_report_age),
        }
        call = _creation(web3, contract_name, artifacts.creation_code(contract_name), arguments[name])
        receipt = sender.send(f"deploy {parameters.name}: {contract_name}", call)
        where[name] = to_checksum_address(receipt["contractAddress"] or EMPTY_ADDRESS)
        blocks.append(int(receipt["blockNumber"]))
    return where, blocks[0]


def _creation(web3: Web3, contract_name: str, code: bytes, arguments: tuple[Any, ...]) -> ContractCall:
    """A contract's deployment as a call."""
    factory = web3.eth.contract(abi=load_abi(contract_name), bytecode=code)
    data = bytes.fromhex(str(factory.constructor(*arguments).data_in_transaction).removeprefix("0x"))
    return ContractCall(None, data, f"deployment of {contract_name}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _missing(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise _missing(f"{path} is no build artifact")
    return values


def _missing(message: str) -> ArtifactMissing:
    return ArtifactMissing(message, remedy="Run `make setup`, which compiles the contracts.")


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidParameters(
            f"{name} is {value}, outside {least} to {most}", remedy=f"Choose {name} within these bounds."
        )
