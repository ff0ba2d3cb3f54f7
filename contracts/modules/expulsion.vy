# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title How a member is punished
@author Proofmill
@license Apache-2.0
@dev Its whole bond goes and it is out; what the others signed stays good. Of one that has left only what Staking's caps
     allow is taken, and where they left something over, another proof can still take it.
"""

from contracts.interfaces import IStaking
from contracts.modules import committee_config
from contracts.modules import membership

uses: committee_config
uses: membership


REPORTER_BPS: constant(uint256) = 2_500


# keccak256 of what has been punished, by whoever names it
_is_punished: HashMap[bytes32, bool]


@view
@internal
def _operator_of(_key: address, _config_digest: bytes32) -> address:
    """
    @dev Whose signatures they are, also of keys and digests of the past.
    """
    operator: address = membership.operator_of[_key]
    assert operator != empty(address), "committee: key of nobody"
    assert committee_config._is_digest[_config_digest], "committee: unknown digest"
    return operator


@internal
def _expel(_operator: address, _proof_id: bytes32) -> uint256:
    """
    @dev Once for each proof; one that would do nothing is not used up. Returns the stake tokens taken; the caller gets a
         quarter of those that were the operator's own.
    """
    assert not self._is_punished[_proof_id], "committee: already punished"
    bond: uint256 = membership._members[_operator] >> membership.KEY_BITS
    assert bond != 0, "committee: no bond to take"
    pledged: uint256 = 0
    if membership._key_of(_operator) != empty(address):
        pledged = bond
    self._is_punished[_proof_id] = True
    committee_config._eject(_operator)

    taken: uint256 = 0
    compensation: uint256 = 0
    taken, compensation = extcall membership.STAKING.slash(
        IStaking.Penalty(
            operator=_operator,
            released=pledged,
            amount=bond,
            client=empty(address),
            compensation=0,
            reporter=msg.sender,
            reporter_bps=REPORTER_BPS,
            reason=_proof_id,
        )
    )
    # A member with a seat loses it even when there is no stake left to take.
    assert taken != 0 or pledged != 0, "committee: nothing to take"
    if pledged == 0:
        membership._members[_operator] = (bond - min(bond, taken)) << membership.KEY_BITS
    return taken
