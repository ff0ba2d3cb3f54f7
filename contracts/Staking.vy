# pragma version 0.4.3
# pragma nonreentrancy on
# pragma optimize codesize
"""
@title Stake, delegation and what becomes of both
@author Proofmill
@license Apache-2.0
@notice Holds what operators and their delegators have at risk. Verifiers commit a part of it to open work, release it,
        or slash it; operators and delegators share what the work earns.
@dev Solvency: of the stake token the contract has at least `total_staked` plus the earnings owed in it, of every other
     token at least the earnings owed. Only sums kept here count; tokens that were sent without a call are nobody's.
     Nothing that takes stake or earnings out can be paused.
@custom:security A verifier is trusted with the stake that operators commit to it and, within the caps, with more. The
     stake token must not take fees, call back, or refuse transfers; it is the MILL token.
"""

from contracts.interfaces import IOwnable2Step
from contracts.interfaces import IPausable
from contracts.interfaces import IStaking
from contracts.modules import commitments
from contracts.modules import earnings
from contracts.modules import operator_terms
from contracts.modules import ownership
from contracts.modules import pausable
from contracts.modules import slashing
from contracts.modules import stake_pool
from contracts.modules import stake_views
from contracts.modules import staking_limits
from contracts.modules import token_transfer
from contracts.modules import verifier_registry

implements: IOwnable2Step
implements: IPausable
implements: IStaking

initializes: ownership
initializes: pausable[ownership := ownership]
initializes: stake_pool[ownership := ownership]
initializes: stake_views[stake_pool := stake_pool]
initializes: staking_limits[ownership := ownership]
initializes: verifier_registry[ownership := ownership]
initializes: operator_terms[stake_pool := stake_pool]
initializes: earnings[operator_terms := operator_terms, ownership := ownership, stake_pool := stake_pool]
initializes: commitments[
    operator_terms := operator_terms,
    stake_pool := stake_pool,
    staking_limits := staking_limits,
    verifier_registry := verifier_registry,
]
initializes: slashing[
    commitments := commitments,
    ownership := ownership,
    stake_pool := stake_pool,
    staking_limits := staking_limits,
    verifier_registry := verifier_registry,
]

exports: (
    # ownership
    ownership.owner,
    ownership.pending_owner,
    ownership.transfer_ownership,
    ownership.accept_ownership,
    # entries that can be closed
    pausable.pause,
    pausable.unpause,
    pausable.set_pauser,
    pausable.set_unpauser,
    pausable.closed,
    pausable.pauser,
    pausable.unpauser,
    # pools
    stake_views.own_pool,
    stake_views.delegation_pool,
    stake_views.pool,
    stake_views.shares_of,
    stake_views.convertToAssets,
    stake_views.convertToShares,
    stake_views.redeem_request,
    stake_views.redeem_request_range,
    stake_views.pendingRedeemRequest,
    stake_views.claimableRedeemRequest,
    stake_views.self_stake,
    stake_views.delegated,
    stake_views.slashable,
    stake_pool.total_staked,
    stake_views.stake_token,
    stake_pool.thaw_period,
    stake_pool.set_thaw_period,
    # settings
    staking_limits.set_slash_caps,
    staking_limits.set_delegation_limits,
    staking_limits.slash_caps,
    staking_limits.delegation_limits,
    # verifiers
    verifier_registry.is_verifier,
    verifier_registry.set_verifier,
    # operators
    operator_terms.set_terms,
    operator_terms.set_hot_key,
    operator_terms.terms,
    operator_terms.is_hot_key,
    # open work
    commitments.commit,
    commitments.release,
    commitments.committed,
    commitments.committed_to,
    commitments.commit_room,
    commitments.available,
    commitments.slash_room,
    # faults
    slashing.slash,
    slashing.set_insurance,
    slashing.insurance,
    # earnings
    earnings.distribute,
    earnings.pay_earnings,
    earnings.add_earnings_token,
    earnings.is_earnings_token,
    earnings.earned,
    earnings.earnings_owed,
)


STAKE: constant(uint256) = 1  # flags of the entries that can be closed
DELEGATE: constant(uint256) = 2


@deploy
def __init__(_stake_token: address, _admin: address, _thaw_period: uint256):
    """
    @notice Starts with no stake, no verifier, nobody to close entries, and no insurance.
    @param _stake_token The MILL token.
    @param _admin The owner; the deployer keeps nothing.
    @param _thaw_period Seconds from a request to leave until it is ready, 7 to 28 days.
    """
    ownership.__init__(_admin)
    pausable.__init__(STAKE | DELEGATE)
    stake_pool.__init__(_stake_token, _thaw_period)
    staking_limits.__init__()


# ------------------------------------------------------------------ operator
@external
def stake(_amount: uint256) -> uint256:
    """
    @notice Adds to the caller's own stake. The caller must have approved the amount.
    @param _amount Stake tokens.
    @return Shares of the caller's own pool.
    """
    return self._stake(msg.sender, _amount)


@external
def stake_for(_operator: address, _amount: uint256) -> uint256:
    """
    @notice Adds to the own stake of another operator. It is a gift: only the operator can take it out.
    @param _operator Whose stake grows.
    @param _amount Stake tokens, paid by the caller, who must have approved them.
    @return Shares of the operator's own pool.
    """
    assert _operator != empty(address), "staking: no operator"
    return self._stake(_operator, _amount)


# ------------------------------------------------------------------ delegator
@external
def delegate(_operator: address, _amount: uint256, _min_shares: uint256) -> uint256:
    """
    @notice Puts the caller's tokens, which must be approved, at stake behind an operator that accepts them.
    @param _operator The operator.
    @param _amount Stake tokens, at least the minimum delegation.
    @param _min_shares Reverts if they buy fewer shares.
    @return Shares of the operator's delegation pool.
    """
    stake_pool._count_in(_amount)
    shares: uint256 = self._delegate(_operator, _amount, _min_shares)
    token_transfer._pull_exactly(stake_pool.STAKE_TOKEN, msg.sender, _amount)
    return shares


@external
def redelegate(_pool: uint256, _operator: address, _min_shares: uint256, _max_n: uint256) -> uint256:
    """
    @notice Moves what the caller's thawed requests are worth behind an operator that accepts it, without a transfer.
    @param _pool Where the requests are.
    @param _operator The operator.
    @param _min_shares Reverts if they buy fewer shares.
    @param _max_n How many requests, the oldest first.
    @return Shares of the operator's delegation pool.
    """
    return self._delegate(_operator, stake_pool._collect(_pool, msg.sender, _max_n), _min_shares)


# ------------------------------------------------------------------ owner of shares, in either pool
@external
def requestRedeem(_pool: uint256, _shares: uint256) -> uint256:
    """
    @notice Starts to thaw the caller's shares. They earn nothing from now on, and stay slashable until they are paid.
    @dev Own stake only while it is not needed for open work; delegators always.
    @param _pool The pool.
    @param _shares Active shares. A delegator leaves nothing behind, or at least the minimum delegation.
    @return The number of the request.
    """
    earnings._settle(_pool, msg.sender)
    request_id: uint256 = 0
    remainder: uint256 = 0
    request_id, remainder = stake_pool._request(_pool, msg.sender, _shares)
    if _pool >> 160 == stake_pool.OWN:
        commitments._check_covered(msg.sender)
    elif stake_pool._load_position(_pool, msg.sender).shares > 0:
        minimum: uint256 = staking_limits._load_limits().minimum_delegation
        assert remainder >= minimum, "staking: remainder too small"
    return request_id


@external
def cancelRedeemRequest(_pool: uint256, _request_id: uint256) -> uint256:
    """
    @notice Takes a request of the caller back: what it is worth now is active stake in the same pool again.
    @dev Not an entry: the tokens were at stake all the time. So it asks neither for the minimum delegation, nor whether
         the operator accepts delegation, nor whether entries are closed.
    @param _pool The pool.
    @param _request_id The number of the request.
    @return Active shares given back.
    """
    earnings._settle(_pool, msg.sender)
    return stake_pool._cancel(_pool, msg.sender, _request_id)


# ------------------------------------------------------------------ anyone; pays the owner
@external
def redeem(_pool: uint256, _owner: address, _max_n: uint256) -> uint256:
    """
    @notice Pays thawed requests to their owner, whoever calls: the oldest first, until one is not ready.
    @param _pool The pool.
    @param _owner Whose requests.
    @param _max_n How many requests at most.
    @return Stake tokens paid; 0 if slashes took all of it.
    """
    amount: uint256 = stake_pool._collect(_pool, _owner, _max_n)
    if amount > 0:
        stake_pool._count_out(amount)
        token_transfer._push(stake_pool.STAKE_TOKEN, _owner, amount)
    return amount


# ------------------------------------------------------------------ internal
@internal
def _stake(_operator: address, _amount: uint256) -> uint256:
    pausable._check_open(STAKE)
    stake_pool._count_in(_amount)
    pool: uint256 = stake_pool._pool_of(_operator, stake_pool.OWN)
    shares: uint256 = stake_pool._enter(pool, _operator, _amount)
    log IStaking.Staked(operator=_operator, payer=msg.sender, amount=_amount, shares=shares)
    token_transfer._pull_exactly(stake_pool.STAKE_TOKEN, msg.sender, _amount)
    return shares


@internal
def _delegate(_operator: address, _amount: uint256, _min_shares: uint256) -> uint256:
    pausable._check_open(DELEGATE)
    operator_terms._check_accepts(_operator)
    assert _amount >= staking_limits._load_limits().minimum_delegation, "staking: delegation too small"
    pool: uint256 = stake_pool._pool_of(_operator, stake_pool.DELEGATED)
    earnings._settle(pool, msg.sender)
    shares: uint256 = stake_pool._enter(pool, msg.sender, _amount)
    assert shares >= _min_shares, "staking: too few shares"
    log IStaking.Delegated(operator=_operator, delegator=msg.sender, amount=_amount, shares=shares)
    return shares
