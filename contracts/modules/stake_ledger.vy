# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Active and committed stake
@author Proofmill
@license Apache-2.0
@dev Sums only; moves no token. `committed` is the sum of `committed_to` over all verifiers. A slash beyond its own
     commitment can leave an operator with less active stake than it has committed; then nothing is available.
"""


MAX_TOTAL_STAKED: constant(uint256) = 2**128 - 1  # lets every product of two amounts fit 256 bits


active: public(HashMap[address, uint256])  # committed stake included
committed: public(HashMap[address, uint256])
committed_to: public(HashMap[address, HashMap[address, uint256]])  # verifier -> operator
total_staked: public(uint256)  # active and thawing stake of everybody: what the contract owes


# ------------------------------------------------------------------ views
@view
@external
def available(_operator: address) -> uint256:
    """
    @notice Active stake that is not committed: it can back new work or start to thaw.
    @param _operator Whose stake.
    @return Stake tokens.
    """
    return self._available(_operator)


# ------------------------------------------------------------------ internal
@internal
def _deposit(_operator: address, _amount: uint256):
    total: uint256 = self.total_staked + _amount
    assert total <= MAX_TOTAL_STAKED, "stake: total too large"
    self.total_staked = total
    self.active[_operator] += _amount


@internal
def _deactivate(_operator: address, _amount: uint256):
    """
    @dev Takes available stake out of `active`; it stays in `total_staked`, because it thaws.
    """
    assert _amount <= self._available(_operator), "stake: not available"
    self.active[_operator] -= _amount


@internal
def _commit(_verifier: address, _operator: address, _amount: uint256):
    assert _amount <= self._available(_operator), "stake: too little to commit"
    self.committed[_operator] += _amount
    self.committed_to[_verifier][_operator] += _amount


@internal
def _release(_verifier: address, _operator: address, _amount: uint256):
    assert _amount <= self.committed_to[_verifier][_operator], "stake: above the commitment"
    self.committed_to[_verifier][_operator] -= _amount
    self.committed[_operator] -= _amount


@internal
def _slash_active(_operator: address, _amount: uint256) -> uint256:
    """
    @dev Takes up to `_amount` and returns what was taken. The caller owes it a `_leave`.
    """
    active: uint256 = self.active[_operator]
    taken: uint256 = min(_amount, active)
    self.active[_operator] = active - taken
    return taken


@internal
def _leave(_amount: uint256):
    """
    @dev Tokens leave the contract: paid out or slashed.
    """
    self.total_staked -= _amount


@view
@internal
def _available(_operator: address) -> uint256:
    active: uint256 = self.active[_operator]
    committed: uint256 = self.committed[_operator]
    if committed >= active:
        return 0
    return active - committed
