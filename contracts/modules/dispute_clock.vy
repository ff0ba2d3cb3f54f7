# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title The clocks of a challenge
@author Proofmill
@license Apache-2.0
@dev Stateless. All times are shares of the job's dispute window W, so they are frozen with its terms. Each side has 9W/32 for all
     its moves, and at least 3W/256 for each; an appeal may be challenged for W/4. With at most 8 asks there are 8 turns of the
     defender and 9 of the challenger, of which the first of each has the whole clock:

         W/4 + 2 · 9W/32 + 15 · 3W/256 < W

     All shares round down, so the sum stays below W. A turn's last second is its `began_at` plus what was left then.
     Nothing is written when a question is answered: the turn is worked out from the time at which its key was revealed.
"""

from contracts.modules import refusal


MAX_ASKS: constant(uint256) = 8


# Whose move it is, since when, and what both have left at that moment.
struct Turn:
    is_defenders: bool
    began_at: uint256
    challenger_left: uint256
    defender_left: uint256


@pure
@internal
def _total(_dispute_window: uint256) -> uint256:
    """
    @dev Seconds for all moves of one side. Rounds down.
    """
    return 9 * _dispute_window // 32


@pure
@internal
def _extension(_dispute_window: uint256) -> uint256:
    """
    @dev Seconds that a turn has at least. Rounds down.
    """
    return 3 * _dispute_window // 256


@pure
@internal
def _response(_dispute_window: uint256) -> uint256:
    """
    @dev Seconds in which an appeal may be challenged. Rounds down.
    """
    return _dispute_window // 4


@pure
@internal
def _after_answer(_asked: Turn, _revealed_at: uint256, _extension: uint256) -> Turn:
    """
    @dev What became of the defender's turn, if its key was revealed at that time (0: it was not). What was known before it was
         asked cost no time; an answer that was late, but that nobody timed out, leaves an empty clock.
    """
    if not _asked.is_defenders or _revealed_at == 0:
        return _asked
    answered_at: uint256 = max(_revealed_at, _asked.began_at)
    used: uint256 = answered_at - _asked.began_at
    return Turn(
        is_defenders=False,
        began_at=answered_at,
        challenger_left=max(_asked.challenger_left, _extension),
        defender_left=_asked.defender_left - min(used, _asked.defender_left),
    )


@pure
@internal
def _after_question(_turn: Turn, _now: uint256, _extension: uint256) -> Turn:
    """
    @dev The challenger has moved, in time.
    """
    used: uint256 = _now - _turn.began_at
    if used > _turn.challenger_left:
        refusal._raise("clock: challenger too late")
    return Turn(
        is_defenders=True,
        began_at=_now,
        challenger_left=_turn.challenger_left - used,
        defender_left=max(_turn.defender_left, _extension),
    )


@pure
@internal
def _has_run_out(_turn: Turn, _now: uint256) -> bool:
    left: uint256 = _turn.challenger_left
    if _turn.is_defenders:
        left = _turn.defender_left
    return _now > _turn.began_at + left
