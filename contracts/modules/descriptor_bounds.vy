# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title What an operator may be
@author Proofmill
@license Apache-2.0
@dev Stateless. The counterpart of `proofmill/exact/program/kinds.py` for one descriptor (docs/TRACE.md, section 6):
     inputs, table, constants and the output that follows from them lie where the proofs of docs/EXACT.md hold, so
     that no number overflows. Besides, what a dispute can carry: a row of at most 1,024 leaves, a leaf of at most
     16,416 bytes, at most 2^18 rows. Shapes of inputs are taken as the descriptor states them; that the operator
     before it makes them is not seen here.
"""

from contracts.modules import trace_geometry

WORDS: constant(uint256) = 31
MAX_CONSTANTS: constant(uint256) = 8

# Layouts of tables.
MATRIX: constant(uint256) = 1
PAIRS: constant(uint256) = 2
LINEAR_ROWS: constant(uint256) = 3
ROTATION: constant(uint256) = 4

MAX_OPERATORS: constant(uint256) = 4095  # leaves 0 … n in 256 groups of 16
MAX_LENGTH: constant(uint256) = 4096  # of a sequence that can be disputed: its scores must fit a row of leaves
MAX_ROW_LEAVES: constant(uint256) = 1024  # values and witness together: what one reveal carries
MAX_ROWS: constant(uint256) = 2**18  # 512 groups of 512 row hashes
MAX_WIDTH: constant(uint256) = 2**18  # 1,024 leaves of 256 integers
MAX_GROUP: constant(uint256) = 2**13  # elements in a leaf of an operand: 32 + 2 · 8,192 bytes
MAX_NUMBERS: constant(uint256) = 2**27  # in a value of fixed size
MAX_TABLE_ROWS: constant(uint256) = 2**31 - 1
MAX_TABLE_COLUMNS: constant(uint256) = 2**24 - 1

MAX_NORM_WIDTH: constant(uint256) = 2**13
MAX_HEAD_SIZE: constant(uint256) = 256
MAX_MULTIPLIER: constant(uint256) = 1_512_775
MAX_SCALED_HEAD: constant(uint256) = 2_288_633_453_215  # multiplier² · head size: 2.0815 · 2^40, rounded down
IMAGE_COLUMNS: constant(uint256) = 256  # a column of a pixel table for each byte


struct Shape:
    kind: uint256
    rows: uint256  # 0: the length of the sequence
    width: uint256
    group: uint256  # columns that share an exponent; 0 for all but operands


# What a kind takes; constants it does not have are least and greatest 0.
struct Rule:
    first: uint256  # kind of input 0
    second: uint256  # kind of input 1, 0 for none
    layout: uint256  # of its table, 0 for none
    least: uint256[MAX_CONSTANTS]
    greatest: uint256[MAX_CONSTANTS]


# ------------------------------------------------------------------ leaves of a program
@pure
@internal
def _decode(_descriptor: Bytes[992]) -> uint256[WORDS]:
    assert len(_descriptor) == trace_geometry.DESCRIPTOR_BYTES, "model: descriptor not 31 words"
    return abi_decode(_descriptor, uint256[WORDS])


@pure
@internal
def _read_head(_head: Bytes[992]) -> (uint256, Shape):
    """
    @dev Leaf 0 of a program: the number of its operators and the shape of its input.
    """
    words: uint256[WORDS] = self._decode(_head)
    operators: uint256 = words[trace_geometry.INPUT_COUNT]
    assert operators >= 1 and operators <= MAX_OPERATORS, "model: operators out of range"
    stray: uint256 = words[trace_geometry.KIND]
    for i: uint256 in range(WORDS - trace_geometry.FIRST_INPUT):
        stray |= words[trace_geometry.FIRST_INPUT + i]
    assert stray == 0, "model: stray words in the head"
    shape: Shape = self._shape_at(words, trace_geometry.OUTPUT)
    assert self._is_program_input(shape.kind) and self._is_possible(shape), "model: impossible input"
    return operators, shape


@pure
@internal
def _check(_descriptor: Bytes[992], _number: uint256, _operators: uint256, _input: Shape):
    """
    @dev Reverts unless this can be operator `_number` of `_operators` in a program with this input.
    """
    words: uint256[WORDS] = self._decode(_descriptor)
    kind: uint256 = words[trace_geometry.KIND]
    rule: Rule = self._rule(kind)
    constants: uint256[MAX_CONSTANTS] = empty(uint256[MAX_CONSTANTS])
    for i: uint256 in range(MAX_CONSTANTS):
        constants[i] = words[trace_geometry.CONSTANTS + i]
        assert constants[i] >= rule.least[i] and constants[i] <= rule.greatest[i], "model: constant out of range"
    self._check_table(words, rule.layout)

    first: Shape = self._shape_at(words, trace_geometry.FIRST_INPUT + 1)
    second: Shape = self._shape_at(words, trace_geometry.SECOND_INPUT + 1)
    assert first.kind == rule.first and second.kind == rule.second, "model: inputs of other kinds"
    self._check_input(first, words[trace_geometry.FIRST_INPUT], _number, _input)
    if rule.second != 0:
        assert words[trace_geometry.INPUT_COUNT] == 2, "model: takes two inputs"
        self._check_input(second, words[trace_geometry.SECOND_INPUT], _number, _input)
    else:
        assert words[trace_geometry.INPUT_COUNT] == 1, "model: takes one input"
        stray: uint256 = words[trace_geometry.SECOND_INPUT] | second.rows | second.width | second.group
        assert stray == 0, "model: stray words"

    output: Shape = self._shape_at(words, trace_geometry.OUTPUT)
    rows: uint256 = words[trace_geometry.TABLE_ROWS]
    columns: uint256 = words[trace_geometry.TABLE_COLUMNS]
    assert self._is_same(output, self._infer(kind, first, second, rows, columns, constants)), "model: another output"
    assert self._is_possible(output), "model: impossible output"
    assert self._row_leaves(kind, output, constants) <= MAX_ROW_LEAVES, "model: too many leaves in a row"
    self._check_value_columns(
        kind, output, words[trace_geometry.FIRST_COLUMN], words[trace_geometry.COLUMNS]
    )
    if kind == trace_geometry.UNIT_MEAN:
        assert first.rows == _input.rows, "model: mean of other rows"
    if kind == trace_geometry.CHOOSE:
        assert _number == _operators, "model: choice is not last"
        assert words[trace_geometry.FIRST_INPUT] == _number - 1, "model: choice of other values"
    elif _number == _operators:
        assert output.kind == trace_geometry.ACTIVATION, "model: ends without an answer"


# ------------------------------------------------------------------ kinds
@pure
@internal
# slither cyclomatic-complexity: one branch for each kind
def _rule(_kind: uint256) -> Rule:
    """
    @dev Inputs, layout and ranges of `KINDS` in Python.
    """
    rule: Rule = empty(Rule)
    rule.first = trace_geometry.ACTIVATION
    if _kind == trace_geometry.LINEAR:
        rule.first = trace_geometry.OPERAND
        rule.layout = LINEAR_ROWS
        rule.least[0] = 18  # shift
        rule.greatest[0] = 62
    elif _kind == trace_geometry.QUANTISE:
        rule.least[0] = 1  # group
        rule.greatest[0] = 2**20
    elif _kind == trace_geometry.ADD:
        rule.second = trace_geometry.ACTIVATION
    elif _kind == trace_geometry.LAYER_NORM or _kind == trace_geometry.RMS_NORM:
        rule.layout = PAIRS
        rule.greatest[0] = 2**52 - 1  # epsilon
        rule.least[1] = 1  # root
        rule.greatest[1] = 2**27
    elif _kind == trace_geometry.SCORES or _kind == trace_geometry.SOFTMAX or _kind == trace_geometry.MIX:
        rule.least = [1, 1, 1, 0, 0, 0, 0, 0]
        rule.greatest = [2**10, 2**10, MAX_HEAD_SIZE, 1, 0, 0, 0, 0]  # heads, key heads, head size, causal
        if _kind == trace_geometry.SCORES:
            rule.first = trace_geometry.OPERAND
            rule.least[4] = 1
            rule.greatest[4] = MAX_MULTIPLIER
        else:
            rule.first = trace_geometry.WEIGHTS
            if _kind == trace_geometry.SOFTMAX:
                rule.first = trace_geometry.SCORE_VALUES
            rule.second = trace_geometry.OPERAND
    elif _kind == trace_geometry.ROTATE:
        rule.layout = ROTATION
        rule.least = [1, 2, 0, 0, 0, 0, 0, 0]
        rule.greatest = [2**20, MAX_HEAD_SIZE, 0, 0, 0, 0, 0, 0]  # columns, head size
    elif _kind == trace_geometry.GATED_SILU:
        rule.least[0] = 1  # shift
        rule.greatest[0] = 40
    elif _kind == trace_geometry.EMBEDDING:
        rule.first = trace_geometry.TOKENS
        rule.layout = MATRIX
    elif _kind == trace_geometry.POSITION_EMBEDDING:
        rule.first = trace_geometry.TOKENS
        rule.second = trace_geometry.ACTIVATION
        rule.layout = MATRIX
    elif _kind == trace_geometry.PIXELS:
        rule.first = trace_geometry.BYTES
        rule.layout = MATRIX
    elif _kind == trace_geometry.PATCHES:
        rule.least = [1, 1, 1, 1, 1, 0, 0, 0]
        rule.greatest = [2**12, 2**12, 2**14, 64, 64, 32, 0, 0]  # height, width, channels, kernel, stride, padding
    elif _kind == trace_geometry.MAX_POOL or _kind == trace_geometry.AVERAGE_POOL:
        rule.least = [1, 1, 1, 1, 1, 0, 0, 0]
        rule.greatest = [2**12, 2**12, 2**14, 64, 64, 0, 0, 0]  # height, width, channels, size, stride
    elif _kind == trace_geometry.FLATTEN:
        rule.least[0] = 1  # rows
        rule.greatest[0] = 2**20
    elif _kind == trace_geometry.CHOOSE:
        rule.greatest[0] = 32  # fraction bits
    else:
        is_plain: bool = _kind == trace_geometry.GELU or _kind == trace_geometry.RELU
        assert is_plain or _kind == trace_geometry.UNIT_MEAN, "model: unknown kind"
    return rule


@pure
@internal
# slither cyclomatic-complexity: one branch for each kind
def _infer(
    _kind: uint256,
    _first: Shape,
    _second: Shape,
    _table_rows: uint256,
    _table_columns: uint256,
    _constants: uint256[MAX_CONSTANTS],
) -> Shape:
    """
    @dev The output that follows. Nothing overflows: constants are in their ranges, and the inputs are possible.
    """
    x: Shape = _first
    fits: bool = True
    if _kind == trace_geometry.LINEAR:
        fits = x.group == x.width and _table_columns == x.width
        x = self._activation(x.rows, _table_rows)
    elif _kind == trace_geometry.QUANTISE:
        fits = x.width % _constants[0] == 0
        x = Shape(kind=trace_geometry.OPERAND, rows=x.rows, width=x.width, group=_constants[0])
    elif _kind == trace_geometry.ADD:
        fits = self._is_same(_first, _second)
    elif _kind == trace_geometry.LAYER_NORM or _kind == trace_geometry.RMS_NORM:
        square: uint256 = _constants[1] * _constants[1]
        size: uint256 = x.width << 40
        # The root of the size to the nearest integer.
        fits = max(square, size) - min(square, size) <= _constants[1]
        fits = fits and x.width <= MAX_NORM_WIDTH and _table_rows == x.width
    elif _kind == trace_geometry.SCORES:
        size: uint256 = _constants[2]
        fits = self._holds_heads(_first, _constants) and _constants[4] ** 2 * size <= MAX_SCALED_HEAD
        x = Shape(kind=trace_geometry.SCORE_VALUES, rows=0, width=_constants[0], group=0)
    elif _kind == trace_geometry.SOFTMAX:
        fits = self._holds_heads(_second, _constants) and x.width == _constants[0]
        x = Shape(kind=trace_geometry.WEIGHTS, rows=0, width=_constants[0], group=0)
    elif _kind == trace_geometry.MIX:
        fits = self._holds_heads(_second, _constants) and x.width == _constants[0]
        x = self._activation(0, _constants[0] * _constants[2])
    elif _kind == trace_geometry.ROTATE:
        columns: uint256 = _constants[0]
        size: uint256 = _constants[1]
        fits = x.rows == 0 and size % 2 == 0 and columns % size == 0 and columns <= x.width
        fits = fits and _table_columns == size // 2
    elif _kind == trace_geometry.GATED_SILU:
        fits = x.width % 2 == 0
        x = self._activation(x.rows, x.width // 2)
    elif _kind == trace_geometry.EMBEDDING:
        x = self._activation(x.rows, _table_columns)
    elif _kind == trace_geometry.POSITION_EMBEDDING:
        fits = _second.rows == _first.rows and _table_columns == _second.width
        x = _second
    elif _kind == trace_geometry.UNIT_MEAN:
        fits = x.width < MAX_NORM_WIDTH
        x = self._activation(1, x.width)
    elif _kind == trace_geometry.PIXELS:
        fits = _table_rows == x.width and _table_columns == IMAGE_COLUMNS
        x = self._activation(x.rows, x.width)
    elif _kind == trace_geometry.PATCHES:
        fits = self._is_image(x, _constants) and _constants[5] < _constants[3]
        kernel: uint256 = _constants[3]
        height: uint256 = self._windows(_constants[0] + 2 * _constants[5], kernel, _constants[4])
        width: uint256 = self._windows(_constants[1] + 2 * _constants[5], kernel, _constants[4])
        fits = fits and height * width != 0
        x = self._activation(height * width, kernel * kernel * x.width)
    elif _kind == trace_geometry.MAX_POOL or _kind == trace_geometry.AVERAGE_POOL:
        fits = self._is_image(x, _constants)
        height: uint256 = self._windows(_constants[0], _constants[3], _constants[4])
        width: uint256 = self._windows(_constants[1], _constants[3], _constants[4])
        fits = fits and height * width != 0
        x = self._activation(height * width, x.width)
    elif _kind == trace_geometry.FLATTEN:
        fits = x.rows != 0 and x.rows % _constants[0] == 0
        x = self._activation(x.rows // _constants[0], x.width * _constants[0])
    elif _kind == trace_geometry.CHOOSE:
        x = Shape(kind=trace_geometry.CHOICE, rows=x.rows, width=1, group=0)
    assert fits, "model: parts do not fit"
    return x


@pure
@internal
def _activation(_rows: uint256, _width: uint256) -> Shape:
    return Shape(kind=trace_geometry.ACTIVATION, rows=_rows, width=_width, group=0)


@pure
@internal
def _holds_heads(_operand: Shape, _constants: uint256[MAX_CONSTANTS]) -> bool:
    """
    @dev Query, key and value heads side by side, one exponent for each, a row for each token.
    """
    heads: uint256 = _constants[0]
    key_heads: uint256 = _constants[1]
    size: uint256 = _constants[2]
    is_sequence: bool = _operand.rows == 0 and _operand.group == size
    return is_sequence and heads % key_heads == 0 and _operand.width == (heads + 2 * key_heads) * size


@pure
@internal
def _is_image(_x: Shape, _constants: uint256[MAX_CONSTANTS]) -> bool:
    return _x.rows == _constants[0] * _constants[1] and _x.width == _constants[2]


@pure
@internal
def _windows(_length: uint256, _size: uint256, _stride: uint256) -> uint256:
    """
    @dev Places of a window along one side, 0 if it does not fit; a last step that leaves the image is none: rounded
         down.
    """
    if _length < _size:
        return 0
    return (_length - _size) // _stride + 1


# ------------------------------------------------------------------ shapes
@pure
@internal
def _shape_at(_words: uint256[WORDS], _place: uint256) -> Shape:
    return Shape(
        kind=_words[_place], rows=_words[_place + 1], width=_words[_place + 2], group=_words[_place + 3]
    )


@pure
@internal
def _is_same(_one: Shape, _other: Shape) -> bool:
    is_alike: bool = _one.kind == _other.kind and _one.rows == _other.rows
    return is_alike and _one.width == _other.width and _one.group == _other.group


@pure
@internal
def _is_program_input(_kind: uint256) -> bool:
    return _kind == trace_geometry.TOKENS or _kind == trace_geometry.BYTES


@pure
@internal
def _is_possible(_shape: Shape) -> bool:
    """
    @dev Whether some value of some program has this shape, and a dispute can carry it.
    """
    if _shape.width == 0 or _shape.width > MAX_WIDTH or _shape.rows > MAX_ROWS:
        return False
    if max(_shape.rows, 1) * _shape.width > MAX_NUMBERS:
        return False
    if _shape.kind == trace_geometry.OPERAND:
        return _shape.group != 0 and _shape.group <= MAX_GROUP and _shape.width % _shape.group == 0
    if _shape.group != 0:
        return False
    if _shape.kind == trace_geometry.TOKENS:
        return _shape.rows == 0 and _shape.width == 1
    if _shape.kind == trace_geometry.BYTES:
        return _shape.rows != 0
    if _shape.kind == trace_geometry.SCORE_VALUES or _shape.kind == trace_geometry.WEIGHTS:
        return _shape.rows == 0
    return _shape.kind == trace_geometry.ACTIVATION or _shape.kind == trace_geometry.CHOICE


@pure
@internal
def _check_input(_shape: Shape, _value: uint256, _number: uint256, _input: Shape):
    """
    @dev Value 0 is the program's input and nothing else is of its kind; every other value is an earlier operator's.
    """
    assert _value < _number, "model: reads a later value"
    if _value == 0:
        assert self._is_same(_shape, _input), "model: another program input"
        return
    assert not self._is_program_input(_shape.kind) and self._is_possible(_shape), "model: impossible value"


@pure
@internal
def _check_table(_words: uint256[WORDS], _layout: uint256):
    rows: uint256 = _words[trace_geometry.TABLE_ROWS]
    columns: uint256 = _words[trace_geometry.TABLE_COLUMNS]
    size: uint256 = _words[trace_geometry.TABLE_DIGITS]
    assert _words[trace_geometry.TABLE_LAYOUT] == _layout, "model: table of another layout"
    if _layout == 0:
        assert _words[trace_geometry.TABLE_ROOT] | rows | columns | size == 0, "model: takes no table"
        return
    assert rows != 0 and rows <= MAX_TABLE_ROWS, "model: table rows out of range"
    assert columns != 0 and columns <= MAX_TABLE_COLUMNS, "model: table width out of range"
    is_stored: bool = size == 4
    if _layout == LINEAR_ROWS:
        is_stored = size == 1 or size == 2
    assert is_stored, "model: table integers of no size"


@pure
@internal
def _check_value_columns(_kind: uint256, _output: Shape, _first: uint256, _count: uint256):
    """
    @dev The columns that a mix reads are the last of an operand that holds heads: key heads, of which there are at
         most as many as query heads, come before them in equal number.
    """
    if _count == 0:
        assert _first == 0, "model: columns from nowhere"
        return
    is_split: bool = _kind == trace_geometry.QUANTISE and _output.rows == 0 and _output.group <= MAX_HEAD_SIZE
    is_split = is_split and _count <= _output.width and _first == _output.width - _count
    is_split = is_split and _first % _count == 0 and _first // _count >= 2
    assert is_split and _count % _output.group == 0, "model: not its value columns"


@pure
@internal
def _row_leaves(_kind: uint256, _output: Shape, _constants: uint256[MAX_CONSTANTS]) -> uint256:
    """
    @dev Leaves of values and witness in a row of the longest sequence: `_output_grid` for T = MAX_LENGTH.
    """
    width: uint256 = _output.width
    if _output.kind == trace_geometry.OPERAND:
        return width // _output.group
    if _output.kind == trace_geometry.SCORE_VALUES:
        # slither divide-before-multiply: whole leaves, rounded up
        return width * (MAX_LENGTH // trace_geometry.LEAF_ELEMENTS)
    if _output.kind == trace_geometry.WEIGHTS:
        return width * (MAX_LENGTH // trace_geometry.KEY_BLOCK + 1)
    fields: uint256 = trace_geometry._blocks(width, trace_geometry.LEAF_FIELDS)
    witness: uint256 = 0
    if _kind == trace_geometry.MIX:
        # slither divide-before-multiply: whole blocks, rounded up
        witness = _constants[0] * (MAX_LENGTH // trace_geometry.KEY_BLOCK)
    elif _kind == trace_geometry.AVERAGE_POOL:
        witness = _constants[3] * _constants[3] * fields
    elif _kind == trace_geometry.MAX_POOL:
        witness = fields
    elif _kind == trace_geometry.LAYER_NORM or _kind == trace_geometry.RMS_NORM:
        witness = 1
    elif _kind == trace_geometry.UNIT_MEAN:
        witness = 1
    return trace_geometry._blocks(width, trace_geometry.LEAF_ELEMENTS) + witness
