# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title From a job to the claim about one of its sequences
@author Proofmill
@license Apache-2.0
@dev Stateless. A request that is malformed can be asked nothing: its answer cannot be judged, and honest operators do not take
     it. An answer that is malformed needs no trace: `_is_impossible` says so.
"""

from contracts.interfaces import IDisputeGame
from contracts.interfaces import IModelRegistry
from contracts.interfaces import IOpVerifier
from contracts.interfaces import ITraceReader
from contracts.modules import merkle_tree
from contracts.modules import refusal


# Kinds of requests.
MAP: constant(uint256) = 1
GENERATION: constant(uint256) = 2

MAX_ITEMS: constant(uint256) = 1024
MAX_ROWS: constant(uint256) = 2**20  # of an item
MAX_INVERSE_TEMPERATURE: constant(uint256) = 2**24  # as SelectionVerifier takes it: Q.16


@pure
@internal
def _claim_id(_claim: IDisputeGame.Claim) -> bytes32:
    return keccak256(abi_encode(_claim))


@pure
@internal
def _item_hash(_rows: uint256, _root: bytes32) -> bytes32:
    """
    @dev A leaf of the tree over the items of a request or of an answer.
    """
    return keccak256(keccak256(abi_encode(_rows, _root)))


@pure
@internal
def _deliverable(_count: uint256, _answers_root: bytes32) -> bytes32:
    """
    @dev What an operator submits: its answers, and how many there are.
    """
    return keccak256(abi_encode(_count, _answers_root))


@pure
@internal
def _check_request(_request_hash: bytes32, _model_id: bytes32, _request: IDisputeGame.Request):
    """
    @dev It is the one whose hash the job's terms name, and well-formed.
    """
    input_root: bytes32 = keccak256(abi_encode(_request))
    if keccak256(abi_encode(_model_id, input_root)) != _request_hash:
        refusal._raise("claim: another request")
    if _request.kind not in [MAP, GENERATION]:
        refusal._raise("claim: unknown kind of request")
    if _request.count == 0 or _request.count > MAX_ITEMS:
        refusal._raise("claim: wrong number of items")
    if _request.kind == MAP:
        if _request.maximum_new_tokens != 0:
            refusal._raise("claim: a map with new tokens")
    else:
        most: uint256 = _request.maximum_new_tokens
        if most == 0 or most > MAX_ROWS:
            refusal._raise("claim: no or too many new tokens")
        if _request.inverse_temperature > MAX_INVERSE_TEMPERATURE:
            refusal._raise("claim: too cold")


@pure
@internal
def _claim(
    _job_id: uint256,
    _record: bytes32,
    _provider: address,
    _deliverable: bytes32,
    _model: IModelRegistry.Model,
    _request: IDisputeGame.Request,
    _item: uint256,
    _asked: IDisputeGame.Item,
    _answered: IDisputeGame.Item,
) -> IDisputeGame.Claim:
    """
    @dev Reverts unless both items open at their place. Both trees have as many items as the request.
    """
    if _item >= _request.count:
        refusal._raise("claim: no such item")
    depth: uint256 = merkle_tree._bits(_request.count - 1)
    if len(_asked.path) != depth or len(_answered.path) != depth:
        refusal._raise("claim: path of another depth")
    asked: bytes32 = self._item_hash(_asked.rows, _asked.root)
    if merkle_tree._root_of_path(asked, _item, _asked.path) != _request.items_root:
        refusal._raise("claim: not what was asked")
    answered: bytes32 = self._item_hash(_answered.rows, _answered.root)
    answers_root: bytes32 = merkle_tree._root_of_path(answered, _item, _answered.path)
    deliverable: bytes32 = self._deliverable(_request.count, answers_root)
    if deliverable != _deliverable:
        refusal._raise("claim: not what was answered")
    if _asked.rows == 0 or _asked.rows > MAX_ROWS:
        refusal._raise("claim: no or too many rows")

    length: uint256 = _asked.rows
    if _request.kind == GENERATION and _answered.rows != 0:
        # An impossible number of rows may be so large that the sum wraps around; nobody reads the length then.
        length = unsafe_add(length, _answered.rows - 1)
    return IDisputeGame.Claim(
        job_id=_job_id,
        record=_record,
        provider=_provider,
        item=_item,
        program_root=_model.program_root,
        operators=_model.operators,
        length=length,
        inverse_temperature=_request.inverse_temperature,
        seed=_request.seed,
        kind=_request.kind,
        prompt_rows=_asked.rows,
        prompt_root=_asked.root,
        answer_rows=_answered.rows,
        answer_root=_answered.root,
        maximum_new_tokens=_request.maximum_new_tokens,
        stop_token=_request.stop_token,
    )


@pure
@internal
def _is_impossible(_claim: IDisputeGame.Claim) -> bool:
    """
    @dev No run of any program answers with so many rows.
    """
    most: uint256 = MAX_ROWS
    if _claim.kind == GENERATION:
        most = _claim.maximum_new_tokens
    return _claim.answer_rows == 0 or _claim.answer_rows > most


@pure
@internal
def _trace(_claim: IDisputeGame.Claim, _trace_root: bytes32) -> IOpVerifier.Trace:
    return IOpVerifier.Trace(
        program_root=_claim.program_root,
        operators=_claim.operators,
        trace_root=_trace_root,
        length=_claim.length,
        inverse_temperature=_claim.inverse_temperature,
        seed=_claim.seed,
    )


@pure
@internal
def _expectation(_claim: IDisputeGame.Claim) -> ITraceReader.Expectation:
    return ITraceReader.Expectation(
        kind=_claim.kind,
        prompt_rows=_claim.prompt_rows,
        prompt_root=_claim.prompt_root,
        answer_rows=_claim.answer_rows,
        answer_root=_claim.answer_root,
        maximum_new_tokens=_claim.maximum_new_tokens,
        stop_token=_claim.stop_token,
    )
