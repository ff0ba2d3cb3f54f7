# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What two reports under one number cost
@author Proofmill
@license Apache-2.0
@dev A member that signed two reports under one number told two stories, and nobody has to judge which is true. The
     whole bond goes; the member is out, and what the others signed stays good.
@custom:security A contract that signs (ERC-1271) decides for itself what it signed, and can change its mind before it
                 is held to it. Members that shall answer for every signature sign with ECDSA.
"""

from contracts.interfaces import IOracleCommittee
from contracts.interfaces import IStaking
from contracts.modules import attestation
from contracts.modules import committee_config
from contracts.modules import membership
from contracts.modules import signature_check

uses: attestation
uses: committee_config
uses: membership


REPORTER_BPS: constant(uint256) = 2_500


# keccak256(abi_encode(key, digest, sequence)) of what has been punished
_is_proved: HashMap[bytes32, bool]


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
    operator: address = membership.operator_of[_proof.key]
    assert operator != empty(address), "committee: key of nobody"
    assert committee_config._is_digest[_proof.config_digest], "committee: unknown digest"
    assert _proof.first_hash != _proof.second_hash, "committee: the same report"
    proof_id: bytes32 = keccak256(abi_encode(_proof.key, _proof.config_digest, _proof.sequence))
    assert not self._is_proved[proof_id], "committee: already punished"
    digest: bytes32 = attestation._report_digest(_proof.config_digest, _proof.sequence, _proof.first_hash)
    is_signed: bool = signature_check._is_signed_by(_proof.key, digest, _proof.first_signature)
    assert is_signed, "committee: first not signed"
    digest = attestation._report_digest(_proof.config_digest, _proof.sequence, _proof.second_hash)
    is_signed = signature_check._is_signed_by(_proof.key, digest, _proof.second_signature)
    assert is_signed, "committee: second not signed"

    bond: uint256 = membership._members[operator] >> membership.KEY_BITS
    assert bond != 0, "committee: no bond to take"
    pledged: uint256 = 0
    if membership._key_of(operator) != empty(address):
        pledged = bond
    self._is_proved[proof_id] = True
    committee_config._eject(operator)

    taken: uint256 = 0
    compensation: uint256 = 0
    taken, compensation = extcall membership.STAKING.slash(
        IStaking.Penalty(
            operator=operator,
            released=pledged,
            amount=bond,
            client=empty(address),
            compensation=0,
            reporter=msg.sender,
            reporter_bps=REPORTER_BPS,
            reason=proof_id,
        )
    )
    # A member with a seat loses it even when there is no stake left to take.
    assert taken != 0 or pledged != 0, "committee: nothing to take"
    if pledged == 0:
        # Where the caps left something over, another proof can still take it.
        membership._members[operator] = (bond - min(bond, taken)) << membership.KEY_BITS
    log IOracleCommittee.EquivocationProved(
        operator=operator, key=_proof.key, sequence=_proof.sequence, reporter=msg.sender, taken=taken
    )
    return taken
