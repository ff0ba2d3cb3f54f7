# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What a challenger asks and proves
@author Proofmill
@license Apache-2.0
@dev A question is the challenger's own move, while its clock runs. A proof is anyone's, at any time until the case is refuted: the
     truth has no clock.
"""

from contracts.interfaces import IDisputeGame
from contracts.interfaces import IJobEscrow
from contracts.interfaces import IModelRegistry
from contracts.interfaces import IOpVerifier
from contracts.interfaces import ITraceReader
from contracts.modules import dispute_cases
from contracts.modules import dispute_challenges
from contracts.modules import dispute_claims
from contracts.modules import dispute_clock
from contracts.modules import dispute_reveals
from contracts.modules import refusal

uses: dispute_cases
uses: dispute_challenges
uses: dispute_reveals


# Why a case is refuted, as the escrow and Staking record it. `dispute_endings.SILENCE` is the fourth.
FALSE_STEP: constant(bytes32) = keccak256("a step of the trace is false")
CONTRADICTION: constant(bytes32) = keccak256("the trace contradicts the claim")
IMPOSSIBLE: constant(bytes32) = keccak256("no program answers with so many rows")

MAX_EVIDENCE: constant(uint256) = 40_960  # bytes

MODEL_REGISTRY: immutable(IModelRegistry)
TRACE_READER: immutable(ITraceReader)
OP_VERIFIER: immutable(IOpVerifier)


@deploy
def __init__(_model_registry: address, _trace_reader: address, _op_verifier: address):
    parts: DynArray[address, 3] = [_model_registry, _trace_reader, _op_verifier]
    for part: address in parts:
        # A call to an account without code has no answer, and nothing could be proved.
        if not part.is_contract:
            refusal._raise("dispute: no contract")
    MODEL_REGISTRY = IModelRegistry(_model_registry)
    TRACE_READER = ITraceReader(_trace_reader)
    OP_VERIFIER = IOpVerifier(_op_verifier)


# ------------------------------------------------------------------ challenger
@external
def ask_items(
    _challenge_id: uint256,
    _terms: IJobEscrow.JobTerms,
    _answer: IJobEscrow.Answer,
    _model_id: bytes32,
    _request: IDisputeGame.Request,
):
    """
    @notice Asks what the answer consists of, when nobody serves it.
    @dev The challenger, in its turn, while its clock runs. 8 questions at most.
    @param _challenge_id The challenge.
    @param _terms The job's terms.
    @param _answer The answer that was submitted.
    @param _model_id The model that was asked for.
    @param _request The request.
    """
    job_id: uint256 = dispute_challenges._challenges[_challenge_id].job_id
    record: bytes32 = self._check_record(_challenge_id, _terms, _answer)
    dispute_claims._check_request(_terms.request_hash, _model_id, _request)
    key: bytes32 = dispute_reveals._items_key(job_id, record, _answer.deliverable, _request.count)
    self._ask(_challenge_id, key)
    log IDisputeGame.ItemsAsked(challenge_id=_challenge_id, key=key)


@external
def name_item(
    _challenge_id: uint256,
    _terms: IJobEscrow.JobTerms,
    _answer: IJobEscrow.Answer,
    _model_id: bytes32,
    _request: IDisputeGame.Request,
    _item: uint256,
    _asked: IDisputeGame.Item,
    _answered: IDisputeGame.Item,
) -> bytes32:
    """
    @notice Names the sequence whose answer is wrong, and by that asks for its trace. An answer with a number of rows that no
            program gives is refuted at once.
    @dev The challenger, in its turn, while its clock runs; also to go on to another sequence. 8 questions at most.
    @param _challenge_id The challenge.
    @param _terms The job's terms.
    @param _answer The answer that was submitted.
    @param _model_id The model that was asked for; it must be registered.
    @param _request The request.
    @param _item Which of its sequences, from 0.
    @param _asked The item of the request.
    @param _answered The item of the answer.
    @return The claim's id.
    """
    job_id: uint256 = dispute_challenges._challenges[_challenge_id].job_id
    record: bytes32 = self._check_record(_challenge_id, _terms, _answer)
    request: IDisputeGame.Request = _request
    dispute_claims._check_request(_terms.request_hash, _model_id, request)
    model: IModelRegistry.Model = staticcall MODEL_REGISTRY.model(_model_id)
    if model.operators == 0:
        refusal._raise("claim: model not registered")
    claim: IDisputeGame.Claim = dispute_claims._claim(
        job_id, record, _answer.provider, _answer.deliverable, model, request, _item, _asked, _answered
    )
    claim_id: bytes32 = dispute_claims._claim_id(claim)
    self._ask(_challenge_id, claim_id)
    dispute_challenges._challenges[_challenge_id].claim_id = claim_id
    log IDisputeGame.ItemNamed(challenge_id=_challenge_id, claim_id=claim_id, claim=claim)
    if dispute_claims._is_impossible(claim):
        dispute_challenges._refute(_challenge_id, IMPOSSIBLE, dispute_cases.FALSE_ANSWER)
    return claim_id


@external
def ask(_challenge_id: uint256, _claim: IDisputeGame.Claim, _question: ITraceReader.Question):
    """
    @notice Asks for what lies below a node of the trace.
    @dev The challenger, in its turn, while its clock runs. 8 questions at most.
    @param _challenge_id The challenge.
    @param _claim The claim that it named last.
    @param _question Which node, with the proof that it is there.
    """
    claim: IDisputeGame.Claim = _claim
    trace: IOpVerifier.Trace = self._trace(_challenge_id, claim)
    claim_id: bytes32 = dispute_challenges._challenges[_challenge_id].claim_id
    question: ITraceReader.Question = _question
    key: bytes32 = staticcall TRACE_READER.key_of(
        claim_id, trace, claim.answer_rows, claim.answer_root, question
    )
    self._ask(_challenge_id, key)
    log IDisputeGame.Asked(challenge_id=_challenge_id, claim_id=claim_id, key=key, question=question)


# ------------------------------------------------------------------ anyone
@external
def prove(
    _challenge_id: uint256,
    _claim: IDisputeGame.Claim,
    _accusation: IOpVerifier.Accusation,
    _evidence: Bytes[MAX_EVIDENCE],
):
    """
    @notice Decides the case: one number of the posted trace is not what its program computes.
    @dev Anyone, for a challenge that is open, at any time until its case is refuted or settled.
    @param _challenge_id The challenge.
    @param _claim The claim that it named last.
    @param _accusation Which operator of the trace.
    @param _evidence The step, the descriptor and the opened leaves.
    """
    trace: IOpVerifier.Trace = self._trace(_challenge_id, _claim)
    if not staticcall OP_VERIFIER.violates(trace, _accusation, _evidence):
        refusal._raise("dispute: the step is right")
    dispute_challenges._refute(_challenge_id, FALSE_STEP, dispute_cases.FALSE_ANSWER)


@external
def contradict(
    _challenge_id: uint256, _claim: IDisputeGame.Claim, _contradiction: ITraceReader.Contradiction
):
    """
    @notice Decides the case: the posted trace is not one of this claim.
    @dev Anyone, for a challenge that is open, at any time until its case is refuted or settled.
    @param _challenge_id The challenge.
    @param _claim The claim that it named last.
    @param _contradiction Where the two differ.
    """
    claim: IDisputeGame.Claim = _claim
    trace: IOpVerifier.Trace = self._trace(_challenge_id, claim)
    expectation: ITraceReader.Expectation = dispute_claims._expectation(claim)
    if not staticcall TRACE_READER.contradicts(
        trace, expectation, _contradiction
    ):
        refusal._raise("dispute: no contradiction")
    dispute_challenges._refute(_challenge_id, CONTRADICTION, dispute_cases.FALSE_ANSWER)


# ------------------------------------------------------------------ internal
@view
@internal
def _check_record(
    _challenge_id: uint256, _terms: IJobEscrow.JobTerms, _answer: IJobEscrow.Answer
) -> bytes32:
    """
    @dev They are those of the job that is challenged.
    """
    record: bytes32 = dispute_cases._record(_terms, _answer)
    if record != dispute_challenges._challenges[_challenge_id].record:
        refusal._raise("dispute: another record")
    return record


@view
@internal
def _trace(_challenge_id: uint256, _claim: IDisputeGame.Claim) -> IOpVerifier.Trace:
    """
    @dev The trace that was posted for the claim; which must be the one that the challenge has named.
    """
    claim_id: bytes32 = dispute_claims._claim_id(_claim)
    if claim_id != dispute_challenges._challenges[_challenge_id].claim_id:
        refusal._raise("dispute: another claim")
    root: bytes32 = dispute_reveals.trace_root[claim_id]
    if root == empty(bytes32):
        refusal._raise("dispute: no trace yet")
    return dispute_claims._trace(_claim, root)


@internal
def _ask(_challenge_id: uint256, _key: bytes32):
    """
    @dev The defender's turn begins; if the key is known, it has ended already.
    """
    if msg.sender != dispute_challenges._challenges[_challenge_id].challenger:
        refusal._raise("dispute: not the challenger")
    doubt: dispute_challenges.Doubt = dispute_challenges._open_doubt(_challenge_id)
    facts: dispute_cases.Facts = dispute_cases._open_facts(dispute_challenges._case_id(_challenge_id))
    extension: uint256 = dispute_clock._extension(facts.dispute_window)
    turn: dispute_clock.Turn = dispute_challenges._turn(_challenge_id, doubt, extension)
    if turn.is_defenders:
        refusal._raise("dispute: not answered yet")
    if doubt.asks >= dispute_clock.MAX_ASKS:
        refusal._raise("dispute: no questions left")
    doubt.asks += 1
    doubt.turn = dispute_clock._after_question(turn, block.timestamp, extension)
    dispute_challenges._challenges[_challenge_id].pending = _key
    dispute_challenges._challenges[_challenge_id].word = dispute_challenges._pack(doubt)
