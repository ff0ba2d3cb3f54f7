"""Deploys the contracts, wires them together and hands them to their owner; names the committee once its members have joined.

Each step is an intent of the journaled sender, so a run that was interrupted is finished by running it again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3

from proofmill.chain.contracts import load_abi
from proofmill.chain.deployment import Deployment, Suite, code_hashes
from proofmill.chain.job_escrow import PostingRates
from proofmill.chain.sender import TransactionSender
from proofmill.chain.terms import RATE_UNIT
from proofmill.chain.types import EMPTY_ADDRESS, ContractCall, address
from proofmill.errors import ProofmillError

BUILD_FOLDER: Final = Path(__file__).resolve().parents[1] / ".build"
DAY: Final = 86_400
MILL: Final = 10**18
MAXIMUM_FAULTS: Final = 10  # 31 members
MAXIMUM_AMOUNT: Final = 2**96 - 1
MAXIMUM_LATE_PENALTY_BPS: Final = 5_000  # contracts/modules/job_policy.vy
# The shares that an escrow has from its constructor. Not read from the chain: a run that is repeated after the owner has
# changed them must send the same call, which is then known to be done.
INITIAL_RATES: Final = PostingRates(
    protocol_fee_bps=0, evaluator_fee_bps=0, late_penalty_bps=1_000, reporter_bps=1_000
)
CONTRACT_NAMES: Final = {
    "mill_token": "MillToken",
    "staking": "Staking",
    "job_escrow": "JobEscrow",
    "oracle_committee": "OracleCommittee",
    "capability_registry": "CapabilityRegistry",
    "model_registry": "ModelRegistry",
    "linear_verifier": "LinearVerifier",
    "element_verifier": "ElementVerifier",
    "activation_verifier": "ActivationVerifier",
    "row_verifier": "RowVerifier",
    "attention_verifier": "AttentionVerifier",
    "selection_verifier": "SelectionVerifier",
    "op_verifier": "OpVerifier",
    "trace_reader": "TraceReader",
    "dispute_game": "DisputeGame",
}
# In the order in which OpVerifier takes them.
STEP_VERIFIERS: Final = (
    "linear_verifier",
    "element_verifier",
    "activation_verifier",
    "row_verifier",
    "attention_verifier",
    "selection_verifier",
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
    clock_is_timestamp: bool = True  # whether votes are counted by unix time or by block number, for ever
    token_holder: str | None = None  # None: the deployer
    admin: str | None = None  # None: the deployer
    thaw_period: int = 7 * DAY
    maximum_report_age: int = 3_600
    # Of each member of the committee, at most a tenth of its stake. With one wrong answer among a hundred on purpose, signing
    # blindly loses where a re-execution costs less than a hundredth of it (docs/ECONOMICS.md).
    member_bond: int = 200 * MILL
    bond_rate: int = RATE_UNIT  # MILL of bond for each MILL of a price, times 10**18
    # Of the bond, for who claims and never submits: half a price at the default bond of 40 prices (proofmill/deterrence.py).
    late_penalty_bps: int = 125

    def __post_init__(self) -> None:
        _check("name", len(self.name), 1, 100)
        _check("supply", self.supply, 1, MAXIMUM_AMOUNT)
        _check("thaw_period", self.thaw_period, 7 * DAY, 28 * DAY)
        _check("maximum_report_age", self.maximum_report_age, 300, DAY)
        _check("member_bond", self.member_bond, 1, 10_000_000 * MILL)
        _check("bond_rate", self.bond_rate, 1, MAXIMUM_AMOUNT)
        _check("late_penalty_bps", self.late_penalty_bps, 0, MAXIMUM_LATE_PENALTY_BPS)


class NotOwner(ProofmillError, PermissionError):
    """The key that runs a step does not own the contract."""


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

    The deployer owns the contracts until they are wired. Another admin is then named and has to accept. The committee has
    no members yet: they join, and ``configure_committee`` names them.
    """
    chosen = parameters or DeployParameters()
    code = artifacts or Artifacts()
    deployer = sender.address
    admin = address(chosen.admin or deployer, "admin")
    where, first_block = _deploy_contracts(web3, sender, code, chosen)
    deployment = Deployment(
        chain_id=sender.chain_id, deployed_block=first_block, name=chosen.name, code_hashes={}, **where
    )
    suite = deployment.connect(web3)
    escrow, staking, token = suite.job_escrow, suite.staking, suite.mill_token.address
    rates = INITIAL_RATES._replace(late_penalty_bps=chosen.late_penalty_bps)
    steps = [
        ("authorise escrow", staking.set_verifier(escrow.address, True)),
        ("authorise committee", staking.set_verifier(suite.oracle_committee.address, True)),
        ("accept earnings", staking.add_earnings_token(token)),
        ("accept payments", escrow.set_payment_token(token, chosen.bond_rate)),
        ("set evaluator", escrow.set_evaluator(suite.oracle_committee.address)),
        ("set capability registry", escrow.set_capability_registry(suite.capability_registry.address)),
        ("set arbiter", escrow.set_arbiter(suite.dispute_game.address)),
    ]
    if rates != INITIAL_RATES:
        steps.append(("set rates", escrow.set_rates(*rates)))
    if admin != deployer:
        owned = (
            staking,
            escrow,
            suite.oracle_committee,
            suite.capability_registry,
            suite.model_registry,
            suite.dispute_game,
        )
        steps += [(f"hand over {contract.name}", contract.transfer_ownership(admin)) for contract in owned]
    sender.send_many([(f"deploy {chosen.name}: {step}", call) for step, call in steps])
    return replace(deployment, code_hashes=code_hashes(web3, where))


def configure_committee(
    suite: Suite, sender: TransactionSender, operators: Sequence[str], faults_tolerated: int
) -> bool:
    """Names the members of the committee, each of which has joined; whether anything had to be changed.

    Raises:
        InvalidParameters: the number of members does not fit the number of faults, or one of them has not joined.
        NotOwner: the committee belongs to somebody else than the sender.
    """
    _check("faults_tolerated", faults_tolerated, 1, MAXIMUM_FAULTS)
    members = [address(operator, "member") for operator in operators]
    if len(set(members)) != 3 * faults_tolerated + 1:
        raise InvalidParameters(
            f"{len(set(members))} members do not tolerate {faults_tolerated} faults",
            remedy=f"Name {3 * faults_tolerated + 1} different members, or choose another number of faults.",
        )
    committee = suite.oracle_committee
    places = [committee.member(member) for member in members]
    absent = [member for member, place in zip(members, places, strict=True) if place.key == EMPTY_ADDRESS]
    if absent:
        raise InvalidParameters(
            f"these members have not joined the committee: {', '.join(absent)}",
            remedy="Each of them stakes and runs `proofmill committee join`; then run this again.",
        )
    wanted = (members, [place.key for place in places], faults_tolerated)
    if (committee.members(), committee.keys(), committee.faults_tolerated()) == wanted:
        return False
    owner = committee.owner()
    if owner != sender.address:
        raise NotOwner(
            f"the committee belongs to {owner}, not to {sender.address}",
            remedy="Run this with the key of its owner.",
        )
    # The count makes each change a step of its own, and one that was interrupted the same step again.
    call = committee.set_config(members, faults_tolerated)
    step = f"configure committee {committee.address} {committee.config_count() + 1} {keccak(call.data).hex()}"
    sender.send(step, call)
    return True


def _deploy_contracts(
    web3: Web3, sender: TransactionSender, artifacts: Artifacts, parameters: DeployParameters
) -> tuple[dict[str, ChecksumAddress], int]:
    """The addresses and the block of the first; each constructor takes addresses of those before it."""
    deployer = sender.address
    where: dict[str, ChecksumAddress] = {}
    blocks: list[int] = []
    for name, contract_name in CONTRACT_NAMES.items():
        arguments: dict[str, tuple[Any, ...]] = {
            "mill_token": (
                address(parameters.token_holder or deployer),
                parameters.supply,
                parameters.clock_is_timestamp,
            ),
            "staking": (where.get("mill_token"), deployer, parameters.thaw_period),
            "job_escrow": (where.get("staking"), deployer),
            "oracle_committee": (
                where.get("staking"),
                deployer,
                parameters.maximum_report_age,
                parameters.member_bond,
            ),
            "capability_registry": (where.get("oracle_committee"), deployer),
            "model_registry": (deployer,),
            "op_verifier": tuple(where.get(verifier) for verifier in STEP_VERIFIERS),
            "dispute_game": (
                *(where.get(part) for part in ("job_escrow", "staking", "model_registry", "trace_reader")),
                where.get("op_verifier"),
                deployer,
            ),
        }
        call = _creation(web3, contract_name, artifacts.creation_code(contract_name), arguments.get(name, ()))
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
