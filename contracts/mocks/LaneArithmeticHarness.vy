# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Harness of lane arithmetic
@author Proofmill
@license Apache-2.0
@notice For tests only.
"""

from contracts.modules import lane_arithmetic


@pure
@external
def dot_long(_high: uint256[12], _low: uint256[12], _weights: uint256[12]) -> uint256:
    return lane_arithmetic._dot_long(_high, _low, _weights)


@pure
@external
def dot_short(_high: uint256[4], _low: uint256[4], _weights: uint256[4]) -> uint256:
    return lane_arithmetic._dot_short(_high, _low, _weights)


@pure
@external
def dot_word(_high: uint256, _low: uint256, _weights: uint256) -> uint256:
    return lane_arithmetic._dot_word(_high, _low, _weights)
