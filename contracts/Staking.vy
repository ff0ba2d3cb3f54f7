# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Operator stake
@author Proofmill
@license Apache-2.0
@notice Holds what operators have at risk. Verifiers commit a part of it to open work, release it, or slash it.
@dev Solvency: the contract's token balance is at least `total_staked`. Only sums kept here count; tokens that were
     sent without `stake` are nobody's.
@custom:security A verifier is trusted with all the stake of every operator. The stake token must not take fees, call
                 back, or refuse transfers; it is the MILL token.
"""

from snekmate.auth import ownable
from snekmate.auth import ownable_2step

from contracts.interfaces import IMillToken
from contracts.interfaces import IOwnable2Step
from contracts.interfaces import IStaking
from contracts.modules import stake_ledger
from contracts.modules import thawing_pool
from contracts.modules import token_transfer
from contracts.modules import verifier_registry

implements: IStaking
implements: IOwnable2Step

initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: stake_ledger
initializes: thawing_pool[ownable := ownable]
initializes: verifier_registry[ownable := ownable]

exports: (
    # ownership
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    # active stake
    stake_ledger.active,
    stake_ledger.committed,
    stake_ledger.committed_to,
    stake_ledger.available,
    stake_ledger.total_staked,
    # thawing stake
    thawing_pool.thawing,
    thawing_pool.unstake_request,
    thawing_pool.unstake_request_count,
    thawing_pool.thaw_period,
    thawing_pool.set_thaw_period,
    # verifiers
    verifier_registry.is_verifier,
    verifier_registry.set_verifier,
)


ZERO_AMOUNT: constant(String[21]) = "staking: zero amount"


STAKE_TOKEN: immutable(address)


@deploy
def __init__(_stake_token: address, _admin: address, _thaw_period: uint256):
    """
    @notice Starts with no stake and no verifier.
    @param _stake_token The MILL token.
    @param _admin The owner; the deployer keeps nothing.
    @param _thaw_period Seconds from a request to leave until the withdrawal, 7 to 28 days.
    """
    assert _stake_token != empty(address), "staking: no stake token"
    assert _admin != empty(address), "staking: no admin"
    STAKE_TOKEN = _stake_token

    ownable.__init__()
    ownable_2step.__init__()
    thawing_pool.__init__(_thaw_period)
    ownable_2step._transfer_ownership(_admin)


# ------------------------------------------------------------------ operator
@external
def stake(_amount: uint256):
    """
    @notice Adds to the caller's stake. The caller must have approved the amount.
    @param _amount Stake tokens.
    """
    self._stake(msg.sender, _amount)


@external
def stake_for(_operator: address, _amount: uint256):
    """
    @notice Adds to the stake of another operator. It is a gift: only the operator can take it out.
    @param _operator Whose stake grows.
    @param _amount Stake tokens, paid by the caller, who must have approved them.
    """
    assert _operator != empty(address), "staking: no operator"
    self._stake(_operator, _amount)


@external
def request_unstake(_amount: uint256) -> uint256:
    """
    @notice Starts to thaw available stake of the caller. It stays slashable until it is withdrawn.
    @param _amount Stake tokens.
    @return The number of the request.
    """
    assert _amount > 0, ZERO_AMOUNT
    stake_ledger._deactivate(msg.sender, _amount)
    return thawing_pool._add(msg.sender, _amount)


# ------------------------------------------------------------------ anyone; pays the operator
@external
def withdraw(_operator: address, _request_id: uint256) -> uint256:
    """
    @notice Pays a thawed request to its operator, whoever calls.
    @param _operator Whose request.
    @param _request_id Number of the request.
    @return Stake tokens paid; 0 if a slash took all of it.
    """
    amount: uint256 = thawing_pool._remove(_operator, _request_id)
    if amount > 0:
        stake_ledger._leave(amount)
        token_transfer._push(STAKE_TOKEN, _operator, amount)
    return amount


# ------------------------------------------------------------------ verifier
@external
def commit(_operator: address, _amount: uint256):
    """
    @notice Binds available stake of an operator to open work of the calling verifier.
    @dev Authorised verifiers only.
    @param _operator Whose stake.
    @param _amount Stake tokens.
    """
    verifier_registry._check_authorised(msg.sender)
    assert _amount > 0, ZERO_AMOUNT
    stake_ledger._commit(msg.sender, _operator, _amount)
    log IStaking.Committed(operator=_operator, verifier=msg.sender, amount=_amount)


@external
def release(_operator: address, _amount: uint256):
    """
    @notice Frees stake that the calling verifier had committed.
    @dev Whoever committed may release, also after its removal: open work ends where it began.
    @param _operator Whose stake.
    @param _amount Stake tokens.
    """
    assert _amount > 0, ZERO_AMOUNT
    self._release(_operator, _amount)


@external
def slash(
    _operator: address,
    _released: uint256,
    _amount: uint256,
    _beneficiary: address,
    _compensation: uint256,
    _reason: bytes32,
) -> (uint256, uint256):
    """
    @notice Takes stake from an operator: active stake first, then thawing. A part compensates, the rest is burned.
    @dev Authorised verifiers, or a removed one for no more than it has committed and releases with this call. Takes
         what there is when the operator has less than `_amount`, so that a slash cannot be blocked.
    @param _operator Whose stake.
    @param _released Part of the verifier's commitment that ends with this call.
    @param _amount Stake tokens to take.
    @param _beneficiary Receives the compensation.
    @param _compensation At most this much of what was taken goes to the beneficiary.
    @param _reason Why, for the record.
    @return Stake tokens taken.
    @return Of which were paid to the beneficiary.
    """
    if _amount > _released:
        verifier_registry._check_authorised(msg.sender)
    assert _amount > 0, ZERO_AMOUNT
    assert _beneficiary != empty(address), "staking: no beneficiary"

    if _released > 0:
        self._release(_operator, _released)
    taken: uint256 = stake_ledger._slash_active(_operator, _amount)
    taken += thawing_pool._slash(_operator, _amount - taken)
    stake_ledger._leave(taken)
    compensation: uint256 = min(_compensation, taken)
    burned: uint256 = taken - compensation
    log IStaking.Slashed(
        operator=_operator,
        verifier=msg.sender,
        reason=_reason,
        beneficiary=_beneficiary,
        amount=taken,
        compensation=compensation,
        burned=burned,
    )

    if compensation > 0:
        token_transfer._push(STAKE_TOKEN, _beneficiary, compensation)
    if burned > 0:
        extcall IMillToken(STAKE_TOKEN).burn(burned)
    return taken, compensation


# ------------------------------------------------------------------ views
@view
@external
def slashable(_operator: address) -> uint256:
    """
    @notice Everything that an operator can lose: active and thawing stake.
    @param _operator Whose stake.
    @return Stake tokens.
    """
    return stake_ledger.active[_operator] + thawing_pool._pools[_operator].tokens


@view
@external
def stake_token() -> address:
    """
    @notice The token that is staked.
    @return Its address.
    """
    return STAKE_TOKEN


# ------------------------------------------------------------------ internal
@internal
def _stake(_operator: address, _amount: uint256):
    assert _amount > 0, ZERO_AMOUNT
    stake_ledger._deposit(_operator, _amount)
    log IStaking.Staked(operator=_operator, payer=msg.sender, amount=_amount)
    token_transfer._pull_exactly(STAKE_TOKEN, msg.sender, _amount)


@internal
def _release(_operator: address, _amount: uint256):
    stake_ledger._release(msg.sender, _operator, _amount)
    log IStaking.Released(operator=_operator, verifier=msg.sender, amount=_amount)
