# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who sits on the committee
@author Proofmill
@license Apache-2.0
@dev The digest binds signatures to one chain, one contract and one configuration: a report signed for any other is
     worthless here. Its first two bytes are a type tag, as in Chainlink's OCR.
"""

from snekmate.auth import ownable

from contracts.interfaces import IOracleCommittee

uses: ownable


MAX_MEMBERS: constant(uint256) = 31  # n = 3f + 1 with f = 10
DIGEST_PREFIX: constant(uint256) = 2**240  # 0x0001 in the first two bytes
DIGEST_MASK: constant(uint256) = 2**240 - 1


config_digest: public(bytes32)
config_count: public(uint256)
faults_tolerated: public(uint256)
_members: DynArray[address, MAX_MEMBERS]


# ------------------------------------------------------------------ owner
@external
def set_config(_members: DynArray[address, 31], _faults_tolerated: uint256) -> bytes32:
    """
    @notice Replaces the committee. Reports that the old one signed and nobody relayed are void.
    @dev Owner only. The sequence number goes on.
    @param _members Signing addresses, 3f + 1 of them, all different.
    @param _faults_tolerated f, at least 1.
    @return The new configuration digest.
    """
    ownable._check_owner()
    assert _faults_tolerated > 0, "committee: no fault tolerated"
    assert _faults_tolerated < MAX_MEMBERS, "committee: too many faults"
    assert len(_members) == 3 * _faults_tolerated + 1, "committee: not 3f + 1 members"
    for i: uint256 in range(len(_members), bound=MAX_MEMBERS):
        assert _members[i] != empty(address), "committee: zero member"
        for j: uint256 in range(i + 1, len(_members), bound=MAX_MEMBERS):
            assert _members[i] != _members[j], "committee: duplicate member"

    count: uint256 = self.config_count + 1
    digest: bytes32 = self._digest(count, _members, _faults_tolerated)
    self.config_count = count
    self.config_digest = digest
    self.faults_tolerated = _faults_tolerated
    self._members = _members
    log IOracleCommittee.ConfigSet(
        config_digest=digest, config_count=count, faults_tolerated=_faults_tolerated, members=_members
    )
    return digest


# ------------------------------------------------------------------ views
@view
@external
def members() -> DynArray[address, 31]:
    """
    @notice The committee. The bit of a signer is its place in this list.
    @return Signing addresses.
    """
    return self._members


# ------------------------------------------------------------------ internal
@view
@internal
def _digest(_count: uint256, _members: DynArray[address, MAX_MEMBERS], _faults_tolerated: uint256) -> bytes32:
    digest: bytes32 = keccak256(abi_encode(chain.id, self, _count, _members, _faults_tolerated))
    return convert(DIGEST_PREFIX | (convert(digest, uint256) & DIGEST_MASK), bytes32)
