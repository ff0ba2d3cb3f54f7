# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A reader of traces that believes every question
@license Apache-2.0
@dev Tests only. A question says itself what its key is made of: form `what`, numbers `row`, `section`, `leaf`, `part`, `number`. A contradiction
     counts if its `root` is that of the trace and its `token` says how many rows the answer has.
"""

from contracts.interfaces import IOpVerifier
from contracts.interfaces import ITraceReader

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
    assert _question.output_root == _trace.trace_root, "mock: another trace"
    return keccak256(
        abi_encode(
            _claim_id,
            _question.what,
            _question.node,
            _question.row,
            _question.section,
            _question.leaf,
            _question.part,
            _question.number,
        )
    )


@view
@external
def contradicts(
    _trace: IOpVerifier.Trace,
    _expectation: ITraceReader.Expectation,
    _contradiction: ITraceReader.Contradiction,
) -> bool:
    return (
        _contradiction.root == _trace.trace_root and _contradiction.token == _expectation.answer_rows
    )
