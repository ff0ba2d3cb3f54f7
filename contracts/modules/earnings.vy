# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What operators and their delegators earn
@author Proofmill
@license Apache-2.0
@dev A distribution touches one accumulator, whatever the number of delegators: earnings per share of the delegation
     pool, scaled by 10**36 and rounded down. What the rounding leaves over goes to the operator, with its cut and with
     what its own stake earns, so all of it belongs to somebody. Each delegator is settled when its shares change or it is paid, rounded down by less
     than one unit; that dust stays here.

     Accumulators are kept for each epoch of the pool: shares that a slash voided keep what they had earned, and earn
     nothing of what comes later.

     Bounds: a delegator has at most all shares, so shares * accumulator <= all that was distributed * 10**36, far
     below 2**256.
"""

from contracts.interfaces import IStaking
from contracts.modules import operator_terms
from contracts.modules import ownership
from contracts.modules import stake_pool
from contracts.modules import token_transfer

uses: operator_terms
uses: ownership
uses: stake_pool


FULL_BPS: constant(uint256) = 10_000
SCALE: constant(uint256) = 10**36
MAX_TOKENS: constant(uint256) = 8  # never removed; bounds what a change of shares costs
AMOUNT: constant(uint256) = 2**96 - 1


struct Account:
    checkpoint: uint256  # accumulator of the position's epoch when it was settled
    amount: uint256  # earned until then and not paid


earnings_owed: public(HashMap[address, uint256])  # token -> what this contract owes of it to earners

_token_count: uint256
_token_numbers: HashMap[address, uint256]  # counted from 1; 0: not listed
# operator -> epoch of its delegation pool -> token number -> earnings per share, scaled
_accumulated: HashMap[address, HashMap[uint256, HashMap[uint256, uint256]]]
# operator -> owner -> token number
_accounts: HashMap[address, HashMap[address, HashMap[uint256, Account]]]


# ------------------------------------------------------------------ anyone
@external
def distribute(_operator: address, _token: address, _amount: uint256):
    """
    @notice Takes tokens of the caller, who must have approved them, as earnings of an operator and its delegators.
    @dev The operator has its cut; the rest falls on all active stake alike, so a small delegation that comes just before
         a distribution earns no more than its size. Without delegators all of it is the operator's.
    @param _operator Who earned it.
    @param _token A listed token that takes no fee on transfers.
    @param _amount Tokens.
    """
    assert _operator != empty(address), "earnings: no operator"
    assert _amount > 0, "earnings: zero amount"
    assert _amount <= AMOUNT, "earnings: amount too large"
    number: uint256 = self._number_of(_token)
    # Rounds down, for the delegators.
    cut: uint256 = _amount * operator_terms._cut_of(_operator) // FULL_BPS
    pool: uint256 = stake_pool._pool_of(_operator, stake_pool.DELEGATED)
    active: stake_pool.Part = stake_pool._load_active(pool)
    per_share: uint256 = 0
    if active.tokens > 0:
        own: uint256 = stake_pool._load_active(stake_pool._pool_of(_operator, stake_pool.OWN)).tokens
        # Both round down, for the operator.
        # slither divide-before-multiply: one product would not fit 256 bits; the division before loses less than one unit
        delegators: uint256 = (_amount - cut) * active.tokens // (own + active.tokens)
        per_share = delegators * SCALE // active.shares
    if per_share > 0:
        self._accumulated[_operator][active.epoch][number] += per_share
        stake_pool._active_shares[pool] |= 1 << (127 + number)
    # Rounds up what the delegators get in all: for them.
    cut = _amount - (per_share * active.shares + SCALE - 1) // SCALE
    self._accounts[_operator][_operator][number].amount += cut
    self.earnings_owed[_token] += _amount
    log IStaking.EarningsDistributed(
        operator=_operator, token=_token, payer=msg.sender, amount=_amount, cut=cut
    )
    token_transfer._pull_exactly(_token, msg.sender, _amount)


@external
def pay_earnings(_operator: address, _token: address, _owner: address) -> uint256:
    """
    @notice Pays what somebody has earned with an operator, whoever calls.
    @param _operator The operator.
    @param _token Which earnings.
    @param _owner The operator or one of its delegators.
    @return Tokens paid.
    """
    number: uint256 = self._number_of(_token)
    account: Account = self._settled(_operator, _owner, number)
    amount: uint256 = account.amount
    assert amount > 0, "earnings: nothing earned"
    account.amount = 0
    self._accounts[_operator][_owner][number] = account
    self.earnings_owed[_token] -= amount
    log IStaking.EarningsPaid(token=_token, owner=_owner, amount=amount)
    token_transfer._push(_token, _owner, amount)
    return amount


# ------------------------------------------------------------------ owner
@external
def add_earnings_token(_token: address):
    """
    @notice Lists a token that operators can earn.
    @dev Owner only. A token stays listed for ever: it may be owed.
    @param _token A token that takes no fee on transfers.
    """
    ownership._check_owner()
    assert _token != empty(address), "earnings: no token"
    assert self._token_numbers[_token] == 0, "earnings: token listed already"
    count: uint256 = self._token_count + 1
    assert count <= MAX_TOKENS, "earnings: too many tokens"
    self._token_count = count
    self._token_numbers[_token] = count
    log IStaking.EarningsTokenAdded(token=_token)


# ------------------------------------------------------------------ views
@view
@external
def is_earnings_token(_token: address) -> bool:
    """
    @notice Whether a token is listed.
    @param _token The token.
    @return True when operators can earn it.
    """
    return self._token_numbers[_token] != 0


@view
@external
def earned(_operator: address, _token: address, _owner: address) -> uint256:
    """
    @notice What somebody has earned with an operator and was not paid yet.
    @param _operator The operator.
    @param _token Which earnings.
    @param _owner The operator or one of its delegators.
    @return Tokens, rounded down.
    """
    number: uint256 = self._token_numbers[_token]
    if number == 0:
        return 0
    return self._settled(_operator, _owner, number).amount


# ------------------------------------------------------------------ internal
@internal
def _settle(_pool: uint256, _owner: address):
    """
    @dev Before the shares of an owner change. Nothing to do in a pool of own stake: what it earns is the cut.
    """
    tokens: uint256 = stake_pool._active_shares[_pool] >> 128
    if tokens == 0:
        return
    operator: address = stake_pool._operator_of(_pool)
    position: stake_pool.Position = stake_pool._load_position(_pool, _owner)
    epoch: uint256 = stake_pool._load_active(_pool).epoch
    for number: uint256 in range(1, MAX_TOKENS + 1):
        if tokens & 1 != 0:
            accumulated: uint256 = self._accumulated[operator][position.epoch][number]
            checkpoint: uint256 = self._accounts[operator][_owner][number].checkpoint
            if position.shares > 0 and accumulated != checkpoint:
                self._accounts[operator][_owner][number].amount += self._gain(
                    position.shares, checkpoint, accumulated
                )
            if position.epoch != epoch:
                # From now on the position belongs to the epoch that runs.
                accumulated = self._accumulated[operator][epoch][number]
            if accumulated != checkpoint:
                self._accounts[operator][_owner][number].checkpoint = accumulated
        tokens >>= 1
        if tokens == 0:
            break


@view
@internal
def _settled(_operator: address, _owner: address, _number: uint256) -> Account:
    """
    @dev An account as of now; it follows the accumulator of the position's own epoch.
    """
    pool: uint256 = stake_pool._pool_of(_operator, stake_pool.DELEGATED)
    position: stake_pool.Position = stake_pool._load_position(pool, _owner)
    accumulated: uint256 = self._accumulated[_operator][position.epoch][_number]
    account: Account = self._accounts[_operator][_owner][_number]
    account.amount += self._gain(position.shares, account.checkpoint, accumulated)
    account.checkpoint = accumulated
    return account


@pure
@internal
def _gain(_shares: uint256, _checkpoint: uint256, _accumulated: uint256) -> uint256:
    """
    @dev Rounds down, for the contract. Without shares the checkpoint may be of another epoch and says nothing.
    """
    if _shares == 0:
        return 0
    return _shares * (_accumulated - _checkpoint) // SCALE


@view
@internal
def _number_of(_token: address) -> uint256:
    number: uint256 = self._token_numbers[_token]
    assert number != 0, "earnings: token not listed"
    return number
