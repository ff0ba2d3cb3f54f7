"""The evidence blob that a report's hash points to: what was compared with what, in canonical CBOR.

It is a function of the verdicts and of what the chain says about their jobs, so every member makes the same bytes and checks
a leader's hash by making them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cbor2
from eth_typing import ChecksumAddress

from proofmill.chain.reports import Verdict

KIND = "proofmill/evidence/1"
# In place of a result where a job is void: whatever kept it from being served, all members write the same.
NOTHING_COMPUTED = bytes(32)


@dataclass(frozen=True)
class Finding:
    """A verdict with what it rests on."""

    escrow: ChecksumAddress
    verdict: Verdict
    model_id: bytes
    input_root: bytes
    claimed: bytes
    computed: bytes


def evidence_blob(findings: Sequence[Finding]) -> bytes:
    """Canonical bytes for `findings`, which must be in the order of the report's verdicts."""
    return cbor2.dumps(
        {
            "kind": KIND,
            "jobs": [
                {
                    "escrow": bytes.fromhex(finding.escrow[2:]),
                    "job": finding.verdict.job_id,
                    "commitment": finding.verdict.commitment,
                    "model": finding.model_id,
                    "input": finding.input_root,
                    "claimed": finding.claimed,
                    "computed": finding.computed,
                    "outcome": int(finding.verdict.outcome),
                }
                for finding in findings
            ],
        },
        canonical=True,
    )
