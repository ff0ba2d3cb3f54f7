# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Where the leaves of a trace lie
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, sections 2 to 4 and 6, as code: the counterpart of `proofmill/exact/trace/geometry.py`. A part of a
     value (its values, its witness, its supplement) is a *grid*: rows of sections of integers, cut into leaves.
"""

from contracts.modules import merkle_tree

# Words of an operator's descriptor.
DESCRIPTOR_BYTES: constant(uint256) = 992
KIND: constant(uint256) = 0
OUTPUT: constant(uint256) = 1  # value kind, rows (0: T), width, group
INPUT_COUNT: constant(uint256) = 5
FIRST_INPUT: constant(uint256) = 6  # number of the value, value kind, rows, width, group
SECOND_INPUT: constant(uint256) = 11
FIRST_COLUMN: constant(uint256) = 16
COLUMNS: constant(uint256) = 17
TABLE_ROOT: constant(uint256) = 18
TABLE_LAYOUT: constant(uint256) = 19
TABLE_ROWS: constant(uint256) = 20
TABLE_COLUMNS: constant(uint256) = 21
TABLE_DIGITS: constant(uint256) = 22  # bytes of an integer
CONSTANTS: constant(uint256) = 23

# Kinds of operators.
EMBEDDING: constant(uint256) = 1
POSITION_EMBEDDING: constant(uint256) = 2
LAYER_NORM: constant(uint256) = 3
RMS_NORM: constant(uint256) = 4
QUANTISE: constant(uint256) = 5
LINEAR: constant(uint256) = 6
ADD: constant(uint256) = 7
GELU: constant(uint256) = 8
RELU: constant(uint256) = 9
GATED_SILU: constant(uint256) = 10
ROTATE: constant(uint256) = 11
SCORES: constant(uint256) = 12
SOFTMAX: constant(uint256) = 13
MIX: constant(uint256) = 14
UNIT_MEAN: constant(uint256) = 15
PIXELS: constant(uint256) = 16
PATCHES: constant(uint256) = 17
MAX_POOL: constant(uint256) = 18
AVERAGE_POOL: constant(uint256) = 19
FLATTEN: constant(uint256) = 20
CHOOSE: constant(uint256) = 21

# Kinds of values.
TOKENS: constant(uint256) = 1
BYTES: constant(uint256) = 2
ACTIVATION: constant(uint256) = 3
OPERAND: constant(uint256) = 4
SCORE_VALUES: constant(uint256) = 5
WEIGHTS: constant(uint256) = 6
CHOICE: constant(uint256) = 7

# Parts of a value.
VALUES: constant(uint256) = 0
WITNESS: constant(uint256) = 1
SUPPLEMENT: constant(uint256) = 2

# Codecs of a leaf.
INTEGERS: constant(uint256) = 1
FIELDS: constant(uint256) = 2
DIGITS: constant(uint256) = 3
REVERSED_DIGITS: constant(uint256) = 4
OPERAND_ROW: constant(uint256) = 5

BLOCK: constant(uint256) = 64  # elements in one step of a running sum
KEY_BLOCK: constant(uint256) = 512  # keys in one step of a mix, and elements in a leaf of digits
LEAF_ELEMENTS: constant(uint256) = 256  # 32-bit integers in a leaf, at most
LEAF_FIELDS: constant(uint256) = 128  # 64-bit fields in a leaf, at most
NORM_FIELDS: constant(uint256) = 6  # index, drop, energy, lift, root, reciprocal
LAYER_NORM_FIELDS: constant(uint256) = 7  # and the mean
SOFTMAX_FIELDS: constant(uint256) = 4  # index, exponent, its index, reciprocal
OPERAND_HEADER: constant(uint256) = 2  # exponent and index come before the elements


# A section of row r holds base + step · ceil(v / block) integers; v is r + 1 in a causal grid and `length` elsewhere. No rows:
# the value has no such part.
struct Grid:
    codec: uint256
    rows: uint256
    sections: uint256
    base: uint256
    chunk: uint256  # integers in a leaf, at most
    step: uint256
    block: uint256
    length: uint256
    causal: bool


# ------------------------------------------------------------------ the descriptor
@pure
@internal
def _word(_descriptor: Bytes[992], _place: uint256) -> uint256:
    return extract32(_descriptor, 32 * _place, output_type=uint256)


# ------------------------------------------------------------------ grids
@pure
@internal
def _value_grid(
    _kind: uint256, _rows: uint256, _width: uint256, _group: uint256, _length: uint256, _causal: bool
) -> Grid:
    """
    @dev How the values of a shape are laid out; `_rows` is 0 where they are the length. `_causal` matters to scores and weights.
    """
    rows: uint256 = _rows
    if rows == 0:
        rows = _length
    if _kind == OPERAND:
        elements: uint256 = OPERAND_HEADER + _group
        return Grid(
            codec=OPERAND_ROW,
            rows=rows,
            sections=_width // _group,  # the registry has seen that it divides
            base=elements,
            chunk=elements,
            step=0,
            block=1,
            length=0,
            causal=False,
        )
    if _kind == SCORE_VALUES or _kind == WEIGHTS:
        codec: uint256 = INTEGERS
        chunk: uint256 = LEAF_ELEMENTS
        if _kind == WEIGHTS:
            codec = DIGITS
            chunk = KEY_BLOCK
        return Grid(
            codec=codec,
            rows=rows,
            sections=_width,
            base=0,
            chunk=chunk,
            step=1,
            block=1,
            length=_length,
            causal=_causal,
        )
    return Grid(
        codec=INTEGERS,
        rows=rows,
        sections=1,
        base=_width,
        chunk=LEAF_ELEMENTS,
        step=0,
        block=1,
        length=0,
        causal=False,
    )


@pure
@internal
def _is_causal(_descriptor: Bytes[992]) -> bool:
    kind: uint256 = self._word(_descriptor, KIND)
    if kind != SCORES and kind != SOFTMAX and kind != MIX:
        return False
    return self._word(_descriptor, CONSTANTS + 3) == 1  # heads, key_heads, head_size, causal


@pure
@internal
def _output_grid(_descriptor: Bytes[992], _part: uint256, _length: uint256) -> Grid:
    """
    @dev A part of the operator's own output.
    """
    if _part == VALUES:
        return self._value_grid(
            self._word(_descriptor, OUTPUT),
            self._word(_descriptor, OUTPUT + 1),
            self._word(_descriptor, OUTPUT + 2),
            self._word(_descriptor, OUTPUT + 3),
            _length,
            self._is_causal(_descriptor),
        )
    if _part == WITNESS:
        return self._witness_grid(_descriptor, _length)
    return self._supplement_grid(_descriptor, _length)


@pure
@internal
def _input_grid(_descriptor: Bytes[992], _input: uint256, _length: uint256) -> Grid:
    """
    @dev The values of input 0 or 1, as far as the operator may read them.
    """
    at: uint256 = FIRST_INPUT + 5 * _input
    return self._value_grid(
        self._word(_descriptor, at + 1),
        self._word(_descriptor, at + 2),
        self._word(_descriptor, at + 3),
        self._word(_descriptor, at + 4),
        _length,
        self._is_causal(_descriptor),
    )


@pure
@internal
def _input_witness_grid(_descriptor: Bytes[992], _length: uint256) -> Grid:
    """
    @dev For a mix: the witness of the softmax that it reads.
    """
    return self._softmax_witness(self._word(_descriptor, CONSTANTS), _length, self._is_causal(_descriptor))


@pure
@internal
def _input_columns_grid(_descriptor: Bytes[992], _length: uint256) -> Grid:
    """
    @dev For a mix: the value columns of its operand.
    """
    columns: uint256 = self._word(_descriptor, CONSTANTS + 1) * self._word(_descriptor, CONSTANTS + 2)
    return self._value_columns(columns, _length)


@pure
@internal
def _value_columns(_columns: uint256, _length: uint256) -> Grid:
    return Grid(
        codec=REVERSED_DIGITS,
        rows=_columns,
        sections=1,
        base=_length,
        chunk=KEY_BLOCK,
        step=0,
        block=1,
        length=0,
        causal=False,
    )


@pure
@internal
def _softmax_witness(_heads: uint256, _length: uint256, _causal: bool) -> Grid:
    return Grid(
        codec=FIELDS,
        rows=_length,
        sections=_heads,
        base=SOFTMAX_FIELDS,
        chunk=SOFTMAX_FIELDS + self._blocks(_length, BLOCK),
        step=1,
        block=BLOCK,
        length=_length,
        causal=_causal,
    )


@pure
@internal
def _fields(_rows: uint256, _sections: uint256, _count: uint256, _chunk: uint256) -> Grid:
    return Grid(
        codec=FIELDS,
        rows=_rows,
        sections=_sections,
        base=_count,
        chunk=_chunk,
        step=0,
        block=1,
        length=0,
        causal=False,
    )


@pure
@internal
def _witness_grid(_descriptor: Bytes[992], _length: uint256) -> Grid:
    kind: uint256 = self._word(_descriptor, KIND)
    width: uint256 = self._word(_descriptor, OUTPUT + 2)
    rows: uint256 = self._word(_descriptor, OUTPUT + 1)
    if rows == 0:
        rows = _length
    if kind == LAYER_NORM:
        count: uint256 = LAYER_NORM_FIELDS + 2 * self._blocks(width, BLOCK)
        return self._fields(rows, 1, count, count)
    if kind == RMS_NORM or kind == UNIT_MEAN:
        count: uint256 = NORM_FIELDS + self._blocks(width, BLOCK)
        return self._fields(rows, 1, count, count)
    if kind == SOFTMAX:
        return self._softmax_witness(self._word(_descriptor, CONSTANTS), _length, self._is_causal(_descriptor))
    if kind == MIX:
        size: uint256 = self._word(_descriptor, CONSTANTS + 2)
        return Grid(
            codec=FIELDS,
            rows=rows,
            sections=self._word(_descriptor, CONSTANTS),
            base=0,
            chunk=size,
            step=size,
            block=KEY_BLOCK,
            length=_length,
            causal=self._is_causal(_descriptor),
        )
    if kind == MAX_POOL:
        return self._fields(rows, 1, width, LEAF_FIELDS)
    if kind == AVERAGE_POOL:
        size: uint256 = self._word(_descriptor, CONSTANTS + 3)  # height, width, channels, size, stride
        return self._fields(rows, size * size, width, LEAF_FIELDS)
    return empty(Grid)


@pure
@internal
def _supplement_grid(_descriptor: Bytes[992], _length: uint256) -> Grid:
    columns: uint256 = self._word(_descriptor, COLUMNS)
    if columns != 0:
        return self._value_columns(columns, _length)
    if self._word(_descriptor, KIND) == UNIT_MEAN:
        rows: uint256 = self._word(_descriptor, FIRST_INPUT + 2)
        if rows == 0:
            rows = _length
        return self._fields(rows, 1, self._word(_descriptor, OUTPUT + 2), LEAF_FIELDS)
    return empty(Grid)


# ------------------------------------------------------------------ places in a grid
@pure
@internal
def _blocks(_count: uint256, _size: uint256) -> uint256:
    """
    @dev Blocks of a size that hold so many, the last one perhaps shorter: rounded up.
    """
    return (_count + _size - 1) // _size


@pure
@internal
def _count(_grid: Grid, _row: uint256) -> uint256:
    """
    @dev Integers in a section of this row.
    """
    if _grid.step == 0:
        return _grid.base
    visible: uint256 = _grid.length
    if _grid.causal:
        visible = _row + 1
    return _grid.base + _grid.step * self._blocks(visible, _grid.block)


@pure
@internal
def _leaves(_grid: Grid) -> uint256:
    """
    @dev Places for leaves in every section: those of the longest row.
    """
    return self._blocks(self._count(_grid, _grid.rows - 1), _grid.chunk)


@pure
@internal
def _leaf_count(_grid: Grid, _row: uint256, _leaf: uint256) -> uint256:
    """
    @dev Integers in one leaf; 0 where the row does not reach it.
    """
    count: uint256 = self._count(_grid, _row)
    start: uint256 = _leaf * _grid.chunk
    if count <= start:
        return 0
    return min(_grid.chunk, count - start)


@pure
@internal
def _size(_codec: uint256, _count: uint256) -> uint256:
    """
    @dev Bytes of a leaf of so many integers.
    """
    if _codec == INTEGERS:
        return 4 * _count
    if _codec == FIELDS:
        return self._padded(8 * _count)
    if _codec == OPERAND_ROW:
        return 32 + 2 * self._padded(_count - OPERAND_HEADER)
    return 2 * self._padded(_count)


@pure
@internal
def _padded(_size: uint256) -> uint256:
    """
    @dev To whole words: rounded up.
    """
    # slither divide-before-multiply: to whole words, rounded up
    return (_size + 31) // 32 * 32


@pure
@internal
def _locate(
    _grid: Grid, _part: uint256, _row: uint256, _section: uint256, _leaf: uint256
) -> (uint256, uint256):
    """
    @dev Index and depth of a leaf in the tree of the whole value. The caller has seen that the place exists.
    """
    leaf_depth: uint256 = merkle_tree._bits(self._leaves(_grid) - 1)
    below: uint256 = _section << leaf_depth | _leaf
    depth: uint256 = leaf_depth + merkle_tree._bits(_grid.sections - 1)
    row_depth: uint256 = merkle_tree._bits(_grid.rows - 1)
    if _part == SUPPLEMENT:
        return 1 << (row_depth + depth) | _row << depth | below, 1 + row_depth + depth
    return (_row << 1 | _part) << depth | below, 2 + row_depth + depth


@pure
@internal
def _check_opening(
    _root: bytes32,
    _grid: Grid,
    _part: uint256,
    _row: uint256,
    _section: uint256,
    _leaf: uint256,
    _leaf_hash: bytes32,
    _path: DynArray[bytes32, 48],
) -> uint256:
    """
    @dev Reverts unless the grid has this place, the row reaches it, and the leaf opens there. Returns the integers it holds.
    """
    assert _row < _grid.rows and _section < _grid.sections, "trace: no such place"
    count: uint256 = self._leaf_count(_grid, _row, _leaf)
    assert count != 0, "trace: no such leaf"
    index: uint256 = 0
    depth: uint256 = 0
    index, depth = self._locate(_grid, _part, _row, _section, _leaf)
    assert len(_path) == depth, "trace: path of another depth"
    assert merkle_tree._root_of_path(_leaf_hash, index, _path) == _root, "trace: leaf does not open"
    return count
