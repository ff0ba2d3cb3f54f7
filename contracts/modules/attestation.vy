# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title When a report counts
@author Proofmill
@license Apache-2.0
@dev A report is for the configuration of the day, newer than the latest, fresh, and signed by exactly as many different
     members as it needs, in the order of their bits. A sequence number is used once, whatever kind of report uses it.
"""

from contracts.interfaces import IOracleCommittee
from contracts.modules import committee_config
from contracts.modules import eip712_domain
from contracts.modules import signature_check

uses: committee_config
uses: eip712_domain


REPORT_TYPE_HASH: constant(bytes32) = keccak256(
    "AttestedReport(bytes32 configDigest,uint64 sequence,bytes32 reportHash)"
)
MAX_SIGNATURE: constant(uint256) = 1_024
LEAST_MAXIMUM_AGE: constant(uint256) = 300  # seconds
MOST_MAXIMUM_AGE: constant(uint256) = 86_400
# A faulty report cannot use up the sequence numbers: 2 ** 32 such reports would be needed.
MAX_SEQUENCE_STEP: constant(uint256) = 2**32


MAXIMUM_REPORT_AGE: immutable(uint256)


@deploy
def __init__(_maximum_report_age: uint256):
    assert _maximum_report_age >= LEAST_MAXIMUM_AGE, "committee: maximum age too short"
    assert _maximum_report_age <= MOST_MAXIMUM_AGE, "committee: maximum age too long"
    MAXIMUM_REPORT_AGE = _maximum_report_age


# ------------------------------------------------------------------ views
@view
@external
def report_digest(_config_digest: bytes32, _sequence: uint64, _report_hash: bytes32) -> bytes32:
    """
    @notice What a member signs.
    @param _config_digest The configuration's digest.
    @param _sequence The report's number.
    @param _report_hash Of `verdicts_hash` or `measurements_hash`.
    @return EIP-712 digest for this chain and this contract.
    """
    return self._report_digest(_config_digest, _sequence, _report_hash)


@view
@external
def maximum_report_age() -> uint256:
    """
    @notice How old an observation may be when its report is transmitted.
    @return Seconds.
    """
    return MAXIMUM_REPORT_AGE


# ------------------------------------------------------------------ internal
@internal
def _accept(_report: IOracleCommittee.Report, _item_count: uint256) -> uint256:
    """
    @dev Everything about a report but its items and signatures. Uses up its number and returns f.
    """
    assert _item_count != 0, "committee: empty report"
    status: uint256 = committee_config._status
    faults: uint256 = (status >> committee_config.FAULTS_SHIFT) & committee_config.FAULTS_MASK
    assert faults != 0, "committee: no configuration"
    assert _report.config_digest == committee_config._digest(status), "committee: other configuration"
    assert _report.observed_at <= block.timestamp, "committee: from the future"
    assert block.timestamp - _report.observed_at <= MAXIMUM_REPORT_AGE, "committee: report too old"
    # A call to an account without code succeeds and does nothing.
    assert _report.target.is_contract, "committee: target has no code"

    latest: uint256 = status & committee_config.SEQUENCE_MASK
    sequence: uint256 = convert(_report.sequence, uint256)
    assert sequence > latest, "committee: stale sequence"
    assert sequence - latest <= MAX_SEQUENCE_STEP, "committee: sequence leaps"
    committee_config._status = status - latest + sequence
    return faults


@view
@internal
def _report_digest(_config_digest: bytes32, _sequence: uint64, _report_hash: bytes32) -> bytes32:
    return eip712_domain._digest(
        keccak256(abi_encode(REPORT_TYPE_HASH, _config_digest, _sequence, _report_hash))
    )


@pure
@internal
def _check_count(_given: uint256, _required: uint256):
    """
    @dev Exactly so many: a relayer can neither save a signature nor pay with more gas than the report needs.
    """
    assert _given == _required, "committee: signature count"


@view
@internal
def _check_next_signer(_digest: bytes32, _signers: uint256, _signature: Bytes[MAX_SIGNATURE]) -> uint256:
    """
    @dev The signature is that of the lowest bit in `_signers`. Returns the bits that are left: each member counts once,
         and `_check_all_seen` finds the bits that no signature was for.
    """
    assert _signers != 0, "committee: too few signers"
    # x & -x is the lowest bit that is set; the subtraction wraps on purpose.
    seat: uint256 = _signers & unsafe_sub(0, _signers)
    key: address = committee_config._keys[seat]
    assert key != empty(address), "committee: unknown signer"
    assert signature_check._is_signed_by(key, _digest, _signature), "committee: bad signature"
    return _signers ^ seat


@pure
@internal
def _check_all_seen(_unseen: uint256):
    assert _unseen == 0, "committee: too many signers"
