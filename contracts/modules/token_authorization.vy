# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Transfers by signature
@author Proofmill
@license Apache-2.0
@dev ERC-3009. Nonces are random words that the signer picks, so that authorizations do not wait for each other.
@custom:security A contract that does more than hold tokens takes them by `receiveWithAuthorization`: with
        `transferWithAuthorization` anybody could send the tokens first and leave its books behind.
"""

from contracts.interfaces import IMillToken
from contracts.modules import fungible_token
from contracts.modules import token_signatures

uses: fungible_token
uses: token_signatures


TRANSFER_TYPE_HASH: constant(bytes32) = keccak256(
"TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
RECEIVE_TYPE_HASH: constant(bytes32) = keccak256(
"ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
CANCEL_TYPE_HASH: constant(bytes32) = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)")


authorizationState: public(HashMap[address, HashMap[bytes32, bool]])  # true: used or canceled


# ------------------------------------------------------------------ anyone with the holder's signature
@external
def transferWithAuthorization(
    _from: address,
    _to: address,
    _amount: uint256,
    _valid_after: uint256,
    _valid_before: uint256,
    _nonce: bytes32,
    _v: uint8,
    _r: bytes32,
    _s: bytes32,
):
    """
    @notice Moves tokens as their holder signed.
    @dev Anyone calls.
    @param _from The holder, who signed.
    @param _to Receives the tokens.
    @param _amount In base units.
    @param _valid_after Unix time; the signature counts from the second after it.
    @param _valid_before Unix time; the signature counts until the second before it.
    @param _nonce A word that the holder has not used.
    @param _v 27 or 28.
    @param _r First half of the signature.
    @param _s Second half, the lower of the two possible values.
    """
    self._transfer_signed(
        TRANSFER_TYPE_HASH, _from, _to, _amount, _valid_after, _valid_before, _nonce, _v, _r, _s
    )


# ------------------------------------------------------------------ receiver with the holder's signature
@external
def receiveWithAuthorization(
    _from: address,
    _to: address,
    _amount: uint256,
    _valid_after: uint256,
    _valid_before: uint256,
    _nonce: bytes32,
    _v: uint8,
    _r: bytes32,
    _s: bytes32,
):
    """
    @notice Takes tokens that their holder signed over to the caller.
    @dev The receiver only, so that nobody can use the signature apart from the call it was made for.
    @param _from The holder, who signed.
    @param _to The caller.
    @param _amount In base units.
    @param _valid_after Unix time; the signature counts from the second after it.
    @param _valid_before Unix time; the signature counts until the second before it.
    @param _nonce A word that the holder has not used.
    @param _v 27 or 28.
    @param _r First half of the signature.
    @param _s Second half, the lower of the two possible values.
    """
    assert msg.sender == _to, "authorization: not the receiver"
    self._transfer_signed(
        RECEIVE_TYPE_HASH, _from, _to, _amount, _valid_after, _valid_before, _nonce, _v, _r, _s
    )


# ------------------------------------------------------------------ anyone with the holder's signature
@external
def cancelAuthorization(_authorizer: address, _nonce: bytes32, _v: uint8, _r: bytes32, _s: bytes32):
    """
    @notice Makes an authorization worthless before anyone uses it.
    @dev Anyone calls.
    @param _authorizer Who signed the authorization, and now its end.
    @param _nonce The authorization's nonce.
    @param _v 27 or 28.
    @param _r First half of the signature.
    @param _s Second half, the lower of the two possible values.
    """
    self._use(_authorizer, _nonce, keccak256(abi_encode(CANCEL_TYPE_HASH, _authorizer, _nonce)), _v, _r, _s)
    log IMillToken.AuthorizationCanceled(authorizer=_authorizer, nonce=_nonce)


# ------------------------------------------------------------------ internal
@internal
def _transfer_signed(
    _type_hash: bytes32,
    _from: address,
    _to: address,
    _amount: uint256,
    _valid_after: uint256,
    _valid_before: uint256,
    _nonce: bytes32,
    _v: uint8,
    _r: bytes32,
    _s: bytes32,
):
    assert block.timestamp > _valid_after, "authorization: not yet valid"
    assert block.timestamp < _valid_before, "authorization: expired"
    struct_hash: bytes32 = keccak256(
        abi_encode(_type_hash, _from, _to, _amount, _valid_after, _valid_before, _nonce)
    )
    self._use(_from, _nonce, struct_hash, _v, _r, _s)
    log IMillToken.AuthorizationUsed(authorizer=_from, nonce=_nonce)
    fungible_token._transfer(_from, _to, _amount)


@internal
def _use(_authorizer: address, _nonce: bytes32, _struct_hash: bytes32, _v: uint8, _r: bytes32, _s: bytes32):
    # The zero address is what a failed recovery returns.
    assert _authorizer != empty(address), "authorization: no authorizer"
    assert not self.authorizationState[_authorizer][_nonce], "authorization: used or canceled"
    signer: address = token_signatures._signer(_struct_hash, _v, _r, _s)
    assert signer == _authorizer, "authorization: bad signature"
    self.authorizationState[_authorizer][_nonce] = True
