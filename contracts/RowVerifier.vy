# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Verifier of operators that look at a whole row
@author Proofmill
@license Apache-2.0
@notice Recomputes one number of a quantise, a layer norm, an RMS norm or a unit mean (docs/TRACE.md, section 5) from opened leaves.
@dev Stateless: whoever knows the roots may ask. `IStepVerifier` with room for four openings, as every step needs at most; the bound
     is memory that each call pays for.
@custom:security A leaf of the accused operator's own output may be anything that it has committed to: every reading of one follows a
     comparison of its length, every shift by a number of one a comparison with 0 … 62.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import form_steps
from contracts.modules import leaf_codec
from contracts.modules import norm_steps
from contracts.modules import quantise_steps
from contracts.modules import row_asks
from contracts.modules import row_forms
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

MAX_OPENINGS: constant(uint256) = 4
MAX_DIGIT_WORDS: constant(uint256) = 256  # of the high digits of a row of 8,192


@pure
@external
# slither cyclomatic-complexity: one branch for each check
def violates(
    _context: IStepVerifier.Context,
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _openings: DynArray[IStepVerifier.Opening, MAX_OPENINGS],
) -> bool:
    """
    @notice Returns whether the step proves that the operator's output does not follow from its inputs.
    @dev Anyone may ask. Reverts if the evidence is not sound: a leaf that does not open, a place the operator does not have, a check
         its kind does not have.
    @param _context What was agreed before the step: the roots that leaves are opened against.
    @param _step The check, and where.
    @param _descriptor The accused operator's leaf of the program.
    @param _openings Leaves with their paths, in the order of docs/DISPUTES.md.
    @return Whether what is committed is false.
    """
    step_evidence._check_descriptor(_context, _descriptor)
    kind: uint256 = trace_geometry._word(_descriptor, trace_geometry.KIND)
    is_quantise: bool = kind == trace_geometry.QUANTISE
    is_norm: bool = kind == trace_geometry.LAYER_NORM or kind == trace_geometry.RMS_NORM
    assert is_quantise or is_norm or kind == trace_geometry.UNIT_MEAN, "row: no such kind"
    width: uint256 = trace_geometry._word(_descriptor, trace_geometry.OUTPUT + 2)
    is_form: bool = _step.check <= step_evidence.SUPPLEMENT_FORM

    norm: norm_steps.Norm = empty(norm_steps.Norm)
    excerpt: quantise_steps.Excerpt = empty(quantise_steps.Excerpt)
    named: int256 = 0  # index of the maximum, once it is known to be in the row
    numbers: DynArray[int256, MAX_OPENINGS] = []
    for i: uint256 in range(row_asks._count(_step, kind), bound=MAX_OPENINGS):
        assert i < len(_openings), "row: leaf is not opened"
        ask: row_asks.Ask = row_asks._ask(
            _step, _descriptor, kind, _context.length, i, convert(named, uint256)
        )
        size: uint256 = len(_openings[i].data)
        codec: uint256 = 0
        count: uint256 = 0
        is_sized: bool = False
        codec, count, is_sized = row_asks._open(
            _context,
            _descriptor,
            is_form,
            ask,
            keccak256(keccak256(_openings[i].data)),
            size,
            _openings[i].path,
        )
        if not is_sized:
            return True

        # A row of an operand is never copied: the words that the step looks at are taken out of it.
        if codec == trace_geometry.OPERAND_ROW:
            excerpt.header = extract32(_openings[i].data, 0, output_type=uint256)
            digits: uint256 = (size - 32) // 2  # bytes of the high ones
            first: uint256 = 0
            words: uint256 = digits // 32
            stray: uint256 = 0
            if not is_form:
                if quantise_steps._is_impossible(_step.check, excerpt, row_asks._group(_descriptor)):
                    return True
                named = quantise_steps._index(_step.check, excerpt)
                first = quantise_steps._element(_step, _descriptor) // 32
                words = 1
            high: uint256 = 0
            low: uint256 = 0
            at: uint256 = 32 + 32 * first
            for _word: uint256 in range(words, bound=MAX_DIGIT_WORDS):
                high = extract32(_openings[i].data, at, output_type=uint256)
                low = extract32(_openings[i].data, unsafe_add(at, digits), output_type=uint256)
                at = unsafe_add(at, 32)  # beyond the leaf, extract32 reverts
                flipped: uint256 = high ^ form_steps.SIGN_BITS  # 0 in the bytes where hi = -128, see `row_forms`
                stray |= low & ~(
                    unsafe_add(flipped & form_steps.BELOW_SIGN_BITS, form_steps.BELOW_SIGN_BITS) | flipped
                )
            excerpt.high = high
            excerpt.low = low
            if is_form:
                used: uint256 = count - trace_geometry.OPERAND_HEADER - 32 * (words - 1)
                stray = stray & form_steps.SIGN_BITS | row_forms._behind(high, low, used, False)
                return stray != 0 or not row_forms._is_header(excerpt.header)
            continue

        leaf: Bytes[leaf_codec.SMALL_LEAF] = convert(_openings[i].data, Bytes[leaf_codec.SMALL_LEAF])
        if is_form:
            return not row_forms._is_formed(codec, count, leaf)
        if row_asks._is_header(_step, kind, i):
            norm = norm_steps._norm(_step, kind, width, leaf)
            if norm_steps._is_impossible(_step, norm, _descriptor, kind, width):
                return True
            named = norm_steps._index(_step.check, norm)
        elif row_asks._is_block(_step):
            numbers.append(norm_steps._sum_of_block(_step, norm, kind, width, leaf))
        elif ask.source == row_asks.PAIR:
            place: uint256 = 2 * (_step.index % row_asks.PAIRS_PER_LEAF)
            numbers.append(leaf_codec._integer(leaf, place))
            numbers.append(leaf_codec._integer(leaf, place + 1))
        else:
            numbers.append(row_asks._number(codec, ask.index, leaf))

    if is_quantise:
        return quantise_steps._is_false(_step, _descriptor, excerpt, numbers)
    return norm_steps._is_false(_step, norm, kind, numbers)
