# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Verifier of attention
@author Proofmill
@license Apache-2.0
@notice Recomputes one number of scores, softmax or mix from opened leaves. Anyone may ask.
@dev Stateless. Openings come in the order in which `proofmill/exact/trace/checks/attention.py` asks for leaves, one for
     each ask; those that are not asked for are not looked at.
@custom:security No number of a leaf, however false, makes a sound step revert: it is a violation, or it is honest. Only
     evidence that does not open, that names a place or a check that the operator does not have, or an input of another
     length reverts.
"""

from contracts.interfaces import IStepVerifier
from contracts.modules import attention_evidence
from contracts.modules import attention_forms
from contracts.modules import leaf_codec
from contracts.modules import mix_steps
from contracts.modules import score_steps
from contracts.modules import softmax_steps
from contracts.modules import step_evidence
from contracts.modules import trace_geometry

implements: IStepVerifier


@view
@external
def violates(
    _context: IStepVerifier.Context,
    _step: IStepVerifier.Step,
    _descriptor: Bytes[992],
    _openings: DynArray[IStepVerifier.Opening, 5],
) -> bool:
    """
    @notice Says whether a step proves that scores, softmax or mix does not follow from its inputs.
    @dev Anyone may call. Reverts if the evidence is not sound.
    @param _context What the leaves are opened against.
    @param _step Which number is recomputed.
    @param _descriptor The operator's.
    @param _openings Leaves in the order in which docs/DISPUTES.md lists them for the step.
    @return True if the step proves a violation, false if what it recomputes is as it should be.
    """
    step_evidence._check_descriptor(_context, _descriptor)
    case: attention_evidence.Case = attention_evidence._case(_context, _step, _descriptor)
    leaves: DynArray[attention_evidence.Leaf, attention_evidence.MAX_OPENINGS] = []
    for i: uint256 in range(len(_openings), bound=attention_evidence.MAX_OPENINGS):
        leaf: attention_evidence.Leaf = attention_evidence.Leaf(
            hash=keccak256(keccak256(_openings[i].data)),
            size=len(_openings[i].data),
            data=b"",
            path=_openings[i].path,
        )
        if leaf.size <= leaf_codec.SMALL_LEAF:
            leaf.data = convert(_openings[i].data, Bytes[leaf_codec.SMALL_LEAF])
        leaves.append(leaf)

    kind: uint256 = case.kind
    check: uint256 = _step.check
    known: bool = kind == trace_geometry.SCORES or kind == trace_geometry.SOFTMAX or kind == trace_geometry.MIX
    assert known, "attention: another kind"
    if check == step_evidence.FORM or check == step_evidence.WITNESS_FORM:
        return attention_forms._is_malformed(case, leaves)
    if check == step_evidence.ELEMENT:
        if kind == trace_geometry.SCORES:
            return score_steps._is_false_score(case, leaves)
        if kind == trace_geometry.SOFTMAX:
            return softmax_steps._is_false_weight(case, leaves)
        return mix_steps._is_false_element(case, leaves)
    if check == step_evidence.SUM and kind == trace_geometry.MIX:
        return mix_steps._is_false_sum(case, leaves)
    assert kind == trace_geometry.SOFTMAX, "attention: check of another kind"
    return softmax_steps._is_false_witness(case, leaves)
