# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token that can be told to answer false instead of moving anything
@license Apache-2.0
@dev Tests only.
"""

from contracts.mocks import mock_ledger

initializes: mock_ledger

exports: mock_ledger.__interface__


failing: public(bool)


@external
def set_failing(_failing: bool):
    self.failing = _failing


@external
def burn(_amount: uint256):
    mock_ledger._move(msg.sender, empty(address), _amount)


@external
def transfer(_to: address, _amount: uint256) -> bool:
    if self.failing:
        return False
    mock_ledger._move(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    if self.failing:
        return False
    mock_ledger._spend(_from, msg.sender, _amount)
    mock_ledger._move(_from, _to, _amount)
    return True
