# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Harness of drawn variates
@author Proofmill
@license Apache-2.0
@notice For tests only.
"""

from contracts.modules import choice_steps
from contracts.modules import gumbel_table


@pure
@external
def draw(_seed: uint256, _position: uint256, _token: uint256) -> uint256:
    return choice_steps._draw(_seed, _position, _token)


@pure
@external
def variates(_bits: uint256[2]) -> int256[2]:
    return gumbel_table._variates(_bits)
