# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Token transfers that either move exactly the amount or revert
@author Proofmill
@license Apache-2.0
@dev Stateless. Tokens that return nothing are accepted; tokens that take a fee on the way in are refused, because the
     callers account for the amount that they asked for.
"""

from ethereum.ercs import IERC20


# Enough for any token worth listing, and a bound on what a spiteful one can burn.
PUSH_GAS: constant(uint256) = 200_000
# 64/63 of it (EIP-150), the cold call, and what recording the failure takes: with less, the caller could make a good
# token look spiteful.
PUSH_GAS_FLOOR: constant(uint256) = 240_000


@internal
def _pull_exactly(_token: address, _from: address, _amount: uint256):
    """
    @dev Moves `_amount` from `_from` to this contract and checks that this much arrived.
    """
    before: uint256 = self._balance(_token)
    self._pull(_token, _from, _amount)
    self._check_received(_token, before, _amount)


@internal
def _pull(_token: address, _from: address, _amount: uint256):
    """
    @dev The caller checks what arrived.
    """
    assert extcall IERC20(_token).transferFrom(_from, self, _amount, default_return_value=True), "token: pull failed"


@view
@internal
def _check_received(_token: address, _before: uint256, _amount: uint256) -> uint256:
    """
    @dev Returns the balance of this contract.
    """
    balance: uint256 = self._balance(_token)
    assert balance - _before == _amount, "token: amount not received"
    return balance


@view
@internal
def _balance(_token: address) -> uint256:
    return staticcall IERC20(_token).balanceOf(self)


@internal
def _push(_token: address, _to: address, _amount: uint256):
    """
    @dev Moves `_amount` from this contract to `_to`.
    """
    assert extcall IERC20(_token).transfer(_to, _amount, default_return_value=True), "token: push failed"


@internal
def _try_push(_token: address, _to: address, _amount: uint256) -> bool:
    """
    @dev Moves `_amount` from this contract to `_to` and says whether the token did. Nothing that the token does makes
         this revert: a revert, an answer of false or of anything else, all the gas it is given, a return bomb, or no
         code at all count as a refusal.
    """
    assert msg.gas >= PUSH_GAS_FLOOR, "token: too little gas"
    success: bool = False
    answer: Bytes[32] = b""
    # slither low-level-calls: whatever the token answers, this returns
    success, answer = raw_call(
        _token,
        abi_encode(_to, _amount, method_id=method_id("transfer(address,uint256)")),
        max_outsize=32,
        gas=PUSH_GAS,
        revert_on_failure=False,
    )
    if not success:
        return False
    if len(answer) == 0:
        return _token.is_contract
    return len(answer) == 32 and convert(answer, uint256) == 1
