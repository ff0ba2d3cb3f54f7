# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Bounds of descriptors, open to tests
@license Apache-2.0
@dev Tests only.
"""

from contracts.modules import descriptor_bounds


@pure
@external
def read_head(_head: Bytes[992]) -> (uint256, descriptor_bounds.Shape):
    return descriptor_bounds._read_head(_head)


@pure
@external
def check(_descriptor: Bytes[992], _number: uint256, _operators: uint256, _input: descriptor_bounds.Shape):
    descriptor_bounds._check(_descriptor, _number, _operators, _input)
