# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A token that everybody has, and that lets nobody spend it
@license Apache-2.0
@dev Tests only.
"""


@view
@external
def balanceOf(_account: address) -> uint256:
    return 10**18


@external
def transfer(_to: address, _amount: uint256) -> bool:
    return True


@external
def approve(_spender: address, _amount: uint256) -> bool:
    return False
