# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Job escrow
@author Proofmill
@license Apache-2.0
@notice A requester escrows a price, a worker bonds stake and submits an answer, the evaluator judges it, and each
        deadline that passes frees the money by a call that is open to anyone.
@dev Solvency: the balance of payment tokens is at least `escrowed`. Every settlement pays out exactly one price and
     ends exactly one bond.
@custom:security The evaluator named in the terms decides alone in this version. The payment token must not call back,
                 take fees, or refuse a transfer: one that refuses would hold the bond of the job as well.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from contracts.interfaces import IJobEscrow
from contracts.interfaces import IOwnable2Step
from contracts.interfaces import IStaking
from contracts.modules import job_ledger
from contracts.modules import job_policy
from contracts.modules import token_transfer

implements: IJobEscrow
implements: IOwnable2Step

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: job_policy[ownable := ownable]
initializes: job_ledger

exports: (
    # ownership
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    # jobs
    job_ledger.job_count,
    job_ledger.state,
    job_ledger.provider,
    job_ledger.deadline,
    job_ledger.commitment,
    job_ledger.terms_hash,
    # settings
    job_policy.evaluator,
    job_policy.minimum_bond_bps,
    job_policy.late_penalty_bps,
    job_policy.set_evaluator,
    job_policy.set_minimum_bond_bps,
    job_policy.set_late_penalty_bps,
)


# Why stake was slashed, as `Staking.Slashed` records it.
LATE_SUBMISSION: constant(bytes32) = keccak256("late submission")

# A requester may secretly be the worker: at most half of what is slashed comes back to it, so that a fault always costs
# and leaving by way of one's own penalties costs as much as it frees.
FULL_BPS: constant(uint256) = 10_000  # one whole, in basis points
MOST_COMPENSATION_BPS: constant(uint256) = 5_000  # of what is slashed


PAYMENT_TOKEN: immutable(address)
STAKING: immutable(IStaking)


escrowed: public(uint256)  # payment tokens of all open jobs: what the contract owes


@deploy
def __init__(
    _payment_token: address,
    _staking: address,
    _admin: address,
    _minimum_bond_bps: uint256,
    _late_penalty_bps: uint256,
):
    """
    @notice Starts with no job and no evaluator.
    @param _payment_token What prices are paid in.
    @param _staking Where workers have their stake; it must authorise this contract as a verifier.
    @param _admin The owner; the deployer keeps nothing.
    @param _minimum_bond_bps Least bond in basis points of the price, 1,000 to 100,000.
    @param _late_penalty_bps Late penalty in basis points of the price, at most 5,000.
    """
    assert _payment_token != empty(address), "escrow: no payment token"
    assert _staking != empty(address), "escrow: no staking"
    assert _admin != empty(address), "escrow: no admin"
    PAYMENT_TOKEN = _payment_token
    STAKING = IStaking(_staking)

    ownable.__init__()
    ownable_2step.__init__()
    job_policy.__init__(_minimum_bond_bps, _late_penalty_bps)
    ownable_2step._transfer_ownership(_admin)


# ------------------------------------------------------------------ requester
@external
def post(_offer: IJobEscrow.JobOffer) -> uint256:
    """
    @notice Posts a job and escrows its price, which the caller must have approved.
    @param _offer What is asked for, and on which terms.
    @return The number of the job; the first is 1.
    """
    terms: IJobEscrow.JobTerms = job_policy._terms_of(_offer, msg.sender)
    job_id: uint256 = job_ledger._open(terms)
    self.escrowed += terms.price
    log IJobEscrow.JobCreated(
        jobId=job_id,
        client=msg.sender,
        provider=terms.provider,
        evaluator=terms.evaluator,
        expiredAt=terms.claim_deadline + terms.submit_window + terms.evaluation_window,
        hook=empty(address),
    )
    log IJobEscrow.JobFunded(jobId=job_id, client=msg.sender, amount=terms.price)
    log IJobEscrow.JobPosted(jobId=job_id, requester=msg.sender, model_id=terms.model_id, terms=terms)

    token_transfer._pull_exactly(PAYMENT_TOKEN, msg.sender, terms.price)
    return job_id


@external
def cancel(_job_id: uint256, _terms: IJobEscrow.JobTerms):
    """
    @notice Takes back a job that nobody has claimed, and its price.
    @dev The requester only.
    @param _job_id The job.
    @param _terms Its terms.
    """
    job_ledger._cancel(_job_id, _terms, msg.sender)
    self.escrowed -= _terms.price
    log IJobEscrow.JobRejected(jobId=_job_id, rejector=msg.sender, reason=empty(bytes32))
    self._refund(_job_id, _terms)


# ------------------------------------------------------------------ worker
@external
def claim(_job_id: uint256, _terms: IJobEscrow.JobTerms):
    """
    @notice Takes a job and commits its bond out of the caller's stake.
    @dev Any operator with enough available stake, or only the named one, until the claim deadline (inclusive).
    @param _job_id The job.
    @param _terms Its terms.
    """
    job_ledger._claim(_job_id, _terms, msg.sender)
    log IJobEscrow.ProviderSet(jobId=_job_id, provider=msg.sender)
    extcall STAKING.commit(msg.sender, _terms.bond)


@external
def submit(_job_id: uint256, _terms: IJobEscrow.JobTerms, _deliverable: bytes32):
    """
    @notice Commits to the answer.
    @dev The worker that claimed only, until the submit deadline (inclusive). The answer cannot be changed.
    @param _job_id The job.
    @param _terms Its terms.
    @param _deliverable sha2-256 of the answer blob.
    """
    job_ledger._submit(_job_id, _terms, _deliverable, msg.sender)
    log IJobEscrow.JobSubmitted(jobId=_job_id, provider=msg.sender, deliverable=_deliverable)


# ------------------------------------------------------------------ evaluator named in the terms
@external
def complete(_job_id: uint256, _terms: IJobEscrow.JobTerms, _deliverable: bytes32, _reason: bytes32):
    """
    @notice Accepts the answer: pays the worker and frees its bond.
    @dev The evaluator in the terms only, until the evaluation deadline (inclusive).
    @param _job_id The job.
    @param _terms Its terms.
    @param _deliverable The answer that was submitted.
    @param _reason The evaluator's reason, for the record.
    """
    worker: address = job_ledger._judge(_job_id, _terms, _deliverable, msg.sender, job_ledger.COMPLETED)
    self.escrowed -= _terms.price
    log IJobEscrow.JobCompleted(jobId=_job_id, evaluator=msg.sender, reason=_reason)
    log IJobEscrow.PaymentReleased(jobId=_job_id, provider=worker, amount=_terms.price)

    extcall STAKING.release(worker, _terms.bond)
    token_transfer._push(PAYMENT_TOKEN, worker, _terms.price)


@external
def reject(_job_id: uint256, _terms: IJobEscrow.JobTerms, _deliverable: bytes32, _reason: bytes32):
    """
    @notice Refuses the answer: refunds the requester and slashes the whole bond, of which up to the price, and
            never more than half, compensates the requester. The rest is burned.
    @dev The evaluator in the terms only, until the evaluation deadline (inclusive).
    @param _job_id The job.
    @param _terms Its terms.
    @param _deliverable The answer that was submitted.
    @param _reason The evaluator's reason, for the record.
    """
    worker: address = job_ledger._judge(_job_id, _terms, _deliverable, msg.sender, job_ledger.REJECTED)
    self.escrowed -= _terms.price
    log IJobEscrow.JobRejected(jobId=_job_id, rejector=msg.sender, reason=_reason)
    self._slash(_job_id, _terms, worker, _terms.bond, _reason)
    self._refund(_job_id, _terms)


# ------------------------------------------------------------------ anyone, when a deadline has passed
@external
def claimRefund(_job_id: uint256, _terms: IJobEscrow.JobTerms, _deliverable: bytes32):
    """
    @notice Ends a job whose next step is late and refunds the requester. A worker that never submitted pays the
            late penalty out of its bond, half to the requester and half burned; one whose answer nobody judged
            gets the bond back.
    @dev Anyone.
    @param _job_id The job.
    @param _terms Its terms.
    @param _deliverable The answer if one was submitted; ignored otherwise.
    """
    job: job_ledger.Job = job_ledger._expire(_job_id, _terms, _deliverable)
    self.escrowed -= _terms.price
    log IJobEscrow.JobExpired(jobId=_job_id)
    if job.provider != empty(address):
        if job.state == job_ledger.FUNDED and _terms.late_penalty > 0:
            self._slash(_job_id, _terms, job.provider, _terms.late_penalty, LATE_SUBMISSION)
        else:
            extcall STAKING.release(job.provider, _terms.bond)
    self._refund(_job_id, _terms)


# ------------------------------------------------------------------ views
@view
@external
def payment_token() -> address:
    """
    @notice The token that prices are paid in.
    @return Its address.
    """
    return PAYMENT_TOKEN


@view
@external
def staking() -> address:
    """
    @notice Where bonds are committed.
    @return Address of the staking contract.
    """
    return STAKING.address


# ------------------------------------------------------------------ internal
@internal
def _refund(_job_id: uint256, _terms: IJobEscrow.JobTerms):
    log IJobEscrow.Refunded(jobId=_job_id, client=_terms.requester, amount=_terms.price)
    token_transfer._push(PAYMENT_TOKEN, _terms.requester, _terms.price)


@internal
def _slash(
    _job_id: uint256,
    _terms: IJobEscrow.JobTerms,
    _worker: address,
    _amount: uint256,
    _reason: bytes32,
):
    """
    @dev Ends the bond and takes `_amount` of it; the requester receives up to the price and at most half of the amount,
         the rest is burned.
    """
    # Rounds down, in favour of the burn.
    most: uint256 = min(_terms.price, _amount * MOST_COMPENSATION_BPS // FULL_BPS)
    taken: uint256 = 0
    compensation: uint256 = 0
    taken, compensation = extcall STAKING.slash(
        _worker, _terms.bond, _amount, _terms.requester, most, _reason
    )
    log IJobEscrow.Compensated(
        jobId=_job_id, requester=_terms.requester, provider=_worker, amount=compensation
    )
