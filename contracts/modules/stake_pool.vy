# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Pools of stake
@author Proofmill
@license Apache-2.0
@dev Every operator has two pools of one kind: its own (side 0) and its delegators' (side 1), named
     `operator | side << 160`. A pool has two parts, active and thawing. Each part is tokens and shares of them; a slash
     lowers tokens only, so it touches no owner and no request and still falls on all of them in proportion.

     Active shares have a virtual offset of one share and one token: tokens = shares * (T + 1) // (S + 1). Nothing but
     shares brings tokens in (no balance is ever read), and every division rounds down against whoever enters or leaves.
     Hence, always, in both parts:

     1. T <= S. A share is never worth more than one unit, so rounding costs an owner less than one unit a call, no
        first depositor can inflate the price, and whoever enters with a token gets a share.
     2. The last one to leave gets all: S * (T + 1) // (S + 1) = T when T <= S. A pool that everybody left is empty.
     3. S < (T + 1) * 2**32 <= 2**128. A slash that would leave a part less than a 2**-32th of its shares takes the
        rest of it too. So no product of tokens and shares overflows, no pool becomes too diluted to be left, and
        shares pack.

     A part that a slash emptied begins a new epoch. Shares and requests of an older epoch are worth nothing and cannot
     reach tokens that come later.
"""

from contracts.interfaces import IStaking
from contracts.modules import ownership

uses: ownership


OWN: constant(uint256) = 0
DELEGATED: constant(uint256) = 1

MIN_THAW_PERIOD: constant(uint256) = 7 * 86_400
MAX_THAW_PERIOD: constant(uint256) = 28 * 86_400
MAX_OPEN_REQUESTS: constant(uint256) = 100  # for each pool and owner; bounds what one redemption costs
DILUTION_BITS: constant(uint256) = 32

AMOUNT: constant(uint256) = 2**96 - 1
SHARES: constant(uint256) = 2**128 - 1
EPOCH: constant(uint256) = 2**32 - 1
COUNTER: constant(uint256) = 2**48 - 1
ADDRESS: constant(uint256) = 2**160 - 1
LANE: constant(uint256) = 2**128 - 1  # one side in the word of active tokens


struct Part:
    tokens: uint256
    shares: uint256
    epoch: uint256


struct Position:
    shares: uint256  # of the active part
    epoch: uint256
    first: uint256  # request that has not ended; equal to `next` when there is none
    next: uint256  # number of the next request


STAKE_TOKEN: immutable(address)


thaw_period: public(uint256)  # seconds; applies to requests made from now on
total_staked: public(uint256)  # active and thawing stake of everybody: what the contract owes to stakers

# operator -> for each side, own stake low: 32 bit epoch | 96 active tokens. Both sides at once are what `commit` reads.
_active: HashMap[address, uint256]
# pool -> 120 bit zero | 8 earnings tokens that reached the pool | 128 active shares
_active_shares: HashMap[uint256, uint256]
# pool -> 32 bit epoch | 128 shares | 96 tokens
_thawing: HashMap[uint256, uint256]
# pool -> owner -> 48 bit next | 48 first | 32 epoch | 128 shares
_positions: HashMap[uint256, HashMap[address, uint256]]
# pool -> owner -> request -> 56 bit zero | 40 ready_at | 32 epoch | 128 shares of the thawing part. Zero: ended.
_requests: HashMap[uint256, HashMap[address, HashMap[uint256, uint256]]]


@deploy
def __init__(_stake_token: address, _thaw_period: uint256):
    assert _stake_token != empty(address), "staking: no stake token"
    STAKE_TOKEN = _stake_token
    self._set_thaw_period(_thaw_period)


# ------------------------------------------------------------------ owner
@external
def set_thaw_period(_thaw_period: uint256):
    """
    @notice Sets how long stake thaws. Requests that exist keep the time they were given.
    @dev Owner only.
    @param _thaw_period Seconds, from 7 to 28 days.
    """
    ownership._check_owner()
    self._set_thaw_period(_thaw_period)


# ------------------------------------------------------------------ internal: tokens in and out
@internal
def _enter(_pool: uint256, _owner: address, _amount: uint256) -> uint256:
    """
    @dev Adds active tokens and returns the shares of them. New tokens go through `_count_in` first.
    """
    active: Part = self._load_active(_pool)
    position: Position = self._live_position(_pool, _owner, active.epoch)
    shares: uint256 = self._to_shares(active, _amount)
    active.tokens += _amount
    active.shares += shares
    position.shares += shares
    self._store_active(_pool, active)
    self._store_position(_pool, _owner, position)
    return shares


@internal
def _count_in(_amount: uint256):
    assert _amount > 0, "staking: zero amount"
    total: uint256 = self.total_staked
    assert _amount <= AMOUNT - total, "staking: total too large"
    self.total_staked = total + _amount


@internal
def _count_out(_amount: uint256):
    self.total_staked -= _amount


# ------------------------------------------------------------------ internal: requests to leave
@internal
def _request(_pool: uint256, _owner: address, _shares: uint256) -> (uint256, uint256):
    """
    @dev Moves shares to the thawing part. Returns their worth, rounded down for those who stay, and what the remaining
         shares of the owner are worth.
    """
    assert _shares > 0, "pool: no shares"
    active: Part = self._load_active(_pool)
    position: Position = self._live_position(_pool, _owner, active.epoch)
    assert _shares <= position.shares, "pool: more shares than owned"
    assert position.next - position.first < MAX_OPEN_REQUESTS, "pool: too many requests"
    amount: uint256 = self._to_tokens(active, _shares)
    assert amount > 0, "pool: shares worth nothing"
    active.tokens -= amount
    active.shares -= _shares
    position.shares -= _shares
    request_id: uint256 = position.next
    position.next = request_id + 1
    self._store_active(_pool, active)
    self._store_position(_pool, _owner, position)

    thawing: Part = self._load_thawing(_pool)
    thawing_shares: uint256 = amount
    if thawing.shares > 0:
        # Rounds down, for those who thaw already. Not less than `amount`, because tokens <= shares.
        thawing_shares = amount * thawing.shares // thawing.tokens
    thawing.tokens += amount
    thawing.shares += thawing_shares
    self._store_thawing(_pool, thawing)
    ready_at: uint256 = block.timestamp + self.thaw_period
    self._requests[_pool][_owner][request_id] = thawing_shares | (thawing.epoch << 128) | (ready_at << 160)
    log IStaking.RedeemRequest(
        controller=_owner,
        owner=_owner,
        requestId=request_id,
        pool=_pool,
        shares=_shares,
        amount=amount,
        ready_at=ready_at,
    )
    return request_id, self._to_tokens(active, position.shares)


@internal
def _cancel(_pool: uint256, _owner: address, _request_id: uint256) -> uint256:
    """
    @dev Gives a request back to the active part at today's price. Returns the shares.
    """
    request: uint256 = self._requests[_pool][_owner][_request_id]
    thawing: Part = self._load_thawing(_pool)
    assert request != 0 and (request >> 128) & EPOCH == thawing.epoch, "pool: no such request"
    thawing_shares: uint256 = request & SHARES
    amount: uint256 = thawing_shares * thawing.tokens // thawing.shares
    assert amount > 0, "pool: request worth nothing"
    thawing.tokens -= amount
    thawing.shares -= thawing_shares
    self._store_thawing(_pool, thawing)
    self._requests[_pool][_owner][_request_id] = 0

    active: Part = self._load_active(_pool)
    position: Position = self._live_position(_pool, _owner, active.epoch)
    if _request_id == position.first:
        position.first = self._next_open(_pool, _owner, _request_id, position.next)
    shares: uint256 = self._to_shares(active, amount)
    active.tokens += amount
    active.shares += shares
    position.shares += shares
    self._store_active(_pool, active)
    self._store_position(_pool, _owner, position)
    log IStaking.RedeemRequestCancelled(
        pool=_pool, owner=_owner, requestId=_request_id, amount=amount, shares=shares
    )
    return shares


@internal
def _collect(_pool: uint256, _owner: address, _max_n: uint256) -> uint256:
    """
    @dev Ends up to `_max_n` requests, the oldest first, until one is not ready. Returns the tokens that the owner is
         owed and that the caller has to take out of `total_staked` or to put into another pool.
    """
    position: Position = self._load_position(_pool, _owner)
    thawing: Part = self._load_thawing(_pool)
    amount: uint256 = 0
    ended: uint256 = 0
    for _: uint256 in range(MAX_OPEN_REQUESTS):
        if position.first == position.next:
            break
        request: uint256 = self._requests[_pool][_owner][position.first]
        if request != 0:  # not cancelled
            if ended == _max_n:
                break
            # A request that a slash wiped out needs no waiting.
            if (request >> 128) & EPOCH == thawing.epoch:
                if block.timestamp < request >> 160:
                    break
                shares: uint256 = request & SHARES
                # Rounds down, for those who still thaw; the last one gets all.
                worth: uint256 = shares * thawing.tokens // thawing.shares
                thawing.tokens -= worth
                thawing.shares -= shares
                amount += worth
            ended += 1
            self._requests[_pool][_owner][position.first] = 0
        position.first += 1
    assert ended > 0, "pool: nothing to redeem"
    self._store_position(_pool, _owner, position)
    self._store_thawing(_pool, thawing)
    log IStaking.Redeemed(pool=_pool, owner=_owner, amount=amount, requests=ended)
    return amount


# ------------------------------------------------------------------ internal: slash
@internal
def _slash(_pool: uint256, _amount: uint256) -> uint256:
    """
    @dev Takes up to `_amount` from the active and the thawing part in proportion, in constant time. Returns what was
         taken, which the caller has to take out of `total_staked`.
    """
    active: Part = self._load_active(_pool)
    thawing: Part = self._load_thawing(_pool)
    total: uint256 = active.tokens + thawing.tokens
    amount: uint256 = min(_amount, total)
    if amount == 0:
        return 0

    if thawing.tokens > 0:
        # Rounds up, against those who leave.
        from_thawing: uint256 = (amount * thawing.tokens + total - 1) // total
        amount -= from_thawing
        thawing = self._shrink(thawing, from_thawing)
        self._store_thawing(_pool, thawing)
    if amount > 0:
        active = self._shrink(active, amount)
        self._store_active(_pool, active)
    return total - active.tokens - thawing.tokens


@pure
@internal
def _shrink(_part: Part, _amount: uint256) -> Part:
    """
    @dev See rule 3 above: what is left of a part counts as nothing when it is too little for its shares.
    """
    left: uint256 = _part.tokens - _amount
    if left << DILUTION_BITS < _part.shares:
        return Part(tokens=0, shares=0, epoch=_part.epoch + 1)
    return Part(tokens=left, shares=_part.shares, epoch=_part.epoch)


# ------------------------------------------------------------------ internal: worth
@pure
@internal
def _pool_of(_operator: address, _side: uint256) -> uint256:
    return convert(_operator, uint256) | (_side << 160)


@pure
@internal
def _operator_of(_pool: uint256) -> address:
    return convert(_pool & ADDRESS, address)


@view
@internal
def _slashable(_operator: address) -> uint256:
    active: uint256 = self._active[_operator]
    own: uint256 = (active & AMOUNT) + (self._thawing[self._pool_of(_operator, OWN)] & AMOUNT)
    return own + ((active >> 128) & AMOUNT) + (self._thawing[self._pool_of(_operator, DELEGATED)] & AMOUNT)


@pure
@internal
def _to_shares(_active: Part, _amount: uint256) -> uint256:
    return _amount * (_active.shares + 1) // (_active.tokens + 1)


@pure
@internal
def _to_tokens(_active: Part, _shares: uint256) -> uint256:
    return _shares * (_active.tokens + 1) // (_active.shares + 1)


@view
@internal
def _request_worth(_pool: uint256, _owner: address, _request_id: uint256) -> (uint256, uint256):
    request: uint256 = self._requests[_pool][_owner][_request_id]
    thawing: Part = self._load_thawing(_pool)
    if request == 0 or (request >> 128) & EPOCH != thawing.epoch:
        return 0, 0
    return (request & SHARES) * thawing.tokens // thawing.shares, request >> 160


@view
@internal
def _next_open(_pool: uint256, _owner: address, _from: uint256, _to: uint256) -> uint256:
    """
    @dev The first request from `_from` on that has not ended; `_to` when there is none.
    """
    request_id: uint256 = _from
    for _: uint256 in range(MAX_OPEN_REQUESTS):
        if request_id == _to or self._requests[_pool][_owner][request_id] != 0:
            break
        request_id += 1
    return request_id


# ------------------------------------------------------------------ internal: words
@internal
def _set_thaw_period(_thaw_period: uint256):
    assert _thaw_period >= MIN_THAW_PERIOD, "pool: thaw period too short"
    assert _thaw_period <= MAX_THAW_PERIOD, "pool: thaw period too long"
    self.thaw_period = _thaw_period
    log IStaking.ThawPeriodSet(thaw_period=_thaw_period)


@view
@internal
def _load_active(_pool: uint256) -> Part:
    side: uint256 = _pool >> 160
    assert side <= DELEGATED, "pool: no such pool"
    lane: uint256 = self._active[self._operator_of(_pool)] >> (side * 128)
    return Part(tokens=lane & AMOUNT, shares=self._active_shares[_pool] & SHARES, epoch=(lane >> 96) & EPOCH)


@internal
def _store_active(_pool: uint256, _part: Part):
    operator: address = self._operator_of(_pool)
    offset: uint256 = (_pool >> 160) * 128
    lane: uint256 = _part.tokens | (_part.epoch << 96)
    self._active[operator] = (self._active[operator] & ~(LANE << offset)) | (lane << offset)
    self._active_shares[_pool] = (self._active_shares[_pool] & ~SHARES) | _part.shares


@view
@internal
def _load_thawing(_pool: uint256) -> Part:
    thawing: uint256 = self._thawing[_pool]
    return Part(tokens=thawing & AMOUNT, shares=(thawing >> 96) & SHARES, epoch=thawing >> 224)


@internal
def _store_thawing(_pool: uint256, _part: Part):
    self._thawing[_pool] = _part.tokens | (_part.shares << 96) | (_part.epoch << 224)


@view
@internal
def _load_position(_pool: uint256, _owner: address) -> Position:
    position: uint256 = self._positions[_pool][_owner]
    return Position(
        shares=position & SHARES,
        epoch=(position >> 128) & EPOCH,
        first=(position >> 160) & COUNTER,
        next=position >> 208,
    )


@view
@internal
def _live_position(_pool: uint256, _owner: address, _epoch: uint256) -> Position:
    """
    @dev The position as it counts in the epoch that runs.
    """
    position: Position = self._load_position(_pool, _owner)
    if position.epoch != _epoch:
        position.shares = 0
        position.epoch = _epoch
    return position


@internal
def _store_position(_pool: uint256, _owner: address, _position: Position):
    self._positions[_pool][_owner] = (
        _position.shares | (_position.epoch << 128) | (_position.first << 160) | (_position.next << 208)
    )
