"""Who signed for an answer that the arithmetic refuted, and the proofs that take their bonds: all of it is on the chain.

The transaction that settled the job holds the report, the verdict and the signatures, so anyone can do this, years later too.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_typing import ChecksumAddress
from web3 import Web3

from proofmill.chain import JobEscrow, Suite
from proofmill.chain.events import LogReader
from proofmill.chain.reports import Misjudgement, OpenedVerdict, ReportHead
from proofmill.errors import ProofmillError


class NotAttested(ProofmillError):
    """No report of the committee has completed the job."""


@dataclass(frozen=True)
class RefutedSigner:
    """One member that attested the answer, and what takes its bond."""

    operator: ChecksumAddress
    proof: Misjudgement


def refuted_signers(web3: Web3, suite: Suite, job_id: int) -> list[RefutedSigner]:
    """The members whose signatures completed job ``job_id``, in the order of their seats.

    Raises:
        NotAttested: it was not completed by a report that anyone relayed to the committee itself.
    """
    transaction_hash = _completion(suite.job_escrow, job_id)
    committee = suite.oracle_committee
    transaction = web3.eth.get_transaction(transaction_hash)  # type: ignore[arg-type]  # web3 takes hashes as bytes
    block = int(transaction["blockNumber"])
    if transaction["to"] != committee.address:
        raise _not_attested(job_id, "it was relayed through another contract")
    _, arguments = committee.contract.decode_function_input(transaction["input"])
    head, opened, mask, signatures = arguments.values()
    verdicts = [OpenedVerdict.from_abi(verdict) for verdict in opened]
    items = tuple(verdict.verdict.item_hash() for verdict in verdicts)
    index = [verdict.job_id for verdict in verdicts].index(job_id)
    members, keys = committee.members(block=block), committee.keys(block=block)
    seats = [seat for seat in range(len(members)) if mask >> seat & 1]
    return [
        RefutedSigner(
            members[seat],
            Misjudgement(keys[seat], ReportHead.from_abi(head), items, index, verdicts[index], signature),
        )
        for seat, signature in zip(seats, signatures, strict=True)
    ]


def _completion(escrow: JobEscrow, job_id: int) -> bytes:
    """The transaction in which the job was completed."""
    posted = escrow.job(job_id).posted_block
    reader = LogReader(escrow.web3, [escrow.address])
    topics = [escrow.decoder.topics(["JobCompleted"]), f"0x{job_id:064x}"]
    logs = reader.read(posted, int(escrow.web3.eth.block_number), topics)
    if not logs:
        raise _not_attested(job_id, "it was never completed")
    return bytes(logs[0]["transactionHash"])


def _not_attested(job_id: int, why: str) -> NotAttested:
    return NotAttested(
        f"nobody signed for the answer to job {job_id}: {why}", remedy="Look at it with: proofmill job show"
    )
