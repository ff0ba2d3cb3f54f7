# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title A refusal with a reason
@author Proofmill
@license Apache-2.0
@dev Stateless. `assert ..., reason` encodes its reason where it stands, in about 125 bytes. A contract with many
     checks that must fit into 24,576 bytes says `if <wrong>: refusal._raise(reason)` instead, in about 75 bytes and for
     the same gas.
"""


@pure
@internal
def _raise(_reason: String[32]):
    raise _reason
