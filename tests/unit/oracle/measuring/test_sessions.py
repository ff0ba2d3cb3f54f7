"""A window as one member sees it: what is taken, what is refused, and what it comes to."""

from __future__ import annotations

import pytest

from oracle.measuring.session import Refused
from oracle.measuring.sessions import Sessions
from proofmill.chain.types import address
from proofmill.measuring.messages import DeviceRoots, Echo, Nonce, from_hex, to_hex
from proofmill.measuring.observations import Outcome
from proofmill.measuring.rules import MeasuringRules
from proofmill.measuring.windows import Phase
from tests.unit.oracle.measuring.conftest import (
    BEACON,
    DEVICES,
    MEMBERS,
    NOW,
    OPERATIONS,
    RIVAL,
    SAMPLE,
    STRANGER,
    WORKER,
    Clock,
    HashChallenge,
    MakeSessions,
    Prover,
    Register,
)


def begin(sessions: Sessions, prover: Prover) -> list[Nonce]:
    """Begins here, and has nonces of a quorum."""
    own = sessions.begin(prover.begin())
    return [own, *(prover.nonce_of(member) for member in MEMBERS[1:3])]


def work(sessions: Sessions, prover: Prover, clock: Clock, seconds: float) -> list[Nonce]:
    nonces = begin(sessions, prover)
    clock.now += seconds
    sessions.turn(Phase.WORKING, None)
    sessions.take_roots(prover.roots(nonces), clock.now)
    sessions.turn(Phase.OPENING, SAMPLE)
    return nonces


def open_all(sessions: Sessions, prover: Prover, nonces: list[Nonce]) -> None:
    for device_id in prover.device_ids:
        proof = prover.right_proof(HashChallenge(), device_id, nonces)
        sessions.take_opening(prover.opening(device_id, proof), proof)
    for due in sessions.due():
        sessions.check(due)


def test_window__honest_devices__are_measured_by_this_clock(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    open_all(sessions, prover, work(sessions, prover, clock, seconds=10.0))
    found = sessions.observations([], NOW)
    assert [item.device_id for item in found] == list(DEVICES)
    for item in found:
        assert item.outcome is Outcome.MEASURED
        assert item.operations_per_second == OPERATIONS // 10
        assert item.memory_bytes == 1 << 30  # of 80 GiB claimed, what the run needed
        assert item.picojoules_per_operation == 1  # a quarter, rounded up
    assert sessions.due() == []


def test_round_trip__is_the_least_and_at_most_a_tenth(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = begin(sessions, prover)
    token = nonces[0].echo
    for seconds in (0.5, 0.25, 5.0):
        clock.now += seconds
        echo = Echo(beacon=to_hex(BEACON), operator=prover.operator, token=token)
        token = sessions.echo(echo, clock.now).token
    clock.now += 10.0 - 5.75
    sessions.turn(Phase.WORKING, None)
    sessions.take_roots(prover.roots(nonces), clock.now)
    sessions.turn(Phase.OPENING, SAMPLE)
    open_all(sessions, prover, nonces)
    assert sessions.observations([], NOW)[0].operations_per_second == int(OPERATIONS / 9.75)


def test_round_trip__delayed_echoes__win_a_tenth_at_most(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = begin(sessions, prover)
    clock.now += 9.0
    sessions.echo(Echo(beacon=to_hex(BEACON), operator=prover.operator, token=nonces[0].echo), clock.now)
    clock.now += 1.0
    sessions.take_roots(prover.roots(nonces), clock.now)
    sessions.turn(Phase.OPENING, SAMPLE)
    open_all(sessions, prover, nonces)
    assert sessions.observations([], NOW)[0].operations_per_second == int(OPERATIONS / 9.0)


def test_echo__an_old_token__does_not_count(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = begin(sessions, prover)
    echo = Echo(beacon=to_hex(BEACON), operator=prover.operator, token=nonces[0].echo)
    sessions.echo(echo, clock.now)
    with pytest.raises(Refused, match="newest token"):
        sessions.echo(echo, clock.now)


def test_begin__said_again__has_the_same_nonce_and_clock(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    first = sessions.begin(prover.begin())
    clock.now += 5.0
    assert sessions.begin(prover.begin()) == first
    nonces = [first, *(prover.nonce_of(member) for member in MEMBERS[1:3])]
    clock.now += 5.0
    assert sessions.take_roots(prover.roots(nonces), clock.now).after_milliseconds == 10_000


def test_begin__with_other_devices__is_refused(sessions: Sessions) -> None:
    sessions.begin(Prover().begin())
    with pytest.raises(Refused, match="with other devices"):
        sessions.begin(Prover(device_ids=DEVICES[:1]).begin())


def test_begin__after_a_restart__gets_no_second_nonce(make_sessions: MakeSessions) -> None:
    make_sessions().begin(Prover().begin())
    restarted = make_sessions()
    with pytest.raises(Refused, match="restarted"):
        restarted.begin(Prover().begin())
    assert restarted.observations([], NOW) == []


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.BEGINNING])
def test_begin__in_another_phase__is_refused(sessions: Sessions, phase: Phase) -> None:
    sessions.turn(phase, None)
    with pytest.raises(Refused, match="another part of the window"):
        sessions.begin(Prover().begin())


def test_begin__another_branch__is_refused(sessions: Sessions) -> None:
    with pytest.raises(Refused, match="another window, or on another branch"):
        sessions.begin(Prover(beacon=b"\x01" * 32).begin())


def test_begin__other_rules__is_refused(sessions: Sessions) -> None:
    with pytest.raises(Refused, match="other rules"):
        sessions.begin(Prover(rules=MeasuringRules(cells=8)).begin())


def test_begin__without_stake__is_refused(sessions: Sessions) -> None:
    with pytest.raises(Refused, match="no stake"):
        sessions.begin(Prover(key=STRANGER).begin())


def test_begin__signed_by_another__is_refused(sessions: Sessions) -> None:
    with pytest.raises(Refused, match="may not act"):
        sessions.begin(Prover().begin(key=RIVAL))


def test_begin__device_on_record_for_another__is_refused(sessions: Sessions, registry: Register) -> None:
    registry.holders[DEVICES[1]] = address(RIVAL.address)
    with pytest.raises(Refused, match="is on record for"):
        sessions.begin(Prover().begin())


@pytest.mark.parametrize(("size", "device_class"), [("huge", 1), ("small", 0)])
def test_begin__no_such_size__is_refused(sessions: Sessions, size: str, device_class: int) -> None:
    with pytest.raises(Refused, match="no size of challenge"):
        sessions.begin(Prover().begin(size=size, device_class=device_class))


def test_begin__one_device_twice__is_refused(sessions: Sessions) -> None:
    with pytest.raises(Refused, match="named twice"):
        sessions.begin(Prover(device_ids=(DEVICES[0], DEVICES[0])).begin())


def test_roots__after_the_samples_are_drawn__are_refused(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = begin(sessions, prover)
    sessions.turn(Phase.OPENING, SAMPLE)
    with pytest.raises(Refused, match="before the samples are drawn"):
        sessions.take_roots(prover.roots(nonces), clock.now)


def test_roots__replaced_after_the_first__are_refused(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = begin(sessions, prover)
    sessions.take_roots(prover.roots(nonces), clock.now)
    assert sessions.take_roots(prover.roots(nonces), clock.now + 1).after_milliseconds == 0
    others = [device.model_copy(update={"energy_millijoules": 1}) for device in prover.device_roots()]
    with pytest.raises(Refused, match="other roots"):
        sessions.take_roots(prover.roots(nonces, others), clock.now)


def _first_only(devices: list[DeviceRoots]) -> list[DeviceRoots]:
    return devices[:1]


def _reversed(devices: list[DeviceRoots]) -> list[DeviceRoots]:
    return devices[::-1]


def _one_twice(devices: list[DeviceRoots]) -> list[DeviceRoots]:
    return [devices[0], devices[0]]


@pytest.mark.parametrize("change", [_first_only, _reversed, _one_twice])
def test_roots__of_other_devices_than_began__are_refused(
    sessions: Sessions, clock: Clock, change: object
) -> None:
    prover = Prover()
    nonces = begin(sessions, prover)
    assert callable(change)
    with pytest.raises(Refused, match="exactly the devices that began"):
        sessions.take_roots(prover.roots(nonces, change(prover.device_roots())), clock.now)


@pytest.mark.parametrize("count", [1, 3])
def test_roots__too_few_or_many__are_refused(sessions: Sessions, clock: Clock, count: int) -> None:
    prover = Prover()
    nonces = begin(sessions, prover)
    with pytest.raises(Refused, match="2 roots are expected"):
        sessions.take_roots(prover.roots(nonces, prover.device_roots(count)), clock.now)


def test_roots__nonces_of_too_few__are_refused(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = begin(sessions, prover)
    with pytest.raises(Refused, match="3 members at least"):
        sessions.take_roots(prover.roots(nonces[:2]), clock.now)


def test_roots__without_the_nonce_of_this_member__are_not_timed(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    begin(sessions, prover)
    with pytest.raises(Refused, match="nonce of this member is not among them"):
        sessions.take_roots(prover.roots([prover.nonce_of(member) for member in MEMBERS[1:]]), clock.now)


def test_roots__own_nonce_invented__are_not_timed(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    begin(sessions, prover)
    with pytest.raises(Refused, match="nonce of this member is not among them"):
        sessions.take_roots(prover.roots([prover.nonce_of(member) for member in MEMBERS[:3]]), clock.now)


def test_roots__nonce_of_a_stranger__are_refused(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = begin(sessions, prover)
    with pytest.raises(Refused, match="or is no member"):
        sessions.take_roots(prover.roots([*nonces[:2], prover.nonce_of(STRANGER)]), clock.now)


def test_roots__one_member_several_times__are_refused(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = begin(sessions, prover)
    again = prover.nonce_of(MEMBERS[1], b"\x01" * 32)
    with pytest.raises(Refused, match="each member's once"):
        sessions.take_roots(prover.roots([*nonces[:2], again]), clock.now)


def test_roots__of_one_who_did_not_begin__are_refused(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    with pytest.raises(Refused, match="has not begun here"):
        sessions.take_roots(prover.roots([prover.nonce_of(member) for member in MEMBERS[:3]]), clock.now)


def test_opening__before_the_samples_are_drawn__is_refused(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = work(sessions, prover, clock, seconds=1.0)
    sessions.turn(Phase.WORKING, None)
    proof = prover.right_proof(HashChallenge(), DEVICES[0], nonces)
    with pytest.raises(Refused, match="once the samples are drawn"):
        sessions.take_opening(prover.opening(DEVICES[0], proof), proof)


def test_opening__other_bytes_than_announced__is_refused(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    work(sessions, prover, clock, seconds=1.0)
    with pytest.raises(Refused, match="not those that were announced"):
        sessions.take_opening(prover.opening(DEVICES[0], b"one"), b"two")


def test_opening__a_second_try__is_refused(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = work(sessions, prover, clock, seconds=1.0)
    sessions.take_opening(prover.opening(DEVICES[0], b"wrong"), b"wrong")
    proof = prover.right_proof(HashChallenge(), DEVICES[0], nonces)
    with pytest.raises(Refused, match="another opening was taken"):
        sessions.take_opening(prover.opening(DEVICES[0], proof), proof)


def test_opening__too_long__is_refused(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    work(sessions, prover, clock, seconds=1.0)
    announced = prover.opening(DEVICES[0], bytes(65))
    assert sessions.largest_opening(announced) == 64
    with pytest.raises(Refused, match="at most 64 bytes"):
        sessions.take_opening(announced, bytes(65))


@pytest.mark.parametrize("sample", [b"\x5b" * 32, BEACON])
def test_check__opening_of_other_cells__is_wrong(sessions: Sessions, clock: Clock, sample: bytes) -> None:
    prover = Prover()
    nonces = work(sessions, prover, clock, seconds=1.0)
    proof = prover.right_proof(HashChallenge(), DEVICES[0], nonces, sample)
    sessions.take_opening(prover.opening(DEVICES[0], proof), proof)
    (due,) = sessions.due()
    assert sessions.check(due) == "the opening is another one"
    outcomes = {item.device_id: item.outcome for item in sessions.observations([], NOW)}
    assert outcomes == {DEVICES[0]: Outcome.WRONG, DEVICES[1]: Outcome.MISSING}


def test_check__opening_of_the_other_device__is_wrong(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    nonces = work(sessions, prover, clock, seconds=1.0)
    proof = prover.right_proof(HashChallenge(), DEVICES[1], nonces)
    sessions.take_opening(prover.opening(DEVICES[0], proof), proof)
    assert sessions.check(sessions.due()[0]) is not None


def test_observations__after_the_deadline__late_although_right(sessions: Sessions, clock: Clock) -> None:
    prover = Prover()
    open_all(sessions, prover, work(sessions, prover, clock, seconds=20.1))
    assert {item.outcome for item in sessions.observations([], NOW)} == {Outcome.LATE}


def test_observations__began_and_vanished__is_missing(sessions: Sessions) -> None:
    begin(sessions, Prover())
    assert {item.outcome for item in sessions.observations([], NOW)} == {Outcome.MISSING}


def test_observations__expected_and_absent__is_missing(sessions: Sessions, clock: Clock) -> None:
    prover = Prover(device_ids=DEVICES[:1])
    open_all(sessions, prover, work(sessions, prover, clock, seconds=1.0))
    worker, rival = address(WORKER.address), address(RIVAL.address)
    found = sessions.observations([(worker, DEVICES[0]), (worker, DEVICES[1]), (rival, b"\xd3" * 32)], NOW)
    outcomes = {(item.operator, item.device_id): item.outcome for item in found}
    assert outcomes == {
        (worker, DEVICES[0]): Outcome.MEASURED,
        (worker, DEVICES[1]): Outcome.MISSING,
        (rival, b"\xd3" * 32): Outcome.MISSING,
    }


def test_nonce__two_operators__are_different(sessions: Sessions) -> None:
    first = sessions.begin(Prover().begin())
    second = sessions.begin(Prover(key=RIVAL, device_ids=(b"\xd3" * 32,)).begin())
    assert from_hex(first.nonce) != from_hex(second.nonce)
    assert first.echo != second.echo
