# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Capability registry
@author Proofmill
@license Apache-2.0
@notice Says what an operator's devices were measured to do. Only the committee writes, by reports that 2f + 1 members
        signed; the job escrow reads an operator's tier when work is claimed.
@dev A device that is not measured again loses its tier by itself when its measurement expires.
"""

from contracts.interfaces import ICapabilityRegistry
from contracts.interfaces import IOwnable2Step
from contracts.modules import device_records
from contracts.modules import ownership
from contracts.modules import tier_requirements

implements: ICapabilityRegistry
implements: IOwnable2Step

initializes: ownership
initializes: tier_requirements[ownership := ownership]
initializes: device_records[tier_requirements := tier_requirements]

exports: (
    # ownership
    ownership.owner,
    ownership.pending_owner,
    ownership.transfer_ownership,
    ownership.accept_ownership,
    # tiers
    tier_requirements.set_tier,
    tier_requirements.tier_requirement,
    # devices
    device_records.tier,
    device_records.tier_at,
    device_records.measurement,
    device_records.devices_of,
)


committee: public(address)


@deploy
def __init__(_committee: address, _admin: address):
    """
    @notice Starts without tiers and devices.
    @param _committee Who records measurements.
    @param _admin The owner; the deployer keeps nothing.
    """
    ownership.__init__(_admin)
    self._set_committee(_committee)


# ------------------------------------------------------------------ committee
@external
def record(_measurement: ICapabilityRegistry.Measurement):
    """
    @notice Records what a device was measured to do; no operations per second withdraw it.
    @dev Committee only. The device belongs to the operator named from now on. A withdrawal names its time like every
         other measurement, so that nothing older can bring the device back.
    @param _measurement The measurement, newer than the one on record.
    """
    assert msg.sender == self.committee, "registry: not the committee"
    device_records._record(_measurement)


# ------------------------------------------------------------------ owner
@external
def set_committee(_committee: address):
    """
    @notice Names who records measurements from now on; those on record stay.
    @dev Owner only.
    @param _committee The new committee.
    """
    ownership._check_owner()
    self._set_committee(_committee)


# ------------------------------------------------------------------ internal
@internal
def _set_committee(_committee: address):
    assert _committee != empty(address), "registry: no committee"
    self.committee = _committee
    log ICapabilityRegistry.CommitteeSet(committee=_committee)
