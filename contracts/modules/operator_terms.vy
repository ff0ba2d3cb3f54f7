# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What an operator offers its delegators, and who acts for it
@author Proofmill
@license Apache-2.0
@dev A change of the cut counts after the thaw period of the day it was announced, so that a delegator who dislikes it
     can be out before it counts. The first announcement counts at once: nobody can have delegated before it.
"""

from contracts.interfaces import IStaking
from contracts.modules import stake_pool

uses: stake_pool


FULL_BPS: constant(uint256) = 10_000
SHARE: constant(uint256) = 2**16 - 1
TIME: constant(uint256) = 2**40 - 1
ACCEPTS: constant(uint256) = 1
ANNOUNCED: constant(uint256) = 2


is_hot_key: public(HashMap[address, HashMap[address, bool]])  # operator -> key

# operator -> 176 bit zero | 8 flags | 40 effective_at | 16 cut announced | 16 cut until then
_terms: HashMap[address, uint256]


# ------------------------------------------------------------------ operator
@external
def set_terms(_cut_bps: uint256, _accepts_delegation: bool):
    """
    @notice Announces the caller's cut of its earnings, and says whether it accepts new delegation from now on.
    @dev Naming the announced cut again keeps its time; naming another one starts a new notice.
    @param _cut_bps Basis points that the operator keeps before its delegators share the rest.
    @param _accepts_delegation Whether new delegation is accepted. Nobody is kept from leaving.
    """
    assert _cut_bps <= FULL_BPS, "terms: cut too large"
    terms: uint256 = self._terms[msg.sender]
    cut_bps: uint256 = self._cut(terms)
    effective_at: uint256 = (terms >> 32) & TIME
    if (terms >> 72) & ANNOUNCED == 0:
        cut_bps = _cut_bps
        effective_at = block.timestamp
    elif _cut_bps != (terms >> 16) & SHARE:
        effective_at = block.timestamp + stake_pool.thaw_period
    flags: uint256 = ANNOUNCED
    if _accepts_delegation:
        flags |= ACCEPTS
    self._terms[msg.sender] = cut_bps | (_cut_bps << 16) | (effective_at << 32) | (flags << 72)
    log IStaking.TermsAnnounced(
        operator=msg.sender,
        cut_bps=_cut_bps,
        accepts_delegation=_accepts_delegation,
        effective_at=effective_at,
    )


@external
def set_hot_key(_key: address, _authorised: bool):
    """
    @notice Lets a key claim and submit work for the caller, or ends that. It never moves stake.
    @param _key The key.
    @param _authorised Whether it may act.
    """
    assert _key != empty(address), "terms: no key"
    self.is_hot_key[msg.sender][_key] = _authorised
    log IStaking.HotKeySet(operator=msg.sender, key=_key, authorised=_authorised)


# ------------------------------------------------------------------ views
@view
@external
def terms(_operator: address) -> (uint256, uint256, uint256, bool):
    """
    @notice What an operator offers its delegators.
    @param _operator The operator.
    @return The cut now, in basis points.
    @return The cut announced.
    @return Unix time from which that one counts.
    @return Whether new delegation is accepted.
    """
    terms: uint256 = self._terms[_operator]
    return self._cut(terms), (terms >> 16) & SHARE, (terms >> 32) & TIME, self._accepts(terms)


# ------------------------------------------------------------------ internal
@view
@internal
def _cut_of(_operator: address) -> uint256:
    return self._cut(self._terms[_operator])


@view
@internal
def _check_accepts(_operator: address):
    assert self._accepts(self._terms[_operator]), "terms: delegation not accepted"


@view
@internal
def _check_actor(_operator: address, _actor: address):
    assert _actor == _operator or self.is_hot_key[_operator][_actor], "terms: not operator or hot key"


@view
@internal
def _cut(_terms: uint256) -> uint256:
    if block.timestamp >= (_terms >> 32) & TIME:
        return (_terms >> 16) & SHARE
    return _terms & SHARE


@pure
@internal
def _accepts(_terms: uint256) -> bool:
    return (_terms >> 72) & ACCEPTS != 0
