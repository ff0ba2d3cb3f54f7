# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Signatures under a report
@author Proofmill
@license Apache-2.0
@dev EIP-712 digests and the exact set of EIP-2098 signatures, in ascending order of the members that a bit mask names.
     One order, one length and low s leave a report with exactly one encoding per set of signatures.
"""

from snekmate.utils import eip712_domain_separator

from contracts.interfaces import IOracleCommittee
from contracts.modules import committee_config

initializes: eip712_domain_separator
uses: committee_config

exports: eip712_domain_separator.eip712Domain


DOMAIN_NAME: constant(String[50]) = "Proofmill Oracle Committee"
DOMAIN_VERSION: constant(String[20]) = "1"
REPORT_TYPE_HASH: constant(bytes32) = keccak256(
    "AttestedReport(bytes32 configDigest,uint64 sequence,bytes32 reportHash)"
)

MAX_MEMBERS: constant(uint256) = 31
MAX_SIGNERS: constant(uint256) = 21  # 2f + 1 with f = 10
# (n - 1) / 2, where n is the order of secp256k1
LARGEST_LOW_S: constant(uint256) = (
    57_896_044_618_658_097_711_785_492_504_343_953_926_418_782_139_537_452_191_302_581_570_759_080_747_168
)
S_MASK: constant(uint256) = 2**255 - 1
PARITY_SHIFT: constant(uint256) = 255
FIRST_RECOVERY_ID: constant(uint256) = 27  # what `ecrecover` adds to the parity


@deploy
def __init__():
    eip712_domain_separator.__init__(DOMAIN_NAME, DOMAIN_VERSION)


# ------------------------------------------------------------------ views
@view
@external
def report_digest(_report: IOracleCommittee.Report) -> bytes32:
    """
    @notice What a member signs.
    @param _report The report.
    @return EIP-712 digest for this chain and this contract.
    """
    return self._report_digest(_report)


# ------------------------------------------------------------------ internal
@view
@internal
def _report_digest(_report: IOracleCommittee.Report) -> bytes32:
    report_hash: bytes32 = keccak256(abi_encode(_report.observed_at, _report.evidence_hash, _report.verdicts))
    return eip712_domain_separator._hash_typed_data_v4(
        keccak256(abi_encode(REPORT_TYPE_HASH, _report.config_digest, _report.sequence, report_hash))
    )


@view
@internal
def _check_signatures(
    _digest: bytes32,
    _required: uint256,
    _signers: uint256,
    _signatures: DynArray[IOracleCommittee.CompactSignature, MAX_SIGNERS],
):
    """
    @dev Exactly `_required` members signed `_digest`: bit i of `_signers` is member i, signatures come in that order.
    """
    member_count: uint256 = len(committee_config._members)
    assert _signers >> member_count == 0, "committee: unknown signer"
    assert len(_signatures) == _required, "committee: signature count"

    used: uint256 = 0
    for i: uint256 in range(member_count, bound=MAX_MEMBERS):
        if (_signers >> i) & 1 == 0:
            continue
        assert used < _required, "committee: too many signers"
        signer: address = self._recover(_digest, _signatures[used])
        # Members are never zero, so a failed recovery matches nobody.
        assert signer == committee_config._members[i], "committee: bad signature"
        used += 1
    assert used == _required, "committee: too few signers"


@pure
@internal
def _recover(_digest: bytes32, _signature: IOracleCommittee.CompactSignature) -> address:
    vs: uint256 = convert(_signature.vs, uint256)
    s: uint256 = vs & S_MASK
    assert s <= LARGEST_LOW_S, "committee: high s"
    return ecrecover(_digest, (vs >> PARITY_SHIFT) + FIRST_RECOVERY_ID, convert(_signature.r, uint256), s)
