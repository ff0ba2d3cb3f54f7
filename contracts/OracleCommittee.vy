# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Oracle committee
@author Proofmill
@license Apache-2.0
@notice Applies reports of verdicts that enough members signed. Anyone may relay a report; what it does was decided by
        those who signed it.
@dev A relayer adds the terms and the answer behind each commitment. Wrong ones revert the whole call. An item that the
     escrow refuses is recorded and does not stop the others.
@custom:security f + 1 colluding members can have a wrong answer paid, 2f + 1 can have a right one slashed. There is no
                 appeal in this version.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from contracts.interfaces import IJobEscrow
from contracts.interfaces import IOracleCommittee
from contracts.interfaces import IOwnable2Step
from contracts.modules import attestation
from contracts.modules import committee_config

implements: IOracleCommittee
implements: IOwnable2Step

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: committee_config[ownable := ownable]
initializes: attestation[committee_config := committee_config]

exports: (
    # ownership
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    # configuration
    committee_config.set_config,
    committee_config.config_digest,
    committee_config.config_count,
    committee_config.faults_tolerated,
    committee_config.members,
    # signatures
    attestation.report_digest,
    # ERC-5267
    attestation.eip712Domain,
)


MAX_VERDICTS: constant(uint256) = 32
OUTCOME_COMPLETE: constant(uint8) = 3
OUTCOME_REJECT: constant(uint8) = 4
# `raw_call` needs the selectors of IJobEscrow.complete and IJobEscrow.reject by hand; a test compares them with the ABI.
COMPLETE_METHOD: constant(bytes4) = 0x0a4d56f5
REJECT_METHOD: constant(bytes4) = 0xde536f4a
LEAST_MAXIMUM_AGE: constant(uint256) = 300  # seconds
MOST_MAXIMUM_AGE: constant(uint256) = 86_400
# Gas that must be left before each item: three times what the dearest was measured to need (docs/CONTRACTS.md), so
# that no item fails for want of gas in a transaction that succeeds.
ITEM_GAS_FLOOR: constant(uint256) = 400_000
# A faulty report cannot use up the sequence numbers: 2 ** 32 such reports would be needed.
MAX_SEQUENCE_STEP: constant(uint64) = 2**32


MAXIMUM_REPORT_AGE: immutable(uint256)


latest_sequence: public(uint64)


@deploy
def __init__(_admin: address, _maximum_report_age: uint256):
    """
    @notice Starts without a committee.
    @param _admin The owner, who names the committee; the deployer keeps nothing.
    @param _maximum_report_age Seconds after which an observation is worthless, 300 to 86,400.
    """
    assert _admin != empty(address), "committee: no admin"
    assert _maximum_report_age >= LEAST_MAXIMUM_AGE, "committee: maximum age too short"
    assert _maximum_report_age <= MOST_MAXIMUM_AGE, "committee: maximum age too long"
    MAXIMUM_REPORT_AGE = _maximum_report_age

    ownable.__init__()
    ownable_2step.__init__()
    attestation.__init__()
    ownable_2step._transfer_ownership(_admin)


# ------------------------------------------------------------------ anyone
@external
def transmit(
    _report: IOracleCommittee.Report,
    _openings: DynArray[IOracleCommittee.JobOpening, MAX_VERDICTS],
    _signers: uint256,
    _signatures: DynArray[IOracleCommittee.CompactSignature, 21],
):
    """
    @notice Applies a report: f + 1 signatures when it only completes, 2f + 1 when any verdict rejects.
    @dev Anyone. All of the report is checked before its first verdict is applied.
    @param _report The report that was signed.
    @param _openings For each verdict, the terms and the answer behind its commitment.
    @param _signers Bit i is member i.
    @param _signatures In ascending order of the members.
    """
    assert _report.config_digest != empty(bytes32), "committee: no configuration"
    assert _report.config_digest == committee_config.config_digest, "committee: other configuration"
    assert _report.sequence > self.latest_sequence, "committee: stale sequence"
    assert _report.sequence - self.latest_sequence <= MAX_SEQUENCE_STEP, "committee: sequence leaps"
    assert _report.observed_at <= block.timestamp, "committee: from the future"
    assert block.timestamp - _report.observed_at <= MAXIMUM_REPORT_AGE, "committee: report too old"

    assert len(_report.verdicts) > 0, "committee: empty report"
    assert len(_report.verdicts) == len(_openings), "committee: openings mismatch"
    required: uint256 = committee_config.faults_tolerated + 1
    for i: uint256 in range(len(_openings), bound=MAX_VERDICTS):
        if self._check_verdict(_report.verdicts[i], _openings[i]):
            required = 2 * committee_config.faults_tolerated + 1
    attestation._check_signatures(attestation._report_digest(_report), required, _signers, _signatures)

    self.latest_sequence = _report.sequence
    log IOracleCommittee.ReportTransmitted(
        config_digest=_report.config_digest,
        sequence=_report.sequence,
        relayer=msg.sender,
        signers=_signers,
        evidence_hash=_report.evidence_hash,
    )
    for i: uint256 in range(len(_report.verdicts), bound=MAX_VERDICTS):
        self._apply(_report.verdicts[i], _openings[i])


# ------------------------------------------------------------------ views
@view
@external
def maximum_report_age() -> uint256:
    """
    @notice How old an observation may be when its report is transmitted.
    @return Seconds.
    """
    return MAXIMUM_REPORT_AGE


# ------------------------------------------------------------------ internal
@pure
@internal
def _check_verdict(_verdict: IOracleCommittee.Verdict, _opening: IOracleCommittee.JobOpening) -> bool:
    """
    @dev The opening is what the verdict was given on. Returns whether the verdict takes money.
    """
    terms_hash: bytes32 = keccak256(abi_encode(_opening.terms))
    opened: bytes32 = keccak256(abi_encode(terms_hash, _opening.deliverable))
    assert opened == _verdict.commitment, "committee: other terms or answer"
    if _verdict.outcome == OUTCOME_REJECT:
        return True
    assert _verdict.outcome == OUTCOME_COMPLETE, "committee: unknown outcome"
    return False


@internal
def _apply(_verdict: IOracleCommittee.Verdict, _opening: IOracleCommittee.JobOpening):
    """
    @dev One call to the escrow, whose failure is an entry in the log.
    """
    method: bytes4 = COMPLETE_METHOD
    if _verdict.outcome == OUTCOME_REJECT:
        method = REJECT_METHOD
    call_data: Bytes[452] = concat(
        method, abi_encode(_verdict.job_id, _opening.terms, _opening.deliverable, _verdict.reason)
    )
    assert msg.gas >= ITEM_GAS_FLOOR, "committee: too little gas"
    success: bool = raw_call(_verdict.escrow, call_data, max_outsize=0, revert_on_failure=False)
    log IOracleCommittee.VerdictApplied(
        escrow=_verdict.escrow, job_id=_verdict.job_id, outcome=_verdict.outcome, success=success
    )
