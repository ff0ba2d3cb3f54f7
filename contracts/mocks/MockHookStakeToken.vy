# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A stake token that calls sender and receiver
@license Apache-2.0
@dev Tests only. `MockHookToken` that can be burned: what MILL is not, and a stake token never must be.
"""

from contracts.mocks import mock_ledger

initializes: mock_ledger

exports: mock_ledger.__interface__


interface Hook:
    def tokensToSend(
        _operator: address,
        _from: address,
        _to: address,
        _amount: uint256,
        _user_data: Bytes[32],
        _operator_data: Bytes[32],
    ): nonpayable
    def tokensReceived(
        _operator: address,
        _from: address,
        _to: address,
        _amount: uint256,
        _user_data: Bytes[32],
        _operator_data: Bytes[32],
    ): nonpayable


hook_of: public(HashMap[address, address])
burned: public(uint256)


@external
def set_hook(_hook: address):
    self.hook_of[msg.sender] = _hook


@external
def transfer(_to: address, _amount: uint256) -> bool:
    self._move_with_hooks(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    mock_ledger._spend(_from, msg.sender, _amount)
    self._move_with_hooks(_from, _to, _amount)
    return True


@external
def burn(_amount: uint256):
    mock_ledger._move(msg.sender, empty(address), _amount)
    self.burned += _amount


@internal
def _move_with_hooks(_from: address, _to: address, _amount: uint256):
    sender_hook: address = self.hook_of[_from]
    if sender_hook != empty(address):
        extcall Hook(sender_hook).tokensToSend(msg.sender, _from, _to, _amount, b"", b"")
    mock_ledger._move(_from, _to, _amount)
    receiver_hook: address = self.hook_of[_to]
    if receiver_hook != empty(address):
        extcall Hook(receiver_hook).tokensReceived(msg.sender, _from, _to, _amount, b"", b"")
