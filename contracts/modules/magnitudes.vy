# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title The greatest magnitude of a row
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/EXACT.md, section 3. A row's maximum is proved by naming it and letting anyone name a greater one.
"""

from contracts.modules import step_evidence


@pure
@internal
def _precedes(_value: int256, _place: uint256, _named: int256, _index: int256) -> bool:
    """
    @dev Whether an element refutes that `_index`, not below 0, is the lowest index of the greatest magnitude.
    """
    magnitude: int256 = abs(_value)
    greatest: int256 = abs(_named)
    return magnitude > greatest or (magnitude == greatest and _place < convert(_index, uint256))


@pure
@internal
def _excess_bits(_value: int256, _kept: int256) -> int256:
    """
    @dev By how much a row with this maximum is shifted right.
    """
    return max(0, step_evidence._bit_length(_value) - _kept)
