# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Who votes with whose tokens
@author Proofmill
@license Apache-2.0
@dev ERC-5805. Tokens vote only when their holder has delegated them, be it to itself; so holders who do not vote pay
     for no checkpoints. Delegation goes one step: a delegate cannot pass on what was delegated to it.
"""

from contracts.interfaces import IMillToken
from contracts.modules import fungible_token
from contracts.modules import token_signatures
from contracts.modules import vote_checkpoints

uses: fungible_token
uses: token_signatures
uses: vote_checkpoints


DELEGATION_TYPE_HASH: constant(bytes32) = keccak256(
    "Delegation(address delegatee,uint256 nonce,uint256 expiry)"
)


# ------------------------------------------------------------------ holder
@external
def delegate(_delegatee: address):
    """
    @notice Lets a delegate vote with all that the caller has and will have.
    @param _delegatee The caller itself or anybody else; the zero address for nobody.
    """
    self._delegate(msg.sender, _delegatee)


# ------------------------------------------------------------------ anyone with the holder's signature
@external
def delegateBySig(
    _delegatee: address, _nonce: uint256, _expiry: uint256, _v: uint8, _r: bytes32, _s: bytes32
):
    """
    @notice Lets a delegate vote with all that the signer has and will have.
    @dev Anyone calls. The signature names nobody, so whatever it recovers to is taken for the signer; a signature of
         something else recovers to an account that nobody has.
    @param _delegatee Anybody; the zero address for nobody.
    @param _nonce The signer's next nonce, shared with permits.
    @param _expiry Unix time, last second in which the signature counts, whatever the clock of the votes.
    @param _v 27 or 28.
    @param _r First half of the signature.
    @param _s Second half, the lower of the two possible values.
    """
    assert block.timestamp <= _expiry, "votes: signature expired"
    struct_hash: bytes32 = keccak256(abi_encode(DELEGATION_TYPE_HASH, _delegatee, _nonce, _expiry))
    signer: address = token_signatures._signer(struct_hash, _v, _r, _s)
    assert signer != empty(address), "votes: bad signature"
    assert token_signatures._use_nonce(signer) == _nonce, "votes: wrong nonce"
    self._delegate(signer, _delegatee)


# ------------------------------------------------------------------ views
@view
@external
def delegates(_account: address) -> address:
    """
    @notice Who votes with the tokens of an account.
    @param _account Any account.
    @return The zero address for nobody.
    """
    return fungible_token._delegate_of(_account)


# ------------------------------------------------------------------ internal
@internal
def _delegate(_account: address, _delegatee: address):
    previous: address = empty(address)
    balance: uint256 = 0
    previous, balance = fungible_token._set_delegate(_account, _delegatee)
    log IMillToken.DelegateChanged(delegator=_account, fromDelegate=previous, toDelegate=_delegatee)
    vote_checkpoints._move_votes(previous, _delegatee, balance)
