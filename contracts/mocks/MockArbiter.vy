# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Arbiter that rules as it is told
@author Proofmill
@license Apache-2.0
@notice For tests only.
"""

from contracts.interfaces import IArbiter

implements: IArbiter


rulings: HashMap[uint256, HashMap[bytes32, uint256]]


@external
def rule(_job_id: uint256, _record: bytes32, _ruling: uint256):
    self.rulings[_job_id][_record] = _ruling


@view
@external
def ruling(_job_id: uint256, _record: bytes32) -> uint256:
    return self.rulings[_job_id][_record]
