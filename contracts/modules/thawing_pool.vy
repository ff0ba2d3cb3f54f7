# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Stake on its way out
@author Proofmill
@license Apache-2.0
@dev Each operator has one pool of thawing tokens; a request owns shares of it, so that a slash touches one number and
     still falls on every request in proportion. A slash that empties the pool starts a new epoch: requests of an older
     epoch are worth nothing and cannot reach tokens that thaw later.

     Invariant: tokens <= shares. Both start equal, a slash lowers tokens only, and each rounding below keeps the order.
     Hence a request of at least one token always gets at least one share. All shares of a pool belong to the same
     operator: rounding moves dust between its own requests and never between people.
"""

from snekmate.auth import ownable

from contracts.interfaces import IStaking

uses: ownable


MIN_THAW_PERIOD: constant(uint256) = 7 * 86_400
MAX_THAW_PERIOD: constant(uint256) = 28 * 86_400
MAX_SHARES: constant(uint256) = 2**128 - 1  # amounts are below 2 ** 128 too, so products fit 256 bits


struct Pool:
    tokens: uint256
    shares: uint256
    epoch: uint256


struct Request:
    shares: uint256
    epoch: uint256
    ready_at: uint256


thaw_period: public(uint256)  # seconds; applies to requests made from now on
unstake_request_count: public(HashMap[address, uint256])
_pools: HashMap[address, Pool]
_requests: HashMap[address, HashMap[uint256, Request]]


@deploy
def __init__(_thaw_period: uint256):
    self._set_thaw_period(_thaw_period)


# ------------------------------------------------------------------ owner
@external
def set_thaw_period(_thaw_period: uint256):
    """
    @notice Sets how long stake thaws. Requests that exist keep the time they were given.
    @dev Owner only.
    @param _thaw_period Seconds, from 7 to 28 days.
    """
    ownable._check_owner()
    self._set_thaw_period(_thaw_period)


# ------------------------------------------------------------------ views
@view
@external
def thawing(_operator: address) -> uint256:
    """
    @notice Tokens that are on their way out and still slashable.
    @param _operator Whose stake.
    @return Stake tokens.
    """
    return self._pools[_operator].tokens


@view
@external
def unstake_request(_operator: address, _request_id: uint256) -> (uint256, uint256):
    """
    @notice What a request is worth now, and when it can be withdrawn.
    @param _operator Whose request.
    @param _request_id Number of the request, counted from 0 for each operator.
    @return Tokens that a withdrawal would pay at this moment (0 for an unknown or fully slashed request).
    @return Unix time from which it can be withdrawn (0 for an unknown or withdrawn request).
    """
    request: Request = self._requests[_operator][_request_id]
    return self._worth(self._pools[_operator], request), request.ready_at


# ------------------------------------------------------------------ internal
@internal
def _set_thaw_period(_thaw_period: uint256):
    assert _thaw_period >= MIN_THAW_PERIOD, "thawing: period too short"
    assert _thaw_period <= MAX_THAW_PERIOD, "thawing: period too long"
    self.thaw_period = _thaw_period
    log IStaking.ThawPeriodSet(thaw_period=_thaw_period)


@internal
def _add(_operator: address, _amount: uint256) -> uint256:
    """
    @dev Starts to thaw `_amount`, which the caller has taken from the active stake. Returns the number of the request.
    """
    pool: Pool = self._pools[_operator]
    shares: uint256 = _amount
    if pool.shares > 0:
        # Rounds down: the new request gives dust to the operator's older ones. tokens > 0 whenever shares > 0.
        shares = _amount * pool.shares // pool.tokens
    pool.tokens += _amount
    pool.shares += shares
    # Reached only after slashes that leave almost nothing of a pool, more than once; it clears when the pool drains.
    assert pool.shares <= MAX_SHARES, "thawing: pool diluted"
    self._pools[_operator] = pool

    request_id: uint256 = self.unstake_request_count[_operator]
    ready_at: uint256 = block.timestamp + self.thaw_period
    self.unstake_request_count[_operator] = request_id + 1
    self._requests[_operator][request_id] = Request(shares=shares, epoch=pool.epoch, ready_at=ready_at)
    log IStaking.UnstakeRequested(
        operator=_operator, request_id=request_id, amount=_amount, shares=shares, ready_at=ready_at
    )
    return request_id


@internal
def _remove(_operator: address, _request_id: uint256) -> uint256:
    """
    @dev Ends a request that has thawed. Returns the tokens that the caller owes to the operator, perhaps 0.
    """
    request: Request = self._requests[_operator][_request_id]
    assert request.ready_at > 0, "thawing: no such request"
    assert block.timestamp >= request.ready_at, "thawing: not ready"

    pool: Pool = self._pools[_operator]
    amount: uint256 = self._worth(pool, request)
    if request.epoch == pool.epoch:
        pool.tokens -= amount
        pool.shares -= request.shares
        self._pools[_operator] = pool
    self._requests[_operator][_request_id] = empty(Request)
    log IStaking.Withdrawn(operator=_operator, request_id=_request_id, amount=amount)
    return amount


@internal
def _slash(_operator: address, _amount: uint256) -> uint256:
    """
    @dev Takes up to `_amount` from every thawing request in proportion, in constant time. Returns what was taken.
    """
    pool: Pool = self._pools[_operator]
    taken: uint256 = min(_amount, pool.tokens)
    if taken == 0:
        return 0

    pool.tokens -= taken
    if pool.tokens == 0:
        pool.shares = 0
        pool.epoch += 1
    self._pools[_operator] = pool
    return taken


@pure
@internal
def _worth(_pool: Pool, _request: Request) -> uint256:
    """
    @dev Rounds down: dust stays for the operator's other requests, and the last one takes all that is left.
    """
    if _request.shares == 0 or _request.epoch != _pool.epoch:
        return 0
    return _pool.tokens * _request.shares // _pool.shares
