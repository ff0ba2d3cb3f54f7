# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Recovery of a signer, open to tests
@license Apache-2.0
@dev Tests only.
"""

from contracts.modules import ecdsa


@pure
@external
def recover(_digest: bytes32, _v: uint256, _r: uint256, _s: uint256) -> address:
    return ecdsa._recover(_digest, _v, _r, _s)


@pure
@external
def recover_compact(_digest: bytes32, _r: uint256, _vs: uint256) -> address:
    return ecdsa._recover_compact(_digest, _r, _vs)
