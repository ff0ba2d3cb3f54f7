"""The committee of the shared deployment as one function: its members sign whatever verdict a test wants."""

from __future__ import annotations

from collections.abc import Sequence

from proofmill.chain import OpenedVerdict, Outcome, Report, ReportHead, Suite, TransactionSender, sign_report
from proofmill.chain.types import ContractCall
from proofmill.devnet.anvil import CHAIN_ID, Anvil

FIRST_MEMBER = 5  # of the accounts of anvil; four members follow each other


def attested(
    anvil: Anvil, suite: Suite, verdicts: Sequence[OpenedVerdict], evidence_hash: bytes = bytes(32)
) -> ContractCall:
    """The transaction that relays these verdicts with the least number of signatures."""
    committee = suite.oracle_committee
    head = ReportHead(
        config_digest=committee.config_digest(),
        sequence=committee.latest_sequence() + 1,
        observed_at=int(anvil.web3.eth.get_block("latest")["timestamp"]),
        evidence_hash=evidence_hash,
        target=suite.job_escrow.address,
    )
    report = Report(head, tuple(opened.verdict for opened in verdicts))
    signers = anvil.accounts[FIRST_MEMBER : FIRST_MEMBER + (3 if report.takes_money else 2)]
    signatures = [sign_report(report, member, CHAIN_ID, committee.address) for member in signers]
    return committee.transmission(head, verdicts, (1 << len(signers)) - 1, signatures)


def judge(
    anvil: Anvil, suite: Suite, sender: TransactionSender, job_id: int, outcome: Outcome = Outcome.COMPLETE
) -> None:
    """Report a verdict on a submitted job."""
    job = suite.job_escrow.job(job_id)
    assert job.deliverable is not None
    sender.send(
        f"judge {job_id}", attested(anvil, suite, [OpenedVerdict(job_id, outcome, job.terms, job.answer)])
    )
