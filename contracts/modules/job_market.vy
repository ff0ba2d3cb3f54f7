# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title From an offer to an answer
@author Proofmill
@license Apache-2.0
@notice What requesters and operators do: post, cancel, claim, submit.
"""

from contracts.interfaces import ICapabilityRegistry
from contracts.interfaces import IJobEscrow
from contracts.modules import job_ledger
from contracts.modules import job_policy
from contracts.modules import job_settlement
from contracts.modules import job_terms
from contracts.modules import job_word
from contracts.modules import pausable
from contracts.modules import payments
from contracts.modules import refusal

uses: job_ledger
uses: job_policy
uses: job_settlement
uses: pausable
uses: payments


# Flags of `pausable`. No exit has one.
POST: constant(uint256) = 1
CLAIM: constant(uint256) = 2
ALL_FLAGS: constant(uint256) = POST | CLAIM


# ------------------------------------------------------------------ requester
@external
def post(_offer: IJobEscrow.JobOffer) -> uint256:
    """
    @notice Posts a job and escrows its highest price, which the caller has approved.
    @dev Anyone.
    @param _offer What is asked for, and on which terms.
    @return The number of the job; the first is 1.
    """
    job_id: uint256 = self._open(_offer)
    payments._deposit_approved(_offer.payment_token, msg.sender, _offer.price_ceiling)
    return job_id


@external
def post_with_permit(
    _offer: IJobEscrow.JobOffer, _permit_deadline: uint256, _v: uint8, _r: bytes32, _s: bytes32
) -> uint256:
    """
    @notice Posts a job after an ERC-2612 permit of the caller for exactly the highest price.
    @dev Anyone. A permit that fails is ignored: the allowance decides, whoever sent the permit.
    @param _offer What is asked for, and on which terms.
    @param _permit_deadline Until when the permit is valid.
    @param _v Of the permit's signature.
    @param _r Of the permit's signature.
    @param _s Of the permit's signature.
    @return The number of the job.
    """
    job_id: uint256 = self._open(_offer)
    payments._permit(_offer.payment_token, msg.sender, _offer.price_ceiling, _permit_deadline, _v, _r, _s)
    payments._deposit_approved(_offer.payment_token, msg.sender, _offer.price_ceiling)
    return job_id


@external
def post_with_authorization(
    _offer: IJobEscrow.JobOffer,
    _valid_after: uint256,
    _valid_before: uint256,
    _nonce: bytes32,
    _v: uint8,
    _r: bytes32,
    _s: bytes32,
) -> uint256:
    """
    @notice Posts a job by an ERC-3009 `receiveWithAuthorization` of the caller for exactly the highest price.
    @dev The signer only: the signature does not name the offer, so nobody else may choose one.
    @param _offer What is asked for, and on which terms.
    @param _valid_after The authorization is valid after this time.
    @param _valid_before The authorization is valid before this time.
    @param _nonce Of the authorization.
    @param _v Of its signature.
    @param _r Of its signature.
    @param _s Of its signature.
    @return The number of the job.
    """
    job_id: uint256 = self._open(_offer)
    payments._deposit_authorized(
        _offer.payment_token,
        msg.sender,
        _offer.price_ceiling,
        _valid_after,
        _valid_before,
        _nonce,
        _v,
        _r,
        _s,
    )
    return job_id


@external
def cancel(_job_id: uint256, _terms: IJobEscrow.JobTerms):
    """
    @notice Takes back a job that nobody works on, and its whole price.
    @dev The requester only, at any time before a claim.
    @param _job_id The job.
    @param _terms Its terms.
    """
    self._check_unclaimed(_job_id, job_word._terms_hash(_terms))
    if _terms.requester != msg.sender:
        refusal._raise("escrow: not the requester")
    log IJobEscrow.JobRejected(jobId=_job_id, rejector=msg.sender, reason=empty(bytes32))
    job_settlement._refund(_job_id, _terms, job_word.CANCELLED)


# ------------------------------------------------------------------ operator or its hot key
@external
def claim(_job_id: uint256, _terms: IJobEscrow.JobTerms, _operator: address) -> uint256:
    """
    @notice Takes a job for an operator: fixes the price and commits the bond out of its stake.
    @dev The operator or its hot key, until the claim deadline (inclusive); only the named operator if one is named.
    @param _job_id The job.
    @param _terms Its terms.
    @param _operator Whose stake is bound and who is paid.
    @return The price, before fees.
    """
    pausable._check_open(CLAIM)
    terms_hash: bytes32 = job_word._terms_hash(_terms)
    deadline: uint256 = self._check_unclaimed(_job_id, terms_hash)
    if _terms.provider not in [empty(address), _operator]:
        refusal._raise("escrow: not the named operator")
    if block.timestamp > deadline:
        refusal._raise("escrow: claim deadline passed")
    submit_window: uint256 = _terms.schedule >> job_terms.SUBMIT_WINDOW_SHIFT & job_terms.MASK_24
    submit_deadline: uint256 = block.timestamp + submit_window
    tier: uint256 = _terms.rates >> job_terms.TIER_SHIFT & job_terms.MASK_8
    if tier > 0:
        self._check_tier(_operator, tier, submit_deadline)

    evaluation_window: uint256 = _terms.schedule >> job_terms.EVALUATION_WINDOW_SHIFT & job_terms.MASK_24
    record: bytes32 = job_word._claim_hash(terms_hash, _operator, block.timestamp, evaluation_window)
    job_ledger._store(_job_id, job_word.CLAIMED, submit_deadline, record)
    price: uint256 = job_terms._price_at(_terms, block.timestamp)
    log IJobEscrow.ProviderSet(jobId=_job_id, provider=_operator)
    log IJobEscrow.JobClaimed(jobId=_job_id, claimed_at=block.timestamp, price=price)

    # Staking refuses a caller that is neither the operator nor its hot key.
    extcall payments.STAKING.commit(_operator, msg.sender, _terms.bond)
    return price


@external
def submit(_job_id: uint256, _claim: IJobEscrow.Claim, _deliverable: bytes32):
    """
    @notice Commits to the answer, which cannot be changed afterwards.
    @dev The operator that claimed or its hot key, until the submit deadline (inclusive).
    @param _job_id The job.
    @param _claim The job's record.
    @param _deliverable sha2-256 of the answer blob.
    """
    word: uint256 = job_ledger._words[_job_id]
    if word >> job_word.STAGE_SHIFT != job_word.CLAIMED:
        refusal._raise("escrow: not open to an answer")
    record: bytes32 = job_word._claim_hash(
        _claim.terms_hash, _claim.provider, _claim.claimed_at, _claim.evaluation_window
    )
    job_ledger._check_record(word, record)
    deadline: uint256 = word >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK
    if block.timestamp > deadline:
        refusal._raise("escrow: submit deadline passed")
    if _deliverable == empty(bytes32):
        refusal._raise("escrow: no deliverable")
    if msg.sender != _claim.provider:
        if not staticcall payments.STAKING.is_hot_key(_claim.provider, msg.sender):
            refusal._raise("escrow: not the operator")

    answer: IJobEscrow.Answer = IJobEscrow.Answer(
        provider=_claim.provider, claimed_at=_claim.claimed_at, deliverable=_deliverable
    )
    job_ledger._store(
        _job_id,
        job_word.SUBMITTED,
        block.timestamp + _claim.evaluation_window,
        job_word._answer_hash(_claim.terms_hash, answer),
    )
    log IJobEscrow.JobSubmitted(jobId=_job_id, provider=_claim.provider, deliverable=_deliverable)


# ------------------------------------------------------------------ internal
@internal
def _open(_offer: IJobEscrow.JobOffer) -> uint256:
    """
    @dev Everything about a new job but its money, which must follow in the same call.
    """
    pausable._check_open(POST)
    job_id: uint256 = 0
    terms: IJobEscrow.JobTerms = empty(IJobEscrow.JobTerms)
    job_id, terms = job_policy._accept(_offer, msg.sender)
    job_ledger._store(job_id, job_word.FUNDED, _offer.claim_deadline, job_word._terms_hash(terms))
    log IJobEscrow.JobCreated(
        jobId=job_id,
        client=msg.sender,
        provider=terms.provider,
        evaluator=terms.evaluator,
        expiredAt=_offer.claim_deadline + _offer.submit_window + _offer.evaluation_window,
        hook=terms.callback,
    )
    log IJobEscrow.JobFunded(jobId=job_id, client=msg.sender, amount=terms.price_ceiling)
    log IJobEscrow.JobPosted(
        jobId=job_id,
        requester=msg.sender,
        model_id=_offer.model_id,
        input_root=_offer.input_root,
        terms=terms,
    )
    return job_id


@view
@internal
def _check_unclaimed(_job_id: uint256, _terms_hash: bytes32) -> uint256:
    """
    @dev Returns the claim deadline.
    """
    word: uint256 = job_ledger._words[_job_id]
    if word >> job_word.STAGE_SHIFT != job_word.FUNDED:
        refusal._raise("escrow: not open to a claim")
    job_ledger._check_record(word, _terms_hash)
    return word >> job_word.DEADLINE_SHIFT & job_word.DEADLINE_MASK


@view
@internal
def _check_tier(_operator: address, _tier: uint256, _until: uint256):
    """
    @dev The operator must still have the tier when its answer is due.
    """
    registry: address = job_policy.capability_registry
    if registry == empty(address):
        refusal._raise("escrow: no registry to ask")
    if staticcall ICapabilityRegistry(registry).tier_at(_operator, _until) < _tier:
        refusal._raise("escrow: tier too low")
