# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What a fault costs and who gets it
@author Proofmill
@license Apache-2.0
@dev Own stake first, delegators for the remainder, in constant time whatever the number of owners and requests. A slash
     takes what there is and never reverts for want of stake: an operator who left cannot stop a settlement.

     The client and the reporter are paid out of what the operator itself lost. If delegators' stake paid them too, an
     operator could play all three and take its delegators' stake home; so that part is insured and burned.
@custom:security A verifier is trusted to name the client and the reporter. Both together get at most 75 % of what the
     operator itself lost, so no verifier can make a fault pay.
"""

from contracts.interfaces import IMillToken
from contracts.interfaces import IStaking
from contracts.modules import commitments
from contracts.modules import ownership
from contracts.modules import stake_pool
from contracts.modules import staking_limits
from contracts.modules import token_transfer
from contracts.modules import verifier_registry

uses: commitments
uses: ownership
uses: stake_pool
uses: staking_limits
uses: verifier_registry


FULL_BPS: constant(uint256) = 10_000
MAX_REPORTER_BPS: constant(uint256) = 2_500


# 80 bit zero | 16 insurance_bps | 160 insurance
_insurance: uint256


# ------------------------------------------------------------------ verifier
@external
# slither cyclomatic-complexity: one decision in four steps, each of which needs those before it
def slash(_penalty: IStaking.Penalty) -> (uint256, uint256):
    """
    @notice Takes stake of an operator for a fault, and of its delegators when its own does not suffice.
    @dev Authorised verifiers, or a removed one for no more than it releases with this call. What is released is taken
         without a cap. What goes beyond is capped for the fault and by the window, and leaves what backs other open work.
    @param _penalty What is taken and who gets it.
    @return Stake tokens taken. Less than asked for when a cap or the stake says so; a little more, below a 2**32th of
            what a pool's shares were first worth, when so little of it is left that the shares are void.
    @return Of which the client received.
    """
    if _penalty.released == 0 or _penalty.amount > _penalty.released:
        verifier_registry._check_authorised(msg.sender)
    assert _penalty.reporter_bps <= MAX_REPORTER_BPS, "slash: reporter share too large"
    open_work: commitments.Commitments = commitments._load(_penalty.operator)
    open_work.committed -= commitments._uncommit(msg.sender, _penalty.operator, _penalty.released)

    # ---------------------------------------- how much
    limits: staking_limits.Limits = staking_limits._load_limits()
    slashable: uint256 = stake_pool._slashable(_penalty.operator)
    if block.timestamp >= open_work.window_end:
        open_work.room = limits.window_bps * slashable // FULL_BPS
    amount: uint256 = min(_penalty.amount, _penalty.released)
    if _penalty.amount > amount:
        allowed: uint256 = limits.fault_bps * slashable // FULL_BPS
        spoken_for: uint256 = open_work.committed + amount
        # What backs other open work stays for that; otherwise pledging would be a way to make other faults free.
        free: uint256 = slashable - spoken_for if slashable > spoken_for else 0
        allowed = min(allowed, amount + min(open_work.room, free))
        amount = max(amount, min(_penalty.amount, allowed))

    # ---------------------------------------- from whom
    own: uint256 = stake_pool._slash(stake_pool._pool_of(_penalty.operator, stake_pool.OWN), amount)
    delegated: uint256 = 0
    if own < amount:
        delegated = stake_pool._slash(
            stake_pool._pool_of(_penalty.operator, stake_pool.DELEGATED), amount - own
        )
    taken: uint256 = own + delegated
    if taken > 0:
        if block.timestamp >= open_work.window_end:
            open_work.window_end = block.timestamp + commitments.WINDOW
        open_work.room -= min(open_work.room, taken)
        stake_pool._count_out(taken)
    commitments._store(_penalty.operator, open_work)

    # ---------------------------------------- to whom; every share rounds down for what is burned
    compensation: uint256 = 0
    if self._can_receive(_penalty.client):
        compensation = min(_penalty.compensation, own // 2)
    reward: uint256 = 0
    if self._can_receive(_penalty.reporter):
        reward = own * _penalty.reporter_bps // FULL_BPS
    rest: uint256 = taken - compensation - reward
    insurance: address = empty(address)
    insurance_bps: uint256 = 0
    insurance, insurance_bps = self._load_insurance()
    insured: uint256 = rest * insurance_bps // FULL_BPS
    burned: uint256 = rest - insured
    log IStaking.Slashed(
        operator=_penalty.operator,
        verifier=msg.sender,
        reason=_penalty.reason,
        own=own,
        delegated=delegated,
        client=_penalty.client,
        compensation=compensation,
        reporter=_penalty.reporter,
        reward=reward,
        insured=insured,
        burned=burned,
    )

    if compensation > 0:
        token_transfer._push(stake_pool.STAKE_TOKEN, _penalty.client, compensation)
    if reward > 0:
        token_transfer._push(stake_pool.STAKE_TOKEN, _penalty.reporter, reward)
    if insured > 0:
        token_transfer._push(stake_pool.STAKE_TOKEN, insurance, insured)
    if burned > 0:
        extcall IMillToken(stake_pool.STAKE_TOKEN).burn(burned)
    return taken, compensation


# ------------------------------------------------------------------ owner
@external
def set_insurance(_insurance: address, _insurance_bps: uint256):
    """
    @notice Sets who gets a part of what would be burned, and how much.
    @dev Owner only.
    @param _insurance The insurance pool; nobody when the share is 0.
    @param _insurance_bps Basis points of what is left after compensation and reward, at most 10,000.
    """
    ownership._check_owner()
    assert _insurance_bps <= FULL_BPS, "slash: insurance share too large"
    assert _insurance_bps == 0 or self._can_receive(_insurance), "slash: no insurance"
    self._insurance = convert(_insurance, uint256) | (_insurance_bps << 160)
    log IStaking.InsuranceSet(insurance=_insurance, insurance_bps=_insurance_bps)


# ------------------------------------------------------------------ views
@view
@external
def insurance() -> (address, uint256):
    """
    @notice Who gets a part of what would be burned.
    @return The insurance pool.
    @return Basis points of what is left after compensation and reward.
    """
    return self._load_insurance()


# ------------------------------------------------------------------ internal
@view
@internal
def _load_insurance() -> (address, uint256):
    insurance: uint256 = self._insurance
    return convert(insurance & (2**160 - 1), address), insurance >> 160


@view
@internal
def _can_receive(_account: address) -> bool:
    """
    @dev Not nobody, and neither this contract nor the token: a payment there would revert or be lost, and nobody may be
         able to stop a slash by being named in it.
    """
    return _account != empty(address) and _account != self and _account != stake_pool.STAKE_TOKEN
