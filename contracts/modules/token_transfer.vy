# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Token transfers that either move exactly the amount or revert
@author Proofmill
@license Apache-2.0
@dev Stateless. Tokens that return nothing are accepted; tokens that take a fee on the way in are refused, because the
     callers account for the amount that they asked for.
"""

from ethereum.ercs import IERC20


@internal
def _pull_exactly(_token: address, _from: address, _amount: uint256):
    """
    @dev Moves `_amount` from `_from` to this contract and checks that this much arrived.
    """
    before: uint256 = staticcall IERC20(_token).balanceOf(self)
    assert extcall IERC20(_token).transferFrom(_from, self, _amount, default_return_value=True), "token: pull failed"
    received: uint256 = staticcall IERC20(_token).balanceOf(self) - before
    assert received == _amount, "token: amount not received"


@internal
def _push(_token: address, _to: address, _amount: uint256):
    """
    @dev Moves `_amount` from this contract to `_to`.
    """
    assert extcall IERC20(_token).transfer(_to, _amount, default_return_value=True), "token: push failed"
