# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Devices, what they were measured to do, and whose they are
@author Proofmill
@license Apache-2.0
@dev A device belongs to the operator of its latest measurement and leaves the list of the one before: one card cannot
     answer for two. For each operator one word says until when it has which tier, computed anew from its devices with
     each measurement, so that a reader needs one storage slot.
"""

from contracts.interfaces import ICapabilityRegistry
from contracts.modules import tier_requirements

uses: tier_requirements


MAX_DEVICES: constant(uint256) = 32
MAX_TIERS: constant(uint256) = 7
MAX_CLASS: constant(uint256) = 1
MAX_LIFETIME: constant(uint256) = 30 * 86_400  # seconds that a measurement is believed
LANE_BITS: constant(uint256) = 32
LANE_MASK: constant(uint256) = 2**32 - 1
OPERATOR_MASK: constant(uint256) = 2**160 - 1


# Who and until when: 160 operator | 8 class | 8 tier | 40 observed at | 40 expires at (from the low end: operator
# lowest). An operator of zero is a device that is in no list: withdrawn, or expired and replaced.
_status: HashMap[bytes32, uint256]
# 32 bit zero | 96 bit operations per second | 64 bit memory | 64 bit picojoules per operation
_figures: HashMap[bytes32, uint256]
_evidence: HashMap[bytes32, bytes32]
_devices: HashMap[address, DynArray[bytes32, MAX_DEVICES]]
# 32 zero | 7 x 32 bit: last second in which some device has the tier; tier 1 lowest
_expiries: HashMap[address, uint256]


# ------------------------------------------------------------------ views
@view
@external
def tier(_operator: address) -> uint256:
    """
    @notice The best tier that some device of an operator has now.
    @param _operator The operator.
    @return 1 to 7; 0 for none.
    """
    return self._tier_at(_operator, block.timestamp)


@view
@external
def tier_at(_operator: address, _time: uint256) -> uint256:
    """
    @notice The best tier that some device of an operator still has at a time, by what is on record now.
    @param _operator The operator.
    @param _time Unix time; a measurement counts up to and including the second in which it expires.
    @return 1 to 7; 0 for none.
    """
    return self._tier_at(_operator, _time)


@view
@external
def measurement(_device_id: bytes32) -> ICapabilityRegistry.Measurement:
    """
    @notice The latest measurement of a device.
    @param _device_id keccak256 of the device's UUID.
    @return The measurement; without an operator when the device was withdrawn or has made room for another.
    """
    status: uint256 = self._status[_device_id]
    figures: uint256 = self._figures[_device_id]
    return ICapabilityRegistry.Measurement(
        device_id=_device_id,
        operator=convert(status & OPERATOR_MASK, address),
        device_class=(status >> 160) & 255,
        operations_per_second=figures >> 128,
        memory_bytes=(figures >> 64) & (2**64 - 1),
        picojoules_per_operation=figures & (2**64 - 1),
        evidence_hash=self._evidence[_device_id],
        observed_at=(status >> 176) & (2**40 - 1),
        expires_at=status >> 216,
    )


@view
@external
def devices_of(_operator: address) -> DynArray[bytes32, 32]:
    """
    @notice The devices of an operator, in no particular order.
    @param _operator The operator.
    @return Device ids, some of them perhaps expired.
    """
    return self._devices[_operator]


# ------------------------------------------------------------------ internal
@internal
def _record(_measurement: ICapabilityRegistry.Measurement):
    """
    @dev Refuses what cannot be true, and what is not newer than what is known.
    """
    assert _measurement.device_id != empty(bytes32), "registry: no device"
    assert _measurement.operator != empty(address), "registry: no operator"
    assert _measurement.device_class <= MAX_CLASS, "registry: unknown class"
    assert _measurement.operations_per_second >> 96 == 0, "registry: too many operations"
    assert _measurement.memory_bytes >> 64 == 0, "registry: too much memory"
    assert _measurement.picojoules_per_operation >> 64 == 0, "registry: too much energy"
    assert _measurement.observed_at <= block.timestamp, "registry: from the future"
    assert _measurement.expires_at > _measurement.observed_at, "registry: expires too early"
    assert _measurement.expires_at - _measurement.observed_at <= MAX_LIFETIME, "registry: expires too late"
    # The lanes are as wide as this.
    assert _measurement.expires_at <= LANE_MASK, "registry: after the year 2106"

    device_id: bytes32 = _measurement.device_id
    previous: uint256 = self._status[device_id]
    assert _measurement.observed_at > (previous >> 176) & (2**40 - 1), "registry: not newer"
    previous_operator: address = convert(previous & OPERATOR_MASK, address)
    tier: uint256 = 0
    holder: address = empty(address)
    if _measurement.operations_per_second != 0:
        tier = tier_requirements._tier_for(_measurement.operations_per_second, _measurement.memory_bytes)
        holder = _measurement.operator

    self._status[device_id] = (
        convert(holder, uint256)
        | (_measurement.device_class << 160)
        | (tier << 168)
        | (_measurement.observed_at << 176)
        | (_measurement.expires_at << 216)
    )
    self._figures[device_id] = (
        (_measurement.operations_per_second << 128)
        | (_measurement.memory_bytes << 64)
        | _measurement.picojoules_per_operation
    )
    self._evidence[device_id] = _measurement.evidence_hash
    if previous_operator != holder:
        if previous_operator != empty(address):
            self._unlist(previous_operator, device_id)
            self._refresh(previous_operator)
        if holder != empty(address):
            self._enlist(holder, device_id)
    if holder != empty(address):
        self._refresh(holder)
    log ICapabilityRegistry.MeasurementRecorded(
        device_id=device_id, operator=_measurement.operator, tier=tier, measurement=_measurement
    )


@internal
def _enlist(_operator: address, _device_id: bytes32):
    """
    @dev A full list makes room by the first device that has expired. No list stays full for longer than a lifetime.
    """
    count: uint256 = len(self._devices[_operator])
    if count < MAX_DEVICES:
        self._devices[_operator].append(_device_id)
        return
    for i: uint256 in range(MAX_DEVICES):
        expired: bytes32 = self._devices[_operator][i]
        status: uint256 = self._status[expired]
        if status >> 216 < block.timestamp:
            self._status[expired] = status ^ convert(_operator, uint256)
            self._devices[_operator][i] = _device_id
            return
    raise "registry: too many devices"


@internal
def _unlist(_operator: address, _device_id: bytes32):
    """
    @dev The last device takes the place of the one that goes.
    """
    last: bytes32 = self._devices[_operator].pop()
    for i: uint256 in range(len(self._devices[_operator]), bound=MAX_DEVICES):
        if self._devices[_operator][i] == _device_id:
            self._devices[_operator][i] = last
            return


@internal
def _refresh(_operator: address):
    """
    @dev A device has every tier up to its own: what the higher tiers have, the lower ones have as well.
    """
    latest: uint256[8] = empty(uint256[8])
    for device_id: bytes32 in self._devices[_operator]:
        status: uint256 = self._status[device_id]
        tier: uint256 = (status >> 168) & 255
        latest[tier] = max(latest[tier], status >> 216)
    lanes: uint256 = 0
    longest: uint256 = 0
    for i: uint256 in range(MAX_TIERS):
        longest = max(longest, latest[MAX_TIERS - i])
        lanes = (lanes << LANE_BITS) | longest
    self._expiries[_operator] = lanes


@view
@internal
def _tier_at(_operator: address, _time: uint256) -> uint256:
    """
    @dev Expiries do not rise from tier to tier, so the first that is too early ends the search.
    """
    lanes: uint256 = self._expiries[_operator]
    tier: uint256 = 0
    for _: uint256 in range(MAX_TIERS):
        expiry: uint256 = lanes & LANE_MASK
        if expiry == 0 or expiry < _time:
            break
        tier += 1
        lanes >>= LANE_BITS
    return tier
