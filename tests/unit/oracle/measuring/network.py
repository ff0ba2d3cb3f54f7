"""Four members on one made-up chain, whose messages arrive at once unless a test says otherwise. No test lives here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from oracle.ballots import Ballots
from oracle.measuring.course import MeasuringCourse
from oracle.measuring.memory import MeasuringMemory
from oracle.measuring.messages import MeasurementProposal, ObservationsWanted
from oracle.measuring.reports import MeasurementReports, ReportView
from oracle.measuring.session import Refused
from oracle.measuring.witnesses import Endorsed
from proofmill.chain.reports import Measurement, MeasurementReport
from proofmill.chain.types import EMPTY_ADDRESS, address
from proofmill.measuring.figures import Panel
from proofmill.measuring.messages import Nonce, from_hex, to_hex
from proofmill.measuring.observations import SignedObservation
from proofmill.measuring.rules import MeasuringRules
from proofmill.measuring.windows import Beacon, Window
from proofmill.store import DirectoryStore
from tests.unit.oracle.measuring.conftest import (
    CHAIN_ID,
    COMMITTEE,
    MEMBERS,
    NOW,
    Clock,
    HashChallenge,
    Prover,
    Register,
)

RULES = MeasuringRules(
    window_blocks=20, begin_blocks=3, work_blocks=3, opening_blocks=3, lifetime_seconds=3_600
)
REGISTRY = address("0x" + "ca" * 20)
CONFIG = b"\x0d" * 32
CONFIRMATIONS = 2
FIRST_WINDOW = 5


class Log:
    """A logger that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **facts: object) -> None:
        self.lines.append((event, facts))

    warning = error = info


@dataclass
class Chain:
    """Blocks with hashes that follow from their number and branch, and a registry and committee as far as they matter here."""

    newest_block: int = FIRST_WINDOW * RULES.window_blocks
    branch: int = 0
    latest_sequence: int = 0
    records: dict[bytes, Measurement] = field(default_factory=dict)
    sent: list[MeasurementReport] = field(default_factory=list)

    def newest(self) -> int:
        return self.newest_block

    def beacon(self, number: int) -> Beacon:
        assert number <= self.newest_block, "nobody can read a block that does not exist"
        name = f"{self.branch}/{number}".encode()
        return Beacon(number, keccak(b"hash" + name), keccak(b"randomness" + name))

    @property
    def time(self) -> int:
        return NOW + 12 * self.newest_block

    def measurement(self, device_id: bytes) -> Measurement:
        nothing = Measurement(device_id, EMPTY_ADDRESS, 0, 0, 0, 0, bytes(32), 0, 0)
        return self.records.get(device_id, nothing)


@dataclass
class Member:
    """One member; `database` survives `restarted`."""

    place: int
    net: Network
    database: Engine
    course: MeasuringCourse
    memory: MeasuringMemory
    reports: MeasurementReports
    log: Log
    is_away: bool = False

    def view(self) -> ReportView:
        return ReportView(
            panel=self.net.panel,
            operators=tuple(address(member.address) for member in MEMBERS),
            registry=REGISTRY,
            latest_sequence=self.net.chain.latest_sequence,
            maximum_report_age=7_200,
            block_time=self.net.chain.time,
        )

    def turn(self) -> None:
        self.course.turn()
        self.reports.observe(self.view())

    def work(self) -> None:
        self.course.work(self.net.chain.time)


@dataclass
class Way:
    """The way from one member to the others."""

    net: Network
    own: int

    @property
    def others(self) -> list[Member]:
        return [item for item in self.net.members if item.place != self.own and not item.is_away]

    def observations(self, beacon: bytes) -> list[SignedObservation]:
        wanted = ObservationsWanted(beacon=to_hex(beacon))
        answers = [item.reports.observations(wanted) for item in self.others]
        return [message.signed() for answer in answers for message in answer.observations]

    def propose(self, proposal: MeasurementProposal) -> list[Endorsed]:
        return [self._ask(member, proposal) for member in self.others]

    def _ask(self, member: Member, proposal: MeasurementProposal) -> Endorsed:
        name = address(MEMBERS[member.place].address)
        try:
            return Endorsed(name, from_hex(member.reports.endorse(proposal).signature))
        except Refused as refused:
            return Endorsed(name, None, str(refused))


class Network:
    """A committee of four with workers beside it."""

    def __init__(self, store: DirectoryStore) -> None:
        self.chain = Chain()
        self.store = store
        self.clock = Clock()
        keys = tuple(address(member.address) for member in MEMBERS)
        self.panel = Panel(CHAIN_ID, COMMITTEE, CONFIG, keys, 1)
        self.members: list[Member] = []
        for place in range(len(MEMBERS)):
            memory = create_engine(
                "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
            self.members.append(self.make(place, memory))

    def make(self, place: int, database: Engine) -> Member:
        account: LocalAccount = MEMBERS[place]
        log, memory, way = Log(), MeasuringMemory(database), Way(self, place)
        course = MeasuringCourse(
            account=account,
            rules=RULES,
            confirmations=CONFIRMATIONS,
            blocks=self.chain,
            panel=lambda: self.panel,
            challenge=HashChallenge(),
            memory=memory,
            registry=Register(),
            witnesses=way,
            log=log,  # type: ignore[arg-type]
            clock=self.clock,
        )
        reports = MeasurementReports(
            account=account,
            course=course,
            memory=memory,
            ballots=Ballots(database),
            members=way,
            on_record=self.chain,
            store=self.store,
            transmit=self.transmit,
            patience=20.0,
            log=log,  # type: ignore[arg-type]
        )
        return Member(place, self, database, course, memory, reports, log)

    def restart(self, place: int) -> Member:
        self.members[place] = self.make(place, self.members[place].database)
        return self.members[place]

    def transmit(self, report: MeasurementReport, signers: int, signatures: list[bytes]) -> None:
        assert len(signatures) == signers.bit_count() >= self.panel.quorum
        self.chain.sent.append(report)
        self.chain.latest_sequence = report.head.sequence
        for measurement in report.measurements:
            self.chain.records[measurement.device_id] = measurement

    @property
    def here(self) -> list[Member]:
        return [member for member in self.members if not member.is_away]

    def go_to(self, place: int) -> None:
        """Block by block to that place in the present window."""
        first = self.window.first_block
        for block in range(max(self.chain.newest_block, first), first + place + 1):
            self.chain.newest_block = block
            for member in self.here:
                member.turn()

    @property
    def window(self) -> Window:
        return Window.at(self.chain.newest_block, RULES)

    def next_window(self) -> None:
        self.go_to(RULES.window_blocks - 1)
        self.chain.newest_block += 1
        for member in self.here:
            member.turn()

    def prover(self, **changes: object) -> Prover:
        beacon = self.chain.beacon(self.window.first_block).hash
        return Prover(rules=RULES, beacon=beacon, **changes)  # type: ignore[arg-type]

    def begin(self, prover: Prover) -> list[Nonce]:
        """Asks every member that is there; the nonces come in the order of the committee."""
        self.go_to(CONFIRMATIONS - 1)
        return [sessions.begin(prover.begin()) for sessions in self._sessions()]

    def work_through(self, prover: Prover, *, opened: Sequence[bytes] | None = None) -> None:
        """All that a worker does in a window; opens only some of its devices if a test says so."""
        nonces = self.begin(prover)
        for sessions in self._sessions():
            sessions.take_roots(prover.roots(nonces), self.clock.now + 10.0)
        self.go_to(RULES.sampled_at + CONFIRMATIONS - 1)
        sample = self.chain.beacon(self.window.sample_block).randomness
        for device_id in prover.device_ids if opened is None else opened:
            proof = prover.right_proof(HashChallenge(), device_id, nonces, sample)
            for sessions in self._sessions():
                sessions.take_opening(prover.opening(device_id, proof), proof)

    def close(self) -> None:
        """To the end of the openings, and every member writes down and asks around."""
        self.go_to(RULES.report_from)
        for _ in range(2):
            for member in self.here:
                member.work()

    def report(self, turns: int = 8) -> None:
        """Blocks pass until somebody has led."""
        for _ in range(turns):
            self.go_to(self.chain.newest_block - self.window.first_block + 1)
            for member in self.here:
                member.reports.lead()

    def _sessions(self) -> list:  # type: ignore[type-arg]
        found = [member.course.current() for member in self.here]
        assert all(sessions is not None for sessions in found)
        return found

    def speed_of(self, device_id: bytes) -> int:
        return self.chain.measurement(device_id).operations_per_second

    def holder_of(self, device_id: bytes) -> ChecksumAddress:
        return self.chain.measurement(device_id).operator
