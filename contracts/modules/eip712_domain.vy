# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title EIP-712 domain
@author Proofmill
@license Apache-2.0
@dev The separator is computed once and again only if the chain id has changed since (a fork): a signature for one
     chain is worth nothing on the other. ERC-5267 lets wallets read the domain.
"""


DOMAIN_TYPE_HASH: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
FIELDS_USED: constant(bytes1) = 0x0f  # name, version, chainId, verifyingContract; no salt


NAME: immutable(String[50])
VERSION: immutable(String[20])
NAME_HASH: immutable(bytes32)
VERSION_HASH: immutable(bytes32)
INITIAL_CHAIN_ID: immutable(uint256)
INITIAL_SEPARATOR: immutable(bytes32)


@deploy
def __init__(_name: String[50], _version: String[20]):
    NAME = _name
    VERSION = _version
    NAME_HASH = keccak256(_name)
    VERSION_HASH = keccak256(_version)
    INITIAL_CHAIN_ID = chain.id
    INITIAL_SEPARATOR = keccak256(
        abi_encode(DOMAIN_TYPE_HASH, keccak256(_name), keccak256(_version), chain.id, self)
    )


# ------------------------------------------------------------------ views
@view
@external
def eip712Domain() -> (
    bytes1,
    String[50],
    String[20],
    uint256,
    address,
    bytes32,
    DynArray[uint256, 32],
):
    """
    @notice The domain of every signature that this contract checks (ERC-5267).
    @return Which fields are used, name, version, chain id, contract, salt (unused), extensions (none).
    """
    return (FIELDS_USED, NAME, VERSION, chain.id, self, empty(bytes32), [])


# ------------------------------------------------------------------ internal
@view
@internal
def _separator() -> bytes32:
    if chain.id == INITIAL_CHAIN_ID:
        return INITIAL_SEPARATOR
    return keccak256(abi_encode(DOMAIN_TYPE_HASH, NAME_HASH, VERSION_HASH, chain.id, self))


@view
@internal
def _digest(_struct_hash: bytes32) -> bytes32:
    """
    @dev What is signed for a struct of this domain.
    """
    return keccak256(concat(x"1901", self._separator(), _struct_hash))
