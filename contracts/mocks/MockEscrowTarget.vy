# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title An escrow that remembers what it was told, or answers as badly as it can
@license Apache-2.0
@dev Tests only. The low four bits of a job's id say how it answers.
"""

from ethereum.ercs import IERC20

from contracts.interfaces import IJobEscrow


REFUSES: constant(uint256) = 1
REFUSES_AT_LENGTH: constant(uint256) = 2
BURNS_GAS: constant(uint256) = 3
REVERTS_WITH_A_BOMB: constant(uint256) = 4
REENTERS: constant(uint256) = 5
NEEDS_GAS: constant(uint256) = 6
REVERTS_IN_SILENCE: constant(uint256) = 7

GAS_NEEDED: constant(uint256) = 450_000


# By job: outcome told, hash of all arguments.
outcome: public(HashMap[uint256, uint256])
told: public(HashMap[uint256, bytes32])
calls: public(uint256)
reentry: Bytes[4096]
reentry_target: address
reentry_succeeded: public(bool)


@external
def arm(_target: address, _call_data: Bytes[4096]):
    self.reentry_target = _target
    self.reentry = _call_data


@external
def collect_fees(_token: address, _evaluator: address):
    """
    @dev Hands over all it has.
    """
    amount: uint256 = staticcall IERC20(_token).balanceOf(self)
    extcall IERC20(_token).transfer(_evaluator, amount, default_return_value=True)
    if self.reentry_target != empty(address):
        self.reentry_succeeded = raw_call(self.reentry_target, self.reentry, revert_on_failure=False)


@external
def complete(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _reason: bytes32):
    self._tell(3, _job_id, _terms, _answer, _reason)


@external
def reject(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _reason: bytes32):
    self._tell(4, _job_id, _terms, _answer, _reason)


@external
def void(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _reason: bytes32):
    self._tell(5, _job_id, _terms, _answer, _reason)


@internal
def _tell(
    _outcome: uint256, _job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _reason: bytes32
):
    manner: uint256 = _job_id & 15
    if manner == REFUSES:
        raise "escrow: wrong stage"
    elif manner == REFUSES_AT_LENGTH:
        raise "escrow: this reason is longer than the thirty-two characters of one word"
    elif manner == BURNS_GAS:
        for i: uint256 in range(2**64):
            self.outcome[2**128 + i] = 1
    elif manner == REVERTS_WITH_A_BOMB:
        raw_revert(abi_encode(empty(uint256[2048])))
    elif manner == REENTERS:
        self.reentry_succeeded = raw_call(self.reentry_target, self.reentry, revert_on_failure=False)
    elif manner == NEEDS_GAS:
        assert msg.gas >= GAS_NEEDED, "escrow: starved"
    elif manner == REVERTS_IN_SILENCE:
        raw_revert(b"")
    self.calls += 1
    self.outcome[_job_id] = _outcome
    self.told[_job_id] = keccak256(abi_encode(_job_id, _terms, _answer, _reason))
