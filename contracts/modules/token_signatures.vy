# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title What holders sign
@author Proofmill
@license Apache-2.0
@dev Recovers the signer of a typed struct (EIP-712) and counts the signatures that must be used in order. One counter
     for permits and delegations, as wallets and indexers know it from OpenZeppelin. Only keys sign: the standards of
     permits, authorizations and delegations have no room for a contract's signature.
     Calls nobody, hence no lock.
"""

from contracts.modules import ecdsa
from contracts.modules import eip712_domain

uses: eip712_domain


nonces: public(HashMap[address, uint256])


# ------------------------------------------------------------------ views
@view
@external
def DOMAIN_SEPARATOR() -> bytes32:
    """
    @notice The EIP-712 separator of every signature that this contract checks.
    @return It follows the chain id.
    """
    return eip712_domain._separator()


# ------------------------------------------------------------------ internal
@view
@internal
def _signer(_struct_hash: bytes32, _v: uint8, _r: bytes32, _s: bytes32) -> address:
    """
    @dev The zero address when nobody signed this. Somebody unknown when another struct was signed.
    """
    return ecdsa._recover(
        eip712_domain._digest(_struct_hash),
        convert(_v, uint256),
        convert(_r, uint256),
        convert(_s, uint256),
    )


@internal
def _use_nonce(_account: address) -> uint256:
    """
    @dev Returns the nonce that is used up now.
    """
    nonce: uint256 = self.nonces[_account]
    self.nonces[_account] = unsafe_add(nonce, 1)  # nobody signs 2 ** 256 times
    return nonce
