# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Staking as the escrow sees it, which remembers what it was told and can refuse
@license Apache-2.0
@dev Tests only. Operators have whatever `set_stake` says; a slash takes it, and gives the client at most half.
"""

from ethereum.ercs import IERC20

from contracts.interfaces import IStaking


FULL_BPS: constant(uint256) = 10_000


stake_of: public(HashMap[address, uint256])
committed: public(HashMap[address, uint256])
is_hot_key: public(HashMap[address, HashMap[address, bool]])
is_earnings_token: public(HashMap[address, bool])
distributed: public(HashMap[address, HashMap[address, uint256]])  # token -> operator
compensated: public(HashMap[address, uint256])
rewarded: public(HashMap[address, uint256])
penalty: public(IStaking.Penalty)  # the latest
slashes: public(uint256)
is_refusing: public(bool)


@external
def set_stake(_operator: address, _amount: uint256):
    self.stake_of[_operator] = _amount


@external
def set_hot_key(_operator: address, _key: address, _authorised: bool):
    self.is_hot_key[_operator][_key] = _authorised


@external
def set_earnings_token(_token: address, _is_one: bool):
    self.is_earnings_token[_token] = _is_one


@external
def set_refusing(_is_refusing: bool):
    self.is_refusing = _is_refusing


@external
def commit(_operator: address, _actor: address, _amount: uint256):
    self._check()
    assert _actor == _operator or self.is_hot_key[_operator][_actor], "mock: not the operator"
    assert self.committed[_operator] + _amount <= self.stake_of[_operator], "mock: too little stake"
    self.committed[_operator] += _amount


@external
def release(_operator: address, _amount: uint256):
    self._check()
    assert _amount <= self.committed[_operator], "mock: not committed"
    self.committed[_operator] -= _amount


@external
def slash(_penalty: IStaking.Penalty) -> (uint256, uint256):
    self._check()
    assert _penalty.released <= self.committed[_penalty.operator], "mock: not committed"
    self.committed[_penalty.operator] -= _penalty.released
    free: uint256 = self.stake_of[_penalty.operator] - self.committed[_penalty.operator]
    taken: uint256 = min(_penalty.amount, free)
    self.stake_of[_penalty.operator] -= taken
    compensation: uint256 = min(_penalty.compensation, taken // 2)
    self.compensated[_penalty.client] += compensation
    if _penalty.reporter != empty(address):
        self.rewarded[_penalty.reporter] += taken * _penalty.reporter_bps // FULL_BPS
    self.penalty = _penalty
    self.slashes += 1
    return taken, compensation


@external
def distribute(_operator: address, _token: address, _amount: uint256):
    self._check()
    assert extcall IERC20(_token).transferFrom(
        msg.sender, self, _amount, default_return_value=True
    ), "mock: pull failed"
    self.distributed[_token][_operator] += _amount


@view
@internal
def _check():
    assert not self.is_refusing, "mock: staking refuses"
