# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title From a signed report to what it does
@author Proofmill
@license Apache-2.0
@dev All of a report is checked before its first item is applied. Each item is a call of its own, whose refusal is an
     entry in the log and stops no other. The functions repeat each other's lines because an array handed to an internal
     function is copied, and memory is dear by the size that an array could have.
"""

from contracts.interfaces import ICapabilityRegistry
from contracts.interfaces import IOracleCommittee
from contracts.modules import attestation
from contracts.modules import report_hash

uses: attestation


VERDICTS: constant(bytes32) = keccak256("verdicts")
MEASUREMENTS: constant(bytes32) = keccak256("measurements")
OUTCOME_COMPLETE: constant(uint8) = 3
OUTCOME_REJECT: constant(uint8) = 4
OUTCOME_VOID: constant(uint8) = 5
# `raw_call` needs the selectors by hand; a test compares them with the interfaces.
COMPLETE_METHOD: constant(bytes4) = 0xe3af233c
REJECT_METHOD: constant(bytes4) = 0x13429d81
VOID_METHOD: constant(bytes4) = 0x162e67c3
RECORD_METHOD: constant(bytes4) = 0xc2215a57

MAX_VERDICTS: constant(uint256) = 8
MAX_BATCH: constant(uint256) = 64
MAX_MEASUREMENTS: constant(uint256) = 16
# Gas that must be left before each item: more than twice what the dearest needs, so that no item fails for want of gas
# in a transaction that succeeds. It is a condition on the gas limit and costs nothing.
ITEM_GAS_FLOOR: constant(uint256) = 1_000_000
TOO_LITTLE_GAS: constant(String[25]) = "committee: too little gas"


# ------------------------------------------------------------------ anyone
@external
def transmit(
    _report: IOracleCommittee.Report,
    _verdicts: DynArray[IOracleCommittee.Verdict, 8],
    _signers: uint256,
    _signatures: DynArray[Bytes[1024], 21],
):
    """
    @notice Applies a report of up to 8 verdicts: f + 1 signatures when it only completes, 2f + 1 when any verdict
            rejects or voids.
    @dev Anyone.
    @param _report The head of the report.
    @param _verdicts Its items, with each job's record.
    @param _signers Bit i is member i.
    @param _signatures In ascending order of the members.
    """
    faults: uint256 = attestation._accept(_report, len(_verdicts))
    required: uint256 = faults + 1
    chained: bytes32 = report_hash._start(VERDICTS, _report)
    for i: uint256 in range(len(_verdicts), bound=MAX_VERDICTS):
        chained = report_hash._add_verdict(chained, _verdicts[i])
        if _verdicts[i].outcome != OUTCOME_COMPLETE:
            self._check_outcome(_verdicts[i].outcome)
            required = 2 * faults + 1

    attestation._check_count(len(_signatures), required)
    digest: bytes32 = attestation._report_digest(_report.config_digest, _report.sequence, chained)
    unseen: uint256 = _signers
    for i: uint256 in range(len(_signatures), bound=21):
        unseen = attestation._check_next_signer(digest, unseen, _signatures[i])
    attestation._check_all_seen(unseen)

    applied: uint256 = 0
    for i: uint256 in range(len(_verdicts), bound=MAX_VERDICTS):
        applied |= self._apply_verdict(_report, i, _verdicts[i])
    self._log_transmitted(_report, _signers, applied)


@external
def transmit_batch(
    _report: IOracleCommittee.Report,
    _verdicts: DynArray[IOracleCommittee.Verdict, 64],
    _signers: uint256,
    _signatures: DynArray[Bytes[1024], 21],
):
    """
    @notice Applies a report of up to 64 verdicts, as `transmit` does one of up to 8; the same report can go through
            either.
    @dev Anyone.
    @param _report The head of the report.
    @param _verdicts Its items, with each job's record.
    @param _signers Bit i is member i.
    @param _signatures In ascending order of the members.
    """
    faults: uint256 = attestation._accept(_report, len(_verdicts))
    required: uint256 = faults + 1
    chained: bytes32 = report_hash._start(VERDICTS, _report)
    for i: uint256 in range(len(_verdicts), bound=MAX_BATCH):
        chained = report_hash._add_verdict(chained, _verdicts[i])
        if _verdicts[i].outcome != OUTCOME_COMPLETE:
            self._check_outcome(_verdicts[i].outcome)
            required = 2 * faults + 1

    attestation._check_count(len(_signatures), required)
    digest: bytes32 = attestation._report_digest(_report.config_digest, _report.sequence, chained)
    unseen: uint256 = _signers
    for i: uint256 in range(len(_signatures), bound=21):
        unseen = attestation._check_next_signer(digest, unseen, _signatures[i])
    attestation._check_all_seen(unseen)

    applied: uint256 = 0
    for i: uint256 in range(len(_verdicts), bound=MAX_BATCH):
        applied |= self._apply_verdict(_report, i, _verdicts[i])
    self._log_transmitted(_report, _signers, applied)


@external
def transmit_measurements(
    _report: IOracleCommittee.Report,
    _measurements: DynArray[ICapabilityRegistry.Measurement, 16],
    _signers: uint256,
    _signatures: DynArray[Bytes[1024], 21],
):
    """
    @notice Applies a report of up to 16 measurements: always 2f + 1 signatures.
    @dev Anyone.
    @param _report The head of the report.
    @param _measurements Its items.
    @param _signers Bit i is member i.
    @param _signatures In ascending order of the members.
    """
    required: uint256 = 2 * attestation._accept(_report, len(_measurements)) + 1
    chained: bytes32 = report_hash._start(MEASUREMENTS, _report)
    for i: uint256 in range(len(_measurements), bound=MAX_MEASUREMENTS):
        chained = report_hash._add_measurement(chained, _measurements[i])

    attestation._check_count(len(_signatures), required)
    digest: bytes32 = attestation._report_digest(_report.config_digest, _report.sequence, chained)
    unseen: uint256 = _signers
    for i: uint256 in range(len(_signatures), bound=21):
        unseen = attestation._check_next_signer(digest, unseen, _signatures[i])
    attestation._check_all_seen(unseen)

    applied: uint256 = 0
    for i: uint256 in range(len(_measurements), bound=MAX_MEASUREMENTS):
        applied |= self._apply_measurement(_report, i, _measurements[i])
    self._log_transmitted(_report, _signers, applied)


# ------------------------------------------------------------------ views
@view
@external
def verdicts_hash(_report: IOracleCommittee.Report, _verdicts: DynArray[IOracleCommittee.Verdict, 64]) -> bytes32:
    """
    @notice The report hash of a report of verdicts.
    @param _report The head of the report.
    @param _verdicts Its items, with each job's record.
    @return What `report_digest` takes.
    """
    chained: bytes32 = report_hash._start(VERDICTS, _report)
    for i: uint256 in range(len(_verdicts), bound=MAX_BATCH):
        chained = report_hash._add_verdict(chained, _verdicts[i])
    return chained


@view
@external
def measurements_hash(
    _report: IOracleCommittee.Report, _measurements: DynArray[ICapabilityRegistry.Measurement, 16]
) -> bytes32:
    """
    @notice The report hash of a report of measurements.
    @param _report The head of the report.
    @param _measurements Its items.
    @return What `report_digest` takes.
    """
    chained: bytes32 = report_hash._start(MEASUREMENTS, _report)
    for i: uint256 in range(len(_measurements), bound=MAX_MEASUREMENTS):
        chained = report_hash._add_measurement(chained, _measurements[i])
    return chained


# ------------------------------------------------------------------ internal
@pure
@internal
def _check_outcome(_outcome: uint8):
    """
    @dev Of one that takes something from somebody: all but a completion.
    """
    assert _outcome == OUTCOME_REJECT or _outcome == OUTCOME_VOID, "committee: unknown outcome"


@internal
def _apply_verdict(_report: IOracleCommittee.Report, _index: uint256, _verdict: IOracleCommittee.Verdict) -> uint256:
    """
    @dev Returns the item's bit if the escrow did as told. Of what the escrow returns 100 bytes are looked at, the
         length of Error(string) with a reason of up to 32 characters; a larger answer costs nothing here.
    """
    assert msg.gas >= ITEM_GAS_FLOOR, TOO_LITTLE_GAS
    success: bool = False
    answer: Bytes[100] = b""
    if _verdict.outcome == OUTCOME_COMPLETE:
        # slither calls-loop: an item that fails must not stop the others
        # slither low-level-calls: an item that fails must not stop the others
        success, answer = raw_call(
            _report.target,
            abi_encode(
                _verdict.job_id, _verdict.terms, _verdict.answer, _report.evidence_hash, method_id=COMPLETE_METHOD
            ),
            max_outsize=100,
            revert_on_failure=False,
        )
    else:
        method: bytes4 = REJECT_METHOD
        if _verdict.outcome == OUTCOME_VOID:
            method = VOID_METHOD
        # slither calls-loop: an item that fails must not stop the others
        success, answer = raw_call(
            _report.target,
            concat(method, abi_encode(_verdict.job_id, _verdict.terms, _verdict.answer, _report.evidence_hash)),
            max_outsize=100,
            revert_on_failure=False,
        )
    if success:
        return 1 << _index
    log IOracleCommittee.ItemRefused(sequence=_report.sequence, index=_index, cause=answer)
    return 0


@internal
def _apply_measurement(
    _report: IOracleCommittee.Report, _index: uint256, _measurement: ICapabilityRegistry.Measurement
) -> uint256:
    """
    @dev As `_apply_verdict`, for the registry.
    """
    assert msg.gas >= ITEM_GAS_FLOOR, TOO_LITTLE_GAS
    success: bool = False
    answer: Bytes[100] = b""
    # slither calls-loop: an item that fails must not stop the others
    # slither low-level-calls: an item that fails must not stop the others
    success, answer = raw_call(
        _report.target,
        abi_encode(_measurement, method_id=RECORD_METHOD),
        max_outsize=100,
        revert_on_failure=False,
    )
    if success:
        return 1 << _index
    log IOracleCommittee.ItemRefused(sequence=_report.sequence, index=_index, cause=answer)
    return 0


@internal
def _log_transmitted(_report: IOracleCommittee.Report, _signers: uint256, _applied: uint256):
    log IOracleCommittee.ReportTransmitted(
        config_digest=_report.config_digest,
        sequence=_report.sequence,
        relayer=msg.sender,
        target=_report.target,
        signers=_signers,
        applied=_applied,
        evidence_hash=_report.evidence_hash,
    )
