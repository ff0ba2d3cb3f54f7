"""The chain from Python: typed clients, a journaled sender, event sync, keys, deployments. Knows no model."""

from proofmill.chain.connection import connect
from proofmill.chain.contracts import JobEscrow, MillToken, OracleCommittee, Permit, Staking
from proofmill.chain.database import open_database
from proofmill.chain.deployment import Deployment, Suite
from proofmill.chain.events import EventLog
from proofmill.chain.fees import SenderPolicy
from proofmill.chain.journal import Journal, Status
from proofmill.chain.keystore import create_keystore, load_keystore
from proofmill.chain.sender import TransactionSender
from proofmill.chain.sync import EventSync, SyncResult
from proofmill.chain.typed_data import (
    commitment,
    recover_signer,
    report_digest,
    sign_report,
    terms_hash,
)
from proofmill.chain.types import (
    CompactSignature,
    ContractCall,
    Job,
    JobOffer,
    JobOpening,
    JobState,
    JobTerms,
    Outcome,
    PostedJob,
    Report,
    Verdict,
)

__all__ = [
    "CompactSignature",
    "ContractCall",
    "Deployment",
    "EventLog",
    "EventSync",
    "Job",
    "JobEscrow",
    "JobOffer",
    "JobOpening",
    "JobState",
    "JobTerms",
    "Journal",
    "MillToken",
    "OracleCommittee",
    "Outcome",
    "Permit",
    "PostedJob",
    "Report",
    "SenderPolicy",
    "Staking",
    "Status",
    "Suite",
    "SyncResult",
    "TransactionSender",
    "Verdict",
    "commitment",
    "connect",
    "create_keystore",
    "load_keystore",
    "open_database",
    "recover_signer",
    "report_digest",
    "sign_report",
    "terms_hash",
]
