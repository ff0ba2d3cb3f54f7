# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Forms of the leaves of attention
@author Proofmill
@license Apache-2.0
@dev Stateless; docs/TRACE.md, section 3: whether a leaf of scores, softmax or mix is bytes that no numbers become.
"""

from contracts.modules import attention_evidence
from contracts.modules import leaf_codec
from contracts.modules import trace_geometry

MAX_WORDS: constant(uint256) = 16  # of hi, and of lo: 512 numbers
# slither divide-before-multiply: a repeated pattern: the division leaves nothing over
SIGNS: constant(uint256) = max_value(uint256) // (2**8 - 1) * 128  # the top bit of every byte


@pure
@internal
def _is_malformed(
    _case: attention_evidence.Case,
    _leaves: DynArray[attention_evidence.Leaf, attention_evidence.MAX_OPENINGS],
) -> bool:
    """
    @dev `form` and `witness_form` of leaf `index`, which is opened. Forms and parts are numbered alike.
    """
    part: uint256 = _case.step.check
    has_part: bool = part == trace_geometry.VALUES or _case.kind != trace_geometry.SCORES
    assert has_part, "attention: no witness"
    grid: trace_geometry.Grid = attention_evidence._output_grid(_case, part)
    assert _case.step.row < grid.rows, "attention: no such row"
    leaves: uint256 = trace_geometry._blocks(trace_geometry._count(grid, _case.step.row), grid.chunk)
    assert _case.step.index < leaves, "attention: no such leaf"
    attention_evidence._check_opened(len(_leaves), 1)
    first: uint256 = _case.step.index * grid.chunk
    if not attention_evidence._is_output(_case, part, _case.step.section, first, _leaves[0]):
        return True
    count: uint256 = trace_geometry._leaf_count(grid, _case.step.row, _case.step.index)
    if grid.codec == trace_geometry.FIELDS:
        return not self._are_fields(_leaves[0].data, count)
    if grid.codec == trace_geometry.DIGITS:
        return not self._are_digits(_leaves[0].data, count)
    return False  # every four bytes are an integer


@pure
@internal
def _are_fields(_data: Bytes[leaf_codec.SMALL_LEAF], _count: uint256) -> bool:
    """
    @dev Whether nothing stands behind the last field of the last word, which holds at most four.
    """
    last: uint256 = extract32(_data, len(_data) - 32, output_type=uint256)
    used: uint256 = (_count - 1) % 4 + 1
    return last << (64 * used) == 0


@pure
@internal
def _are_digits(_data: Bytes[leaf_codec.SMALL_LEAF], _count: uint256) -> bool:
    """
    @dev Whether nothing stands behind the last digit, and no number is below -2^15: hi = -128 with lo < 0.
    """
    width: uint256 = len(_data) // 2  # exact: whole words of hi, as many of lo
    for word: uint256 in range(width // 32, bound=MAX_WORDS):
        at: uint256 = 32 * word
        high: uint256 = extract32(_data, at, output_type=uint256)
        low: uint256 = extract32(_data, width + at, output_type=uint256)
        used: uint256 = min(32, _count - at)
        if (high | low) << (8 * used) != 0:
            return False
        rest: uint256 = high ^ SIGNS  # 0 where hi = -128
        nonzero: uint256 = ((rest & ~SIGNS) + ~SIGNS) | rest  # top bit of a byte; no carry leaves it
        if ~nonzero & low & SIGNS != 0:
            return False
    return True
