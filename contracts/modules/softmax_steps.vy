# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Steps of softmax
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 5, and `_softmax_…` of `proofmill/exact/trace/checks/attention.py`. Every step
     opens the accused witness of a row and head. Its fields have 64 bits, scores 32, all may be hostile: sums and
     differences of a few fit 256 bits. An index is used as a place only after it has been found among the keys that the
     row sees.
"""

from contracts.modules import attention_evidence
from contracts.modules import exponential_table
from contracts.modules import leaf_codec
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

# Fields of the witness, then running sums.
MAXIMUM_INDEX: constant(uint256) = 0
EXPONENT: constant(uint256) = 1
EXPONENT_INDEX: constant(uint256) = 2
RECIPROCAL: constant(uint256) = 3

NARROWING: constant(int256) = 10  # bits from a power in Q.24 to a weight
NARROWING_BITS: constant(uint256) = 10
HALF_NARROWING: constant(uint256) = 2**9
RECIPROCAL_BITS: constant(int256) = 23


# ------------------------------------------------------------------ the steps
@pure
@internal
def _is_false_witness(
    _case: attention_evidence.Case,
    _leaves: DynArray[attention_evidence.Leaf, attention_evidence.MAX_OPENINGS],
) -> bool:
    """
    @dev All steps but `element` and the forms. Opened: the witness, and for

         greater           the scores of key `index` and of the maximum
         exponent          the value of the key that the witness names
         greater_exponent  the value of key `index`
         sum               the scores of the maximum and of block `index`
    """
    check: uint256 = _case.step.check
    known: bool = check == step_evidence.MAXIMUM or check == step_evidence.GREATER or check == step_evidence.SUM
    known = known or (check >= step_evidence.EXPONENT and check <= step_evidence.RECIPROCAL)
    assert known, "attention: no such check"
    attention_evidence._check_opened(len(_leaves), 1)
    if not self._is_witness(_case, _leaves[0]):
        return True
    visible: uint256 = attention_evidence._visible(_case)
    witness: Bytes[leaf_codec.SMALL_LEAF] = _leaves[0].data
    if check == step_evidence.RECIPROCAL:
        return self._is_false_reciprocal(witness, visible)
    if check == step_evidence.EXPONENT or check == step_evidence.GREATER_EXPONENT:
        named: int256 = leaf_codec._field(witness, EXPONENT_INDEX)
        key: uint256 = _case.step.index
        if check == step_evidence.EXPONENT:
            if not self._is_key(named, visible):
                return True
            key = convert(named, uint256)
        assert key < visible, "attention: no such key"
        attention_evidence._check_opened(len(_leaves), 2)
        found: int256 = self._value_exponent(_case, key, _leaves[1])
        exponent: int256 = leaf_codec._field(witness, EXPONENT)
        if check == step_evidence.EXPONENT:
            return found != exponent
        return self._precedes(found, convert(key, int256), exponent, named)
    increase: int256 = 0
    if check == step_evidence.SUM:
        increase = self._increase(witness, _case.step.index, visible)

    index: int256 = leaf_codec._field(witness, MAXIMUM_INDEX)
    if not self._is_key(index, visible):
        return True
    if check == step_evidence.MAXIMUM:
        return False
    attention_evidence._check_opened(len(_leaves), 2)
    if check == step_evidence.SUM:
        maximum: int256 = self._score(_case, convert(index, uint256), _leaves[1])
        attention_evidence._check_opened(len(_leaves), 3)
        return self._is_false_sum(_case, increase, maximum, visible, _leaves[2])
    score: int256 = self._score(_case, _case.step.index, _leaves[1])
    attention_evidence._check_opened(len(_leaves), 3)
    greatest: int256 = self._score(_case, convert(index, uint256), _leaves[2])
    return self._precedes(score, convert(_case.step.index, int256), greatest, index)


@pure
@internal
def _is_false_reciprocal(_witness: Bytes[leaf_codec.SMALL_LEAF], _visible: uint256) -> bool:
    sums: uint256 = trace_geometry._blocks(_visible, trace_geometry.BLOCK)
    total: int256 = leaf_codec._field(_witness, trace_geometry.SOFTMAX_FIELDS + sums - 1)
    if total < 1:
        return True
    bits: int256 = RECIPROCAL_BITS + step_evidence._bit_length(total)  # at most 86
    quotient: int256 = (1 << convert(bits, uint256)) // total  # rounded down
    return leaf_codec._field(_witness, RECIPROCAL) != quotient


@pure
@internal
def _increase(_witness: Bytes[leaf_codec.SMALL_LEAF], _block: uint256, _visible: uint256) -> int256:
    """
    @dev By how much the running sum grows in a block, which the row must have.
    """
    assert _block < trace_geometry._blocks(_visible, trace_geometry.BLOCK), "attention: no such block"
    place: uint256 = trace_geometry.SOFTMAX_FIELDS + _block
    increase: int256 = leaf_codec._field(_witness, place)
    if _block != 0:
        increase -= leaf_codec._field(_witness, place - 1)
    return increase


@pure
@internal
def _is_false_sum(
    _case: attention_evidence.Case,
    _claimed: int256,
    _maximum: int256,
    _visible: uint256,
    _leaf: attention_evidence.Leaf,
) -> bool:
    start: uint256 = _case.step.index * trace_geometry.BLOCK
    score: int256 = self._score(_case, start, _leaf)
    count: uint256 = min(trace_geometry.BLOCK, _visible - start)
    # Blocks do not straddle leaves.
    scores: Bytes[256] = convert(
        slice(_leaf.data, 4 * (start % trace_geometry.LEAF_ELEMENTS), 4 * count), Bytes[256]
    )
    distances: DynArray[uint256, 64] = []
    for i: uint256 in range(count, bound=64):
        score = leaf_codec._integer(scores, i)
        if score > _maximum:
            return True
        distances.append(convert(_maximum - score, uint256))
    powers: DynArray[uint256, 64] = exponential_table._negative_powers(distances)
    total: uint256 = 0
    for power: uint256 in powers:
        # `_rounding_shift`, of powers of at most 2^24 and without its call: up to 64 of them.
        total += unsafe_add(power, HALF_NARROWING) >> NARROWING_BITS
    return _claimed != convert(total, int256)


@pure
@internal
def _is_false_weight(
    _case: attention_evidence.Case,
    _leaves: DynArray[attention_evidence.Leaf, attention_evidence.MAX_OPENINGS],
) -> bool:
    """
    @dev `element`: of key `index`. Opened: the weight, the witness, the scores of the maximum and of the key, the key's
         value.
    """
    key: uint256 = _case.step.index
    attention_evidence._check_opened(len(_leaves), 1)
    if not attention_evidence._is_output(_case, trace_geometry.VALUES, _case.step.section, key, _leaves[0]):
        return True
    attention_evidence._check_opened(len(_leaves), 2)
    if not self._is_witness(_case, _leaves[1]):
        return True
    index: int256 = leaf_codec._field(_leaves[1].data, MAXIMUM_INDEX)
    if not self._is_key(index, attention_evidence._visible(_case)):
        return True
    attention_evidence._check_opened(len(_leaves), 3)
    distance: int256 = self._score(_case, convert(index, uint256), _leaves[2])
    attention_evidence._check_opened(len(_leaves), 4)
    distance -= self._score(_case, key, _leaves[3])
    if distance < 0:
        return True
    attention_evidence._check_opened(len(_leaves), 5)
    fall: int256 = NARROWING + leaf_codec._field(_leaves[1].data, EXPONENT)
    fall -= self._value_exponent(_case, key, _leaves[4])
    if not step_evidence._is_shift(fall):
        return True
    power: uint256 = exponential_table._negative_powers([convert(distance, uint256)])[0]
    width: uint256 = _leaves[0].size // 2  # exact: whole words of hi, as many of lo
    weight: int256 = leaf_codec._digits(_leaves[0].data, 0, width, key % trace_geometry.KEY_BLOCK)
    return weight != step_evidence._rounding_shift(convert(power, int256), fall)


# ------------------------------------------------------------------ what they read
@pure
@internal
def _is_witness(_case: attention_evidence.Case, _leaf: attention_evidence.Leaf) -> bool:
    return attention_evidence._is_output(_case, trace_geometry.WITNESS, _case.step.section, 0, _leaf)


@pure
@internal
def _is_key(_index: int256, _visible: uint256) -> bool:
    return _index >= 0 and convert(_index, uint256) < _visible


@pure
@internal
def _precedes(_value: int256, _place: int256, _maximum: int256, _index: int256) -> bool:
    """
    @dev Whether a value refutes that the lowest index of the maximum is `_index`.
    """
    return _value > _maximum or (_value == _maximum and _place < _index)


@pure
@internal
def _score(_case: attention_evidence.Case, _key: uint256, _leaf: attention_evidence.Leaf) -> int256:
    grid: trace_geometry.Grid = trace_geometry._input_grid(_case.descriptor, 0, _case.context.length)
    attention_evidence._check_input(
        _case.context.first_root, grid, trace_geometry.VALUES, _case.step.row, _case.step.section, _key, _leaf
    )
    return leaf_codec._integer(_leaf.data, _key % trace_geometry.LEAF_ELEMENTS)


@pure
@internal
def _value_exponent(_case: attention_evidence.Case, _key: uint256, _leaf: attention_evidence.Leaf) -> int256:
    """
    @dev κv of a key. The caller has seen that the row sees it.
    """
    section: uint256 = _case.heads + _case.key_heads + attention_evidence._key_head(_case, _case.step.section)
    return attention_evidence._operand_exponent(_case, 1, _key, section, _leaf)
