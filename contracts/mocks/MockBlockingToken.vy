# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token whose issuer blocks accounts
@license Apache-2.0
@dev Tests only. Anyone is the issuer. A transfer from, to or by a blocked account reverts.
"""

from contracts.mocks import mock_ledger

initializes: mock_ledger

exports: mock_ledger.__interface__


is_blocked: public(HashMap[address, bool])


@external
def set_blocked(_account: address, _is_blocked: bool):
    self.is_blocked[_account] = _is_blocked


@external
def transfer(_to: address, _amount: uint256) -> bool:
    self._check(msg.sender, _to)
    mock_ledger._move(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    self._check(_from, _to)
    mock_ledger._spend(_from, msg.sender, _amount)
    mock_ledger._move(_from, _to, _amount)
    return True


@view
@internal
def _check(_from: address, _to: address):
    assert not self.is_blocked[msg.sender], "mock: caller blocked"
    assert not self.is_blocked[_from], "mock: sender blocked"
    assert not self.is_blocked[_to], "mock: receiver blocked"
