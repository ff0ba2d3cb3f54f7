# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A contract that signs when enough of its owners did
@license Apache-2.0
@dev Tests only. In the manner of a Safe: signatures of 65 bytes each, in ascending order of the owners (3 of 5: 195 bytes).
"""


IS_VALID_SIGNATURE: constant(bytes4) = 0x1626ba7e


owners: DynArray[address, 15]
threshold: uint256


@deploy
def __init__(_owners: DynArray[address, 15], _threshold: uint256):
    self.owners = _owners
    self.threshold = _threshold


@view
@external
def isValidSignature(_digest: bytes32, _signature: Bytes[1024]) -> bytes4:
    assert len(_signature) >= 65 * self.threshold, "signer: too few signatures"
    previous: uint256 = 0
    for i: uint256 in range(self.threshold, bound=15):
        owner: address = ecrecover(
            _digest,
            convert(slice(_signature, 65 * i + 64, 1), uint256),
            extract32(_signature, 65 * i, output_type=uint256),
            extract32(_signature, 65 * i + 32, output_type=uint256),
        )
        assert owner in self.owners, "signer: not an owner"
        assert convert(owner, uint256) > previous, "signer: order"
        previous = convert(owner, uint256)
    return IS_VALID_SIGNATURE
