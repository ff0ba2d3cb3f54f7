# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token that returns nothing
@license Apache-2.0
@dev Tests only.
"""

from contracts.mocks import mock_ledger

initializes: mock_ledger

exports: mock_ledger.__interface__


@external
def transfer(_to: address, _amount: uint256):
    mock_ledger._move(msg.sender, _to, _amount)


@external
def transferFrom(_from: address, _to: address, _amount: uint256):
    mock_ledger._spend(_from, msg.sender, _amount)
    mock_ledger._move(_from, _to, _amount)
