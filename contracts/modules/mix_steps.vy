# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Steps of mix
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 5, and `_mix_sum` and `_mix_element` of
     `proofmill/exact/trace/checks/attention.py`. All fields have 64 bits and may be hostile: the product of two, and a
     shift of it, fit 256 bits.
"""

from contracts.modules import attention_evidence
from contracts.modules import digit_products
from contracts.modules import leaf_codec
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

SUM_BITS: constant(int256) = 15  # that are kept of a sum before it is multiplied
FRACTION: constant(int256) = 38  # bits behind the point of that product
EXPONENT: constant(uint256) = 1  # fields of the softmax's witness; the last one is S
RECIPROCAL: constant(uint256) = 3


@pure
@internal
def _is_false_sum(
    _case: attention_evidence.Case,
    _leaves: DynArray[attention_evidence.Leaf, attention_evidence.MAX_OPENINGS],
) -> bool:
    """
    @dev Of block `index` for component `other`. Opened: the block's running sums; those of the block before it, if
         there is one; weights; value column.
    """
    head_size: uint256 = _case.head_size
    assert _case.step.other < head_size, "attention: no such component"
    keys: uint256 = _case.context.length
    blocks: uint256 = trace_geometry._blocks(keys, trace_geometry.KEY_BLOCK)
    assert _case.step.index < blocks, "attention: no such key block"
    place: uint256 = _case.step.index * head_size + _case.step.other
    next: uint256 = 1  # opening
    attention_evidence._check_opened(len(_leaves), next)
    if not attention_evidence._is_output(
        _case, trace_geometry.WITNESS, _case.step.section, place, _leaves[0]
    ):
        return True
    claimed: int256 = leaf_codec._field(_leaves[0].data, _case.step.other)
    if _case.step.index != 0:
        next = 2
        attention_evidence._check_opened(len(_leaves), next)
        if not attention_evidence._is_output(
            _case, trace_geometry.WITNESS, _case.step.section, place - head_size, _leaves[1]
        ):
            return True
        claimed -= leaf_codec._field(_leaves[1].data, _case.step.other)
    attention_evidence._check_opened(len(_leaves), next + 1)
    start: uint256 = _case.step.index * trace_geometry.KEY_BLOCK
    weights: trace_geometry.Grid = trace_geometry._input_grid(_case.descriptor, 0, keys)
    attention_evidence._check_input(
        _case.context.first_root,
        weights,
        trace_geometry.VALUES,
        _case.step.row,
        _case.step.section,
        start,
        _leaves[next],
    )
    attention_evidence._check_opened(len(_leaves), next + 2)
    columns: trace_geometry.Grid = trace_geometry._input_columns_grid(_case.descriptor, keys)
    column: uint256 = attention_evidence._key_head(_case, _case.step.section) * head_size + _case.step.other
    attention_evidence._check_input(
        _case.context.second_root, columns, trace_geometry.SUPPLEMENT, column, 0, start, _leaves[next + 1]
    )
    # A causal row may end before the column does.
    count: uint256 = trace_geometry._leaf_count(weights, _case.step.row, _case.step.index)
    return claimed != digit_products._product(_leaves[next].data, 0, _leaves[next + 1].data, 0, count, True)


@pure
@internal
def _is_false_element(
    _case: attention_evidence.Case,
    _leaves: DynArray[attention_evidence.Leaf, attention_evidence.MAX_OPENINGS],
) -> bool:
    """
    @dev Opened: the element, the last running sums of its head, the softmax's witness.
    """
    attention_evidence._check_opened(len(_leaves), 1)
    if not attention_evidence._is_output(
        _case, trace_geometry.VALUES, 0, _case.step.index, _leaves[0]
    ):
        return True
    head_size: uint256 = _case.head_size
    head: uint256 = _case.step.index // head_size  # rounded down
    component: uint256 = _case.step.index % head_size
    visible: uint256 = attention_evidence._visible(_case)
    last: uint256 = trace_geometry._blocks(visible, trace_geometry.KEY_BLOCK) - 1
    attention_evidence._check_opened(len(_leaves), 2)
    if not attention_evidence._is_output(
        _case, trace_geometry.WITNESS, head, last * head_size + component, _leaves[1]
    ):
        return True
    attention_evidence._check_opened(len(_leaves), 3)
    softmax: trace_geometry.Grid = trace_geometry._input_witness_grid(_case.descriptor, _case.context.length)
    attention_evidence._check_input(
        _case.context.first_root, softmax, trace_geometry.WITNESS, _case.step.row, head, 0, _leaves[2]
    )
    fields: uint256 = trace_geometry._count(softmax, _case.step.row)
    normaliser: int256 = leaf_codec._field(_leaves[2].data, fields - 1)
    narrowing: int256 = step_evidence._bit_length(normaliser) - SUM_BITS
    fall: int256 = FRACTION - leaf_codec._field(_leaves[2].data, EXPONENT)
    if not step_evidence._is_shift(narrowing) or not step_evidence._is_shift(fall):
        return True
    total: int256 = leaf_codec._field(_leaves[1].data, component)
    product: int256 = (
        step_evidence._rounding_shift(total, narrowing) * leaf_codec._field(_leaves[2].data, RECIPROCAL)
    )
    element: int256 = step_evidence._saturate(step_evidence._rounding_shift(product, fall))
    return leaf_codec._integer(_leaves[0].data, _case.step.index % trace_geometry.LEAF_ELEMENTS) != element
