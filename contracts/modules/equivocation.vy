# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What two reports under one number cost
@author Proofmill
@license Apache-2.0
@dev A member that signed two reports under one number told two stories, and nobody has to judge which is true.
@custom:security A contract that signs (ERC-1271) decides for itself what it signed, and can change its mind before it
                 is held to it. Members that shall answer for every signature sign with ECDSA.
"""

from contracts.interfaces import IOracleCommittee
from contracts.modules import attestation
from contracts.modules import expulsion
from contracts.modules import signature_check

uses: attestation
uses: expulsion


# ------------------------------------------------------------------ anyone
@external
def prove_equivocation(_proof: IOracleCommittee.Equivocation) -> uint256:
    """
    @notice Takes the bond of a member that signed two reports under one number, and ejects it.
    @dev Anyone, once for each key, digest and number; also for keys and digests of the past. Of one that has left only
         what Staking's caps allow is taken. A proof that would do nothing is not used up.
    @param _proof The two hashes and the member's signatures.
    @return Stake tokens taken; the caller gets a quarter of those that were the operator's own.
    """
    operator: address = expulsion._operator_of(_proof.key, _proof.config_digest)
    assert _proof.first_hash != _proof.second_hash, "committee: the same report"
    proof_id: bytes32 = keccak256(abi_encode(_proof.key, _proof.config_digest, _proof.sequence))
    digest: bytes32 = attestation._report_digest(_proof.config_digest, _proof.sequence, _proof.first_hash)
    is_signed: bool = signature_check._is_signed_by(_proof.key, digest, _proof.first_signature)
    assert is_signed, "committee: first not signed"
    digest = attestation._report_digest(_proof.config_digest, _proof.sequence, _proof.second_hash)
    is_signed = signature_check._is_signed_by(_proof.key, digest, _proof.second_signature)
    assert is_signed, "committee: second not signed"

    taken: uint256 = expulsion._expel(operator, proof_id)
    log IOracleCommittee.EquivocationProved(
        operator=operator, key=_proof.key, sequence=_proof.sequence, reporter=msg.sender, taken=taken
    )
    return taken
