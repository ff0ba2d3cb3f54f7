# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What the evaluator and the arbiter decide
@author Proofmill
@license Apache-2.0
@notice The evaluator judges what was submitted; where there is an arbiter, that one has the last word.
"""

from contracts.interfaces import IJobEscrow
from contracts.modules import job_ledger
from contracts.modules import job_settlement
from contracts.modules import job_terms
from contracts.modules import job_word
from contracts.modules import refusal

uses: job_ledger
uses: job_settlement


MAX_COMPLETIONS: constant(uint256) = 64  # of one batch


# ------------------------------------------------------------------ evaluator named in the terms
@external
def complete(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _reason: bytes32):
    """
    @notice Accepts the answer: pays the worker and frees its bond.
    @dev The evaluator in the terms only, until the evaluation deadline (inclusive).
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    @param _reason The evaluator's reason, for the record.
    """
    self._complete(_job_id, _terms, _answer, _reason)


@external
def complete_many(_completions: DynArray[IJobEscrow.Completion, MAX_COMPLETIONS], _reason: bytes32):
    """
    @notice Accepts many answers for one reason: all of them, or none.
    @dev The evaluator in the terms of each only.
    @param _completions The jobs with their terms and answers.
    @param _reason The evaluator's reason, for the record.
    """
    for completion: IJobEscrow.Completion in _completions:
        self._complete(completion.job_id, completion.terms, completion.answer, _reason)


@external
def reject(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _reason: bytes32):
    """
    @notice Refuses the answer. Without an arbiter that is final: the requester has its price back and the bond is
            slashed. With one the job is condemned, and the worker may take the case to the arbiter first.
    @dev The evaluator in the terms only, until the evaluation deadline (inclusive).
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    @param _reason The evaluator's reason, for the record.
    """
    word: uint256 = self._check_evaluator(_job_id, _terms, _answer)
    if _terms.arbiter == empty(address):
        job_settlement._condemn(
            _job_id, _terms, _answer, job_word.FINALLY_CONDEMNED, empty(address), msg.sender, _reason
        )
        return
    challenge_window: uint256 = _terms.schedule >> job_terms.CHALLENGE_WINDOW_SHIFT & job_terms.MASK_24
    deadline: uint256 = block.timestamp + challenge_window
    job_ledger._move(_job_id, word, job_word.CONDEMNED, deadline)
    log IJobEscrow.JobCondemned(jobId=_job_id, evaluator=msg.sender, deadline=deadline, reason=_reason)


@external
def void(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _reason: bytes32):
    """
    @notice Ends a job that could not be served through no fault of the worker, which has its cancellation fee; the
            requester has the rest of its price back.
    @dev The evaluator in the terms only, until the evaluation deadline (inclusive).
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    @param _reason The evaluator's reason, for the record.
    """
    self._check_evaluator(_job_id, _terms, _answer)
    log IJobEscrow.JobRejected(jobId=_job_id, rejector=msg.sender, reason=_reason)
    log IJobEscrow.JobVoided(jobId=_job_id, evaluator=msg.sender, reason=_reason)
    job_settlement._void(_job_id, _terms, _answer)


# ------------------------------------------------------------------ arbiter named in the terms
@external
def contest(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer):
    """
    @notice Takes a job out of the evaluator's hands, because a dispute about its answer began.
    @dev The arbiter in the terms only, until the evaluation deadline, or the appeal deadline of a condemned job
         (inclusive).
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    """
    word: uint256 = job_ledger._words[_job_id]
    stage: uint256 = word >> job_word.STAGE_SHIFT
    deadline: uint256 = word >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK
    if stage not in [job_word.SUBMITTED, job_word.CONDEMNED]:
        refusal._raise("escrow: nothing to contest")
    self._check_arbiter(word, _terms, _answer)
    if block.timestamp > deadline:
        refusal._raise("escrow: too late to contest")
    dispute_window: uint256 = _terms.schedule >> job_terms.DISPUTE_WINDOW_SHIFT & job_terms.MASK_24
    job_ledger._move(_job_id, word, stage | job_word.CONTESTED_FLAG, deadline + dispute_window)
    log IJobEscrow.JobContested(jobId=_job_id, arbiter=msg.sender)


@external
def dismiss(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer):
    """
    @notice Ends a dispute without a result: the job is where it was before, with the deadline that it had.
    @dev The arbiter in the terms only, until the dispute deadline (inclusive).
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    """
    word: uint256 = self._check_contested(_job_id, _terms, _answer)
    stage: uint256 = word >> job_word.STAGE_SHIFT
    deadline: uint256 = word >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK
    dispute_window: uint256 = _terms.schedule >> job_terms.DISPUTE_WINDOW_SHIFT & job_terms.MASK_24
    job_ledger._move(_job_id, word, stage ^ job_word.CONTESTED_FLAG, deadline - dispute_window)
    log IJobEscrow.ContestDismissed(jobId=_job_id, arbiter=msg.sender)


@external
def uphold(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _reason: bytes32):
    """
    @notice Finds the answer right: pays the worker and frees its bond. The evaluator has no fee.
    @dev The arbiter in the terms only, until the dispute deadline (inclusive).
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    @param _reason The arbiter's reason, for the record.
    """
    word: uint256 = self._check_contested(_job_id, _terms, _answer)
    job_settlement._pay_worker(_job_id, word, _terms, _answer, job_word.UPHELD, msg.sender, _reason)


@external
def convict(
    _job_id: uint256,
    _terms: IJobEscrow.JobTerms,
    _answer: IJobEscrow.Answer,
    _challenger: address,
    _reason: bytes32,
):
    """
    @notice Finds the answer wrong: slashes the worker's bond, of which the challenger has its share, and gives the
            requester its price back; after a payment only the slash is left to do, out of what stake there is.
    @dev The arbiter in the terms only, until the dispute deadline (inclusive); of a job that was paid because the
         evaluator attested it, until the challenge window and the dispute window have passed.
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    @param _challenger Who proved it; the zero address for nobody.
    @param _reason The arbiter's reason, for the record.
    """
    word: uint256 = job_ledger._words[_job_id]
    if word >> job_word.STAGE_SHIFT != job_word.ATTESTED:
        self._check_contested(_job_id, _terms, _answer)
        job_settlement._condemn(
            _job_id, _terms, _answer, job_word.CONVICTED, _challenger, msg.sender, _reason
        )
        return

    self._check_arbiter(word, _terms, _answer)
    deadline: uint256 = word >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK
    dispute_window: uint256 = _terms.schedule >> job_terms.DISPUTE_WINDOW_SHIFT & job_terms.MASK_24
    if block.timestamp > deadline + dispute_window:
        refusal._raise("escrow: too late to refute")
    job_ledger._close(_job_id, job_word.REFUTED)
    log IJobEscrow.JobRefuted(jobId=_job_id, arbiter=msg.sender, reason=_reason)
    # The bond was given back with the payment, so none of it ends here.
    job_settlement._slash(_job_id, _terms, _answer, 0, _terms.bond, _challenger, _reason)


# ------------------------------------------------------------------ internal
@internal
def _complete(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _reason: bytes32):
    word: uint256 = self._check_evaluator(_job_id, _terms, _answer)
    job_settlement._pay_worker(_job_id, word, _terms, _answer, job_word.ATTESTED, msg.sender, _reason)


@view
@internal
def _check_evaluator(
    _job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer
) -> uint256:
    """
    @dev Returns the job's word.
    """
    word: uint256 = job_ledger._words[_job_id]
    if word >> job_word.STAGE_SHIFT != job_word.SUBMITTED:
        refusal._raise("escrow: not submitted")
    job_ledger._check_answer(word, _terms, _answer)
    if msg.sender != _terms.evaluator:
        refusal._raise("escrow: not the evaluator")
    deadline: uint256 = word >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK
    if block.timestamp > deadline:
        refusal._raise("escrow: evaluation too late")
    return word


@view
@internal
def _check_contested(
    _job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer
) -> uint256:
    """
    @dev Returns the job's word.
    """
    word: uint256 = job_ledger._words[_job_id]
    stage: uint256 = word >> job_word.STAGE_SHIFT
    # A close reason may have the same bit.
    is_open: bool = stage & job_word.STATE_MASK == job_word.SUBMITTED
    if not is_open or stage & job_word.CONTESTED_FLAG == 0:
        refusal._raise("escrow: not contested")
    self._check_arbiter(word, _terms, _answer)
    deadline: uint256 = word >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK
    if block.timestamp > deadline:
        refusal._raise("escrow: dispute too late")
    return word


@view
@internal
def _check_arbiter(_word: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer):
    """
    @dev Where there is none, the zero address is the arbiter, and that calls nobody.
    """
    job_ledger._check_answer(_word, _terms, _answer)
    if msg.sender != _terms.arbiter:
        refusal._raise("escrow: not the arbiter")
