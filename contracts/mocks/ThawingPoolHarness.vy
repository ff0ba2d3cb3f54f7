# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The smallest contract around the thawing pool
@license Apache-2.0
@dev Tests only. Moves no token.
"""

from snekmate.auth import ownable

from contracts.modules import thawing_pool

initializes: ownable
initializes: thawing_pool[ownable := ownable]

exports: thawing_pool.__interface__


@deploy
def __init__(_thaw_period: uint256):
    ownable.__init__()
    thawing_pool.__init__(_thaw_period)


@external
def add(_operator: address, _amount: uint256) -> uint256:
    return thawing_pool._add(_operator, _amount)


@external
def remove(_operator: address, _request_id: uint256) -> uint256:
    return thawing_pool._remove(_operator, _request_id)


@external
def slash(_operator: address, _amount: uint256) -> uint256:
    return thawing_pool._slash(_operator, _amount)


@view
@external
def pool(_operator: address) -> thawing_pool.Pool:
    return thawing_pool._pools[_operator]
