# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Reader of traces
@author Proofmill
@license Apache-2.0
@notice Says what a question about a posted trace asks for, and whether a trace contradicts the claim it was posted for.
@dev Stateless. DisputeGame asks it, anyone may. docs/DISPUTES.md lists questions, keys and contradictions.
@custom:security A question proves that its node is where it says before it has a key, so no operator is asked for what
     an honest trace does not have; and the key fixes shape and number of what is revealed, so nothing can stand where
     the shape has no place.
"""

from contracts.interfaces import IOpVerifier
from contracts.interfaces import ITraceReader
from contracts.modules import trace_contradictions
from contracts.modules import trace_questions

implements: ITraceReader


@view
@external
def key_of(
    _claim_id: bytes32,
    _trace: IOpVerifier.Trace,
    _answer_rows: uint256,
    _answer_root: bytes32,
    _question: ITraceReader.Question,
) -> bytes32:
    """
    @notice Names what must be revealed to answer a question: questions for the same data have the same key.
    @dev Anyone. Reverts for a node that does not open, and for what an honest trace of the program does not have.
    @param _claim_id The claim whose trace is asked about; part of the key.
    @param _trace The roots of program and trace, and the length of the sequence.
    @param _answer_rows Rows of the answer, as claimed.
    @param _answer_root Root of the answer, as claimed.
    @param _question What is asked, with the paths that lead to it.
    @return keccak256(abi_encode(claim id, form, node, four numbers of its shape, hashes that are not free)).
    """
    return trace_questions._key_of(_claim_id, _trace, _answer_rows, _answer_root, _question)


@view
@external
def contradicts(
    _trace: IOpVerifier.Trace,
    _expectation: ITraceReader.Expectation,
    _contradiction: ITraceReader.Contradiction,
) -> bool:
    """
    @notice Says whether the claim is false whatever the program computes.
    @dev Anyone. Reverts for evidence that does not open.
    @param _trace The roots of program and trace, and the length of the sequence.
    @param _expectation What the trace was posted for.
    @param _contradiction The place, with both leaf hashes that stand there and their paths.
    @return True if the evidence shows a contradiction; false if it is sound and shows none.
    """
    return trace_contradictions._contradicts(_trace, _expectation, _contradiction)
