# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Mock verifier of steps
@author Proofmill
@license Apache-2.0
@notice For tests only: answers every call with the bytes it was made with.
"""

ANSWER: immutable(Bytes[96])


@deploy
def __init__(_answer: Bytes[96]):
    ANSWER = _answer


@view
@external
@raw_return
def __default__() -> Bytes[96]:
    return ANSWER
