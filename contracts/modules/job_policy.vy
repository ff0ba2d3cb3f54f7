# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What new jobs must satisfy
@author Proofmill
@license Apache-2.0
@dev The owner's settings and the bounds in code that they and every offer keep to. Nothing here touches a job that
     exists: its terms are a snapshot (INV-4), but for the registry, which is asked when a job is claimed. The settings
     that `post` reads stand in two words, and the number of jobs, which it writes, beside them:

         24 bit dispute_window | 24 challenge_window | 48 job_count | 160 evaluator
         32 bit zero | 16 reporter_bps | 16 late_penalty_bps | 16 evaluator_fee_bps | 16 protocol_fee_bps | 160 arbiter

     INV-5: submission and evaluation (3.5 days), challenge (1) and dispute (2) end before the least thaw period (7).
"""

from contracts.interfaces import IJobEscrow
from contracts.modules import job_terms
from contracts.modules import ownership
from contracts.modules import payments
from contracts.modules import refusal

uses: ownership
uses: payments


FULL_BPS: constant(uint256) = 10_000  # one whole, in basis points
MAX_PROTOCOL_FEE_BPS: constant(uint256) = 1_000
MAX_EVALUATOR_FEE_BPS: constant(uint256) = 1_000
MAX_LATE_PENALTY_BPS: constant(uint256) = 5_000
MAX_REPORTER_BPS: constant(uint256) = 2_500
MIN_CHALLENGE_WINDOW: constant(uint256) = 600
MAX_CHALLENGE_WINDOW: constant(uint256) = 86_400
MIN_DISPUTE_WINDOW: constant(uint256) = 3_600
MAX_DISPUTE_WINDOW: constant(uint256) = 172_800
MAX_BOUND_TIME: constant(uint256) = 302_400  # submission and evaluation together
MAX_CLAIM_DELAY: constant(uint256) = 30 * 86_400  # no stake is bound while a job waits for a worker
MAX_RAMP: constant(uint256) = 2**24 - 1

ADDRESS_MASK: constant(uint256) = 2**160 - 1
COUNT_SHIFT: constant(uint256) = 160
COUNT_MASK: constant(uint256) = 2**48 - 1
CHALLENGE_WINDOW_SHIFT: constant(uint256) = 208
DISPUTE_WINDOW_SHIFT: constant(uint256) = 232
WINDOW_MASK: constant(uint256) = 2**24 - 1
PROTOCOL_FEE_SHIFT: constant(uint256) = 160
EVALUATOR_FEE_SHIFT: constant(uint256) = 176
LATE_PENALTY_SHIFT: constant(uint256) = 192
REPORTER_SHIFT: constant(uint256) = 208
RATE_MASK: constant(uint256) = 2**16 - 1


capability_registry: public(address)
_evaluation: uint256  # evaluator, number of jobs, windows
_arbitration: uint256  # arbiter, rates


@deploy
def __init__():
    self._store_rates(0, 0, 1_000, 1_000)
    self._store_windows(3_600, 86_400)


# ------------------------------------------------------------------ owner
@external
def set_evaluator(_evaluator: address):
    """
    @notice Names who judges the jobs posted from now on.
    @dev Owner only. Until it is first set, no job can be posted.
    @param _evaluator The oracle committee.
    """
    ownership._check_owner()
    if _evaluator == empty(address):
        refusal._raise("policy: zero evaluator")
    self._evaluation = self._evaluation & ~ADDRESS_MASK | convert(_evaluator, uint256)
    log IJobEscrow.EvaluatorSet(evaluator=_evaluator)


@external
def set_arbiter(_arbiter: address):
    """
    @notice Names who judges contested exact jobs posted from now on.
    @dev Owner only. Without one, no exact job can be posted.
    @param _arbiter The dispute contract; the zero address for none.
    """
    ownership._check_owner()
    self._arbitration = self._arbitration & ~ADDRESS_MASK | convert(_arbiter, uint256)
    log IJobEscrow.ArbiterSet(arbiter=_arbiter)


@external
def set_capability_registry(_registry: address):
    """
    @notice Names who knows the operators' tiers. It is asked whenever a job that requires a tier is claimed.
    @dev Owner only. Without one, no such job can be posted or claimed.
    @param _registry The capability registry; the zero address for none.
    """
    ownership._check_owner()
    # slither missing-zero-check: the zero address takes the registry away
    self.capability_registry = _registry
    log IJobEscrow.CapabilityRegistrySet(registry=_registry)


@external
def set_rates(
    _protocol_fee_bps: uint256, _evaluator_fee_bps: uint256, _late_penalty_bps: uint256, _reporter_bps: uint256
):
    """
    @notice Sets the shares that apply to the jobs posted from now on.
    @dev Owner only. A protocol fee needs a treasury first, so that no fee is without an owner.
    @param _protocol_fee_bps Share of what a worker is paid, at most 1,000 basis points.
    @param _evaluator_fee_bps The same for the evaluator that attested, at most 1,000.
    @param _late_penalty_bps Share of the bond that a worker who never submits loses, at most 5,000.
    @param _reporter_bps Share of a slash for who made it possible, at most 2,500.
    """
    ownership._check_owner()
    if _protocol_fee_bps > 0 and payments.treasury == empty(address):
        refusal._raise("policy: no treasury")
    self._store_rates(_protocol_fee_bps, _evaluator_fee_bps, _late_penalty_bps, _reporter_bps)


@external
def set_windows(_challenge_window: uint256, _dispute_window: uint256):
    """
    @notice Sets the windows that apply to the jobs posted from now on.
    @dev Owner only.
    @param _challenge_window Seconds in which a verdict can be contested, 600 to 86,400.
    @param _dispute_window Seconds that the arbiter has beyond the stage's own, 3,600 to 172,800.
    """
    ownership._check_owner()
    self._store_windows(_challenge_window, _dispute_window)


# ------------------------------------------------------------------ views
@view
@external
def job_count() -> uint256:
    """
    @notice How many jobs were ever posted.
    @return Also the number of the latest job: the first one is 1.
    """
    return self._evaluation >> COUNT_SHIFT & COUNT_MASK


@view
@external
def evaluator() -> address:
    """
    @notice Who judges new jobs.
    @return Its address.
    """
    return convert(self._evaluation & ADDRESS_MASK, address)


@view
@external
def arbiter() -> address:
    """
    @notice Who judges contested new jobs.
    @return Its address, or the zero address.
    """
    return convert(self._arbitration & ADDRESS_MASK, address)


@view
@external
def rates() -> (uint256, uint256, uint256, uint256):
    """
    @notice The shares that apply to new jobs.
    @return Protocol fee, evaluator fee, late penalty, reporter's share, in basis points.
    """
    word: uint256 = self._arbitration
    return (
        word >> PROTOCOL_FEE_SHIFT & RATE_MASK,
        word >> EVALUATOR_FEE_SHIFT & RATE_MASK,
        word >> LATE_PENALTY_SHIFT & RATE_MASK,
        word >> REPORTER_SHIFT & RATE_MASK,
    )


@view
@external
def windows() -> (uint256, uint256):
    """
    @notice The windows that apply to new jobs.
    @return Challenge window, dispute window, in seconds.
    """
    word: uint256 = self._evaluation
    return word >> CHALLENGE_WINDOW_SHIFT & WINDOW_MASK, word >> DISPUTE_WINDOW_SHIFT


# ------------------------------------------------------------------ internal
@internal
# slither cyclomatic-complexity: a list of conditions of which each stands alone
def _accept(_offer: IJobEscrow.JobOffer, _requester: address) -> (uint256, IJobEscrow.JobTerms):
    """
    @dev Checks an offer, freezes it with today's settings into terms, and gives it the next number.
    """
    evaluation: uint256 = self._evaluation
    arbitration: uint256 = self._arbitration
    evaluator: address = convert(evaluation & ADDRESS_MASK, address)
    arbiter: address = empty(address)
    if evaluator == empty(address):
        refusal._raise("policy: no evaluator")
    if _offer.is_exact:
        arbiter = convert(arbitration & ADDRESS_MASK, address)
        if arbiter == empty(address):
            refusal._raise("policy: no arbiter")

    if _offer.price_ceiling == 0:
        refusal._raise("policy: no price")
    if _offer.price_ceiling > job_terms.MAX_AMOUNT:
        refusal._raise("policy: price too large")
    if _offer.price_floor > _offer.price_ceiling:
        refusal._raise("policy: floor above ceiling")
    if _offer.ramp > MAX_RAMP:
        refusal._raise("policy: ramp too long")
    # Or a worker could be late on purpose and claim again, by another name, at the ceiling.
    if _offer.reopens and _offer.ramp > 0:
        refusal._raise("policy: reopens with a ramp")
    least_bond: uint256 = payments._in_stake(_offer.payment_token, _offer.price_ceiling)
    if _offer.bond < least_bond:
        refusal._raise("policy: bond too small")
    if _offer.bond > job_terms.MAX_AMOUNT:
        refusal._raise("policy: bond too large")
    if _offer.cancellation_bps > FULL_BPS:
        refusal._raise("policy: cancellation too high")
    if _offer.claim_deadline <= block.timestamp:
        refusal._raise("policy: claim deadline passed")
    if _offer.claim_deadline - block.timestamp > MAX_CLAIM_DELAY:
        refusal._raise("policy: claim deadline too far")
    if _offer.submit_window == 0:
        refusal._raise("policy: no submit window")
    if _offer.evaluation_window == 0:
        refusal._raise("policy: no evaluation window")
    if _offer.submit_window > MAX_BOUND_TIME:
        refusal._raise("policy: submit window too long")
    if _offer.evaluation_window > MAX_BOUND_TIME - _offer.submit_window:
        refusal._raise("policy: windows too long")
    if _offer.tier > 0:
        if self.capability_registry == empty(address):
            refusal._raise("policy: no registry")

    # 2 ** 48 jobs are not to be had, at any price of gas.
    self._evaluation = evaluation + (1 << COUNT_SHIFT)
    terms: IJobEscrow.JobTerms = IJobEscrow.JobTerms(
        requester=_requester,
        provider=_offer.provider,
        evaluator=evaluator,
        arbiter=arbiter,
        payment_token=_offer.payment_token,
        callback=_offer.callback,
        request_hash=keccak256(abi_encode(_offer.model_id, _offer.input_root)),
        price_floor=_offer.price_floor,
        price_ceiling=_offer.price_ceiling,
        bond=_offer.bond,
        schedule=job_terms._pack_schedule(
            block.timestamp,
            _offer.ramp,
            _offer.claim_deadline,
            _offer.submit_window,
            _offer.evaluation_window,
            evaluation >> CHALLENGE_WINDOW_SHIFT & WINDOW_MASK,
            evaluation >> DISPUTE_WINDOW_SHIFT,
        ),
        rates=job_terms._pack_rates(
            arbitration >> PROTOCOL_FEE_SHIFT & RATE_MASK,
            arbitration >> EVALUATOR_FEE_SHIFT & RATE_MASK,
            arbitration >> LATE_PENALTY_SHIFT & RATE_MASK,
            _offer.cancellation_bps,
            arbitration >> REPORTER_SHIFT & RATE_MASK,
            _offer.tier,
            _offer.reopens,
            least_bond,
        ),
    )
    return (evaluation >> COUNT_SHIFT & COUNT_MASK) + 1, terms


@internal
def _store_rates(
    _protocol_fee_bps: uint256, _evaluator_fee_bps: uint256, _late_penalty_bps: uint256, _reporter_bps: uint256
):
    if _protocol_fee_bps > MAX_PROTOCOL_FEE_BPS:
        refusal._raise("policy: protocol fee too high")
    if _evaluator_fee_bps > MAX_EVALUATOR_FEE_BPS:
        refusal._raise("policy: evaluator fee too high")
    if _late_penalty_bps > MAX_LATE_PENALTY_BPS:
        refusal._raise("policy: late penalty too high")
    if _reporter_bps > MAX_REPORTER_BPS:
        refusal._raise("policy: reporter share too high")
    self._arbitration = (
        self._arbitration & ADDRESS_MASK
        | _protocol_fee_bps << PROTOCOL_FEE_SHIFT
        | _evaluator_fee_bps << EVALUATOR_FEE_SHIFT
        | _late_penalty_bps << LATE_PENALTY_SHIFT
        | _reporter_bps << REPORTER_SHIFT
    )
    log IJobEscrow.RatesSet(
        protocol_fee_bps=_protocol_fee_bps,
        evaluator_fee_bps=_evaluator_fee_bps,
        late_penalty_bps=_late_penalty_bps,
        reporter_bps=_reporter_bps,
    )


@internal
def _store_windows(_challenge_window: uint256, _dispute_window: uint256):
    if _challenge_window < MIN_CHALLENGE_WINDOW:
        refusal._raise("policy: challenge too short")
    if _challenge_window > MAX_CHALLENGE_WINDOW:
        refusal._raise("policy: challenge too long")
    if _dispute_window < MIN_DISPUTE_WINDOW:
        refusal._raise("policy: dispute too short")
    if _dispute_window > MAX_DISPUTE_WINDOW:
        refusal._raise("policy: dispute too long")
    # All below the windows: evaluator and number of jobs.
    self._evaluation = (
        self._evaluation & (2**CHALLENGE_WINDOW_SHIFT - 1)
        | _challenge_window << CHALLENGE_WINDOW_SHIFT
        | _dispute_window << DISPUTE_WINDOW_SHIFT
    )
    log IJobEscrow.WindowsSet(challenge_window=_challenge_window, dispute_window=_dispute_window)
