# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A verifier that finds a violation where the evidence is the trace itself
@license Apache-2.0
@dev Tests only: it shows that the game hands on what was posted.
"""

from contracts.interfaces import IOpVerifier

implements: IOpVerifier


@view
@external
def violates(
    _trace: IOpVerifier.Trace, _accusation: IOpVerifier.Accusation, _evidence: Bytes[40960]
) -> bool:
    assert _accusation.number != 0, "mock: no such operator"
    return keccak256(_evidence) == keccak256(abi_encode(_trace))


@view
@external
def verifier_of(_kind: uint256) -> address:
    return self
