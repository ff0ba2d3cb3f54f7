# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token of six decimals
@license Apache-2.0
@dev Tests only.
"""

from contracts.mocks import mock_ledger

initializes: mock_ledger

exports: mock_ledger.__interface__


DECIMALS: constant(uint8) = 6


@external
def transfer(_to: address, _amount: uint256) -> bool:
    mock_ledger._move(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    mock_ledger._spend(_from, msg.sender, _amount)
    mock_ledger._move(_from, _to, _amount)
    return True


@pure
@external
def decimals() -> uint8:
    return DECIMALS
