# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title What members sign of a report
@author Proofmill
@license Apache-2.0
@dev Stateless. A chain over the items, so that a report of any length takes one item's memory. The kind and the target
     come first: an item of one kind is never taken for the other's, nor for another contract's. A job is named by its
     whole record, so a relayer that brings other terms than the members judged has no signatures for them.
"""

from contracts.interfaces import ICapabilityRegistry
from contracts.interfaces import IOracleCommittee


@pure
@internal
def _start(_kind: bytes32, _report: IOracleCommittee.Report) -> bytes32:
    return keccak256(abi_encode(_kind, _report.observed_at, _report.evidence_hash, _report.target))


@pure
@internal
def _commitment(_verdict: IOracleCommittee.Verdict) -> bytes32:
    """
    @dev The hash of the submitted job's record, all 256 bit of it.
    """
    return keccak256(
        abi_encode(
            keccak256(abi_encode(_verdict.terms)),
            _verdict.answer.provider,
            _verdict.answer.claimed_at,
            _verdict.answer.deliverable,
        )
    )


@pure
@internal
def _verdict_hash(_verdict: IOracleCommittee.Verdict, _commitment: bytes32) -> bytes32:
    return keccak256(abi_encode(_verdict.job_id, _verdict.outcome, _commitment))


@pure
@internal
def _add_verdict(_hash: bytes32, _verdict: IOracleCommittee.Verdict) -> bytes32:
    """
    @dev In one piece: each call of another function would cost 100 gas and more for each verdict of a batch.
    """
    commitment: bytes32 = keccak256(
        abi_encode(
            keccak256(abi_encode(_verdict.terms)),
            _verdict.answer.provider,
            _verdict.answer.claimed_at,
            _verdict.answer.deliverable,
        )
    )
    return keccak256(
        abi_encode(_hash, keccak256(abi_encode(_verdict.job_id, _verdict.outcome, commitment)))
    )


@pure
@internal
def _add_measurement(_hash: bytes32, _measurement: ICapabilityRegistry.Measurement) -> bytes32:
    return keccak256(abi_encode(_hash, keccak256(abi_encode(_measurement))))


@pure
@internal
def _add(_hash: bytes32, _item: bytes32) -> bytes32:
    return keccak256(abi_encode(_hash, _item))
