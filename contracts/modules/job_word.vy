# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The one word of a job
@author Proofmill
@license Apache-2.0
@dev Stateless. Layout:

         8 bit stage | 40 bit deadline | 208 low bits of the record's hash

     The hashes of a claimed and of a submitted record have the same shape; the stage beside them tells which it is, so
     that neither can be taken for the other.
"""

from contracts.interfaces import IJobEscrow


# Low four bits: the state of ERC-8183. A job is funded when it is posted, so Open means that it does not exist.
FUNDED: constant(uint256) = 1
SUBMITTED: constant(uint256) = 2
COMPLETED: constant(uint256) = 3
REJECTED: constant(uint256) = 4
EXPIRED: constant(uint256) = 5
STATE_MASK: constant(uint256) = 15

# High four bits while the job is open.
CLAIMED: constant(uint256) = 1 << 4 | FUNDED
CONDEMNED: constant(uint256) = 2 << 4 | SUBMITTED
CONTESTED_FLAG: constant(uint256) = 4 << 4

# High four bits afterwards: the close reason.
REASON_SHIFT: constant(uint256) = 4
ATTESTED: constant(uint256) = 1 << 4 | COMPLETED
UNOPPOSED: constant(uint256) = 2 << 4 | COMPLETED
UPHELD: constant(uint256) = 3 << 4 | COMPLETED
CANCELLED: constant(uint256) = 4 << 4 | REJECTED
UNCLAIMED: constant(uint256) = 5 << 4 | EXPIRED
LATE: constant(uint256) = 6 << 4 | EXPIRED
NOT_EVALUATED: constant(uint256) = 7 << 4 | EXPIRED
FINALLY_CONDEMNED: constant(uint256) = 8 << 4 | REJECTED
CONVICTED: constant(uint256) = 9 << 4 | REJECTED
VOIDED: constant(uint256) = 10 << 4 | REJECTED
REFUTED: constant(uint256) = 11 << 4 | COMPLETED  # it was paid, and ERC-8183 lets no final state change

STAGE_SHIFT: constant(uint256) = 248
DEADLINE_SHIFT: constant(uint256) = 208
DEADLINE_MASK: constant(uint256) = 2**40 - 1
RECORD_MASK: constant(uint256) = 2**208 - 1


# ------------------------------------------------------------------ the word
@pure
@internal
def _pack(_stage: uint256, _deadline: uint256, _record: bytes32) -> uint256:
    """
    @dev `_stage` is one of the constants above, so only the deadline can be out of range.
    """
    assert _deadline <= DEADLINE_MASK, "word: deadline out of range"
    return _stage << STAGE_SHIFT | _deadline << DEADLINE_SHIFT | convert(_record, uint256) & RECORD_MASK


# ------------------------------------------------------------------ the records
@pure
@internal
def _terms_hash(_terms: IJobEscrow.JobTerms) -> bytes32:
    """
    @dev The record of a posted job.
    """
    return keccak256(abi_encode(_terms))


@pure
@internal
def _claim_hash(
    _terms_hash: bytes32, _provider: address, _claimed_at: uint256, _evaluation_window: uint256
) -> bytes32:
    """
    @dev The record of a claimed job: with the evaluation window, so that `submit` needs no terms.
    """
    return keccak256(abi_encode(_terms_hash, _provider, _claimed_at, _evaluation_window))


@pure
@internal
def _answer_hash(_terms_hash: bytes32, _answer: IJobEscrow.Answer) -> bytes32:
    """
    @dev The record of a submitted job, whatever becomes of it.
    """
    return keccak256(abi_encode(_terms_hash, _answer.provider, _answer.claimed_at, _answer.deliverable))
