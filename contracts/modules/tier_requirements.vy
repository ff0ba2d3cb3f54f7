# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What a device must do for each tier
@author Proofmill
@license Apache-2.0
@dev Tiers are set from 1 upwards without gaps, and a higher tier asks for no less in either respect. So the tiers that
     a device has are all up to its best, and one number says which.
"""

from contracts.interfaces import ICapabilityRegistry
from contracts.modules import ownership

uses: ownership


MAX_TIERS: constant(uint256) = 7
SPEED_BITS: constant(uint256) = 96
MEMORY_BITS: constant(uint256) = 64
MEMORY_MASK: constant(uint256) = 2**64 - 1


# 96 bit zero | 96 bit operations per second | 64 bit memory; 0 for a tier that is not set, and for the eighth
_requirements: uint256[9]


# ------------------------------------------------------------------ owner
@external
def set_tier(_tier: uint256, _minimum_operations_per_second: uint256, _minimum_memory_bytes: uint256):
    """
    @notice Sets what a tier asks for, or removes the highest tier by asking for nothing.
    @dev Owner only. Counts for devices that are recorded from now on; those on record keep their tier until they
         expire, so that no worker loses in a day what it could prepare for.
    @param _tier 1 to 7; all lower ones must be set.
    @param _minimum_operations_per_second Between those of the neighbours; zero only together with no memory.
    @param _minimum_memory_bytes Between those of the neighbours.
    """
    ownership._check_owner()
    assert _tier > 0 and _tier <= MAX_TIERS, "registry: no such tier"
    assert _minimum_operations_per_second >> SPEED_BITS == 0, "registry: speed out of range"
    assert _minimum_memory_bytes >> MEMORY_BITS == 0, "registry: memory out of range"
    above: uint256 = self._requirements[_tier + 1]
    below: uint256 = self._requirements[_tier - 1]
    if _minimum_operations_per_second == 0:
        assert _minimum_memory_bytes == 0, "registry: tier without speed"
        assert above == 0, "registry: higher tier is set"
    else:
        assert _tier == 1 or below != 0, "registry: lower tier is not set"
        assert _minimum_operations_per_second >= below >> MEMORY_BITS, "registry: slower than lower tier"
        assert _minimum_memory_bytes >= below & MEMORY_MASK, "registry: less than lower tier"
        if above != 0:
            assert _minimum_operations_per_second <= above >> MEMORY_BITS, "registry: above the higher tier"
            assert _minimum_memory_bytes <= above & MEMORY_MASK, "registry: over the higher tier"
    self._requirements[_tier] = (_minimum_operations_per_second << MEMORY_BITS) | _minimum_memory_bytes
    log ICapabilityRegistry.TierSet(
        tier=_tier,
        minimum_operations_per_second=_minimum_operations_per_second,
        minimum_memory_bytes=_minimum_memory_bytes,
    )


# ------------------------------------------------------------------ views
@view
@external
def tier_requirement(_tier: uint256) -> (uint256, uint256):
    """
    @notice What a tier asks for.
    @param _tier 1 to 7.
    @return Least operations per second and least memory in bytes; zeros for a tier that is not set.
    """
    if _tier > MAX_TIERS:
        return 0, 0
    requirement: uint256 = self._requirements[_tier]
    return requirement >> MEMORY_BITS, requirement & MEMORY_MASK


# ------------------------------------------------------------------ internal
@view
@internal
def _tier_for(_operations_per_second: uint256, _memory_bytes: uint256) -> uint256:
    """
    @dev The best tier that these figures reach; 0 for none.
    """
    tier: uint256 = 0
    for candidate: uint256 in range(1, MAX_TIERS + 1):
        requirement: uint256 = self._requirements[candidate]
        if requirement == 0 or _operations_per_second < requirement >> MEMORY_BITS:
            break
        if _memory_bytes < requirement & MEMORY_MASK:
            break
        tier = candidate
    return tier
