# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title A contract whose entries can be closed, and whose exit cannot
@license Apache-2.0
@dev Tests only.
"""

from contracts.interfaces import IPausable
from contracts.modules import ownership
from contracts.modules import pausable

implements: IPausable

initializes: ownership
initializes: pausable[ownership := ownership]

exports: (
    pausable.pause,
    pausable.unpause,
    pausable.set_pauser,
    pausable.set_unpauser,
    pausable.closed,
    pausable.pauser,
    pausable.unpauser,
    ownership.transfer_ownership,
    ownership.accept_ownership,
    ownership.owner,
)


entered: public(uint256)


@deploy
def __init__(_owner: address, _known_flags: uint256):
    ownership.__init__(_owner)
    pausable.__init__(_known_flags)


@external
def enter(_flag: uint256):
    pausable._check_open(_flag)
    self.entered += 1


@external
def leave():
    self.entered -= 1
