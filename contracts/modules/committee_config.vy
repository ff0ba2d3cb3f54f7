# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who sits on the committee
@author Proofmill
@license Apache-2.0
@dev The digest binds signatures to one chain, one contract and one configuration: a report signed for any other is
     worthless here. Its first two bytes are a type tag, as in Chainlink's OCR; of the hash 184 bit are left, so that a
     report reads digest, f and sequence in one slot. Two configurations with one digest would take their owner 2 ** 92
     trials. An ejection leaves the digest as it is, so that no member can void what the others signed by having itself
     ejected.
"""

from contracts.interfaces import IOracleCommittee
from contracts.modules import membership
from contracts.modules import ownership

uses: membership
uses: ownership


MAX_MEMBERS: constant(uint256) = 31  # n = 3f + 1 with f = 10
DIGEST_PREFIX: constant(uint256) = 2**240  # 0x0001 in the first two bytes
DIGEST_MASK: constant(uint256) = 2**184 - 1
DIGEST_SHIFT: constant(uint256) = 72
FAULTS_SHIFT: constant(uint256) = 64
FAULTS_MASK: constant(uint256) = 255
SEQUENCE_MASK: constant(uint256) = 2**64 - 1


config_count: public(uint256)
# 184 bit hash of the configuration | 8 bit faults tolerated | 64 bit latest sequence
_status: uint256
_operators: DynArray[address, MAX_MEMBERS]
# By the member's bit in the mask of signers, so that none has to count bits. Zero for no seat and for an ejected
# member.
_keys: HashMap[uint256, address]
# Every digest there has been: signatures under an old one still tell on their signer.
_is_digest: HashMap[bytes32, bool]


# ------------------------------------------------------------------ owner
@external
def set_config(_operators: DynArray[address, 31], _faults_tolerated: uint256) -> bytes32:
    """
    @notice Replaces the committee. Reports that the old one signed and nobody relayed are void; the sequence goes on.
    @dev Owner only.
    @param _operators Members, 3f + 1 of them, all different; each signs with the key it has now.
    @param _faults_tolerated f, 1 to 10.
    @return The new configuration digest.
    """
    ownership._check_owner()
    assert _faults_tolerated > 0, "committee: no fault tolerated"
    assert _faults_tolerated < MAX_MEMBERS, "committee: too many faults"
    assert len(_operators) == 3 * _faults_tolerated + 1, "committee: not 3f + 1 members"

    seat: uint256 = 1
    for operator: address in self._operators:
        membership._seats[operator] = 0
        self._keys[seat] = empty(address)
        seat <<= 1

    keys: DynArray[address, MAX_MEMBERS] = []
    seat = 1
    for operator: address in _operators:
        key: address = membership._key_of(operator)
        assert key != empty(address), "committee: operator not joined"
        assert membership._seats[operator] == 0, "committee: duplicate member"
        membership._seats[operator] = seat
        self._keys[seat] = key
        keys.append(key)
        seat <<= 1

    self._operators = _operators
    return self._renew_digest(_operators, keys, _faults_tolerated)


# ------------------------------------------------------------------ anyone
@external
def apply_key(_operator: address):
    """
    @notice Puts a member's announced key into use.
    @dev Anyone, once the notice has passed. The digest stays, so that a member cannot void what the others signed by
         choosing the moment; what it signed with the old key is void.
    @param _operator The member.
    """
    key: address = membership._take_announced_key(_operator)
    seat: uint256 = membership._seats[_operator]
    if seat != 0:
        self._keys[seat] = key


# ------------------------------------------------------------------ views
@view
@external
def config_digest() -> bytes32:
    """
    @notice The digest that reports must name.
    @return 0x0001, 7 bytes of zero, 23 bytes of hash; zero before the first configuration.
    """
    status: uint256 = self._status
    if status >> DIGEST_SHIFT == 0:
        return empty(bytes32)
    return self._digest(status)


@view
@external
def faults_tolerated() -> uint256:
    """
    @notice How many members may be faulty.
    @return f; 0 before the first configuration.
    """
    return self._faults()


@view
@external
def latest_sequence() -> uint64:
    """
    @notice The number of the latest report.
    @return The sequence number.
    """
    return convert(self._status & SEQUENCE_MASK, uint64)


@view
@external
def members() -> DynArray[address, 31]:
    """
    @notice The committee. The bit of a signer is its place in this list.
    @return Operators, an ejected one in its place.
    """
    return self._operators


@view
@external
def keys() -> DynArray[address, 31]:
    """
    @notice The keys that members sign with.
    @return Keys in the order of `members`, zero for one that was ejected.
    """
    return self._key_list()


# ------------------------------------------------------------------ internal
@view
@internal
def _faults() -> uint256:
    return (self._status >> FAULTS_SHIFT) & FAULTS_MASK


@pure
@internal
def _digest(_status: uint256) -> bytes32:
    return convert(DIGEST_PREFIX | (_status >> DIGEST_SHIFT), bytes32)


@view
@internal
def _key_list() -> DynArray[address, MAX_MEMBERS]:
    keys: DynArray[address, MAX_MEMBERS] = []
    for i: uint256 in range(len(self._operators), bound=MAX_MEMBERS):
        keys.append(self._keys[1 << i])
    return keys


@internal
def _eject(_operator: address):
    """
    @dev Ends the membership of one whose bond is taken. Its place stays empty until the next configuration: 3f members
         are left, and 2f + 1 of them can still sign.
    """
    membership._members[_operator] = 0
    membership._announced[_operator] = 0
    seat: uint256 = membership._seats[_operator]
    if seat != 0:
        membership._seats[_operator] = 0
        self._keys[seat] = empty(address)


@internal
def _renew_digest(
    _operators: DynArray[address, MAX_MEMBERS], _keys: DynArray[address, MAX_MEMBERS], _faults_tolerated: uint256
) -> bytes32:
    count: uint256 = self.config_count + 1
    whole: bytes32 = keccak256(abi_encode(chain.id, self, count, _operators, _keys, _faults_tolerated))
    hash: uint256 = convert(whole, uint256) & DIGEST_MASK
    status: uint256 = (
        (hash << DIGEST_SHIFT) | (_faults_tolerated << FAULTS_SHIFT) | (self._status & SEQUENCE_MASK)
    )
    digest: bytes32 = self._digest(status)
    self.config_count = count
    self._status = status
    self._is_digest[digest] = True
    log IOracleCommittee.ConfigSet(
        config_digest=digest,
        config_count=count,
        faults_tolerated=_faults_tolerated,
        operators=_operators,
        keys=_keys,
    )
    return digest
