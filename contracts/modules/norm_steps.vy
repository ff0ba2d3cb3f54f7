# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Steps of layer norm, RMS norm and unit mean
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 5: the counterpart of `proofmill/exact/trace/checks/rows.py`. Committed fields are any 64-bit
     integers: sums of 64 squares of such numbers stay below 2^136, products of three below 2^192, so nothing overflows, and a
     shift is looked at before it is made.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import leaf_codec
from contracts.modules import magnitudes
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

BLOCK: constant(uint256) = 64  # `trace_geometry.BLOCK`, as the bound of a loop
ROOT_BITS: constant(int256) = 62  # of an energy that is lifted before its root is taken
GAIN_BITS: constant(int256) = 14
NORM_BITS: constant(int256) = 20  # of the greatest magnitude that are kept
UNIT_BITS: constant(int256) = 24
NORM_FALL: constant(int256) = 39  # less the lift: how far a product with the reciprocal is shifted
UNIT_FALL: constant(int256) = 38


# The witness of a row; names as in docs/TRACE.md, section 4. Of each kind of running sum, what the step needs: the last one in
# `scalars`, else by how much it grows over the step's block.
struct Norm:
    index: int256
    drop: int256  # h
    energy: int256  # V
    lift: int256  # t
    root: int256  # s
    reciprocal: int256  # R
    mean: int256  # µ, 0 but in a layer norm
    sum: int256
    squares: int256


@pure
@internal
def _norm(
    _step: IStepVerifier.Step, _kind: uint256, _width: uint256, _witness: Bytes[leaf_codec.SMALL_LEAF]
) -> Norm:
    """
    @dev The witness of a row, a leaf of the right length.
    """
    norm: Norm = empty(Norm)
    norm.index = leaf_codec._field(_witness, 0)
    norm.drop = leaf_codec._field(_witness, 1)
    norm.energy = leaf_codec._field(_witness, 2)
    norm.lift = leaf_codec._field(_witness, 3)
    norm.root = leaf_codec._field(_witness, 4)
    norm.reciprocal = leaf_codec._field(_witness, 5)
    blocks: uint256 = trace_geometry._blocks(_width, BLOCK)
    first: uint256 = trace_geometry.NORM_FIELDS
    if _kind == trace_geometry.LAYER_NORM:
        norm.mean = leaf_codec._field(_witness, first)
        norm.sum = self._running(_step, _witness, first + 1, blocks)
        first += 1 + blocks
    norm.squares = self._running(_step, _witness, first, blocks)
    return norm


@pure
@internal
def _running(
    _step: IStepVerifier.Step, _witness: Bytes[leaf_codec.SMALL_LEAF], _first: uint256, _blocks: uint256
) -> int256:
    """
    @dev The last of the running sums that begin at a field, or how much they grow over block `index`; 0 where that is outside the row.
    """
    if _step.check == step_evidence.SCALARS:
        return leaf_codec._field(_witness, _first + _blocks - 1)
    if _step.index >= _blocks:
        return 0
    last: int256 = leaf_codec._field(_witness, _first + _step.index)
    if _step.index == 0:
        return last
    return last - leaf_codec._field(_witness, _first + _step.index - 1)


@pure
@internal
def _index(_check: uint256, _norm: Norm) -> int256:
    """
    @dev Where the witness says that the maximum is, for the steps that go there.
    """
    if _check == step_evidence.MAXIMUM or _check == step_evidence.GREATER:
        return _norm.index
    return 0


@pure
@internal
def _is_impossible(
    _step: IStepVerifier.Step, _norm: Norm, _descriptor: Bytes[992], _kind: uint256, _width: uint256
) -> bool:
    """
    @dev Whether the witness alone shows that the step's statement is false. Reverts for a block outside the row.
    """
    check: uint256 = _step.check
    if check == step_evidence.MAXIMUM or check == step_evidence.GREATER:
        return _norm.index < 0 or _norm.index >= convert(_width, int256)
    if check != step_evidence.SUM and not step_evidence._is_shift(_norm.drop):
        return True
    if check == step_evidence.ELEMENT:
        return not step_evidence._is_shift(self._fall(_norm, _kind))
    if check == step_evidence.SCALARS:
        return self._is_any_scalar_false(_norm, _descriptor, _kind, _width)
    assert _step.index < trace_geometry._blocks(_width, BLOCK), "norm: no such block"
    return False


@pure
@internal
def _is_any_scalar_false(_norm: Norm, _descriptor: Bytes[992], _kind: uint256, _width: uint256) -> bool:
    """
    @dev Mean, energy, lift, root and reciprocal against the last running sums, the drop, which is a shift, and those before them.
    """
    if _kind == trace_geometry.LAYER_NORM:
        width: int256 = convert(_width, int256)
        if _norm.mean != self._floor_divide(2 * _norm.sum + width, 2 * width):
            return True
    added: uint256 = 0  # epsilon
    numerator: uint256 = 1 << 62
    if _kind != trace_geometry.UNIT_MEAN:
        added = trace_geometry._word(_descriptor, trace_geometry.CONSTANTS)
        numerator = trace_geometry._word(_descriptor, trace_geometry.CONSTANTS + 1) << 35
    added = added >> convert(2 * _norm.drop, uint256)
    energy: int256 = max(1, _norm.squares + convert(added, int256))
    # Below 0 for an energy of more than 62 bits, which no honest row has.
    lift: int256 = (ROOT_BITS - step_evidence._bit_length(energy)) >> 1
    if _norm.energy != energy or _norm.lift != lift or lift < 0 or _norm.root < 1:
        return True
    lifted: int256 = energy << convert(2 * lift, uint256)
    if _norm.root * _norm.root > lifted or lifted >= (_norm.root + 1) * (_norm.root + 1):
        return True
    return _norm.reciprocal != convert(numerator, int256) // _norm.root  # both positive: rounded down


@pure
@internal
def _is_false(
    _step: IStepVerifier.Step, _norm: Norm, _kind: uint256, _numbers: DynArray[int256, 4]
) -> bool:
    """
    @dev The check, once all leaves are open: `_numbers` are what they hold but for the witness, in order; gain and offset are two, a
         block is one, its sum.
    """
    check: uint256 = _step.check
    if check == step_evidence.MAXIMUM:
        kept: int256 = NORM_BITS
        if _kind == trace_geometry.UNIT_MEAN:
            kept = UNIT_BITS
        return _norm.drop != magnitudes._excess_bits(_numbers[0] - _norm.mean, kept)
    if check == step_evidence.GREATER:
        return magnitudes._precedes(
            _numbers[0] - _norm.mean, _step.index, _numbers[1] - _norm.mean, _norm.index
        )
    if check == step_evidence.SUM:
        return _norm.sum != _numbers[0]
    if check == step_evidence.SQUARE:
        return _norm.squares != _numbers[0]
    if check == step_evidence.SCALARS:
        return False  # the witness has been found possible
    if check == step_evidence.RUNNING:
        if len(_numbers) == 2:  # the first row
            return _numbers[0] != _numbers[1]
        return _numbers[0] != _numbers[1] + _numbers[2]
    centred: int256 = step_evidence._rounding_shift(_numbers[1] - _norm.mean, _norm.drop)
    expected: int256 = step_evidence._rounding_shift(
        centred * _norm.reciprocal, self._fall(_norm, _kind)
    )
    if _kind != trace_geometry.UNIT_MEAN:
        scaled: int256 = step_evidence._rounding_shift(expected * _numbers[2], GAIN_BITS)
        expected = step_evidence._saturate(scaled + _numbers[3])
    return _numbers[0] != expected


@pure
@internal
def _fall(_norm: Norm, _kind: uint256) -> int256:
    """
    @dev How far a product with the reciprocal is shifted.
    """
    if _kind == trace_geometry.UNIT_MEAN:
        return UNIT_FALL - _norm.lift
    return NORM_FALL - _norm.lift


@pure
@internal
def _floor_divide(_a: int256, _b: int256) -> int256:
    """
    @dev Rounded down, for b > 0; the EVM rounds toward zero.
    """
    if _a >= 0:
        return _a // _b
    return -((_b - 1 - _a) // _b)


@pure
@internal
def _sum_of_block(
    _step: IStepVerifier.Step,
    _norm: Norm,
    _kind: uint256,
    _width: uint256,
    _leaf: Bytes[leaf_codec.SMALL_LEAF],
) -> int256:
    """
    @dev Sum over block `index` of the input's elements, or of the squares of what is brought to one length, shifted by the drop.
    """
    is_square: bool = _step.check == step_evidence.SQUARE
    bits: uint256 = 32  # of a number, and how many a leaf holds
    in_leaf: uint256 = trace_geometry.LEAF_ELEMENTS
    if _kind == trace_geometry.UNIT_MEAN:
        bits = 64
        in_leaf = trace_geometry.LEAF_FIELDS
    first: uint256 = BLOCK * _step.index
    half: int256 = 0
    drop: uint256 = 0
    if is_square:
        drop = convert(_norm.drop, uint256)
        half = (1 << drop) >> 1
    total: int256 = 0
    for i: uint256 in range(first, min(first + BLOCK, _width), bound=BLOCK):
        number: bytes8 = empty(bytes8)
        if bits == 64:
            number = convert(slice(_leaf, 8 * (i % in_leaf), 8), bytes8)
        else:
            number = convert(convert(slice(_leaf, 4 * (i % in_leaf), 4), bytes4), bytes8)
        element: int256 = convert(convert(number, int64), int256) >> (64 - bits)
        if is_square:
            rounded: int256 = (element - _norm.mean + half) >> drop
            element = rounded * rounded
        total += element
    return total
