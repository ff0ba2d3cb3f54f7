# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What a verdict that the arithmetic refutes costs
@author Proofmill
@license Apache-2.0
@dev A member that attested an answer which was then proved wrong has not run the model. Its signature tells on it for
     ever: the report is made again from the hashes of its items and the one verdict, so nothing had to be stored when it
     was transmitted, and a report that nobody relayed counts as well. Who the arbiter is stands in the terms that the
     member signed.
@custom:security Only a proof refutes a member. An answer that lost by silence refutes none of those that attested it, and
                 one that was upheld none of those that rejected it: an appeal is upheld because nobody doubted the answer
                 in time, and of a model that is not registered nobody can.
"""

from contracts.interfaces import IArbiter
from contracts.interfaces import IOracleCommittee
from contracts.modules import attestation
from contracts.modules import expulsion
from contracts.modules import job_word
from contracts.modules import report_hash
from contracts.modules import signature_check
from contracts.modules import transmission

uses: attestation
uses: expulsion


REFUTED: constant(uint256) = 1  # a ruling


# ------------------------------------------------------------------ anyone
@external
def prove_misjudgement(_proof: IOracleCommittee.Misjudgement) -> uint256:
    """
    @notice Takes the bond of a member that attested an answer which the arithmetic refuted, and ejects it.
    @dev Anyone, once for each key and job; also for keys and digests of the past. Of one that has left only what
         Staking's caps allow is taken. A proof that would do nothing is not used up.
    @param _proof The report with the verdict in it, and the member's signature.
    @return Stake tokens taken; the caller gets a quarter of those that were the operator's own.
    """
    operator: address = expulsion._operator_of(_proof.key, _proof.report.config_digest)
    assert _proof.index < len(_proof.items), "committee: no such item"
    commitment: bytes32 = report_hash._commitment(_proof.verdict)
    item: bytes32 = report_hash._verdict_hash(_proof.verdict, commitment)
    assert _proof.items[_proof.index] == item, "committee: another item"
    chained: bytes32 = report_hash._start(transmission.VERDICTS, _proof.report)
    for each: bytes32 in _proof.items:
        chained = report_hash._add(chained, each)
    digest: bytes32 = attestation._report_digest(
        _proof.report.config_digest, _proof.report.sequence, chained
    )
    is_signed: bool = signature_check._is_signed_by(_proof.key, digest, _proof.signature)
    assert is_signed, "committee: verdict not signed"

    record: bytes32 = convert(convert(commitment, uint256) & job_word.RECORD_MASK, bytes32)
    arbiter: address = _proof.verdict.terms.arbiter
    # A call to an account without code has no answer.
    assert arbiter.is_contract, "committee: no arbiter"
    ruling: uint256 = staticcall IArbiter(arbiter).ruling(_proof.verdict.job_id, record)
    is_refuted: bool = _proof.verdict.outcome == transmission.OUTCOME_COMPLETE and ruling == REFUTED
    assert is_refuted, "committee: verdict not refuted"

    proof_id: bytes32 = keccak256(abi_encode(_proof.key, arbiter, _proof.verdict.job_id, record))
    taken: uint256 = expulsion._expel(operator, proof_id)
    log IOracleCommittee.MisjudgementProved(
        operator=operator,
        key=_proof.key,
        job_id=_proof.verdict.job_id,
        record=record,
        reporter=msg.sender,
        taken=taken,
    )
    return taken
