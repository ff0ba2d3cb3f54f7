# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A contract that answers every call, also the question whether it signed, as badly as it can
@license Apache-2.0
@dev Tests only.
"""


AGREES: constant(uint256) = 0
RETURNS_GARBAGE: constant(uint256) = 1
RETURNS_FOUR_BYTES: constant(uint256) = 2
BURNS_GAS: constant(uint256) = 3
RETURNS_A_BOMB: constant(uint256) = 4
REVERTS_WITH_A_BOMB: constant(uint256) = 5
RETURNS_NOTHING: constant(uint256) = 6
CHANGES_STATE: constant(uint256) = 7
REVERTS_WITH_THE_ANSWER: constant(uint256) = 8


manner: public(uint256)


@external
def behave(_manner: uint256):
    self.manner = _manner


@external
@raw_return
def __default__() -> Bytes[65_536]:
    manner: uint256 = self.manner
    if manner == RETURNS_GARBAGE:
        return x"1626ba7e00000000000000000000000000000000000000000000000000000001"
    elif manner == RETURNS_FOUR_BYTES:
        return x"1626ba7e"
    elif manner == BURNS_GAS:
        for i: uint256 in range(2**64):
            assert self.manner != i + 1_000, "signer: unreachable"
    elif manner == RETURNS_A_BOMB:
        return abi_encode(empty(uint256[2048]))
    elif manner == REVERTS_WITH_A_BOMB:
        raw_revert(abi_encode(empty(uint256[2048])))
    elif manner == RETURNS_NOTHING:
        return b""
    elif manner == CHANGES_STATE:
        self.manner = AGREES
    elif manner == REVERTS_WITH_THE_ANSWER:
        raw_revert(x"1626ba7e00000000000000000000000000000000000000000000000000000000")
    return x"1626ba7e00000000000000000000000000000000000000000000000000000000"
