# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What anyone may do when somebody is late
@author Proofmill
@license Apache-2.0
@notice From every stage one of these two calls leads on, once the deadline has passed (INV-3).
"""

from contracts.interfaces import IJobEscrow
from contracts.modules import job_ledger
from contracts.modules import job_settlement
from contracts.modules import job_terms
from contracts.modules import job_word
from contracts.modules import refusal

uses: job_ledger
uses: job_settlement


# Why stake was slashed, as Staking records it, where no judge gives a reason.
LATE_SUBMISSION: constant(bytes32) = keccak256("late submission")
NO_APPEAL: constant(bytes32) = keccak256("condemned without a successful appeal")


# ------------------------------------------------------------------ anyone
@external
def finalize(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer):
    """
    @notice Ends an exact job that nobody has decided in time: pays the worker, or slashes it if the evaluator condemned
            it and no appeal succeeded. A dispute that outlives its window counts as dismissed.
    @dev Anyone, after the deadline of the stage.
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer that was submitted.
    """
    word: uint256 = job_ledger._words[_job_id]
    stage: uint256 = word >> job_word.STAGE_SHIFT
    if stage & job_word.STATE_MASK != job_word.SUBMITTED:
        refusal._raise("escrow: nothing to finalize")
    job_ledger._check_answer(word, _terms, _answer)
    if _terms.arbiter == empty(address):
        refusal._raise("escrow: silence refunds")
    deadline: uint256 = word >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK
    if block.timestamp <= deadline:
        refusal._raise("escrow: decision still possible")
    # Contested or not.
    if stage & job_word.CONDEMNED == job_word.CONDEMNED:
        job_settlement._condemn(
            _job_id,
            _terms,
            _answer,
            job_word.FINALLY_CONDEMNED,
            empty(address),
            _terms.evaluator,
            NO_APPEAL,
        )
    else:
        job_settlement._pay_worker(
            _job_id, word, _terms, _answer, job_word.UNOPPOSED, empty(address), empty(bytes32)
        )


@external
def claimRefund(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer):
    """
    @notice Ends a job whose next step is late and refunds the requester. A worker that never submitted loses the late
            penalty, of which the caller has the reporter's share; if the requester asked so and there is time, the job
            waits for another worker instead. A worker whose answer nobody judged has its bond back.
    @dev Anyone, after the deadline of the stage.
    @param _job_id The job.
    @param _terms Its terms.
    @param _answer The answer; of a claimed job without a deliverable, of an unclaimed one ignored.
    """
    word: uint256 = job_ledger._words[_job_id]
    stage: uint256 = word >> job_word.STAGE_SHIFT
    if stage not in [job_word.FUNDED, job_word.CLAIMED, job_word.SUBMITTED]:
        refusal._raise("escrow: nothing to refund")
    terms_hash: bytes32 = job_word._terms_hash(_terms)
    record: bytes32 = terms_hash
    if stage == job_word.CLAIMED:
        evaluation_window: uint256 = _terms.schedule >> job_terms.EVALUATION_WINDOW_SHIFT & job_terms.MASK_24
        record = job_word._claim_hash(terms_hash, _answer.provider, _answer.claimed_at, evaluation_window)
    elif stage == job_word.SUBMITTED:
        if _terms.arbiter != empty(address):
            refusal._raise("escrow: silence pays the worker")
        record = job_word._answer_hash(terms_hash, _answer)
    job_ledger._check_record(word, record)
    deadline: uint256 = word >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK
    if block.timestamp <= deadline:
        refusal._raise("escrow: deadline not passed")

    if stage == job_word.CLAIMED:
        self._replace_or_refund(_job_id, _terms, _answer, terms_hash)
        return
    log IJobEscrow.JobExpired(jobId=_job_id)
    if stage == job_word.FUNDED:
        job_settlement._refund(_job_id, _terms, job_word.UNCLAIMED)
    else:
        job_settlement._refund_and_release(_job_id, _terms, _answer, job_word.NOT_EVALUATED)


# ------------------------------------------------------------------ internal
@internal
def _replace_or_refund(
    _job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _terms_hash: bytes32
):
    """
    @dev The worker is late. A job that waits again is as it was when posted, with the price of that later time.
    """
    claim_deadline: uint256 = _terms.schedule >> job_terms.CLAIM_DEADLINE_SHIFT & job_terms.MASK_40
    reopens: bool = (
        _terms.rates >> job_terms.FLAGS_SHIFT & job_terms.REOPENS != 0 and block.timestamp <= claim_deadline
    )
    if reopens:
        job_ledger._store(_job_id, job_word.FUNDED, claim_deadline, _terms_hash)
        log IJobEscrow.JobReopened(jobId=_job_id, provider=_answer.provider)
    else:
        job_ledger._close(_job_id, job_word.LATE)
        log IJobEscrow.JobExpired(jobId=_job_id)

    penalty: uint256 = job_terms._late_penalty(_terms)
    if penalty > 0:
        job_settlement._slash(_job_id, _terms, _answer, _terms.bond, penalty, msg.sender, LATE_SUBMISSION)
    else:
        job_settlement._release(_answer.provider, _terms.bond)
    if not reopens:
        job_settlement._push_refund(_job_id, _terms, _terms.price_ceiling)
