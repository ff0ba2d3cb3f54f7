# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token that finds ever new ways of not moving
@license Apache-2.0
@dev Tests only. `behave` says how `transfer` refuses; what comes in always comes in.
"""

from contracts.mocks import mock_ledger

initializes: mock_ledger

exports: mock_ledger.__interface__


REVERTS: constant(uint256) = 1
ANSWERS_FALSE: constant(uint256) = 2
BURNS_GAS: constant(uint256) = 3
RETURNS_A_BOMB: constant(uint256) = 4
REVERTS_WITH_A_BOMB: constant(uint256) = 5
ANSWERS_NONSENSE: constant(uint256) = 6
ANSWERS_BRIEFLY: constant(uint256) = 7


behaviour: public(uint256)
burned: public(uint256)


@external
def behave(_behaviour: uint256):
    self.behaviour = _behaviour


@external
@raw_return
def transfer(_to: address, _amount: uint256) -> Bytes[65_536]:
    if self.behaviour == REVERTS:
        raise "mock: no transfer"
    elif self.behaviour == ANSWERS_FALSE:
        return abi_encode(False)
    elif self.behaviour == BURNS_GAS:
        for _: uint256 in range(2**64):
            self.burned += 1
    elif self.behaviour == RETURNS_A_BOMB:
        return abi_encode(empty(uint256[1024]))
    elif self.behaviour == REVERTS_WITH_A_BOMB:
        raw_revert(abi_encode(empty(uint256[1024])))
    elif self.behaviour == ANSWERS_NONSENSE:
        return abi_encode(convert(2, uint256))
    elif self.behaviour == ANSWERS_BRIEFLY:
        return b"\x01"
    mock_ledger._move(msg.sender, _to, _amount)
    return abi_encode(True)


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    mock_ledger._spend(_from, msg.sender, _amount)
    mock_ledger._move(_from, _to, _amount)
    return True
