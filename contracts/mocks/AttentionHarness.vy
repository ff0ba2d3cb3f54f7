# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Harness of the arithmetic of attention
@author Proofmill
@license Apache-2.0
@notice For tests only.
"""

from contracts.modules import digit_products
from contracts.modules import exponential_table


@pure
@external
def negative_powers(_distances: DynArray[uint256, 64]) -> DynArray[uint256, 64]:
    return exponential_table._negative_powers(_distances)


@pure
@external
def product(_x: Bytes[2112], _y: Bytes[2112], _start: uint256, _count: uint256, _is_y_reversed: bool) -> int256:
    return digit_products._product(_x, _start, _y, _start, _count, _is_y_reversed)
