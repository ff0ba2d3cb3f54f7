# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title The part of Staking that a verifier sees
@license Apache-2.0
@dev Tests only. Commitments, a slash that beyond what it releases takes at most `slash_room`, and `distribute` that pulls
     the tokens. An operator has whatever `set_stake` says.
"""

from ethereum.ercs import IERC20

from contracts.interfaces import IStaking


stake_of: public(HashMap[address, uint256])
committed: public(HashMap[address, uint256])
slash_room: public(uint256)
penalty: public(IStaking.Penalty)
slashes: public(uint256)
distributed: public(HashMap[address, HashMap[address, uint256]])
refuses: public(address)


@external
def set_stake(_operator: address, _amount: uint256):
    self.stake_of[_operator] = _amount


@external
def set_slash_room(_slash_room: uint256):
    self.slash_room = _slash_room


@external
def refuse(_operator: address):
    self.refuses = _operator


@external
def commit(_operator: address, _actor: address, _amount: uint256):
    assert _actor == _operator, "staking: not the operator"
    assert self.committed[_operator] + _amount <= self.stake_of[_operator] // 2, "staking: too little stake"
    self.committed[_operator] += _amount


@external
def release(_operator: address, _amount: uint256):
    assert self.committed[_operator] >= _amount, "staking: not committed"
    self.committed[_operator] -= _amount


@external
def slash(_penalty: IStaking.Penalty) -> (uint256, uint256):
    assert self.committed[_penalty.operator] >= _penalty.released, "staking: not committed"
    self.committed[_penalty.operator] -= _penalty.released
    beyond: uint256 = 0
    if _penalty.amount > _penalty.released:
        beyond = min(_penalty.amount - _penalty.released, self.slash_room)
    taken: uint256 = min(_penalty.amount, _penalty.released) + beyond
    self.stake_of[_penalty.operator] -= taken
    self.penalty = _penalty
    self.slashes += 1
    return taken, 0


@external
def distribute(_operator: address, _token: address, _amount: uint256):
    assert _operator != self.refuses, "staking: refused"
    extcall IERC20(_token).transferFrom(msg.sender, self, _amount, default_return_value=True)
    self.distributed[_operator][_token] += _amount
