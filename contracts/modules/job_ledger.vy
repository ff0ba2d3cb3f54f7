# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The jobs, one storage word each
@author Proofmill
@license Apache-2.0
@dev Who calls a function that acts on a job brings its record; the hash in the word decides whether it is the right
     one. A settled job keeps its stage only, except one that was paid and can still be refuted.
"""

from contracts.interfaces import IJobEscrow
from contracts.modules import job_terms
from contracts.modules import job_word
from contracts.modules import refusal


_words: HashMap[uint256, uint256]  # see job_word


# ------------------------------------------------------------------ views
# A callback asks about its job while the escrow is locked: the word is final before anybody is called.
@view
@reentrant
@external
def state(_job_id: uint256) -> uint8:
    """
    @notice Where a job is: 0 never posted, 1 Funded, 2 Submitted, 3 Completed, 4 Rejected, 5 Expired.
    @param _job_id The job.
    @return A state of ERC-8183.
    """
    return convert(self._words[_job_id] >> job_word.STAGE_SHIFT & job_word.STATE_MASK, uint8)


@view
@reentrant
@external
def stage(_job_id: uint256) -> uint8:
    """
    @notice State and, in the high four bits, 1 claimed, 2 condemned, 4 contested, or the close reason.
    @param _job_id The job.
    @return The whole stage byte.
    """
    return convert(self._words[_job_id] >> job_word.STAGE_SHIFT, uint8)


@view
@reentrant
@external
def deadline(_job_id: uint256) -> uint256:
    """
    @notice The last second in which the step that is next can be taken: the claim, the submission, the evaluation, the
            appeal, the arbiter's judgement; for a paid job, the last second of its challenge window.
    @param _job_id The job.
    @return Unix time; 0 for a job that was never posted or that nothing can happen to any more.
    """
    return self._words[_job_id] >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK


@view
@reentrant
@external
def commitment(_job_id: uint256) -> bytes32:
    """
    @notice What the job's record must hash to.
    @param _job_id The job.
    @return The 208 low bits of the hash; 0 for a job that was never posted or that nothing can happen to any more.
    """
    return convert(self._words[_job_id] & job_word.RECORD_MASK, bytes32)


@view
@reentrant
@external
def closeReason(_job_id: uint256) -> uint8:
    """
    @notice How a job ended: 1 attested, 2 unopposed, 3 upheld, 4 cancelled, 5 unclaimed, 6 late, 7 not evaluated,
            8 condemned, 9 convicted, 10 voided, 11 refuted after payment.
    @param _job_id The job.
    @return 0 while it is open.
    """
    stage: uint256 = self._words[_job_id] >> job_word.STAGE_SHIFT
    if stage & job_word.STATE_MASK < job_word.COMPLETED:
        return 0
    return convert(stage >> job_word.REASON_SHIFT, uint8)


@view
@reentrant
@external
def runway(_job_id: uint256) -> uint256:
    """
    @notice Seconds until anyone can end the present stage.
    @param _job_id The job.
    @return 0 when anyone can now, or when the job is settled or was never posted.
    """
    word: uint256 = self._words[_job_id]
    deadline: uint256 = word >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK
    is_settled: bool = word >> job_word.STAGE_SHIFT & job_word.STATE_MASK >= job_word.COMPLETED
    if is_settled or block.timestamp > deadline:
        return 0
    return deadline + 1 - block.timestamp


@view
@reentrant
@external
def terms_hash(_terms: IJobEscrow.JobTerms) -> bytes32:
    """
    @notice What the terms of a job hash to.
    @param _terms The terms.
    @return keccak256(abi_encode(terms)).
    """
    return job_word._terms_hash(_terms)


@view
@reentrant
@external
def price_at(_terms: IJobEscrow.JobTerms, _time: uint256) -> uint256:
    """
    @notice What a worker that claims at some moment is paid, before fees.
    @param _terms The terms.
    @param _time Unix time.
    @return Payment tokens.
    """
    return job_terms._price_at(_terms, _time)


# ------------------------------------------------------------------ internal
@internal
def _store(_job_id: uint256, _stage: uint256, _deadline: uint256, _record: bytes32):
    self._words[_job_id] = job_word._pack(_stage, _deadline, _record)


@internal
def _move(_job_id: uint256, _word: uint256, _stage: uint256, _deadline: uint256):
    """
    @dev Same record, another stage.
    """
    self._store(_job_id, _stage, _deadline, convert(_word, bytes32))


@internal
def _close(_job_id: uint256, _stage: uint256):
    """
    @dev Nothing can happen to the job any more.
    """
    self._store(_job_id, _stage, 0, empty(bytes32))


@pure
@internal
def _check_record(_word: uint256, _hash: bytes32):
    """
    @dev The stage says which kind of hash; whoever calls this has looked at it.
    """
    if (_word ^ convert(_hash, uint256)) & job_word.RECORD_MASK != 0:
        refusal._raise("escrow: other record")


@pure
@internal
def _check_answer(_word: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer):
    self._check_record(_word, job_word._answer_hash(job_word._terms_hash(_terms), _answer))
