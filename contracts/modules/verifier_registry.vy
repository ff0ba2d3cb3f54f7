# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who may commit and slash stake
@author Proofmill
@license Apache-2.0
@dev The owner adds and removes verifiers. A removed verifier opens nothing new, but ends what it began: it may still
     release and slash what it has committed.
"""

from contracts.interfaces import IStaking
from contracts.modules import ownership

uses: ownership


is_verifier: public(HashMap[address, bool])


# ------------------------------------------------------------------ owner
@external
def set_verifier(_verifier: address, _authorised: bool):
    """
    @notice Authorises a verifier or removes it.
    @dev Owner only.
    @param _verifier Contract that commits, releases and slashes stake.
    @param _authorised Whether it may open new commitments and slash beyond its own.
    """
    ownership._check_owner()
    assert _verifier != empty(address), "verifiers: zero address"
    self.is_verifier[_verifier] = _authorised
    log IStaking.VerifierSet(verifier=_verifier, authorised=_authorised)


# ------------------------------------------------------------------ internal
@view
@internal
def _check_authorised(_verifier: address):
    assert self.is_verifier[_verifier], "verifiers: not authorised"
