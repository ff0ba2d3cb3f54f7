# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Bonds of challengers
@author Proofmill
@license Apache-2.0
@dev What came in with a challenge leaves with it, once: back to the challenger, or to the operator and the fire (INV-2). The owner
     sets what new challenges cost; nothing changes those that are open.
"""

from contracts.interfaces import IDisputeGame
from contracts.interfaces import IMillToken
from contracts.interfaces import IStaking
from contracts.modules import ownership
from contracts.modules import refusal
from contracts.modules import token_transfer

uses: ownership


FULL_BPS: constant(uint256) = 10_000
PROVIDER_BPS: constant(uint256) = 8_000  # of a lost bond; the rest is burned, so that nobody challenges itself for nothing
INITIAL_BOND: constant(uint256) = 100 * 10**18
MIN_BOND: constant(uint256) = 10**18
MAX_BOND: constant(uint256) = 10**24

TOKEN: immutable(address)


challenge_bond: public(uint256)


@deploy
def __init__(_staking: address):
    TOKEN = staticcall IStaking(_staking).stake_token()
    self._set(INITIAL_BOND)


# ------------------------------------------------------------------ owner
@external
def set_challenge_bond(_bond: uint256):
    """
    @notice Sets what a challenge posts from now on.
    @dev Owner only.
    @param _bond Stake tokens, 10 ** 18 to 10 ** 24 base units.
    """
    ownership._check_owner()
    if _bond < MIN_BOND or _bond > MAX_BOND:
        refusal._raise("bond: out of bounds")
    self._set(_bond)


# ------------------------------------------------------------------ internal
@internal
def _set(_bond: uint256):
    self.challenge_bond = _bond
    log IDisputeGame.ChallengeBondSet(bond=_bond)


@internal
def _pull(_challenger: address) -> uint256:
    """
    @dev Returns the bond of the day, which the challenger has approved.
    """
    bond: uint256 = self.challenge_bond
    token_transfer._pull_exactly(TOKEN, _challenger, bond)
    return bond


@internal
def _give_back(_challenger: address, _bond: uint256):
    token_transfer._push(TOKEN, _challenger, _bond)


@internal
def _forfeit(_provider: address, _bond: uint256) -> (uint256, uint256):
    """
    @dev Returns what the operator had and what was burned. The operator's share rounds down.
    """
    to_provider: uint256 = _bond * PROVIDER_BPS // FULL_BPS
    token_transfer._push(TOKEN, _provider, to_provider)
    extcall IMillToken(TOKEN).burn(_bond - to_provider)
    return to_provider, _bond - to_provider
