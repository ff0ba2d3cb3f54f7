# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A dollar token of six decimals that takes permits and authorizations
@license Apache-2.0
@dev Tests only. ERC-2612 and ERC-3009 as USDC has them, written apart from our token's modules.
"""

from contracts.mocks import mock_ledger
from contracts.modules import ecdsa
from contracts.modules import eip712_domain

initializes: mock_ledger
initializes: eip712_domain

exports: (
    mock_ledger.__interface__,
    eip712_domain.eip712Domain,
)


NAME: constant(String[8]) = "USD Coin"
VERSION: constant(String[1]) = "2"
DECIMALS: constant(uint8) = 6
PERMIT_TYPE_HASH: constant(bytes32) = 0x6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9
TRANSFER_TYPE_HASH: constant(bytes32) = 0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267
RECEIVE_TYPE_HASH: constant(bytes32) = 0xd099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8
CANCEL_TYPE_HASH: constant(bytes32) = 0x158b0a9edf7a828aad02f63cd515c68ef2f50ba807396f6d12842833a1597429


event AuthorizationUsed:
    authorizer: indexed(address)
    nonce: indexed(bytes32)


event AuthorizationCanceled:
    authorizer: indexed(address)
    nonce: indexed(bytes32)


nonces: public(HashMap[address, uint256])
authorizationState: public(HashMap[address, HashMap[bytes32, bool]])


@deploy
def __init__():
    eip712_domain.__init__(NAME, VERSION)


@external
def transfer(_to: address, _amount: uint256) -> bool:
    mock_ledger._move(msg.sender, _to, _amount)
    return True


@external
def transferFrom(_from: address, _to: address, _amount: uint256) -> bool:
    mock_ledger._spend(_from, msg.sender, _amount)
    mock_ledger._move(_from, _to, _amount)
    return True


@external
def permit(
    _owner: address, _spender: address, _amount: uint256, _deadline: uint256, _v: uint8, _r: bytes32, _s: bytes32
):
    assert _deadline >= block.timestamp, "mock: permit is expired"
    nonce: uint256 = self.nonces[_owner]
    self.nonces[_owner] = nonce + 1
    struct_hash: bytes32 = keccak256(
        abi_encode(PERMIT_TYPE_HASH, _owner, _spender, _amount, nonce, _deadline)
    )
    self._check_signed(_owner, struct_hash, _v, _r, _s)
    mock_ledger.allowance[_owner][_spender] = _amount


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
    self._transfer_signed(
        TRANSFER_TYPE_HASH, _from, _to, _amount, _valid_after, _valid_before, _nonce, _v, _r, _s
    )


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
    assert _to == msg.sender, "mock: caller must be the payee"
    self._transfer_signed(
        RECEIVE_TYPE_HASH, _from, _to, _amount, _valid_after, _valid_before, _nonce, _v, _r, _s
    )


@external
def cancelAuthorization(_authorizer: address, _nonce: bytes32, _v: uint8, _r: bytes32, _s: bytes32):
    assert not self.authorizationState[_authorizer][_nonce], "mock: authorization is used"
    self._check_signed(
        _authorizer, keccak256(abi_encode(CANCEL_TYPE_HASH, _authorizer, _nonce)), _v, _r, _s
    )
    self.authorizationState[_authorizer][_nonce] = True
    log AuthorizationCanceled(authorizer=_authorizer, nonce=_nonce)


@pure
@external
def name() -> String[8]:
    return NAME


@pure
@external
def version() -> String[1]:
    return VERSION


@pure
@external
def decimals() -> uint8:
    return DECIMALS


@view
@external
def DOMAIN_SEPARATOR() -> bytes32:
    return eip712_domain._separator()


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
    assert block.timestamp > _valid_after, "mock: not yet valid"
    assert block.timestamp < _valid_before, "mock: authorization is expired"
    assert not self.authorizationState[_from][_nonce], "mock: authorization is used"
    struct_hash: bytes32 = keccak256(
        abi_encode(_type_hash, _from, _to, _amount, _valid_after, _valid_before, _nonce)
    )
    self._check_signed(_from, struct_hash, _v, _r, _s)
    self.authorizationState[_from][_nonce] = True
    log AuthorizationUsed(authorizer=_from, nonce=_nonce)
    mock_ledger._move(_from, _to, _amount)


@view
@internal
def _check_signed(_account: address, _struct_hash: bytes32, _v: uint8, _r: bytes32, _s: bytes32):
    signer: address = ecdsa._recover(
        eip712_domain._digest(_struct_hash),
        convert(_v, uint256),
        convert(_r, uint256),
        convert(_s, uint256),
    )
    assert signer != empty(address) and signer == _account, "mock: invalid signature"
