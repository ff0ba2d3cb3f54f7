# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token that answers false where others revert
@license Apache-2.0
@dev Tests only. As tokens were before 2018: nothing moves, and the caller must look at the answer.
"""

from contracts.mocks import mock_ledger

initializes: mock_ledger

exports: mock_ledger.__interface__


@external
def transfer(_to: address, _amount: uint256) -> bool:
    if mock_ledger.balanceOf[msg.sender] < _amount:
        return False
    mock_ledger._move(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    if mock_ledger.balanceOf[_from] < _amount or mock_ledger.allowance[_from][msg.sender] < _amount:
        return False
    mock_ledger._spend(_from, msg.sender, _amount)
    mock_ledger._move(_from, _to, _amount)
    return True
