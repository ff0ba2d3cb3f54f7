# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Steps of pools
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 5: the counterpart of `proofmill/exact/trace/checks/selection.py`. A place of a
     window of size s is dy · s + dx; the rows of an image are its pixels, line by line.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import leaf_asks
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

# Constants of both kinds.
WIDTH: constant(uint256) = trace_geometry.CONSTANTS + 1  # of the input's image, after its height
SIZE: constant(uint256) = trace_geometry.CONSTANTS + 3  # of the window, after the channels
STRIDE: constant(uint256) = trace_geometry.CONSTANTS + 4


# ------------------------------------------------------------------ max pool
@pure
@internal
def _ask_of_maximum(
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _number: uint256,
    _known: int256[leaf_asks.MAX_ASKS],
) -> leaf_asks.Ask:
    """
    @dev Of `element` the output, the witness, the input at the place that it names; of `greater` the witness, the input
         at place `other`, the input at the place that is named.
    """
    is_element: bool = _step.check == step_evidence.ELEMENT
    assert is_element or _step.check == step_evidence.GREATER, "pool: no such check of a maximum"
    witness: uint256 = 0
    if is_element:
        witness = 1
    if _number < witness:
        return leaf_asks._ask(leaf_asks.VALUES, _step.row, 0, _step.index)
    if _number == witness:
        return leaf_asks._ask(leaf_asks.WITNESS, _step.row, 0, _step.index)
    named: int256 = _known[witness]
    if named < 0 or named >= convert(self._places(_descriptor), int256):
        return leaf_asks._ask(leaf_asks.VIOLATION, 0, 0, 0)
    if _number == 2:
        return self._under(_step, _descriptor, convert(named, uint256))
    return self._under(_step, _descriptor, _step.other)


@pure
@internal
def _violates_maximum(_step: IStepVerifier.Step, _known: int256[leaf_asks.MAX_ASKS]) -> bool:
    if _step.check == step_evidence.ELEMENT:
        return _known[0] != _known[2]
    return leaf_asks._precedes(_known[1], _step.other, _known[2], convert(_known[0], uint256))


# ------------------------------------------------------------------ average pool
@pure
@internal
def _ask_of_average(
    _step: IStepVerifier.Step, _descriptor: Bytes[992], _number: uint256
) -> leaf_asks.Ask:
    """
    @dev Of `element` the witness of the last section, the output; of `running` the witness of the section, that of the
         one before unless it is the first, the input.
    """
    if _step.check == step_evidence.ELEMENT:
        if _number == 0:
            return leaf_asks._ask(
                leaf_asks.WITNESS, _step.row, self._places(_descriptor) - 1, _step.index
            )
        if _number == 1:
            return leaf_asks._ask(leaf_asks.VALUES, _step.row, 0, _step.index)
        return leaf_asks._ask(leaf_asks.ENOUGH, 0, 0, 0)

    assert _step.check == step_evidence.RUNNING, "pool: no such check of a mean"
    if _number == 0:
        return leaf_asks._ask(leaf_asks.WITNESS, _step.row, _step.section, _step.index)
    if _step.section == 0 and _number == 2:
        return leaf_asks._ask(leaf_asks.ENOUGH, 0, 0, 0)
    if _step.section != 0 and _number == 1:
        return leaf_asks._ask(leaf_asks.WITNESS, _step.row, _step.section - 1, _step.index)
    return self._under(_step, _descriptor, _step.section)


@pure
@internal
def _violates_average(
    _step: IStepVerifier.Step, _descriptor: Bytes[992], _known: int256[leaf_asks.MAX_ASKS]
) -> bool:
    if _step.check == step_evidence.RUNNING:
        return _known[0] != _known[1] + _known[2]  # one of which is zero in the first section
    return _known[1] != self._mean(_known[0], convert(self._places(_descriptor), int256))


@pure
@internal
def _mean(_total: int256, _count: int256) -> int256:
    """
    @dev floor((2 total + count) / 2 count): to nearest, halves up. Vyper divides towards zero.
    """
    above: int256 = 2 * _total + _count
    below: int256 = 2 * _count
    # slither divide-before-multiply: the product says which way the quotient was rounded
    quotient: int256 = above // below
    if quotient * below > above:
        return quotient - 1
    return quotient


# ------------------------------------------------------------------ windows
@pure
@internal
def _places(_descriptor: Bytes[992]) -> uint256:
    """
    @dev In a window.
    """
    return trace_geometry._word(_descriptor, SIZE) ** 2


@pure
@internal
def _under(_step: IStepVerifier.Step, _descriptor: Bytes[992], _place: uint256) -> leaf_asks.Ask:
    """
    @dev The input of the step's channel under a place of the window of the step's row.
    """
    size: uint256 = trace_geometry._word(_descriptor, SIZE)
    stride: uint256 = trace_geometry._word(_descriptor, STRIDE)
    width: uint256 = trace_geometry._word(_descriptor, WIDTH)
    assert _place < size**2, "pool: no such place"
    across: uint256 = (width - size) // stride + 1  # windows that fit a line: rounded down
    # slither divide-before-multiply: row and column of a window, then of the image
    y: uint256 = _step.row // across * stride + _place // size
    x: uint256 = _step.row % across * stride + _place % size
    return leaf_asks._ask(leaf_asks.INPUT, y * width + x, 0, _step.index)
