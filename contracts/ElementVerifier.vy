# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Verifier of elements
@author Proofmill
@license Apache-2.0
@notice Recomputes one element of an embedding, a position embedding, a sum, a rectified activation, a rotation, pixels, patches or a
        flattened image. Stateless.
@dev `IStepVerifier` with no more openings than these kinds need: the output's leaf, the input's, and that of the second input or
     the table. The selector is the same.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import form_steps
from contracts.modules import step_evidence
from contracts.modules import trace_geometry
from contracts.modules import value_elements

MAX_LEAF: constant(uint256) = 16448
MAX_DEPTH: constant(uint256) = 48
MAX_OPENINGS: constant(uint256) = 3


struct Opening:
    data: Bytes[MAX_LEAF]
    path: DynArray[bytes32, MAX_DEPTH]


# Where an element comes from.
struct Source:
    input: uint256  # 0 or 1
    row: uint256
    index: uint256
    is_outside: bool  # of an image: 0 by definition


@pure
@external
# slither cyclomatic-complexity: one branch for each kind
def violates(
    _context: IStepVerifier.Context,
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _openings: DynArray[Opening, MAX_OPENINGS],
) -> bool:
    """
    @notice Whether the step proves a violation.
    @dev Anyone may call. Reverts if the evidence is not sound.
    @param _context What the leaves open against.
    @param _step Which leaf or element.
    @param _descriptor The operator.
    @param _openings Leaves in the order in which docs/DISPUTES.md lists them.
    @return True for a violation.
    """
    step_evidence._check_descriptor(_context, _descriptor)
    kind: uint256 = trace_geometry._word(_descriptor, trace_geometry.KIND)
    assert self._is_mine(kind), "element: not such a kind"
    assert len(_openings) != 0, "element: nothing opened"
    if form_steps._is_form_step(_step.check):
        return form_steps._violates(
            _context, _step, _descriptor, _openings[0].data, _openings[0].path
        )
    assert _step.check == step_evidence.ELEMENT, "element: no such check"
    row: uint256 = _step.row
    column: uint256 = _step.index
    if not value_elements._is_output_leaf(
        _context,
        _descriptor,
        row,
        column,
        keccak256(keccak256(_openings[0].data)),
        len(_openings[0].data),
        _openings[0].path,
    ):
        return True
    claimed: int256 = value_elements._integer(slice(_openings[0].data, value_elements._at(column), 4))

    source: Source = self._source(kind, _descriptor, row, column)
    if source.is_outside:
        return claimed != 0
    assert len(_openings) >= self._needed(kind, _descriptor, column), "element: leaf not opened"
    value_elements._check_input_leaf(
        _context,
        _descriptor,
        source.input,
        source.row,
        source.index,
        keccak256(keccak256(_openings[1].data)),
        len(_openings[1].data),
        _openings[1].path,
    )
    at: uint256 = value_elements._at(source.index)
    x: int256 = value_elements._integer(slice(_openings[1].data, at, 4))

    if kind == trace_geometry.RELU:
        return claimed != max(x, 0)
    if kind == trace_geometry.ROTATE:
        if self._is_unchanged(_descriptor, column):
            return claimed != x
        second: int256 = value_elements._integer(slice(_openings[1].data, at + 4, 4))
        step_evidence._check_table_leaf(
            _descriptor, row, 0, keccak256(keccak256(_openings[2].data)), _openings[2].path
        )
        size: uint256 = self._constant(_descriptor, 1)
        # slither divide-before-multiply: the pair of a column, then where its number stands
        angle: uint256 = column % size // 2
        cosine: int256 = value_elements._integer(slice(_openings[2].data, 4 * angle, 4))
        sine: int256 = value_elements._integer(slice(_openings[2].data, 4 * (size // 2 + angle), 4))
        turned: int256 = x * cosine - second * sine
        if column % 2 == 1:
            turned = x * sine + second * cosine
        return claimed != step_evidence._saturate(step_evidence._rounding_shift(turned, 20))
    if kind == trace_geometry.ADD:
        value_elements._check_input_leaf(
            _context,
            _descriptor,
            1,
            row,
            column,
            keccak256(keccak256(_openings[2].data)),
            len(_openings[2].data),
            _openings[2].path,
        )
        other: int256 = value_elements._integer(slice(_openings[2].data, value_elements._at(column), 4))
        return claimed != step_evidence._saturate(x + other)
    if kind == trace_geometry.PATCHES or kind == trace_geometry.FLATTEN:
        return claimed != x

    # One integer of a matrix; an id or a byte below 0 becomes a place that no table has.
    table_row: uint256 = row
    table_column: uint256 = column
    if kind == trace_geometry.EMBEDDING:
        table_row = convert(convert(x, bytes32), uint256)
    elif kind == trace_geometry.PIXELS:
        table_row = column
        table_column = convert(convert(x, bytes32), uint256)
    step_evidence._check_table_leaf(
        _descriptor,
        table_row,
        table_column // trace_geometry.LEAF_ELEMENTS,
        keccak256(keccak256(_openings[2].data)),
        _openings[2].path,
    )
    entry: int256 = value_elements._integer(slice(_openings[2].data, value_elements._at(table_column), 4))
    if kind == trace_geometry.POSITION_EMBEDDING:
        return claimed != step_evidence._saturate(x + entry)
    return claimed != entry


@pure
@internal
def _is_mine(_kind: uint256) -> bool:
    return _kind in [
        trace_geometry.EMBEDDING,
        trace_geometry.POSITION_EMBEDDING,
        trace_geometry.ADD,
        trace_geometry.RELU,
        trace_geometry.ROTATE,
        trace_geometry.PIXELS,
        trace_geometry.PATCHES,
        trace_geometry.FLATTEN,
    ]


@pure
@internal
def _constant(_descriptor: Bytes[992], _place: uint256) -> uint256:
    return trace_geometry._word(_descriptor, trace_geometry.CONSTANTS + _place)


@pure
@internal
def _is_unchanged(_descriptor: Bytes[992], _column: uint256) -> bool:
    """
    @dev Whether a column of a rotation comes after those that are turned.
    """
    return _column >= self._constant(_descriptor, 0)  # columns, head_size


@pure
@internal
def _needed(_kind: uint256, _descriptor: Bytes[992], _column: uint256) -> uint256:
    """
    @dev Leaves that an element follows from, with its own.
    """
    if _kind in [trace_geometry.RELU, trace_geometry.PATCHES, trace_geometry.FLATTEN]:
        return 2
    if _kind == trace_geometry.ROTATE and self._is_unchanged(_descriptor, _column):
        return 2
    return 3


@pure
@internal
def _source(_kind: uint256, _descriptor: Bytes[992], _row: uint256, _column: uint256) -> Source:
    """
    @dev The element of an input that an element of the output is made from; for a rotation the first of the pair.
    """
    if _kind == trace_geometry.EMBEDDING:
        return Source(input=0, row=_row, index=0, is_outside=False)
    if _kind == trace_geometry.POSITION_EMBEDDING:
        return Source(input=1, row=_row, index=_column, is_outside=False)
    if _kind == trace_geometry.ROTATE and not self._is_unchanged(_descriptor, _column):
        return Source(input=0, row=_row, index=_column - _column % 2, is_outside=False)
    if _kind == trace_geometry.PATCHES:
        return self._patch_source(_descriptor, _row, _column)
    if _kind == trace_geometry.FLATTEN:
        width: uint256 = trace_geometry._word(_descriptor, trace_geometry.FIRST_INPUT + 3)
        rows: uint256 = self._constant(_descriptor, 0)
        return Source(
            input=0, row=_row * rows + _column // width, index=_column % width, is_outside=False
        )
    return Source(input=0, row=_row, index=_column, is_outside=False)


@pure
@internal
def _patch_source(_descriptor: Bytes[992], _row: uint256, _column: uint256) -> Source:
    """
    @dev The pixel under an element of a patch: constants are height, width, channels, kernel, stride, padding.
    """
    height: uint256 = self._constant(_descriptor, 0)
    width: uint256 = self._constant(_descriptor, 1)
    channels: uint256 = self._constant(_descriptor, 2)
    kernel: uint256 = self._constant(_descriptor, 3)
    stride: uint256 = self._constant(_descriptor, 4)
    padding: uint256 = self._constant(_descriptor, 5)
    across: uint256 = (width + 2 * padding - kernel) // stride + 1
    place: uint256 = _column // channels
    # Counted from the corner of the padding, so that nothing is below 0.
    # slither divide-before-multiply: row and column of a window, then of the image
    y: uint256 = _row // across * stride + place // kernel
    x: uint256 = _row % across * stride + place % kernel
    if y < padding or y >= height + padding or x < padding or x >= width + padding:
        return Source(input=0, row=0, index=0, is_outside=True)
    return Source(
        input=0,
        row=(y - padding) * width + x - padding,
        index=_column % channels,
        is_outside=False,
    )
