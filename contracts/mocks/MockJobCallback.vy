# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A requester's contract: it posts jobs and is told how they end, for good or for ill
@license Apache-2.0
@dev Tests only. `behave` says what `on_job_settled` does.
"""

from contracts.interfaces import IJobCallback
from contracts.interfaces import IJobEscrow

implements: IJobCallback


MAX_CALL_DATA: constant(uint256) = 40_960
REVERTS: constant(uint256) = 1
BURNS_GAS: constant(uint256) = 2
REENTERS: constant(uint256) = 3
READS: constant(uint256) = 4


# Few words: all of it must fit into the gas that a callback has.
calls: public(uint256)
told: public(bytes32)  # hash of what it was told
gas_given: public(uint256)
reentered: public(bool)
read: public(uint256)  # state | close reason << 8
behaviour: public(uint256)
_target: address
_call_data: Bytes[MAX_CALL_DATA]


@external
def act(_target: address, _call_data: Bytes[MAX_CALL_DATA]):
    raw_call(_target, _call_data)


@external
def behave(_behaviour: uint256):
    self.behaviour = _behaviour


@external
def arm(_target: address, _call_data: Bytes[MAX_CALL_DATA]):
    self._target = _target
    self._call_data = _call_data


@external
def on_job_settled(_job_id: uint256, _state: uint256, _deliverable: bytes32):
    self.gas_given = msg.gas
    if self.behaviour == REVERTS:
        raise "mock: no thanks"
    elif self.behaviour == BURNS_GAS:
        for _: uint256 in range(2**64):
            self.calls += 1
    elif self.behaviour == REENTERS:
        self.reentered = raw_call(self._target, self._call_data, max_outsize=0, revert_on_failure=False)
    elif self.behaviour == READS:
        escrow: IJobEscrow = IJobEscrow(msg.sender)
        state: uint256 = convert(staticcall escrow.state(_job_id), uint256)
        self.read = state | convert(staticcall escrow.closeReason(_job_id), uint256) << 8
    self.calls += 1
    self.told = keccak256(abi_encode(_job_id, _state, _deliverable))
