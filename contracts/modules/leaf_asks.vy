# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title What a check asks for
@author Proofmill
@license Apache-2.0
@dev Stateless. A check of an operator that selects is a sequence of *asks*, each for one number: where it stands
     follows from the step and from the numbers before it. Whoever has the openings reads number after number, one leaf
     for each, and hands all of them back to the check. So there is one place where leaves are opened, and openings are
     in the order of the asks.
"""

MAX_ASKS: constant(uint256) = 3

# Sources of a number: the first two are parts of the accused row.
VALUES: constant(uint256) = 0
WITNESS: constant(uint256) = 1
INPUT: constant(uint256) = 2
# No number is asked for:
ENOUGH: constant(uint256) = 3
VIOLATION: constant(uint256) = 4  # a number before is one that no honest output holds


struct Ask:
    source: uint256
    row: uint256  # of the input; the accused row otherwise
    section: uint256
    index: uint256


@pure
@internal
def _ask(_source: uint256, _row: uint256, _section: uint256, _index: uint256) -> Ask:
    return Ask(source=_source, row=_row, section=_section, index=_index)


@pure
@internal
def _precedes(_value: int256, _place: uint256, _named: int256, _index: uint256) -> bool:
    """
    @dev Whether a value refutes that the lowest index of the maximum is `_index`.
    """
    return _value > _named or (_value == _named and _place < _index)
