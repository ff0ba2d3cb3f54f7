# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token that takes one percent of each transfer
@license Apache-2.0
@dev Tests only.
"""

from contracts.mocks import mock_ledger

initializes: mock_ledger

exports: mock_ledger.__interface__


FEE_DIVISOR: constant(uint256) = 100


@external
def transfer(_to: address, _amount: uint256) -> bool:
    self._move_less_fee(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    mock_ledger._spend(_from, msg.sender, _amount)
    self._move_less_fee(_from, _to, _amount)
    return True


@internal
def _move_less_fee(_from: address, _to: address, _amount: uint256):
    mock_ledger._move(_from, _to, _amount)
    mock_ledger.balanceOf[_to] -= _amount // FEE_DIVISOR
