# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Stake that backs open work
@author Proofmill
@license Apache-2.0
@dev Let S = own active + min(delegated active, ratio * own active). Open work is worth at most half of S and at most
     the own stake, which cannot leave while it lasts (delegators may, at any time), one commitment at most the fault
     cap of S, and all commitments fit what the slash window still allows. So a slash of
     what was committed never meets a cap. What can be committed is no measure of what can be taken: thawing stake
     counts for a slash, not for new work.
"""

from contracts.modules import operator_terms
from contracts.modules import stake_pool
from contracts.modules import staking_limits
from contracts.modules import verifier_registry

uses: operator_terms
uses: stake_pool
uses: staking_limits
uses: verifier_registry


FULL_BPS: constant(uint256) = 10_000
WINDOW: constant(uint256) = 30 * 86_400
AMOUNT: constant(uint256) = 2**96 - 1
ABOVE_SLASH_ROOM: constant(String[28]) = "commit: above the slash room"


struct Commitments:
    committed: uint256  # to all verifiers
    room: uint256  # what slashes beyond a commitment may still take while the window runs
    window_end: uint256


committed_to: public(HashMap[address, HashMap[address, uint256]])  # verifier -> operator

# operator -> 24 bit zero | 40 window_end | 96 room | 96 committed
_commitments: HashMap[address, uint256]


# ------------------------------------------------------------------ verifier
@external
# slither silent-write: the verifier logs the work that this is for; see above
def commit(_operator: address, _actor: address, _amount: uint256):
    """
    @notice Binds stake of an operator to open work of the calling verifier.
    @dev Authorised verifiers only. Nothing may be committed too: then only the actor and the self-stake are checked.
    @param _operator Whose stake.
    @param _actor Who asked the verifier for it: the operator or one of its hot keys.
    @param _amount Stake tokens.
    """
    verifier_registry._check_authorised(msg.sender)
    operator_terms._check_actor(_operator, _actor)
    limits: staking_limits.Limits = staking_limits._load_limits()
    commitments: Commitments = self._load(_operator)
    own: uint256 = 0
    delegated: uint256 = 0
    own, delegated = self._active_stake(_operator)
    assert own >= limits.minimum_self_stake, "commit: self-stake too small"
    assert _amount <= AMOUNT, "commit: amount too large"
    stake: uint256 = own + min(delegated, limits.delegation_ratio * own)
    committed: uint256 = commitments.committed + _amount
    assert committed <= own, "commit: above the own stake"
    assert 2 * committed <= stake, "commit: above half of the stake"
    assert _amount * FULL_BPS <= limits.fault_bps * stake, "commit: above the fault cap"
    if block.timestamp < commitments.window_end:
        assert committed <= commitments.room, ABOVE_SLASH_ROOM
    elif committed * FULL_BPS > limits.window_bps * (own + delegated):
        # Thawing stake counts too; it is read only when it decides.
        room: uint256 = limits.window_bps * stake_pool._slashable(_operator) // FULL_BPS
        assert committed <= room, ABOVE_SLASH_ROOM

    commitments.committed = committed
    self._store(_operator, commitments)
    self.committed_to[msg.sender][_operator] += _amount


@external
# slither silent-write: the verifier logs the work that this was for; see above
def release(_operator: address, _amount: uint256):
    """
    @notice Frees stake that the calling verifier had committed.
    @dev Whoever committed may release, also after its removal: open work ends where it began.
    @param _operator Whose stake.
    @param _amount Stake tokens.
    """
    # The sum is the lowest part of the word and at least this much: no borrow reaches the rest.
    self._commitments[_operator] -= self._uncommit(msg.sender, _operator, _amount)


# ------------------------------------------------------------------ views
@view
@external
def committed(_operator: address) -> uint256:
    """
    @notice What an operator has committed to all verifiers.
    @param _operator Whose stake.
    @return Stake tokens.
    """
    return self._load(_operator).committed


@view
@external
def commit_room(_operator: address) -> (uint256, uint256):
    """
    @notice What an operator can still commit.
    @param _operator Whose stake.
    @return Stake tokens that could be committed now in all.
    @return The most that one commitment may be.
    """
    limits: staking_limits.Limits = staking_limits._load_limits()
    commitments: Commitments = self._load(_operator)
    own: uint256 = 0
    delegated: uint256 = 0
    own, delegated = self._active_stake(_operator)
    if own < limits.minimum_self_stake:
        return 0, 0
    stake: uint256 = own + min(delegated, limits.delegation_ratio * own)
    limit: uint256 = min(min(own, stake // 2), self._room(_operator, commitments, limits.window_bps))
    if limit <= commitments.committed:
        return 0, 0
    room: uint256 = limit - commitments.committed
    return room, min(room, limits.fault_bps * stake // FULL_BPS)


@view
@external
def available(_operator: address) -> uint256:
    """
    @notice Own active stake that may start to thaw while the operator's open work stays covered.
    @param _operator Whose stake.
    @return Stake tokens.
    """
    own: uint256 = 0
    delegated: uint256 = 0
    own, delegated = self._active_stake(_operator)
    needed: uint256 = self._needed(_operator, delegated)
    return own - needed if own > needed else 0


@view
@external
def slash_room(_operator: address) -> uint256:
    """
    @notice What a slash beyond a commitment could still take in the window that runs, or would start, now.
    @param _operator Whose stake.
    @return Stake tokens.
    """
    commitments: Commitments = self._load(_operator)
    room: uint256 = self._room(_operator, commitments, staking_limits._load_limits().window_bps)
    slashable: uint256 = stake_pool._slashable(_operator)
    return min(room, slashable - commitments.committed if slashable > commitments.committed else 0)


# ------------------------------------------------------------------ internal
@internal
def _uncommit(_verifier: address, _operator: address, _amount: uint256) -> uint256:
    """
    @dev Ends a part of a verifier's commitment and returns it; the caller lowers the operator's sum by as much. Nothing
         may be released too, by anyone: a settlement need not ask whether there was a bond.
    """
    committed: uint256 = self.committed_to[_verifier][_operator]
    assert _amount <= committed, "commit: above the commitment"
    if _amount > 0:
        self.committed_to[_verifier][_operator] = committed - _amount
    return _amount


@view
@internal
def _check_covered(_operator: address):
    """
    @dev After own stake began to thaw.
    """
    own: uint256 = 0
    delegated: uint256 = 0
    own, delegated = self._active_stake(_operator)
    assert own >= self._needed(_operator, delegated), "commit: stake backs open work"


@view
@internal
def _needed(_operator: address, _delegated: uint256) -> uint256:
    """
    @dev The least own active stake o with committed <= o and 2 * committed <= o + min(delegated, ratio * o), rounded up.
         Both terms of the minimum must do: o + delegated >= 2 * committed and o * (1 + ratio) >= 2 * committed.
    """
    doubled: uint256 = 2 * self._load(_operator).committed
    if doubled == 0:
        return 0
    ratio: uint256 = staking_limits._load_limits().delegation_ratio
    needed: uint256 = max(doubled // 2, (doubled + ratio) // (1 + ratio))
    if doubled > _delegated:
        needed = max(needed, doubled - _delegated)
    return needed


@view
@internal
def _active_stake(_operator: address) -> (uint256, uint256):
    active: uint256 = stake_pool._active[_operator]
    return active & AMOUNT, (active >> 128) & AMOUNT


@view
@internal
def _room(_operator: address, _commitments: Commitments, _window_bps: uint256) -> uint256:
    if block.timestamp < _commitments.window_end:
        return _commitments.room
    return _window_bps * stake_pool._slashable(_operator) // FULL_BPS


@view
@internal
def _load(_operator: address) -> Commitments:
    commitments: uint256 = self._commitments[_operator]
    return Commitments(
        committed=commitments & AMOUNT,
        room=(commitments >> 96) & AMOUNT,
        window_end=commitments >> 192,
    )


@internal
def _store(_operator: address, _commitments: Commitments):
    self._commitments[_operator] = (
        _commitments.committed | (_commitments.room << 96) | (_commitments.window_end << 192)
    )
