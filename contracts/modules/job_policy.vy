# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What new jobs must satisfy
@author Proofmill
@license Apache-2.0
@dev The owner's settings and the bounds in code that they and every offer keep to. Nothing here touches a job that
     exists: its terms are a snapshot.
"""

from snekmate.auth import ownable

from contracts.interfaces import IJobEscrow

uses: ownable


FULL_BPS: constant(uint256) = 10_000  # one whole, in basis points
LEAST_MINIMUM_BOND_BPS: constant(uint256) = 1_000
MOST_MINIMUM_BOND_BPS: constant(uint256) = 100_000
MOST_LATE_PENALTY_BPS: constant(uint256) = 5_000
MAX_AMOUNT: constant(uint256) = 2**128 - 1  # of a price and of a bond: no product below overflows
MAX_CLAIM_DELAY: constant(uint256) = 30 * 86_400  # seconds; no stake is bound while a job waits for a worker
MAX_BOUND_TIME: constant(uint256) = 302_400  # 3.5 days, submission and evaluation together; least thaw period: 7 days


evaluator: public(address)  # judges the jobs posted from now on
minimum_bond_bps: public(uint256)  # least bond, in stake tokens, for each payment token of the price
late_penalty_bps: public(uint256)  # share of the price that a worker who claims and never submits pays


@deploy
def __init__(_minimum_bond_bps: uint256, _late_penalty_bps: uint256):
    self._set_minimum_bond_bps(_minimum_bond_bps)
    self._set_late_penalty_bps(_late_penalty_bps)


# ------------------------------------------------------------------ owner
@external
def set_evaluator(_evaluator: address):
    """
    @notice Names who judges the jobs posted from now on.
    @dev Owner only. Until it is first set, no job can be posted.
    @param _evaluator The oracle committee.
    """
    ownable._check_owner()
    assert _evaluator != empty(address), "policy: zero evaluator"
    self.evaluator = _evaluator
    log IJobEscrow.EvaluatorSet(evaluator=_evaluator)


@external
def set_minimum_bond_bps(_minimum_bond_bps: uint256):
    """
    @notice Sets the least bond of the jobs posted from now on, relative to their price.
    @dev Owner only.
    @param _minimum_bond_bps Basis points of the price, 1,000 to 100,000.
    """
    ownable._check_owner()
    self._set_minimum_bond_bps(_minimum_bond_bps)


@external
def set_late_penalty_bps(_late_penalty_bps: uint256):
    """
    @notice Sets what a worker of a job posted from now on pays when it claims and never submits.
    @dev Owner only.
    @param _late_penalty_bps Basis points of the price, at most 5,000.
    """
    ownable._check_owner()
    self._set_late_penalty_bps(_late_penalty_bps)


# ------------------------------------------------------------------ internal
@internal
def _set_minimum_bond_bps(_minimum_bond_bps: uint256):
    assert _minimum_bond_bps >= LEAST_MINIMUM_BOND_BPS, "policy: bond ratio too low"
    assert _minimum_bond_bps <= MOST_MINIMUM_BOND_BPS, "policy: bond ratio too high"
    self.minimum_bond_bps = _minimum_bond_bps
    log IJobEscrow.BondRatioSet(minimum_bond_bps=_minimum_bond_bps)


@internal
def _set_late_penalty_bps(_late_penalty_bps: uint256):
    assert _late_penalty_bps <= MOST_LATE_PENALTY_BPS, "policy: late penalty too high"
    self.late_penalty_bps = _late_penalty_bps
    log IJobEscrow.LatePenaltySet(late_penalty_bps=_late_penalty_bps)


@view
@internal
def _terms_of(_offer: IJobEscrow.JobOffer, _requester: address) -> IJobEscrow.JobTerms:
    """
    @dev Checks an offer and freezes it, with today's settings, into the terms of a job.
    """
    evaluator: address = self.evaluator
    assert evaluator != empty(address), "policy: no evaluator"
    assert _offer.price > 0, "policy: no price"
    assert _offer.price <= MAX_AMOUNT, "policy: price too large"
    assert _offer.bond <= MAX_AMOUNT, "policy: bond too large"
    # Both sides scaled instead of a division: exact, a bond short by one base unit is refused.
    assert _offer.bond * FULL_BPS >= _offer.price * self.minimum_bond_bps, "policy: bond too small"
    assert _offer.claim_deadline > block.timestamp, "policy: claim deadline passed"
    assert _offer.claim_deadline - block.timestamp <= MAX_CLAIM_DELAY, "policy: claim deadline too far"
    assert _offer.submit_window > 0, "policy: no submit window"
    assert _offer.evaluation_window > 0, "policy: no evaluation window"
    assert _offer.submit_window <= MAX_BOUND_TIME, "policy: submit window too long"
    assert _offer.evaluation_window <= MAX_BOUND_TIME - _offer.submit_window, "policy: windows too long"

    # Rounds down, in favour of the worker.
    late_penalty: uint256 = min(_offer.price * self.late_penalty_bps // FULL_BPS, _offer.bond)
    return IJobEscrow.JobTerms(
        requester=_requester,
        provider=_offer.provider,
        evaluator=evaluator,
        model_id=_offer.model_id,
        input_root=_offer.input_root,
        price=_offer.price,
        bond=_offer.bond,
        late_penalty=late_penalty,
        claim_deadline=_offer.claim_deadline,
        submit_window=_offer.submit_window,
        evaluation_window=_offer.evaluation_window,
    )
