# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token that makes a call of the attacker's choice during each transfer
@license Apache-2.0
@dev Tests only.
"""

from contracts.mocks import mock_ledger

initializes: mock_ledger

exports: mock_ledger.__interface__


MAX_CALL_DATA: constant(uint256) = 1_024


attempts: public(uint256)
successes: public(uint256)
_target: address
_call_data: Bytes[MAX_CALL_DATA]


@external
def arm(_target: address, _call_data: Bytes[MAX_CALL_DATA]):
    self._target = _target
    self._call_data = _call_data


@external
def transfer(_to: address, _amount: uint256) -> bool:
    mock_ledger._move(msg.sender, _to, _amount)
    self._attack()
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    mock_ledger._spend(_from, msg.sender, _amount)
    mock_ledger._move(_from, _to, _amount)
    self._attack()
    return True


@internal
def _attack():
    if self._target == empty(address):
        return
    self.attempts += 1
    success: bool = raw_call(self._target, self._call_data, max_outsize=0, revert_on_failure=False)
    if success:
        self.successes += 1
