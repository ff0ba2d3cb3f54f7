# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Verifier of operators
@author Proofmill
@license Apache-2.0
@notice Says whether one step proves that a trace is not what its program computes. Anyone may ask.
@dev Stateless; its table of verifiers never changes. Opens the operator against the program and its values against the trace, and
     hands the rest, unread, to the contract that knows the operator's kind.
@custom:security That contract checks the kind and the numbers of the inputs against the descriptor whose hash is opened here, so an
     accusation of another kind or with other inputs reverts there. Only an answer of one word that says true counts.
"""

from contracts.interfaces import IOpVerifier
from contracts.interfaces import IStepVerifier
from contracts.modules import merkle_tree
from contracts.modules import trace_geometry

implements: IOpVerifier

SHORT_EVIDENCE: constant(uint256) = 6144  # of most steps
LONG_EVIDENCE: constant(uint256) = 14336  # of rows of up to 2,048
MAX_EVIDENCE: constant(uint256) = 40960
HEAD_BYTES: constant(uint256) = 292  # selector and context
MAX_DEPTH: constant(uint256) = 16  # of the trees over operators and over values
MAX_ANSWER: constant(uint256) = 64  # enough to see that an answer is longer than a word

STEP_SELECTOR: constant(bytes4) = method_id(
    "violates((uint256,uint256,uint256,bytes32,bytes32,uint256,bytes32,uint256,bytes32),(uint256,uint256,uint256,uint256,uint256),bytes,(bytes,bytes32[])[])",
    output_type=bytes4,
)

LINEAR_VERIFIER: immutable(address)
ELEMENT_VERIFIER: immutable(address)
ACTIVATION_VERIFIER: immutable(address)
ROW_VERIFIER: immutable(address)
ATTENTION_VERIFIER: immutable(address)
SELECTION_VERIFIER: immutable(address)


@deploy
def __init__(
    _linear: address, _element: address, _activation: address, _row: address, _attention: address, _selection: address
):
    """
    @notice Fixes who knows which kinds of operators.
    @param _linear Knows linear.
    @param _element Knows embedding, position_embedding, add, relu, rotate, pixels, patches and flatten.
    @param _activation Knows gelu and gated_silu.
    @param _row Knows quantise, layer_norm, rms_norm and unit_mean.
    @param _attention Knows scores, softmax and mix.
    @param _selection Knows max_pool, average_pool and choose.
    """
    for verifier: address in [_linear, _element, _activation, _row, _attention, _selection]:
        assert verifier.is_contract, "operators: not a contract"
    LINEAR_VERIFIER = _linear
    ELEMENT_VERIFIER = _element
    ACTIVATION_VERIFIER = _activation
    ROW_VERIFIER = _row
    ATTENTION_VERIFIER = _attention
    SELECTION_VERIFIER = _selection


@view
@external
def violates(
    _trace: IOpVerifier.Trace, _accusation: IOpVerifier.Accusation, _evidence: Bytes[MAX_EVIDENCE]
) -> bool:
    """
    @notice Says whether evidence proves that an operator's output in a trace does not follow from its inputs.
    @dev Anyone may call. Reverts if the operator or a value does not open, with the verifier's reason if the evidence is not sound.
    @param _trace Whose trace.
    @param _accusation Which operator, opened with its values.
    @param _evidence Step, descriptor and openings: arguments of `IStepVerifier.violates` as they follow its context.
    @return True if the step proves a violation.
    """
    number: uint256 = _accusation.number
    count: uint256 = _trace.operators
    assert number != 0 and number <= count, "operators: no such operator"
    assert _accusation.first_number <= count and _accusation.second_number <= count, "operators: no such value"
    depth: uint256 = merkle_tree._bits(count)  # of n + 1 places, in both trees
    opens: bool = len(_accusation.descriptor_path) == depth and (
        self._root(_accusation.descriptor_hash, number, _accusation.descriptor_path) == _trace.program_root
    )
    assert opens, "operators: no such descriptor"
    opens = len(_accusation.output_path) == depth and (
        self._root(_accusation.output_root, number, _accusation.output_path) == _trace.trace_root
    )
    assert opens, "operators: output does not open"
    opens = len(_accusation.first_path) == depth and (
        self._root(_accusation.first_root, _accusation.first_number, _accusation.first_path) == _trace.trace_root
    )
    assert opens, "operators: input does not open"
    if _accusation.second_number == 0:
        is_absent: bool = len(_accusation.second_path) == 0 and _accusation.second_root == empty(bytes32)
        assert is_absent, "operators: stray second input"
    else:
        root: bytes32 = self._root(_accusation.second_root, _accusation.second_number, _accusation.second_path)
        opens = len(_accusation.second_path) == depth and root == _trace.trace_root
        assert opens, "operators: second does not open"

    verifier: address = self._verifier_of(_accusation.kind)
    assert verifier != empty(address), "operators: no such kind"
    head: Bytes[HEAD_BYTES] = concat(
        STEP_SELECTOR,
        abi_encode(
            IStepVerifier.Context(
                length=_trace.length,
                inverse_temperature=_trace.inverse_temperature,
                seed=_trace.seed,
                descriptor_hash=_accusation.descriptor_hash,
                output_root=_accusation.output_root,
                first_number=_accusation.first_number,
                first_root=_accusation.first_root,
                second_number=_accusation.second_number,
                second_root=_accusation.second_root,
            )
        ),
    )
    # The same call three times: what comes after room for the longest evidence costs the memory of it, used or not.
    answer: Bytes[MAX_ANSWER] = b""
    if len(_evidence) <= SHORT_EVIDENCE:
        answer = raw_call(
            verifier,
            concat(head, convert(_evidence, Bytes[SHORT_EVIDENCE])),
            max_outsize=MAX_ANSWER,
            is_static_call=True,
        )
    elif len(_evidence) <= LONG_EVIDENCE:
        answer = raw_call(
            verifier,
            concat(head, convert(_evidence, Bytes[LONG_EVIDENCE])),
            max_outsize=MAX_ANSWER,
            is_static_call=True,
        )
    else:
        answer = raw_call(verifier, concat(head, _evidence), max_outsize=MAX_ANSWER, is_static_call=True)
    assert len(answer) == 32, "operators: no answer"
    word: uint256 = extract32(answer, 0, output_type=uint256)
    assert word <= 1, "operators: senseless answer"
    return word == 1


@view
@external
def verifier_of(_kind: uint256) -> address:
    """
    @notice Says who knows a kind of operator.
    @dev Anyone may call.
    @param _kind Code of the kind, docs/TRACE.md, section 6.
    @return An IStepVerifier, or the zero address if no operator has this kind.
    """
    return self._verifier_of(_kind)


@pure
@internal
def _root(_node: bytes32, _index: uint256, _path: DynArray[bytes32, MAX_DEPTH]) -> bytes32:
    """
    @dev Roots and descriptors' hashes are themselves at the bottom of their trees: neither is hashed again.
    """
    return merkle_tree._root_of_path(_node, _index, _path)


@view
@internal
def _verifier_of(_kind: uint256) -> address:
    if _kind == trace_geometry.LINEAR:
        return LINEAR_VERIFIER
    if _kind == trace_geometry.QUANTISE or _kind == trace_geometry.LAYER_NORM:
        return ROW_VERIFIER
    if _kind == trace_geometry.RMS_NORM or _kind == trace_geometry.UNIT_MEAN:
        return ROW_VERIFIER
    if _kind == trace_geometry.GELU or _kind == trace_geometry.GATED_SILU:
        return ACTIVATION_VERIFIER
    if _kind >= trace_geometry.SCORES and _kind <= trace_geometry.MIX:
        return ATTENTION_VERIFIER
    if _kind == trace_geometry.MAX_POOL or _kind == trace_geometry.AVERAGE_POOL or _kind == trace_geometry.CHOOSE:
        return SELECTION_VERIFIER
    if _kind >= trace_geometry.EMBEDDING and _kind <= trace_geometry.FLATTEN:
        return ELEMENT_VERIFIER  # the others among the known kinds, 1 … 21
    return empty(address)
