# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who may sit on the committee, with which key and at what stake
@author Proofmill
@license Apache-2.0
@dev A member is an operator with a bond committed in Staking and a signing key that agreed. A key belongs to one
     operator for ever, so that what it signed can be held against that operator later.
"""

from contracts.interfaces import IOracleCommittee
from contracts.interfaces import IStaking
from contracts.modules import eip712_domain
from contracts.modules import ownership
from contracts.modules import pausable
from contracts.modules import signature_check

uses: eip712_domain
uses: ownership
uses: pausable


JOIN_FLAG: constant(uint256) = 1
KEY_GRANT_TYPE_HASH: constant(bytes32) = keccak256("KeyGrant(address operator)")
KEY_NOTICE: constant(uint256) = 86_400  # seconds between the announcement of a key and its use
MAX_MEMBER_BOND: constant(uint256) = 10_000_000 * 10**18  # below 2 ** 96
MAX_SIGNATURE: constant(uint256) = 1_024
KEY_MASK: constant(uint256) = 2**160 - 1
KEY_BITS: constant(uint256) = 160


STAKING: immutable(IStaking)


# 96 bit bond | 160 bit key. One that left has no key, but still answers for its bond.
_members: HashMap[address, uint256]
# 56 bit zero | 40 bit effective at | 160 bit key
_announced: HashMap[address, uint256]
# The member's bit in the mask of signers; 0 while it has no seat in the configuration.
_seats: HashMap[address, uint256]
operator_of: public(HashMap[address, address])
member_bond: public(uint256)


@deploy
def __init__(_staking: address, _member_bond: uint256):
    assert _staking != empty(address), "committee: no staking"
    STAKING = IStaking(_staking)
    self._set_member_bond(_member_bond)


# ------------------------------------------------------------------ operator
@external
def join(_key: address, _signature: Bytes[1024]):
    """
    @notice Makes the calling operator a member and commits its bond, which is fixed by that.
    @dev Any operator with free stake, while joining is open. One that comes back pledges no less than it still answers
         for.
    @param _key The signing key, which no other operator has ever had.
    @param _signature The key's, over EIP-712 KeyGrant(address operator).
    """
    pausable._check_open(JOIN_FLAG)
    member: uint256 = self._members[msg.sender]
    assert member & KEY_MASK == 0, "committee: already a member"
    self._reserve_key(_key, _signature)

    bond: uint256 = max(self.member_bond, member >> KEY_BITS)
    self._members[msg.sender] = (bond << KEY_BITS) | convert(_key, uint256)
    log IOracleCommittee.MemberJoined(operator=msg.sender, key=_key, bond=bond)
    extcall STAKING.commit(msg.sender, msg.sender, bond)


@external
def leave():
    """
    @notice Ends the calling operator's membership and frees its bond.
    @dev A member without a seat in the configuration. For what it signed before it still answers with its stake.
    """
    bond: uint256 = self._bond_of_member(msg.sender)
    assert self._seats[msg.sender] == 0, "committee: in the configuration"
    self._members[msg.sender] = bond << KEY_BITS
    self._announced[msg.sender] = 0
    log IOracleCommittee.MemberLeft(operator=msg.sender, bond=bond)
    extcall STAKING.release(msg.sender, bond)


@external
def rotate_key(_key: address, _signature: Bytes[1024]):
    """
    @notice Announces the member's next key, which `apply_key` puts into use a day later. Another announcement replaces
            it.
    @dev A member.
    @param _key The next signing key, which no other operator has ever had.
    @param _signature The key's, over EIP-712 KeyGrant(address operator).
    """
    self._bond_of_member(msg.sender)
    assert convert(_key, uint256) != self._members[msg.sender] & KEY_MASK, "committee: same key"
    self._reserve_key(_key, _signature)
    effective_at: uint256 = block.timestamp + KEY_NOTICE
    self._announced[msg.sender] = (effective_at << KEY_BITS) | convert(_key, uint256)
    log IOracleCommittee.KeyRotationAnnounced(operator=msg.sender, key=_key, effective_at=effective_at)


# ------------------------------------------------------------------ owner
@external
def set_member_bond(_member_bond: uint256):
    """
    @notice Sets the bond of those who join from now on.
    @dev Owner only.
    @param _member_bond Stake tokens, more than none, at most 10,000,000 whole ones.
    """
    ownership._check_owner()
    self._set_member_bond(_member_bond)


# ------------------------------------------------------------------ views
@view
@external
def member(_operator: address) -> (address, address, uint256, uint256):
    """
    @notice What is known of a member.
    @param _operator The operator.
    @return Signing key (zero for one that left or was ejected), announced key, when that one may be applied, and the
            bond (of one that left: what it still answers for out of its stake).
    """
    member: uint256 = self._members[_operator]
    announced: uint256 = self._announced[_operator]
    return (
        convert(member & KEY_MASK, address),
        convert(announced & KEY_MASK, address),
        announced >> KEY_BITS,
        member >> KEY_BITS,
    )


@view
@external
def key_grant_digest(_operator: address) -> bytes32:
    """
    @notice What a key signs to become an operator's.
    @param _operator The operator.
    @return EIP-712 digest for this chain and this contract.
    """
    return self._key_grant_digest(_operator)


@view
@external
def staking() -> address:
    """
    @notice Where the bonds are.
    @return The contract.
    """
    return STAKING.address


# ------------------------------------------------------------------ internal
@internal
def _set_member_bond(_member_bond: uint256):
    assert _member_bond > 0, "committee: no bond"
    assert _member_bond <= MAX_MEMBER_BOND, "committee: bond too large"
    self.member_bond = _member_bond
    log IOracleCommittee.MemberBondSet(member_bond=_member_bond)


@internal
def _reserve_key(_key: address, _signature: Bytes[MAX_SIGNATURE]):
    """
    @dev The grant names the operator, so that nobody can bring somebody else's key; it needs no number, because giving
         a key twice to the same operator changes nothing.
    """
    assert _key != empty(address), "committee: zero key"
    holder: address = self.operator_of[_key]
    assert holder == empty(address) or holder == msg.sender, "committee: key of another"
    agreed: bool = signature_check._is_signed_by(_key, self._key_grant_digest(msg.sender), _signature)
    assert agreed, "committee: key did not agree"
    self.operator_of[_key] = msg.sender


@view
@internal
def _key_grant_digest(_operator: address) -> bytes32:
    return eip712_domain._digest(keccak256(abi_encode(KEY_GRANT_TYPE_HASH, _operator)))


@view
@internal
def _key_of(_operator: address) -> address:
    return convert(self._members[_operator] & KEY_MASK, address)


@view
@internal
def _bond_of_member(_operator: address) -> uint256:
    member: uint256 = self._members[_operator]
    assert member & KEY_MASK != 0, "committee: not a member"
    return member >> KEY_BITS


@internal
def _take_announced_key(_operator: address) -> address:
    """
    @dev Makes the announced key the member's, if its day has come.
    """
    announced: uint256 = self._announced[_operator]
    assert announced != 0, "committee: no key announced"
    assert block.timestamp >= announced >> KEY_BITS, "committee: notice still runs"
    bond: uint256 = self._members[_operator] >> KEY_BITS
    key: uint256 = announced & KEY_MASK
    self._members[_operator] = (bond << KEY_BITS) | key
    self._announced[_operator] = 0
    log IOracleCommittee.KeyRotated(operator=_operator, key=convert(key, address))
    return convert(key, address)
