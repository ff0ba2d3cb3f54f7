# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The smallest contract around the pools of stake and what they earn
@license Apache-2.0
@dev Tests only. Anybody does anything for anybody; no stake token moves, and the only earnings token is a mock.
"""

from contracts.modules import earnings
from contracts.modules import operator_terms
from contracts.modules import ownership
from contracts.modules import stake_pool
from contracts.modules import stake_views

initializes: ownership
initializes: stake_pool[ownership := ownership]
initializes: stake_views[stake_pool := stake_pool]
initializes: operator_terms[stake_pool := stake_pool]
initializes: earnings[operator_terms := operator_terms, ownership := ownership, stake_pool := stake_pool]

exports: (
    stake_views.pool,
    stake_views.shares_of,
    stake_views.convertToAssets,
    stake_views.convertToShares,
    stake_views.redeem_request,
    stake_views.redeem_request_range,
    stake_pool.total_staked,
    earnings.distribute,
    earnings.earned,
    earnings.earnings_owed,
    earnings.add_earnings_token,
)


@deploy
def __init__(_thaw_period: uint256):
    ownership.__init__(msg.sender)
    stake_pool.__init__(msg.sender, _thaw_period)


@external
def enter(_pool: uint256, _owner: address, _amount: uint256) -> uint256:
    stake_pool._count_in(_amount)
    earnings._settle(_pool, _owner)
    return stake_pool._enter(_pool, _owner, _amount)


@external
def request(_pool: uint256, _owner: address, _shares: uint256) -> (uint256, uint256):
    earnings._settle(_pool, _owner)
    return stake_pool._request(_pool, _owner, _shares)


@external
def cancel(_pool: uint256, _owner: address, _request_id: uint256) -> uint256:
    earnings._settle(_pool, _owner)
    return stake_pool._cancel(_pool, _owner, _request_id)


@external
def collect(_pool: uint256, _owner: address, _max_n: uint256) -> uint256:
    amount: uint256 = stake_pool._collect(_pool, _owner, _max_n)
    stake_pool._count_out(amount)
    return amount


@external
def slash(_pool: uint256, _amount: uint256) -> uint256:
    taken: uint256 = stake_pool._slash(_pool, _amount)
    stake_pool._count_out(taken)
    return taken


# The word of the pool, which the views do not show: epochs of the active and of the thawing part.
@view
@external
def epochs(_pool: uint256) -> (uint256, uint256):
    return stake_pool._load_active(_pool).epoch, stake_pool._load_thawing(_pool).epoch
