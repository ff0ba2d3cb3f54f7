# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who may commit and slash stake
@author Proofmill
@license Apache-2.0
@dev The owner adds and removes verifiers. Removal stops new commitments only: see `Staking.slash`.
"""

from snekmate.auth import ownable

from contracts.interfaces import IStaking

uses: ownable


is_verifier: public(HashMap[address, bool])


@external
def set_verifier(_verifier: address, _authorised: bool):
    """
    @notice Authorises a verifier or removes it.
    @dev Owner only.
    @param _verifier Contract that commits, releases and slashes stake.
    @param _authorised Whether it may open new commitments and slash beyond its own.
    """
    ownable._check_owner()
    assert _verifier != empty(address), "verifiers: zero address"
    self.is_verifier[_verifier] = _authorised
    log IStaking.VerifierSet(verifier=_verifier, authorised=_authorised)


@view
@internal
def _check_authorised(_verifier: address):
    assert self.is_verifier[_verifier], "verifiers: not authorised"
