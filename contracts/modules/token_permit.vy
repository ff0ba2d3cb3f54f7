# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Allowances by signature
@author Proofmill
@license Apache-2.0
@dev ERC-2612. Anyone may bring a permit, also somebody who saw it on its way: who needs the allowance must not mind
     when the permit fails, and look at the allowance.
"""

from contracts.modules import fungible_token
from contracts.modules import token_signatures

uses: fungible_token
uses: token_signatures


PERMIT_TYPE_HASH: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)


# ------------------------------------------------------------------ anyone with the owner's signature
@external
def permit(
    _owner: address, _spender: address, _amount: uint256, _deadline: uint256, _v: uint8, _r: bytes32, _s: bytes32
):
    """
    @notice Sets an allowance that the owner signed, in place of the one before.
    @dev Anyone calls. The signature covers the owner's next nonce, so that it works once.
    @param _owner Who signed.
    @param _spender Who may take tokens.
    @param _amount In base units; 2 ** 256 - 1 without limit.
    @param _deadline Unix time, last second in which the signature counts.
    @param _v 27 or 28.
    @param _r First half of the signature.
    @param _s Second half, the lower of the two possible values.
    """
    assert block.timestamp <= _deadline, "permit: expired"
    nonce: uint256 = token_signatures._use_nonce(_owner)
    struct_hash: bytes32 = keccak256(
        abi_encode(PERMIT_TYPE_HASH, _owner, _spender, _amount, nonce, _deadline)
    )
    # The zero address is what a failed recovery returns.
    assert _owner != empty(address), "permit: no owner"
    assert token_signatures._signer(struct_hash, _v, _r, _s) == _owner, "permit: bad signature"
    fungible_token._approve(_owner, _spender, _amount)
