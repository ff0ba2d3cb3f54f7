"""The chain from Python: typed clients, a journaled sender, event sync, keys, deployments. Knows no model."""

from proofmill.chain.connection import connect
from proofmill.chain.contracts import (
    Authorization,
    CapabilityRegistry,
    JobEscrow,
    MillToken,
    OracleCommittee,
    Permit,
    Staking,
)
from proofmill.chain.database import open_database
from proofmill.chain.deployment import Deployment, Suite
from proofmill.chain.events import EventLog
from proofmill.chain.fees import SenderPolicy
from proofmill.chain.journal import Journal, Status
from proofmill.chain.keystore import create_keystore, load_keystore
from proofmill.chain.records import Answer, Claim, CloseReason, Job, PostedJob, StageFlag
from proofmill.chain.reports import (
    Equivocation,
    Measurement,
    OpenedVerdict,
    Outcome,
    Report,
    ReportHead,
    Verdict,
)
from proofmill.chain.sender import TransactionSender
from proofmill.chain.sync import EventSync, SyncResult
from proofmill.chain.terms import JobOffer, JobTerms, Rates, Schedule, terms_hash
from proofmill.chain.typed_data import recover_signer, report_digest, sign_key_grant, sign_report
from proofmill.chain.types import ContractCall, JobState

__all__ = [
    "Answer",
    "Authorization",
    "CapabilityRegistry",
    "Claim",
    "CloseReason",
    "ContractCall",
    "Deployment",
    "Equivocation",
    "EventLog",
    "EventSync",
    "Job",
    "JobEscrow",
    "JobOffer",
    "JobState",
    "JobTerms",
    "Journal",
    "Measurement",
    "MillToken",
    "OpenedVerdict",
    "OracleCommittee",
    "Outcome",
    "Permit",
    "PostedJob",
    "Rates",
    "Report",
    "ReportHead",
    "Schedule",
    "SenderPolicy",
    "StageFlag",
    "Staking",
    "Status",
    "Suite",
    "SyncResult",
    "TransactionSender",
    "Verdict",
    "connect",
    "create_keystore",
    "load_keystore",
    "open_database",
    "recover_signer",
    "report_digest",
    "sign_key_grant",
    "sign_report",
    "terms_hash",
]
