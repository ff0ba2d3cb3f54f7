# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What the pools of stake hold
@author Proofmill
@license Apache-2.0
@dev Reads only. Names and meanings of the request views are those of ERC-7540, with the pool as first argument.
"""

from contracts.modules import stake_pool

uses: stake_pool


# ------------------------------------------------------------------ views
@view
@external
def stake_token() -> address:
    """
    @notice The token that is staked.
    @return Its address.
    """
    return stake_pool.STAKE_TOKEN


@view
@external
def own_pool(_operator: address) -> uint256:
    """
    @notice The number of the pool with an operator's own stake.
    @param _operator Whose pool.
    @return The pool.
    """
    return stake_pool._pool_of(_operator, stake_pool.OWN)


@view
@external
def delegation_pool(_operator: address) -> uint256:
    """
    @notice The number of the pool with the stake of an operator's delegators.
    @param _operator Whose pool.
    @return The pool.
    """
    return stake_pool._pool_of(_operator, stake_pool.DELEGATED)


@view
@external
def pool(_pool: uint256) -> (uint256, uint256, uint256, uint256):
    """
    @notice What a pool holds.
    @param _pool The pool.
    @return Active tokens.
    @return Shares of them.
    @return Thawing tokens.
    @return Shares of them.
    """
    active: stake_pool.Part = stake_pool._load_active(_pool)
    thawing: stake_pool.Part = stake_pool._load_thawing(_pool)
    return active.tokens, active.shares, thawing.tokens, thawing.shares


@view
@external
def shares_of(_pool: uint256, _owner: address) -> uint256:
    """
    @notice Active shares of an owner.
    @param _pool The pool.
    @param _owner Whose shares.
    @return Shares; 0 when a slash wiped them out.
    """
    return stake_pool._live_position(_pool, _owner, stake_pool._load_active(_pool).epoch).shares


@view
@external
def convertToAssets(_pool: uint256, _shares: uint256) -> uint256:
    """
    @notice What active shares are worth now.
    @param _pool The pool.
    @param _shares Shares.
    @return Stake tokens, rounded down.
    """
    return stake_pool._to_tokens(stake_pool._load_active(_pool), _shares)


@view
@external
def convertToShares(_pool: uint256, _amount: uint256) -> uint256:
    """
    @notice What stake tokens buy now.
    @param _pool The pool.
    @param _amount Stake tokens.
    @return Active shares, rounded down.
    """
    return stake_pool._to_shares(stake_pool._load_active(_pool), _amount)


@view
@external
def redeem_request(_pool: uint256, _owner: address, _request_id: uint256) -> (uint256, uint256):
    """
    @notice What a request to leave is worth now, and when it is ready.
    @param _pool The pool.
    @param _owner Whose request.
    @param _request_id Its number.
    @return Stake tokens, rounded down.
    @return Unix time from which it can be redeemed. Both are 0 when it is unknown, ended or wiped out.
    """
    return stake_pool._request_worth(_pool, _owner, _request_id)


@view
@external
def redeem_request_range(_pool: uint256, _owner: address) -> (uint256, uint256):
    """
    @notice Which requests of an owner may be open.
    @param _pool The pool.
    @param _owner Whose requests.
    @return The first one that has not ended.
    @return The number that the next one will have.
    """
    position: stake_pool.Position = stake_pool._load_position(_pool, _owner)
    return position.first, position.next


@view
@external
def pendingRedeemRequest(_pool: uint256, _request_id: uint256, _owner: address) -> uint256:
    """
    @notice What a request that still thaws is worth now.
    @param _pool The pool.
    @param _request_id Its number.
    @param _owner Whose request.
    @return Stake tokens, rounded down; 0 when it is ready.
    """
    amount: uint256 = 0
    ready_at: uint256 = 0
    amount, ready_at = stake_pool._request_worth(_pool, _owner, _request_id)
    return 0 if block.timestamp >= ready_at else amount


@view
@external
def claimableRedeemRequest(_pool: uint256, _request_id: uint256, _owner: address) -> uint256:
    """
    @notice What a request that is ready pays now.
    @param _pool The pool.
    @param _request_id Its number.
    @param _owner Whose request.
    @return Stake tokens, rounded down; 0 while it thaws.
    """
    amount: uint256 = 0
    ready_at: uint256 = 0
    amount, ready_at = stake_pool._request_worth(_pool, _owner, _request_id)
    return amount if block.timestamp >= ready_at else 0


@view
@external
def self_stake(_operator: address) -> uint256:
    """
    @notice An operator's own active stake.
    @param _operator Whose stake.
    @return Stake tokens.
    """
    return stake_pool._active[_operator] & stake_pool.AMOUNT


@view
@external
def delegated(_operator: address) -> uint256:
    """
    @notice The active stake of an operator's delegators.
    @param _operator Whose delegators.
    @return Stake tokens.
    """
    return (stake_pool._active[_operator] >> 128) & stake_pool.AMOUNT


@view
@external
def slashable(_operator: address) -> uint256:
    """
    @notice Everything that an operator and its delegators can lose: active and thawing stake.
    @param _operator Whose stake.
    @return Stake tokens.
    """
    return stake_pool._slashable(_operator)
