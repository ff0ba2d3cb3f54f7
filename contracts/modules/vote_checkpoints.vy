# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title Votes now and at any past timepoint
@author Proofmill
@license Apache-2.0
@dev A trace for each delegate and one for the supply. Votes of a timepoint are only told when it is over, so that
     tokens that are bought, lent or moved within it cannot vote twice.

     One word for each checkpoint:

         48 bit timepoint | 32 bit number, counted from 1 | 176 bit value

     The latest is kept apart under `_latest` and moves to `_earlier` when a later timepoint brings another: what votes
     now is one word away, and the first checkpoint of an account costs one new word.
     Calls nobody, hence no lock.
"""

from contracts.interfaces import IMillToken


TIMEPOINT_SHIFT: constant(uint256) = 208
NUMBER_SHIFT: constant(uint256) = 176
NUMBER_MASK: constant(uint256) = 2**32 - 1
VALUE_MASK: constant(uint256) = 2**176 - 1
MAX_SEARCH_STEPS: constant(uint256) = 32  # halves the distance between two numbers of 32 bit each time
SHORT_TRACE: constant(uint256) = 5  # up to here a search from the middle is as good as one from the end
SUPPLY_TRACE: constant(uint256) = 2**160  # no address is as large


IS_TIMESTAMP: immutable(bool)


_latest: HashMap[uint256, uint256]  # trace to its last checkpoint; zero when it has none
_earlier: HashMap[uint256, HashMap[uint256, uint256]]  # trace and number to each one before


@deploy
def __init__(_is_timestamp: bool):
    IS_TIMESTAMP = _is_timestamp


# ------------------------------------------------------------------ views
@view
@external
def clock() -> uint48:
    """
    @notice The present timepoint (ERC-6372).
    @return Block number or unix time, see `CLOCK_MODE`.
    """
    return convert(self._clock(), uint48)


@view
@external
def CLOCK_MODE() -> String[29]:
    """
    @notice What timepoints are (ERC-6372).
    @return A query string for machines.
    """
    if IS_TIMESTAMP:
        return "mode=timestamp"
    return "mode=blocknumber&from=default"


@view
@external
def getVotes(_account: address) -> uint256:
    """
    @notice What the account votes with now.
    @param _account A delegate.
    @return The sum of the balances delegated to it.
    """
    return self._latest[convert(_account, uint256)] & VALUE_MASK


@view
@external
def getPastVotes(_account: address, _timepoint: uint256) -> uint256:
    """
    @notice What the account voted with at the end of a timepoint.
    @dev Reverts for the present timepoint and for later ones.
    @param _account A delegate.
    @param _timepoint Block number or unix time that is over.
    @return The sum of the balances delegated to it then.
    """
    return self._value_at(convert(_account, uint256), _timepoint)


@view
@external
def getPastTotalSupply(_timepoint: uint256) -> uint256:
    """
    @notice All tokens at the end of a timepoint, delegated or not.
    @dev Reverts for the present timepoint and for later ones.
    @param _timepoint Block number or unix time that is over.
    @return The supply then.
    """
    return self._value_at(SUPPLY_TRACE, _timepoint)


@view
@external
def numCheckpoints(_account: address) -> uint32:
    """
    @notice How many checkpoints the votes of an account have.
    @param _account A delegate.
    @return At most one for each timepoint.
    """
    return convert(self._number(self._latest[convert(_account, uint256)]), uint32)


@view
@external
def checkpoints(_account: address, _index: uint32) -> IMillToken.Checkpoint:
    """
    @notice One checkpoint of the votes of an account.
    @param _account A delegate.
    @param _index Counted from zero, oldest first.
    @return Timepoint and the votes from then on.
    """
    trace: uint256 = convert(_account, uint256)
    latest: uint256 = self._latest[trace]
    number: uint256 = convert(_index, uint256) + 1
    assert number <= self._number(latest), "votes: no such checkpoint"
    word: uint256 = latest
    if number != self._number(latest):
        word = self._earlier[trace][number]
    return IMillToken.Checkpoint(
        _key=convert(word >> TIMEPOINT_SHIFT, uint48), _value=convert(word & VALUE_MASK, uint208)
    )


# ------------------------------------------------------------------ internal
@internal
def _move_votes(_from: address, _to: address, _amount: uint256):
    """
    @dev The zero address stands for nobody: tokens that are not delegated, or that exist no more.
    """
    if _from == _to or _amount == 0:
        return
    if _from != empty(address):
        trace: uint256 = convert(_from, uint256)
        latest: uint256 = self._latest[trace]
        votes: uint256 = latest & VALUE_MASK
        self._record(trace, latest, votes - _amount)
        log IMillToken.DelegateVotesChanged(delegate=_from, previousVotes=votes, newVotes=votes - _amount)
    if _to != empty(address):
        trace: uint256 = convert(_to, uint256)
        latest: uint256 = self._latest[trace]
        votes: uint256 = latest & VALUE_MASK
        self._record(trace, latest, votes + _amount)
        log IMillToken.DelegateVotesChanged(delegate=_to, previousVotes=votes, newVotes=votes + _amount)


@internal
def _start_supply(_supply: uint256):
    self._record(SUPPLY_TRACE, 0, _supply)


@internal
def _lower_supply(_amount: uint256):
    latest: uint256 = self._latest[SUPPLY_TRACE]
    self._record(SUPPLY_TRACE, latest, (latest & VALUE_MASK) - _amount)


@view
@internal
def _supply() -> uint256:
    return self._latest[SUPPLY_TRACE] & VALUE_MASK


@internal
def _record(_trace: uint256, _before: uint256, _value: uint256):
    """
    @dev `_before` is the trace's latest word. The value must be below 2 ** 176; the token's supply is below 2 ** 96.
    """
    number: uint256 = self._number(_before)
    timepoint: uint256 = self._clock()
    if number == 0 or _before >> TIMEPOINT_SHIFT != timepoint:
        if number != 0:
            self._earlier[_trace][number] = _before
        number += 1  # at most one for each timepoint, and 2 ** 32 seconds are 136 years
    self._latest[_trace] = timepoint << TIMEPOINT_SHIFT | number << NUMBER_SHIFT | _value


@view
@internal
def _value_at(_trace: uint256, _timepoint: uint256) -> uint256:
    """
    @dev The last checkpoint not after the timepoint. The first probe is near the end: votes are about the recent past.
    """
    assert _timepoint < self._clock(), "votes: timepoint not over"
    latest: uint256 = self._latest[_trace]
    if latest >> TIMEPOINT_SHIFT <= _timepoint:
        return latest & VALUE_MASK

    # Of all numbers, `found` and those below are known not to be after the timepoint, `beyond` and those above are.
    found: uint256 = 0
    found_word: uint256 = 0
    beyond: uint256 = self._number(latest)
    probe: uint256 = beyond >> 1
    if beyond > SHORT_TRACE:
        probe = beyond - isqrt(beyond)
    for _: uint256 in range(MAX_SEARCH_STEPS + 1):
        if probe == found:
            break
        word: uint256 = self._earlier[_trace][probe]
        if word >> TIMEPOINT_SHIFT <= _timepoint:
            found = probe
            found_word = word
        else:
            beyond = probe
        probe = (found + beyond) >> 1
    return found_word & VALUE_MASK


@view
@internal
def _clock() -> uint256:
    if IS_TIMESTAMP:
        return block.timestamp
    return block.number


@pure
@internal
def _number(_word: uint256) -> uint256:
    return _word >> NUMBER_SHIFT & NUMBER_MASK
