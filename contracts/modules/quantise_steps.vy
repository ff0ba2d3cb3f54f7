# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Steps of quantise
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 5: the counterpart of `proofmill/exact/trace/checks/rows.py`. A row of an operand is one leaf
     of up to 16,416 bytes of which a step reads three words; whoever has the row picks them out.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import magnitudes
from contracts.modules import row_asks
from contracts.modules import step_evidence

KEPT_BITS: constant(int256) = 14  # of the greatest magnitude of a group


# Words of a row of an operand.
struct Excerpt:
    header: uint256  # exponent: 8 bytes, index of the maximum: 8 bytes, 16 zero bytes
    high: uint256  # digits of the 32 elements around the one that the step is about
    low: uint256


@pure
@internal
def _element(_step: IStepVerifier.Step, _descriptor: Bytes[992]) -> uint256:
    """
    @dev The place in the group of the element whose digits the step reads; some element's where it reads none.
    """
    group: uint256 = row_asks._group(_descriptor)
    if _step.check == step_evidence.COLUMN:
        return row_asks._column(_step, _descriptor) % group
    return min(_step.index, group - 1)  # an index outside the group is refused when its input is asked for


@pure
@internal
def _index(_check: uint256, _excerpt: Excerpt) -> int256:
    """
    @dev Where the row says that its maximum is, for the steps that go there.
    """
    if _check == step_evidence.MAXIMUM or _check == step_evidence.GREATER:
        return self._field(_excerpt.header, 1)
    return 0


@pure
@internal
def _is_impossible(_check: uint256, _excerpt: Excerpt, _group: uint256) -> bool:
    """
    @dev Whether the row alone holds a number that no honest row does and that the step meets.
    """
    if _check == step_evidence.ELEMENT:
        return not step_evidence._is_shift(self._field(_excerpt.header, 0))
    if _check == step_evidence.COLUMN:
        return False
    index: int256 = self._field(_excerpt.header, 1)
    return index < 0 or index >= convert(_group, int256)


@pure
@internal
def _is_false(
    _step: IStepVerifier.Step, _descriptor: Bytes[992], _excerpt: Excerpt, _numbers: DynArray[int256, 4]
) -> bool:
    """
    @dev The check, once all leaves are open: `_numbers` are what they hold but for the row, in order.
    """
    exponent: int256 = self._field(_excerpt.header, 0)
    if _step.check == step_evidence.MAXIMUM:
        return exponent != magnitudes._excess_bits(_numbers[0], KEPT_BITS)
    if _step.check == step_evidence.GREATER:
        return magnitudes._precedes(_numbers[0], _step.index, _numbers[1], self._field(_excerpt.header, 1))
    expected: int256 = _numbers[0]
    if _step.check == step_evidence.ELEMENT:
        expected = step_evidence._rounding_shift(_numbers[0], exponent)
    return self._digits(_excerpt, self._element(_step, _descriptor)) != expected


@pure
@internal
def _field(_header: uint256, _place: uint256) -> int256:
    """
    @dev Signed, 64 bits, of the four in a word.
    """
    return convert(convert(_header << (64 * _place), bytes32), int256) >> 192


@pure
@internal
def _digits(_excerpt: Excerpt, _element: uint256) -> int256:
    """
    @dev 256 · hi + lo of an element that the excerpt holds.
    """
    skipped: uint256 = 8 * (_element % 32)
    high: int256 = convert(convert(_excerpt.high << skipped, bytes32), int256) >> 248
    low: int256 = convert(convert(_excerpt.low << skipped, bytes32), int256) >> 248
    return 256 * high + low
