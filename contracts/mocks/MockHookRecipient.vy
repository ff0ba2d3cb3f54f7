# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title An account that makes a call of the attacker's choice whenever a `MockHookToken` tells it of a transfer
@license Apache-2.0
@dev Tests only. `act` lets it play any role; `refuse` makes its hooks revert.
"""

MAX_CALL_DATA: constant(uint256) = 2_048
MAX_ANSWER: constant(uint256) = 256


attempts: public(uint256)
successes: public(uint256)
answer: public(Bytes[MAX_ANSWER])  # what the latest attempt returned, or reverted with
is_refusing: public(bool)
_target: address
_call_data: Bytes[MAX_CALL_DATA]


@external
def act(_target: address, _call_data: Bytes[MAX_CALL_DATA]):
    raw_call(_target, _call_data)


@external
def arm(_target: address, _call_data: Bytes[MAX_CALL_DATA]):
    self._target = _target
    self._call_data = _call_data


@external
def refuse(_is_refusing: bool):
    self.is_refusing = _is_refusing


@external
def tokensToSend(
    _operator: address,
    _from: address,
    _to: address,
    _amount: uint256,
    _user_data: Bytes[32],
    _operator_data: Bytes[32],
):
    self._attack()


@external
def tokensReceived(
    _operator: address,
    _from: address,
    _to: address,
    _amount: uint256,
    _user_data: Bytes[32],
    _operator_data: Bytes[32],
):
    self._attack()


@internal
def _attack():
    assert not self.is_refusing, "mock: hook refuses"
    if self._target == empty(address):
        return
    self.attempts += 1
    success: bool = False
    answer: Bytes[MAX_ANSWER] = b""
    success, answer = raw_call(
        self._target, self._call_data, max_outsize=MAX_ANSWER, revert_on_failure=False
    )
    self.answer = answer
    if success:
        self.successes += 1
