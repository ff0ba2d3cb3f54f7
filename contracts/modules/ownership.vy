# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who decides the settings
@author Proofmill
@license Apache-2.0
@dev One owner, in the end the timelock. A new owner must accept, so that no typing error loses the contract, and
     ownership cannot be renounced.
"""

from contracts.interfaces import IOwnable2Step


owner: public(address)
pending_owner: public(address)


@deploy
def __init__(_owner: address):
    assert _owner != empty(address), "ownership: no owner"
    self.owner = _owner
    log IOwnable2Step.OwnershipTransferred(previous_owner=empty(address), new_owner=_owner)


# ------------------------------------------------------------------ owner
@external
def transfer_ownership(_new_owner: address):
    """
    @notice Names the next owner, who must accept. Naming the zero address takes the offer back.
    @dev Owner only.
    @param _new_owner The owner to be.
    """
    self._check_owner()
    # slither missing-zero-check: the zero address takes the offer back
    self.pending_owner = _new_owner
    log IOwnable2Step.OwnershipTransferStarted(previous_owner=msg.sender, new_owner=_new_owner)


# ------------------------------------------------------------------ owner to be
@external
def accept_ownership():
    """
    @notice Takes over a contract that was offered to the caller.
    @dev The pending owner only.
    """
    assert msg.sender == self.pending_owner, "ownership: not the next owner"
    previous: address = self.owner
    self.owner = msg.sender
    self.pending_owner = empty(address)
    log IOwnable2Step.OwnershipTransferred(previous_owner=previous, new_owner=msg.sender)


# ------------------------------------------------------------------ internal
@view
@internal
def _check_owner():
    assert msg.sender == self.owner, "ownership: not the owner"
