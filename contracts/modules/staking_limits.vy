# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The settings of stake, within bounds that nobody can move
@author Proofmill
@license Apache-2.0
@dev One word, so that `commit` reads all of them at once.
"""

from contracts.interfaces import IStaking
from contracts.modules import ownership

uses: ownership


TOKEN: constant(uint256) = 10**18

MIN_FAULT_BPS: constant(uint256) = 100
MAX_WINDOW_BPS: constant(uint256) = 5_000
MAX_MINIMUM_SELF_STAKE: constant(uint256) = 1_000_000 * TOKEN
MAX_MINIMUM_DELEGATION: constant(uint256) = 1_000 * TOKEN
MAX_DELEGATION_RATIO: constant(uint256) = 100

AMOUNT: constant(uint256) = 2**96 - 1
SHARE: constant(uint256) = 2**16 - 1
CAPS: constant(uint256) = 2**32 - 1  # two shares


struct Limits:
    minimum_self_stake: uint256
    minimum_delegation: uint256
    fault_bps: uint256
    window_bps: uint256
    delegation_ratio: uint256


# 32 bit delegation ratio | 16 window_bps | 16 fault_bps | 96 minimum delegation | 96 minimum self-stake
_limits: uint256


@deploy
def __init__():
    self._set_slash_caps(1_000, 3_000)
    self._set_delegation_limits(0, TOKEN, 10)


# ------------------------------------------------------------------ owner
@external
def set_slash_caps(_fault_bps: uint256, _window_bps: uint256):
    """
    @notice Sets how much of an operator's stake one fault, and all faults of 30 days, may cost.
    @dev Owner only. What is already committed stays slashable in full.
    @param _fault_bps Basis points for one fault, 100 to 5,000.
    @param _window_bps Basis points for a window, from `_fault_bps` to 5,000.
    """
    ownership._check_owner()
    self._set_slash_caps(_fault_bps, _window_bps)


@external
def set_delegation_limits(_minimum_self_stake: uint256, _minimum_delegation: uint256, _delegation_ratio: uint256):
    """
    @notice Sets what an operator and a delegator must have at stake, and how far delegation counts.
    @dev Owner only. No limit stops anybody from leaving with everything.
    @param _minimum_self_stake Own active stake below which an operator commits nothing, at most 1,000,000 tokens.
    @param _minimum_delegation The least that is delegated or left behind, 1 unit to 1,000 tokens.
    @param _delegation_ratio Delegated stake counts up to this many times the operator's own, at most 100.
    """
    ownership._check_owner()
    self._set_delegation_limits(_minimum_self_stake, _minimum_delegation, _delegation_ratio)


# ------------------------------------------------------------------ views
@view
@external
def slash_caps() -> (uint256, uint256):
    """
    @notice How much of an operator's stake one fault, and all faults of 30 days, may cost.
    @return Basis points for one fault.
    @return Basis points for a window.
    """
    limits: Limits = self._load_limits()
    return limits.fault_bps, limits.window_bps


@view
@external
def delegation_limits() -> (uint256, uint256, uint256):
    """
    @notice What an operator and a delegator must have at stake, and how far delegation counts.
    @return Least own stake of an operator that commits.
    @return Least that is delegated or left behind.
    @return How many times the operator's own stake delegation counts at most.
    """
    limits: Limits = self._load_limits()
    return limits.minimum_self_stake, limits.minimum_delegation, limits.delegation_ratio


# ------------------------------------------------------------------ internal
@internal
def _set_slash_caps(_fault_bps: uint256, _window_bps: uint256):
    assert _fault_bps >= MIN_FAULT_BPS, "limits: fault cap too low"
    assert _window_bps >= _fault_bps, "limits: window below fault cap"
    assert _window_bps <= MAX_WINDOW_BPS, "limits: window cap too high"
    self._limits = (self._limits & ~(CAPS << 192)) | (_fault_bps << 192) | (_window_bps << 208)
    log IStaking.SlashCapsSet(fault_bps=_fault_bps, window_bps=_window_bps)


@internal
def _set_delegation_limits(_minimum_self_stake: uint256, _minimum_delegation: uint256, _delegation_ratio: uint256):
    assert _minimum_self_stake <= MAX_MINIMUM_SELF_STAKE, "limits: self-stake too high"
    assert _minimum_delegation > 0, "limits: no minimum delegation"
    assert _minimum_delegation <= MAX_MINIMUM_DELEGATION, "limits: delegation too high"
    assert _delegation_ratio <= MAX_DELEGATION_RATIO, "limits: ratio too high"
    caps: uint256 = self._limits & (CAPS << 192)
    self._limits = caps | _minimum_self_stake | (_minimum_delegation << 96) | (_delegation_ratio << 224)
    log IStaking.DelegationLimitsSet(
        minimum_self_stake=_minimum_self_stake,
        minimum_delegation=_minimum_delegation,
        delegation_ratio=_delegation_ratio,
    )


@view
@internal
def _load_limits() -> Limits:
    limits: uint256 = self._limits
    return Limits(
        minimum_self_stake=limits & AMOUNT,
        minimum_delegation=(limits >> 96) & AMOUNT,
        fault_bps=(limits >> 192) & SHARE,
        window_bps=(limits >> 208) & SHARE,
        delegation_ratio=limits >> 224,
    )
