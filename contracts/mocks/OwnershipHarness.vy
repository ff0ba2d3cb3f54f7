# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title A contract with an owner and one function of the owner's
@license Apache-2.0
@dev Tests only.
"""

from contracts.interfaces import IOwnable2Step
from contracts.modules import ownership

implements: IOwnable2Step

initializes: ownership

exports: (
    ownership.transfer_ownership,
    ownership.accept_ownership,
    ownership.owner,
    ownership.pending_owner,
)


setting: public(uint256)


@deploy
def __init__(_owner: address):
    ownership.__init__(_owner)


@external
def set_setting(_setting: uint256):
    ownership._check_owner()
    self.setting = _setting
