# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Whether an account signed a digest
@author Proofmill
@license Apache-2.0
@dev Stateless. ECDSA comes first whether the account has code or not: an account that borrows code (EIP-7702) still
     signs with its key. Only when that fails and there is code is the account asked (ERC-1271), with bounded gas and 32
     bytes of return data, so that it can neither use up the caller's gas nor fill its memory.
@custom:security Before a signature of some other kind than ECDSA the answer is the account's own, and may change.
"""

from contracts.modules import ecdsa


MAX_SIGNATURE: constant(uint256) = 1_024  # bytes; of 15 owners of a Safe, or a passkey's
COMPACT_LENGTH: constant(uint256) = 64  # EIP-2098: r, parity and s
LONG_LENGTH: constant(uint256) = 65  # r, s, v
IS_VALID_SIGNATURE: constant(bytes4) = 0x1626ba7e  # both the selector and the answer of ERC-1271
# The dearest in use, P-256 without a precompile, takes 330,000. Less than this left makes a signature bad, never good.
CONTRACT_GAS: constant(uint256) = 400_000


@view
@internal
def _is_signed_by(_signer: address, _digest: bytes32, _signature: Bytes[MAX_SIGNATURE]) -> bool:
    """
    @dev False for the zero address, whatever the signature.
    """
    if _signer == empty(address):
        return False
    recovered: address = empty(address)
    if len(_signature) == COMPACT_LENGTH:
        recovered = ecdsa._recover_compact(
            _digest, extract32(_signature, 0, output_type=uint256), extract32(_signature, 32, output_type=uint256)
        )
    elif len(_signature) == LONG_LENGTH:
        recovered = ecdsa._recover(
            _digest,
            convert(slice(_signature, 64, 1), uint256),
            extract32(_signature, 0, output_type=uint256),
            extract32(_signature, 32, output_type=uint256),
        )
    if recovered == _signer:
        return True
    if not _signer.is_contract:
        return False

    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        _signer,
        abi_encode(_digest, _signature, method_id=IS_VALID_SIGNATURE),
        max_outsize=32,
        gas=CONTRACT_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not success or len(answer) != 32:
        return False
    return convert(answer, bytes32) == convert(IS_VALID_SIGNATURE, bytes32)
