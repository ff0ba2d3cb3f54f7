# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Recovery of a signer
@author Proofmill
@license Apache-2.0
@dev Stateless. Only the lower of the two values of s is accepted, so that nobody can make a second signature out of one.
     A failed recovery returns the zero address: compare it with a signer that is known not to be zero.
"""


# (n - 1) / 2, where n is the order of secp256k1
LARGEST_LOW_S: constant(uint256) = (
    57_896_044_618_658_097_711_785_492_504_343_953_926_418_782_139_537_452_191_302_581_570_759_080_747_168
)
S_MASK: constant(uint256) = 2**255 - 1
PARITY_SHIFT: constant(uint256) = 255
FIRST_RECOVERY_ID: constant(uint256) = 27  # what `ecrecover` adds to the parity


@pure
@internal
def _recover(_digest: bytes32, _v: uint256, _r: uint256, _s: uint256) -> address:
    """
    @dev The zero address for a high s, for v other than 27 or 28, and for a point that is none.
    """
    if _s > LARGEST_LOW_S:
        return empty(address)
    return ecrecover(_digest, _v, _r, _s)


@pure
@internal
def _recover_compact(_digest: bytes32, _r: uint256, _vs: uint256) -> address:
    """
    @dev EIP-2098: the top bit of `_vs` is the parity of y, the rest is s.
    """
    return self._recover(_digest, (_vs >> PARITY_SHIFT) + FIRST_RECOVERY_ID, _r, _vs & S_MASK)
