"""The typed clients of the suite, in one place."""

from proofmill.chain.capability_registry import CapabilityRegistry
from proofmill.chain.client import ContractClient, load_abi
from proofmill.chain.dispute_game import DisputeGame
from proofmill.chain.job_escrow import JobEscrow
from proofmill.chain.mill_token import Authorization, MillToken, Permit
from proofmill.chain.model_registry import ModelRegistry
from proofmill.chain.oracle_committee import OracleCommittee
from proofmill.chain.staking import Staking

__all__ = [
    "Authorization",
    "CapabilityRegistry",
    "ContractClient",
    "DisputeGame",
    "JobEscrow",
    "MillToken",
    "ModelRegistry",
    "OracleCommittee",
    "Permit",
    "Staking",
    "load_abi",
]
