# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What becomes of the money of a job
@author Proofmill
@license Apache-2.0
@dev Each function ends a job, or takes the bond of one that was late, exactly once: the caller has checked stage and
     record, and the first thing done here is to leave that stage. What the price was escrowed for is paid out in full,
     INV-2:

         paid      ceiling = worker's net + fees + change (the requester's credit)
         voided    ceiling = worker's net + fees + refund
         others    ceiling = refund

     Order: the job's word, Staking (ours), the payment token, the callback. The last two are a stranger's code and can
     neither enter this contract again nor undo anything.
"""

from contracts.interfaces import IJobEscrow
from contracts.interfaces import IStaking
from contracts.modules import job_ledger
from contracts.modules import job_terms
from contracts.modules import job_word
from contracts.modules import payments
from contracts.modules import refusal

uses: job_ledger
uses: payments


CALLBACK_GAS: constant(uint256) = 100_000
# 64/63 of it (EIP-150), the cold call, and what recording the result takes: whoever relays cannot starve the callback.
CALLBACK_GAS_FLOOR: constant(uint256) = 115_000


# ------------------------------------------------------------------ internal: the worker is paid
@internal
def _pay_worker(
    _job_id: uint256,
    _word: uint256,
    _terms: IJobEscrow.JobTerms,
    _answer: IJobEscrow.Answer,
    _stage: uint256,
    _judge: address,
    _reason: bytes32,
):
    """
    @dev Attested, unopposed or upheld. The evaluator has a fee for what it attested only; an attested answer that an
         arbiter could refute keeps its record and the time in which a dispute can begin.
    """
    is_attested: bool = _stage == job_word.ATTESTED
    if is_attested and _terms.arbiter != empty(address):
        challenge_window: uint256 = _terms.schedule >> job_terms.CHALLENGE_WINDOW_SHIFT & job_terms.MASK_24
        job_ledger._move(_job_id, _word, _stage, block.timestamp + challenge_window)
    else:
        job_ledger._close(_job_id, _stage)
    log IJobEscrow.JobCompleted(jobId=_job_id, evaluator=_judge, reason=_reason)

    price: uint256 = job_terms._price_at(_terms, _answer.claimed_at)
    self._book_pay(_job_id, _terms, _answer.provider, price, is_attested)
    # Waits as credit: paying it now would cost every job a transfer for what is often nothing.
    change: uint256 = _terms.price_ceiling - price
    if change > 0:
        payments._credit(_terms.payment_token, _terms.requester, change)
        log IJobEscrow.Refunded(jobId=_job_id, client=_terms.requester, amount=change)

    self._release(_answer.provider, _terms.bond)
    if _terms.callback != empty(address):
        self._call_back(_job_id, _terms.callback, _answer.deliverable)


@internal
def _book_pay(_job_id: uint256, _terms: IJobEscrow.JobTerms, _provider: address, _amount: uint256, _is_attested: bool):
    """
    @dev A worker's pay, less fees, becomes earnings.
    """
    protocol_fee: uint256 = 0
    evaluator_fee: uint256 = 0
    protocol_fee, evaluator_fee = job_terms._fees(_terms.rates, _amount, _is_attested)
    net: uint256 = _amount - protocol_fee - evaluator_fee
    payments._earn(_terms.payment_token, _provider, net)
    payments._add_fees(_terms.payment_token, _terms.evaluator, protocol_fee, evaluator_fee)
    log IJobEscrow.PaymentReleased(jobId=_job_id, provider=_provider, amount=net)


@internal
def _call_back(_job_id: uint256, _callback: address, _deliverable: bytes32):
    """
    @dev Nothing is copied of what it returns, whatever it returns.
    """
    if msg.gas < CALLBACK_GAS_FLOOR:
        refusal._raise("escrow: too little gas")
    # slither calls-loop: one call for each job of a batch, its gas is bounded
    # slither low-level-calls: whatever the callback does, the job is settled
    success: bool = raw_call(
        _callback,
        abi_encode(
            _job_id,
            job_word.COMPLETED,
            _deliverable,
            method_id=method_id("on_job_settled(uint256,uint256,bytes32)"),
        ),
        max_outsize=0,
        gas=CALLBACK_GAS,
        revert_on_failure=False,
    )
    log IJobEscrow.CallbackFinished(jobId=_job_id, callback=_callback, success=success)


# ------------------------------------------------------------------ internal: the requester is refunded
@internal
def _refund(_job_id: uint256, _terms: IJobEscrow.JobTerms, _stage: uint256):
    """
    @dev Nobody is at fault, or has claimed.
    """
    job_ledger._close(_job_id, _stage)
    self._push_refund(_job_id, _terms, _terms.price_ceiling)


@internal
def _refund_and_release(
    _job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer, _stage: uint256
):
    job_ledger._close(_job_id, _stage)
    self._release(_answer.provider, _terms.bond)
    self._push_refund(_job_id, _terms, _terms.price_ceiling)


@internal
def _void(_job_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer):
    """
    @dev The worker has its cancellation fee; the evaluator attested that, so it has its share.
    """
    job_ledger._close(_job_id, job_word.VOIDED)
    amount: uint256 = job_terms._cancellation_fee(
        _terms.rates, job_terms._price_at(_terms, _answer.claimed_at)
    )
    if amount > 0:
        self._book_pay(_job_id, _terms, _answer.provider, amount, True)
    self._release(_answer.provider, _terms.bond)
    self._push_refund(_job_id, _terms, _terms.price_ceiling - amount)


@internal
def _condemn(
    _job_id: uint256,
    _terms: IJobEscrow.JobTerms,
    _answer: IJobEscrow.Answer,
    _stage: uint256,
    _reporter: address,
    _judge: address,
    _reason: bytes32,
):
    """
    @dev The answer is wrong: the whole bond goes, the price comes back.
    """
    job_ledger._close(_job_id, _stage)
    log IJobEscrow.JobRejected(jobId=_job_id, rejector=_judge, reason=_reason)
    self._slash(_job_id, _terms, _answer, _terms.bond, _terms.bond, _reporter, _reason)
    self._push_refund(_job_id, _terms, _terms.price_ceiling)


@internal
def _push_refund(_job_id: uint256, _terms: IJobEscrow.JobTerms, _amount: uint256):
    if _amount > 0:
        log IJobEscrow.Refunded(jobId=_job_id, client=_terms.requester, amount=_amount)
        payments._pay(_terms.payment_token, _terms.requester, _amount)


# ------------------------------------------------------------------ internal: the bond
@internal
def _release(_provider: address, _amount: uint256):
    # slither calls-loop: Staking is ours, and a batch has 64 jobs at most
    extcall payments.STAKING.release(_provider, _amount)


@internal
def _slash(
    _job_id: uint256,
    _terms: IJobEscrow.JobTerms,
    _answer: IJobEscrow.Answer,
    _released: uint256,
    _amount: uint256,
    _reporter: address,
    _reason: bytes32,
):
    """
    @dev Ends `_released` of the bond and takes `_amount` of the worker's stake. The requester has up to the price out
         of it, and Staking sees to it that this is at most half.
    """
    taken: uint256 = 0
    compensation: uint256 = 0
    taken, compensation = extcall payments.STAKING.slash(
        IStaking.Penalty(
            operator=_answer.provider,
            released=_released,
            amount=_amount,
            client=_terms.requester,
            compensation=job_terms._compensation_cap(_terms, job_terms._price_at(_terms, _answer.claimed_at)),
            reporter=_reporter,
            reporter_bps=_terms.rates >> job_terms.REPORTER_SHIFT & job_terms.MASK_16,
            reason=_reason,
        )
    )
    log IJobEscrow.Compensated(
        jobId=_job_id, requester=_terms.requester, provider=_answer.provider, amount=compensation
    )
