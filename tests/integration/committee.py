"""The committee of the shared deployment as one function: its members sign whatever verdict a test wants."""

from __future__ import annotations

from proofmill.chain import (
    JobOpening,
    Outcome,
    Report,
    Suite,
    TransactionSender,
    Verdict,
    sign_report,
)
from proofmill.devnet.anvil import CHAIN_ID, Anvil


def judge(
    anvil: Anvil, suite: Suite, sender: TransactionSender, job_id: int, outcome: Outcome = Outcome.COMPLETE
) -> None:
    """Report a verdict on a submitted job with the least number of signatures."""
    committee = suite.oracle_committee
    job = suite.job_escrow.job(job_id)
    deliverable = suite.job_escrow.deliverable(job_id)
    assert deliverable is not None
    report = Report(
        config_digest=committee.config_digest(),
        sequence=committee.latest_sequence() + 1,
        observed_at=int(anvil.web3.eth.get_block("latest")["timestamp"]),
        evidence_hash=bytes(32),
        verdicts=(Verdict(job.escrow, job_id, job.commitment, outcome, deliverable),),
    )
    signers = anvil.accounts[5 : 8 if report.rejects else 7]
    signatures = [sign_report(report, member, CHAIN_ID, committee.address) for member in signers]
    call = committee.transmit(
        report, [JobOpening(job.terms, deliverable)], (1 << len(signers)) - 1, signatures
    )
    sender.send(f"judge {job_id}", call)
