"""A window over real HTTP and with real work: four members, a worker with two devices, and what goes wrong between them."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from starlette.applications import Starlette

from oracle.ballots import Ballots
from oracle.measuring.course import MeasuringCourse
from oracle.measuring.memory import MeasuringMemory
from oracle.measuring.reports import MeasurementReports, ReportView
from oracle.measuring.routes import measuring_routes
from oracle.measuring.speed_challenge import SpeedChallenge
from oracle.measuring.witnesses import OtherMembers
from proofmill.capability.sizes import DeviceClass
from proofmill.chain.reports import MeasurementReport
from proofmill.chain.types import address
from proofmill.measuring.figures import Panel
from proofmill.measuring.observations import Outcome
from proofmill.measuring.rules import MeasuringRules
from proofmill.measuring.windows import Window
from proofmill.store import DirectoryStore, ServiceServer
from tests.unit.oracle.measuring.conftest import CHAIN_ID, COMMITTEE, MEMBERS, WORKER, Register
from tests.unit.oracle.measuring.network import CONFIG, REGISTRY, Chain, Log
from worker.measuring import devices as devices_module
from worker.measuring.committee import MemberLink
from worker.measuring.devices import MeasuredDevice, Ran
from worker.measuring.taking_part import TakingPart

# Small enough for a test: two segments of 32 products of 128 x 128.
TINY = DeviceClass("processor-tiny", 128, 2 * 2 * 128**3 * 32 * 10 // 25, 64, 2)
RULES = MeasuringRules(window_blocks=1_000, begin_blocks=200, work_blocks=200, opening_blocks=300, cells=8)
CONFIRMATIONS = 2
BLOCK_SECONDS = 0.01


def device(number: int) -> MeasuredDevice:
    return MeasuredDevice("cpu", f"CPU-{number}", TINY, memory_bytes=1 << 20)


@dataclass
class Member:
    """One member as a server."""

    course: MeasuringCourse
    memory: MeasuringMemory
    reports: MeasurementReports
    log: Log
    url: str = ""


class Committee:
    """Four members behind sockets, on a chain whose blocks come of themselves."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.chain = Chain(newest_block=5 * RULES.window_blocks)
        keys = tuple(address(member.address) for member in MEMBERS)
        self.panel = Panel(CHAIN_ID, COMMITTEE, CONFIG, keys, 1)
        self.members: list[Member] = []
        self.sent: list[MeasurementReport] = []
        servers: list[tuple[Member, ServiceServer]] = []
        urls: dict[str, str] = {}
        store = DirectoryStore(directory, quota_bytes=1 << 24)
        for place in range(len(MEMBERS)):
            member = self._member(place, store, urls)
            application = Starlette(routes=measuring_routes(member.course.current, member.reports))
            server = stack.enter_context(ServiceServer(application, host="127.0.0.1", port=0))
            member.url = server.url
            servers.append((member, server))
            self.members.append(member)
        # Each asks all others; asking itself as well is a waste and does no harm.
        urls.update({MEMBERS[place].address: member.url for place, member in enumerate(self.members)})
        for member in self.members:
            member.reports._members = OtherMembers(urls, member.log)  # type: ignore[arg-type]
            member.course._witnesses = member.reports._members

    def _member(self, place: int, store: DirectoryStore, urls: dict[str, str]) -> Member:
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        log, memory = Log(), MeasuringMemory(engine)
        others = OtherMembers(urls, log)  # type: ignore[arg-type]
        course = MeasuringCourse(
            account=MEMBERS[place],
            rules=RULES,
            confirmations=CONFIRMATIONS,
            blocks=self.chain,
            panel=lambda: self.panel,
            challenge=SpeedChallenge(CHAIN_ID, RULES.cells, [TINY]),
            memory=memory,
            registry=Register(),
            witnesses=others,
            log=log,  # type: ignore[arg-type]
        )
        reports = MeasurementReports(
            account=MEMBERS[place],
            course=course,
            memory=memory,
            ballots=Ballots(engine),
            members=others,
            on_record=self.chain,
            store=store,
            transmit=self._transmit,
            patience=20.0,
            log=log,  # type: ignore[arg-type]
        )
        return Member(course, memory, reports, log)

    def _transmit(self, report: MeasurementReport, signers: int, signatures: Sequence[bytes]) -> None:
        assert len(signatures) == signers.bit_count() >= self.panel.quorum
        self.sent.append(report)

    def mine(self, stopping: threading.Event) -> None:
        """Blocks come, and members look at each."""
        while not stopping.wait(BLOCK_SECONDS):
            self.chain.newest_block += 1
            for member in self.members:
                member.course.turn()

    def close_window(self) -> None:
        """To the end of the openings; then every member works, and the leader of sequence 1 leads."""
        self.chain.newest_block = 5 * RULES.window_blocks + RULES.report_from
        for member in self.members:
            member.course.turn()
        for _ in range(2):
            for member in self.members:
                member.course.work(self.chain.time)
        view = ReportView(self.panel, self.panel.keys, REGISTRY, 0, 7_200, self.chain.time)
        for member in self.members:
            member.reports.observe(view)
        self.members[1].reports.lead()

    def outcomes(self) -> dict[bytes, list[Outcome]]:
        """What every member saw, by device."""
        beacon = self.chain.beacon(5 * RULES.window_blocks).hash
        found: dict[bytes, list[Outcome]] = {}
        for place, member in enumerate(self.members):
            for signed in member.memory.seen_by(self.panel.keys[place], beacon):
                found.setdefault(signed.observation.device_id, []).append(signed.observation.outcome)
        return found


@pytest.fixture
def committee(tmp_path: Path) -> Iterator[Committee]:
    with ExitStack() as stack:
        yield Committee(tmp_path, stack)


def take_part(
    committee: Committee,
    devices: Sequence[MeasuredDevice],
    tamper: Callable[[TakingPart], None] | None = None,
    are_late: bool = False,
) -> bool:
    """A worker's window from beginning to end, while blocks come; ``are_late``: it sees the beacon before the members do."""
    links = MemberLink(
        [member.url for member in committee.members],
        operator=address(WORKER.address),
        account=WORKER,
        chain_id=CHAIN_ID,
        committee=COMMITTEE,
        log=Log(),  # type: ignore[arg-type]
    )
    part = TakingPart(
        operator=address(WORKER.address),
        devices=devices,
        rules=RULES,
        confirmations=CONFIRMATIONS,
        blocks=committee.chain,
        panel=lambda: committee.panel,
        members=links,
        log=Log(),  # type: ignore[arg-type]
    )
    if tamper is not None:
        tamper(part)
    committee.chain.newest_block += CONFIRMATIONS
    if not are_late:
        for member in committee.members:
            member.course.turn()
    stopping = threading.Event()
    miner = threading.Timer(0.2 * are_late, committee.mine, args=(stopping,))
    miner.start()
    try:
        return part.take_part(Window.at(committee.chain.newest_block, RULES))
    finally:
        stopping.set()
        miner.join()
        part.stop()


def test_window__two_devices__are_measured_and_reported(committee: Committee) -> None:
    devices = [device(1), device(2)]
    assert take_part(committee, devices)
    committee.close_window()
    (report,) = committee.sent
    assert [item.device_id for item in report.measurements] == sorted(item.device_id for item in devices)
    for measurement in report.measurements:
        assert measurement.operations_per_second > 0
        assert measurement.memory_bytes == 2 * TINY.size**2
        assert measurement.device_class == 0


def test_window__members_that_see_it_later__are_asked_again(committee: Committee) -> None:
    """Nobody's look at the chain is the newest; the first answer must not be the last."""
    assert take_part(committee, [device(1)], are_late=True)
    committee.close_window()
    assert committee.outcomes() == {device(1).device_id: [Outcome.MEASURED] * 4}


def test_window__roots_of_less_work__are_found_wrong_by_everybody(
    committee: Committee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invented roots come in time; no sample opens."""

    def lazy(devices: Sequence[MeasuredDevice], bindings: object, cells: int) -> list[Ran]:
        honest = run_all(devices, bindings, cells)  # type: ignore[arg-type]
        return [replace(item, roots=tuple(bytes(reversed(root)) for root in item.roots)) for item in honest]

    run_all = devices_module.run_all
    monkeypatch.setattr("worker.measuring.taking_part.run_all", lazy)
    take_part(committee, [device(1)])
    committee.close_window()
    assert committee.outcomes() == {device(1).device_id: [Outcome.WRONG] * 4}
    assert committee.sent == []


def test_window__one_card_that_answers_for_two__is_found_out(
    committee: Committee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second device shows what the first has computed: its seed is another."""

    def copied(devices: Sequence[MeasuredDevice], bindings: Sequence[object], cells: int) -> list[Ran]:
        (ran,) = run_all(devices[:1], bindings[:1], cells)  # type: ignore[arg-type]
        return [ran, replace(ran, device=devices[1])]

    run_all = devices_module.run_all
    monkeypatch.setattr("worker.measuring.taking_part.run_all", copied)
    take_part(committee, [device(1), device(2)])
    committee.close_window()
    found = committee.outcomes()
    assert found[device(1).device_id] == [Outcome.MEASURED] * 4
    assert found[device(2).device_id] == [Outcome.WRONG] * 4


@pytest.mark.parametrize("path", ["begin", "echo", "roots", "openings", "observations", "measurements"])
def test_routes__a_gigabyte__is_refused_and_not_kept(committee: Committee, path: str) -> None:
    committee.chain.newest_block += CONFIRMATIONS
    member = committee.members[0]
    member.course.turn()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chunk = bytes(1 << 20)
    answer = httpx.post(f"{member.url}/measuring/{path}", content=(chunk for _ in range(1 << 10)), timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (413, "size")
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 100 << 10


def test_routes__nonsense__is_refused_in_words(committee: Committee) -> None:
    committee.chain.newest_block += CONFIRMATIONS
    member = committee.members[0]
    member.course.turn()
    answer = httpx.post(f"{member.url}/measuring/begin", content=b'{"beacon": 1}', timeout=30)
    assert answer.status_code == 422
    assert "not a Begin" in answer.json()["error"]


def test_routes__before_the_beacon_is_confirmed__nothing_is_open(committee: Committee) -> None:
    answer = httpx.post(f"{committee.members[0].url}/measuring/begin", content=b"{}", timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (409, "closed")
