# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Balances shared by the mock tokens
@license Apache-2.0
@dev Tests only. Anyone mints.
"""

balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@external
def mint(_to: address, _amount: uint256):
    self.balanceOf[_to] += _amount


@external
def approve(_spender: address, _amount: uint256) -> bool:
    self.allowance[msg.sender][_spender] = _amount
    return True


@internal
def _move(_from: address, _to: address, _amount: uint256):
    assert self.balanceOf[_from] >= _amount, "mock: balance"
    self.balanceOf[_from] -= _amount
    self.balanceOf[_to] += _amount


@internal
def _spend(_owner: address, _spender: address, _amount: uint256):
    assert self.allowance[_owner][_spender] >= _amount, "mock: allowance"
    self.allowance[_owner][_spender] -= _amount
