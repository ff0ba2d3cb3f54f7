# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Questions about a trace
@author Proofmill
@license Apache-2.0
@dev Stateless. A question names a node of a trace, or of an answer, and what it wants to see below it. The module shows
     that the node is there and derives from the program alone how much lies below: the *key* says all of that, so
     whoever reveals under a key reveals exactly what an honest trace has at this place, no more and no less.

                        trace root                                      answer
                            │ number                                       │
                  root of the value ─────────────┐              (9) groups of rows
                   (1) │ rows                    │ supplement              │ (10)
              groups of rows (2)         (5) groups of rows          node of a row
                       │ row                     │ (6)                     │ (11)
                   row hash                  node of a row              leaf hashes
              values │ witness (3)               │ (7)
                  leaf hashes ──── (4) ────  leaf hashes
"""

from contracts.interfaces import IOpVerifier
from contracts.interfaces import ITraceReader
from contracts.modules import merkle_tree
from contracts.modules import trace_geometry
from contracts.modules import trace_openings

# What is asked for.
ROWS: constant(uint256) = 1
ROW_GROUP: constant(uint256) = 2
LEAVES: constant(uint256) = 3
LEAF: constant(uint256) = 4
SUPPLEMENT_ROWS: constant(uint256) = 5
SUPPLEMENT_ROW_GROUP: constant(uint256) = 6
TRACE_GROUP: constant(uint256) = 8
ANSWER_ROWS: constant(uint256) = 9
ANSWER_ROW_GROUP: constant(uint256) = 10
ANSWER_LEAVES: constant(uint256) = 11

# Forms of a reveal.
TREE_FORM: constant(uint256) = 1
ROWS_FORM: constant(uint256) = 2
LEAVES_FORM: constant(uint256) = 3
LEAF_FORM: constant(uint256) = 4

MAX_HASHES: constant(uint256) = 1024  # in one reveal
GROUPS_DEPTH: constant(uint256) = 9  # of a tree over rows, as deep as it is asked for at once: 512 hashes
ROOTS_DEPTH: constant(uint256) = 10  # of the tree over values, as deep as it is posted: 1,024 hashes
MAX_LEVEL: constant(uint256) = 10  # of a group: what is below it fits one reveal


# Numbers of a key after the claim and the node.
struct Reveal:
    form: uint256
    node: bytes32
    first: uint256
    second: uint256
    third: uint256
    fourth: uint256
    count: uint256  # hashes that are not free


@pure
@internal
def _key_of(
    _claim_id: bytes32,
    _trace: IOpVerifier.Trace,
    _answer_rows: uint256,
    _answer_root: bytes32,
    _question: ITraceReader.Question,
) -> bytes32:
    """
    @dev The key of the reveal that answers the question; reverts for what an honest operator could not reveal.
    """
    reveal: Reveal = empty(Reveal)
    if _question.what == TRACE_GROUP:
        reveal = self._trace_group(_trace, _question)
    elif _question.what >= ANSWER_ROWS:
        reveal = self._in_answer(_trace, _answer_rows, _answer_root, _question)
    else:
        reveal = self._in_value(_trace, _question)
    return keccak256(
        abi_encode(
            _claim_id,
            reveal.form,
            reveal.node,
            reveal.first,
            reveal.second,
            reveal.third,
            reveal.fourth,
            reveal.count,
        )
    )


# ------------------------------------------------------------------ where the node is
@pure
@internal
def _in_value(_trace: IOpVerifier.Trace, _question: ITraceReader.Question) -> Reveal:
    """
    @dev Questions 1 to 7.
    """
    number: uint256 = _question.number
    trace_openings._check_descriptor(_trace, number, _question.descriptor, _question.descriptor_path)
    trace_openings._check_value(_trace, number, _question.output_root, _question.output_path)
    descriptor: Bytes[992] = _question.descriptor
    length: uint256 = _trace.length
    root: bytes32 = _question.output_root
    supplement: trace_geometry.Grid = trace_geometry._output_grid(
        descriptor, trace_geometry.SUPPLEMENT, length
    )
    if _question.what >= SUPPLEMENT_ROWS:
        rows: uint256 = supplement.rows
        assert rows != 0, "question: no supplement"
        depth: uint256 = merkle_tree._bits(rows - 1)
        if _question.what == SUPPLEMENT_ROWS:
            self._check_node(_question, root, 1, 1)
            return self._rows_below(TREE_FORM, _question.node, rows)
        if _question.what == SUPPLEMENT_ROW_GROUP:
            level: uint256 = self._group_level(rows, _question.row)
            index: uint256 = 1 << (depth - level) | _question.row >> level
            self._check_node(_question, root, index, 1 + depth - level)
            return self._group_below(_question.node, rows, level, _question.row)
        assert _question.row < rows, "question: no such supplement row"
        self._check_node(_question, root, 1 << depth | _question.row, 1 + depth)
        return self._supplement_leaves_below(_question.node, supplement, _question.row)

    if _question.what == LEAF:
        assert _question.part <= trace_geometry.SUPPLEMENT, "question: no such part"
        trace_geometry._check_opening(
            root,
            trace_geometry._output_grid(descriptor, _question.part, length),
            _question.part,
            _question.row,
            _question.section,
            _question.leaf,
            _question.node,
            _question.path,
        )
        return Reveal(form=LEAF_FORM, node=_question.node, first=0, second=0, third=0, fourth=0, count=0)

    values: trace_geometry.Grid = trace_geometry._output_grid(descriptor, trace_geometry.VALUES, length)
    depth: uint256 = merkle_tree._bits(values.rows - 1)
    if _question.what == ROWS:
        self._check_node(_question, root, 0, 0)
        reveal: Reveal = self._rows_below(ROWS_FORM, _question.node, values.rows)
        if supplement.rows != 0:
            reveal.third = 1
        return reveal
    if _question.what == ROW_GROUP:
        level: uint256 = self._group_level(values.rows, _question.row)
        self._check_node(_question, root, _question.row >> level, 1 + depth - level)
        return self._group_below(_question.node, values.rows, level, _question.row)
    assert _question.what == LEAVES, "question: unknown"
    assert _question.row < values.rows, "question: no such row"
    self._check_node(_question, root, _question.row, 1 + depth)
    witness: trace_geometry.Grid = trace_geometry._output_grid(descriptor, trace_geometry.WITNESS, length)
    return self._leaves_below(_question.node, values, witness, _question.row)


@pure
@internal
def _in_answer(
    _trace: IOpVerifier.Trace,
    _rows: uint256,
    _root: bytes32,
    _question: ITraceReader.Question,
) -> Reveal:
    """
    @dev Questions 9 to 11. The claim says how many rows there are, the last operator what a row looks like.
    """
    assert _rows != 0, "question: answer without rows"
    depth: uint256 = merkle_tree._bits(_rows - 1)
    if _question.what == ANSWER_ROWS:
        self._check_node(_question, _root, 0, 0)
        return self._rows_below(TREE_FORM, _question.node, _rows)
    if _question.what == ANSWER_ROW_GROUP:
        level: uint256 = self._group_level(_rows, _question.row)
        self._check_node(_question, _root, _question.row >> level, depth - level)
        return self._group_below(_question.node, _rows, level, _question.row)
    assert _question.what == ANSWER_LEAVES, "question: none of the answer"
    assert _question.row < _rows, "question: no such answer row"
    self._check_node(_question, _root, _question.row, depth)
    trace_openings._check_descriptor(
        _trace, _trace.operators, _question.descriptor, _question.descriptor_path
    )
    values: trace_geometry.Grid = trace_geometry._output_grid(
        _question.descriptor, trace_geometry.VALUES, _trace.length
    )
    # as a row without witness: what is revealed of the last value answers this too
    row_hash: bytes32 = keccak256(concat(_question.node, empty(bytes32)))
    return self._leaves_below(row_hash, values, empty(trace_geometry.Grid), _question.row)


@pure
@internal
def _trace_group(_trace: IOpVerifier.Trace, _question: ITraceReader.Question) -> Reveal:
    """
    @dev Question 8. The trace was posted as the roots of groups if it has more than 1,024 values.
    """
    values: uint256 = _trace.operators + 1
    depth: uint256 = merkle_tree._bits(_trace.operators)
    assert depth > ROOTS_DEPTH, "question: no trace groups"
    assert _question.number < values, "question: no such trace group"
    level: uint256 = depth - ROOTS_DEPTH
    self._check_node(_question, _trace.trace_root, _question.number >> level, ROOTS_DEPTH)
    return self._group_below(_question.node, values, level, _question.number)


@pure
@internal
def _check_node(_question: ITraceReader.Question, _root: bytes32, _index: uint256, _depth: uint256):
    assert len(_question.path) == _depth, "question: path of another depth"
    root: bytes32 = merkle_tree._root_of_path(_question.node, _index, _question.path)
    assert root == _root, "question: node does not open"


# ------------------------------------------------------------------ what lies below it
@pure
@internal
def _group_level(_rows: uint256, _row: uint256) -> uint256:
    """
    @dev Level above the rows of the groups that are revealed first; reverts where rows are revealed at once.
    """
    depth: uint256 = merkle_tree._bits(_rows - 1)
    assert depth > GROUPS_DEPTH, "question: no groups"
    assert _row < _rows, "question: no such group"
    return depth - GROUPS_DEPTH


@pure
@internal
def _rows_below(_form: uint256, _node: bytes32, _rows: uint256) -> Reveal:
    """
    @dev All rows, or groups of them: 512 at most.
    """
    depth: uint256 = merkle_tree._bits(_rows - 1)
    level: uint256 = 0
    if depth > GROUPS_DEPTH:
        level = depth - GROUPS_DEPTH
    return Reveal(
        form=_form,
        node=_node,
        first=level,
        second=depth - level,
        third=0,
        fourth=0,
        count=((_rows - 1) >> level) + 1,  # the last group may have fewer rows
    )


@pure
@internal
def _group_below(_node: bytes32, _rows: uint256, _level: uint256, _row: uint256) -> Reveal:
    """
    @dev The rows of the group that `_row` is in; the caller has seen that it is one of `_rows`.
    """
    assert _level <= MAX_LEVEL, "question: group too large"
    start: uint256 = _row >> _level << _level
    return Reveal(
        form=TREE_FORM,
        node=_node,
        first=0,
        second=_level,
        third=0,
        fourth=0,
        count=min(1 << _level, _rows - start),
    )


@pure
@internal
def _supplement_leaves_below(_node: bytes32, _grid: trace_geometry.Grid, _row: uint256) -> Reveal:
    """
    @dev A supplement has one section, whose rows are all of one length.
    """
    leaves: uint256 = trace_geometry._leaves(_grid)
    self._check_leaves(leaves)
    return Reveal(
        form=TREE_FORM,
        node=_node,
        first=0,
        second=merkle_tree._bits(leaves - 1),
        third=0,
        fourth=0,
        count=leaves,
    )


@pure
@internal
def _leaves_below(
    _row_hash: bytes32,
    _values: trace_geometry.Grid,
    _witness: trace_geometry.Grid,
    _row: uint256,
) -> Reveal:
    """
    @dev Both parts of a row: as many places as the longest row has leaves, of which those that this row reaches are not
         free.
    """
    value_leaves: uint256 = trace_geometry._leaves(_values)
    witness_leaves: uint256 = 0
    count: uint256 = _values.sections * self._leaves_of_row(_values, _row)
    if _witness.rows != 0:
        witness_leaves = trace_geometry._leaves(_witness)
        count += _witness.sections * self._leaves_of_row(_witness, _row)
    self._check_leaves(_values.sections * value_leaves + _witness.sections * witness_leaves)
    return Reveal(
        form=LEAVES_FORM,
        node=_row_hash,
        first=_values.sections,
        second=value_leaves,
        third=_witness.sections,
        fourth=witness_leaves,
        count=count,
    )


@pure
@internal
def _leaves_of_row(_grid: trace_geometry.Grid, _row: uint256) -> uint256:
    """
    @dev Leaves in a section that the row reaches.
    """
    return trace_geometry._blocks(trace_geometry._count(_grid, _row), _grid.chunk)


@pure
@internal
def _check_leaves(_leaves: uint256):
    """
    @dev What is asked for must fit one reveal.
    """
    assert _leaves <= MAX_HASHES, "question: too many leaves"
