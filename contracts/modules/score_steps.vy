# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Steps of scores
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 5, and `_score` of `proofmill/exact/trace/checks/attention.py`. Queries and keys
     have at most 256 numbers below 2^16 and the multiplier is below 2^21: no product here reaches 2^64. Exponents have
     64 bits and may be hostile, which 256 bits hold.
"""

from contracts.modules import attention_evidence
from contracts.modules import digit_products
from contracts.modules import leaf_codec
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

FRACTION: constant(int256) = 36  # bits of a product behind the point: 16 of the score, 20 of the multiplier


@pure
@internal
def _is_false_score(
    _case: attention_evidence.Case,
    _leaves: DynArray[attention_evidence.Leaf, attention_evidence.MAX_OPENINGS],
) -> bool:
    """
    @dev Opened: the score, the query of the row, the key.
    """
    key: uint256 = _case.step.index
    attention_evidence._check_opened(len(_leaves), 1)
    if not attention_evidence._is_output(
        _case, trace_geometry.VALUES, _case.step.section, key, _leaves[0]
    ):
        return True
    attention_evidence._check_opened(len(_leaves), 2)
    section: uint256 = _case.heads + attention_evidence._key_head(_case, _case.step.section)
    query: int256 = attention_evidence._operand_exponent(
        _case, 0, _case.step.row, _case.step.section, _leaves[1]
    )
    attention_evidence._check_opened(len(_leaves), 3)
    fall: int256 = FRACTION - query - attention_evidence._operand_exponent(_case, 0, key, section, _leaves[2])
    if not step_evidence._is_shift(fall):
        return True
    product: int256 = digit_products._product(
        _leaves[1].data, 32, _leaves[2].data, 32, _case.head_size, False
    )
    multiplier: uint256 = trace_geometry._word(_case.descriptor, attention_evidence.MULTIPLIER)
    score: int256 = step_evidence._saturate(
        step_evidence._rounding_shift(product * convert(multiplier, int256), fall)
    )
    return leaf_codec._integer(_leaves[0].data, key % trace_geometry.LEAF_ELEMENTS) != score
