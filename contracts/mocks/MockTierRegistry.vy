# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A registry that says what it was told
@license Apache-2.0
@dev Tests only.
"""

_tiers: HashMap[address, uint256]
_expiries: HashMap[address, uint256]


@external
def set_tier(_operator: address, _tier: uint256, _expires_at: uint256):
    self._tiers[_operator] = _tier
    self._expiries[_operator] = _expires_at


@view
@external
def tier_at(_operator: address, _time: uint256) -> uint256:
    if _time > self._expiries[_operator]:
        return 0
    return self._tiers[_operator]
