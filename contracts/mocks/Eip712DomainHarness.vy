# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title A contract with an EIP-712 domain of any name and version
@license Apache-2.0
@dev Tests only.
"""

from contracts.modules import eip712_domain

initializes: eip712_domain

exports: eip712_domain.eip712Domain


@deploy
def __init__(_name: String[50], _version: String[20]):
    eip712_domain.__init__(_name, _version)


@view
@external
def separator() -> bytes32:
    return eip712_domain._separator()


@view
@external
def digest(_struct_hash: bytes32) -> bytes32:
    return eip712_domain._digest(_struct_hash)
