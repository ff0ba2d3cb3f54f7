"""Who leads when, as properties over all committees."""

from hypothesis import given
from hypothesis import strategies as st

from oracle.schedule import SKEW_IN_PLACES, Schedule

schedules = st.builds(
    Schedule,
    members=st.integers(1, 31),
    latest_sequence=st.integers(0, 2**62),
    waited=st.floats(0, 10**7),
    patience=st.floats(0.1, 3_600),
)


@given(schedules)
def test_last_open__at_least_the_next_sequence(schedule: Schedule) -> None:
    assert schedule.last_open() >= schedule.latest_sequence + 1


@given(schedules, st.integers(0, 30))
def test_mine__is_open_led_by_me_and_the_lowest_such(schedule: Schedule, index: int) -> None:
    index %= schedule.members
    sequence = schedule.mine(index)
    first = schedule.latest_sequence + 1
    own = [first + offset for offset in range(schedule.members) if schedule.leader(first + offset) == index]
    if sequence is None:
        assert own[0] > schedule.last_open()
    else:
        assert sequence == own[0]
        assert schedule.is_open(sequence)


@given(schedules, st.integers(0, 30), st.integers(0, 100))
def test_mine__above_an_abandoned_sequence__never_repeats_it(
    schedule: Schedule, index: int, places: int
) -> None:
    abandoned = schedule.latest_sequence + places
    sequence = schedule.mine(index % schedule.members, above=abandoned)
    assert sequence is None or sequence > abandoned


@given(schedules)
def test_is_open__bounds_how_far_the_sequence_can_jump(schedule: Schedule) -> None:
    beyond = schedule.last_open() + SKEW_IN_PLACES + 1
    assert not schedule.is_open(beyond)
    assert not schedule.is_open(schedule.latest_sequence)


@given(schedules, st.integers(1, 2**62))
def test_relay_rank__orders_all_members_from_the_leader(schedule: Schedule, sequence: int) -> None:
    ranks = [schedule.relay_rank(index, sequence) for index in range(schedule.members)]
    assert sorted(ranks) == list(range(schedule.members))
    assert ranks[schedule.leader(sequence)] == 0


def test_last_open__patience_passed__one_more_leader_each() -> None:
    assert [Schedule(4, 7, waited, 20).last_open() for waited in (0, 19.9, 20, 59, 60)] == [8, 8, 9, 10, 11]
