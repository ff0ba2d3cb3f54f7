# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Entries that can be closed
@author Proofmill
@license Apache-2.0
@dev A contract names its flags when it starts; a flag it did not name cannot be set. Only functions that open new
     obligations may ask `_check_open`: an exit that asked would let the pauser hold other people's money.
"""

from contracts.interfaces import IPausable
from contracts.modules import ownership

uses: ownership


KNOWN_FLAGS: immutable(uint256)


closed: public(uint256)
pauser: public(address)
unpauser: public(address)


@deploy
def __init__(_known_flags: uint256):
    KNOWN_FLAGS = _known_flags


# ------------------------------------------------------------------ pauser
@external
def pause(_flags: uint256):
    """
    @notice Closes entries.
    @dev Pauser only.
    @param _flags One bit for each entry; entries that are closed stay so.
    """
    assert msg.sender == self.pauser, "pausable: not the pauser"
    self._check_known(_flags)
    closed: uint256 = self.closed | _flags
    self.closed = closed
    log IPausable.Paused(account=msg.sender, flags=_flags, closed=closed)


# ------------------------------------------------------------------ unpauser
@external
def unpause(_flags: uint256):
    """
    @notice Opens entries again.
    @dev Unpauser only.
    @param _flags One bit for each entry; entries that are open stay so.
    """
    assert msg.sender == self.unpauser, "pausable: not the unpauser"
    self._check_known(_flags)
    closed: uint256 = self.closed & ~_flags
    self.closed = closed
    log IPausable.Unpaused(account=msg.sender, flags=_flags, closed=closed)


# ------------------------------------------------------------------ owner
@external
def set_pauser(_pauser: address):
    """
    @notice Names who may close entries; the zero address for nobody.
    @dev Owner only.
    @param _pauser The new pauser.
    """
    ownership._check_owner()
    # slither missing-zero-check: the zero address for nobody
    self.pauser = _pauser
    log IPausable.PauserSet(pauser=_pauser)


@external
def set_unpauser(_unpauser: address):
    """
    @notice Names who may open entries again; the zero address for nobody.
    @dev Owner only.
    @param _unpauser The new unpauser.
    """
    ownership._check_owner()
    # slither missing-zero-check: the zero address for nobody
    self.unpauser = _unpauser
    log IPausable.UnpauserSet(unpauser=_unpauser)


# ------------------------------------------------------------------ internal
@view
@internal
def _check_open(_flag: uint256):
    assert self.closed & _flag == 0, "pausable: closed"


@view
@internal
def _check_known(_flags: uint256):
    assert _flags != 0, "pausable: no flag"
    assert _flags & ~KNOWN_FLAGS == 0, "pausable: unknown flag"
