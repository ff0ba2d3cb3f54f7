"""A committee of real members in one process: real keys, real databases, messages passed by direct call."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress

from oracle.ballots import Ballots
from oracle.caseload import Caseload
from oracle.committee_view import CommitteeView
from oracle.database import prepare_tables
from oracle.endorsing import Refusal
from oracle.evidence import Finding
from oracle.messages import AttestedReport, Proposal
from oracle.peers import Reply
from oracle.rounds import Rounds
from oracle.statements import Statements
from proofmill.chain import (
    Answer,
    Job,
    JobState,
    JobTerms,
    Outcome,
    Rates,
    Schedule,
    Verdict,
    open_database,
)
from proofmill.chain.block_stamp import BlockStamp
from proofmill.chain.records import submitted_hash
from proofmill.chain.terms import request_hash
from proofmill.chain.types import EMPTY_ADDRESS, address
from proofmill.logs import get_logger
from proofmill.store import DirectoryStore, content_id

CHAIN_ID = 31337
NOW = 1_800_000_000
EVALUATION_WINDOW = 1_200
ESCROW = address("0x" + "e5" * 20)
COMMITTEE = address("0x" + "c0" * 20)
WORKER = address("0x" + "a1" * 20)
CONFIG_DIGEST = b"\x00\x01" + bytes(30)


def account(index: int) -> LocalAccount:
    """The signing key of a member; fixed, so that a failure can be repeated."""
    key: LocalAccount = Account.from_key((index + 1).to_bytes(32, "big"))
    return key


def operator_of(index: int) -> ChecksumAddress:
    """Whose key it is: members are named by their operators, reports are signed by their keys."""
    return address("0x" + f"{index + 1:02x}" * 20)


@functools.cache
def empty_database() -> bytes:
    """A file with all tables: to copy it costs a tenth of migrating one for each member of each test."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "oracle.db"
        engine = open_database(file)
        prepare_tables(engine)
        engine.dispose()
        return file.read_bytes()


def database_file(path: Path) -> Path:
    """`path`, with all tables unless there is a file already."""
    if not path.exists():
        path.write_bytes(empty_database())
    return path


@dataclass
class DirectPeers:
    """`oracle.peers.Peers` without HTTP: the other members are called, those in `asleep` are not reached."""

    own: ChecksumAddress
    members: dict[ChecksumAddress, Member]
    asleep: set[ChecksumAddress] = field(default_factory=set)

    def propose(self, proposal: Proposal) -> Iterator[Reply]:
        for address_, member in self.members.items():
            if address_ == self.own:
                continue
            if address_ in self.asleep:
                yield Reply(address_, None, refusal="asleep", code="unreachable")
                continue
            try:
                endorsement = member.rounds.endorse(proposal)
                yield Reply(address_, endorsement.signature.signature())
            except Refusal as refusal:
                yield Reply(
                    address_, None, refusal=str(refusal), code=refusal.code, disputed_jobs=refusal.jobs
                )

    def hand_over(self, attested: AttestedReport) -> None:
        for address_, member in self.members.items():
            if address_ != self.own and address_ not in self.asleep:
                member.rounds.accept_attested(attested)


@dataclass
class Member:
    """One member with everything it owns; `transmitted` is what it would have sent to the chain."""

    operator: ChecksumAddress
    account: LocalAccount
    ballots: Ballots
    statements: Statements
    rounds: Rounds
    peers: DirectPeers
    transmitted: list[AttestedReport]

    def finds(self, job: Job, outcome: Outcome = Outcome.COMPLETE) -> None:
        """Record a verdict as the judge would."""
        assert job.deliverable is not None
        computed = job.deliverable if outcome is Outcome.COMPLETE else content_id(b"the right answer")
        self.ballots.record_finding(
            Finding(
                escrow=job.escrow,
                verdict=Verdict(job.id, outcome, job.commitment),
                model_id=job.model_id,
                input_root=job.input_root,
                claimed=job.deliverable,
                computed=computed,
            )
        )


@dataclass
class Committee:
    """Four members, f = 1, and the view of the chain that they share."""

    members: list[Member]
    view: CommitteeView

    def sees(self, *jobs: Job, block_time: int | None = None, **changes: object) -> None:
        """Show all members the same chain."""
        if block_time is not None:
            changes["stamp"] = replace(self.view.stamp, timestamp=block_time)
        self.view = replace(self.view, submitted={job.id: job for job in jobs}, **changes)  # type: ignore[arg-type]
        for member in self.members:
            member.rounds.observe(self.view)

    def later(self, seconds: int, **changes: object) -> None:
        """The same jobs, `seconds` further on."""
        self.sees(*self.view.submitted.values(), block_time=self.view.block_time + seconds, **changes)

    def leader_of(self, sequence: int) -> Member:
        return self.members[sequence % len(self.members)]

    def others(self, member: Member) -> list[Member]:
        return [other for other in self.members if other is not member]


@pytest.fixture
def committee(tmp_path: Path) -> Committee:
    return build_committee(tmp_path)


def build_committee(
    directory: Path,
    *,
    patience: float = 20.0,
    relay_delay: float = 6.0,
    caseload_of: Callable[[int], Caseload | None] = lambda _: None,
) -> Committee:
    by_address: dict[ChecksumAddress, Member] = {}
    for index in range(4):
        key = account(index)
        transmitted: list[AttestedReport] = []
        database = open_database(database_file(directory / f"{index}.db"))
        ballots, statements = Ballots(database), Statements(database)
        peers = DirectPeers(operator_of(index), by_address)
        rounds = Rounds(
            account=key,
            ballots=ballots,
            statements=statements,
            peers=peers,  # type: ignore[arg-type]  # the same two methods
            store=DirectoryStore(directory / f"blobs-{index}"),
            transmit=transmitted.append,
            patience=patience,
            relay_delay=relay_delay,
            log=get_logger(),
            caseload=caseload_of(index),
        )
        by_address[operator_of(index)] = Member(
            operator_of(index), key, ballots, statements, rounds, peers, transmitted
        )
    view = CommitteeView(
        chain_id=CHAIN_ID,
        committee=COMMITTEE,
        escrow=ESCROW,
        config_digest=CONFIG_DIGEST,
        members=tuple(by_address),
        keys=tuple(member.account.address for member in by_address.values()),
        faults_tolerated=1,
        latest_sequence=0,
        maximum_report_age=3_600,
        stamp=BlockStamp(100, b"\x01" * 32, b"\x02" * 32, NOW, b"\x03" * 32, 1),
        submitted={},
        requests=frozenset(),
    )
    committee = Committee(list(by_address.values()), view)
    committee.sees()
    return committee


@pytest.fixture
def submitted_job() -> Callable[..., Job]:
    """A factory of jobs that wait for a verdict."""

    def build(
        job_id: int = 1,
        *,
        submitted_at: int = NOW,
        answer: bytes = b"an answer",
        evaluation_window: int = EVALUATION_WINDOW,
    ) -> Job:
        model_id, input_root = content_id(b"a manifest"), content_id(b"a request")
        terms = JobTerms(
            requester=address("0x" + "b2" * 20),
            provider=WORKER,
            evaluator=COMMITTEE,
            arbiter=EMPTY_ADDRESS,
            payment_token=address("0x" + "70" * 20),
            callback=EMPTY_ADDRESS,
            request_hash=request_hash(model_id, input_root),
            price_floor=10,
            price_ceiling=10,
            bond=25,
            schedule=replace(
                Schedule.unpack(0),
                posted_at=NOW - 60,
                claim_deadline=NOW + 300,
                submit_window=600,
                evaluation_window=evaluation_window,
            ),
            rates=replace(Rates.unpack(0), ceiling_in_stake=10),
        )
        deliverable, claimed_at = content_id(answer), NOW - 30
        return Job(
            id=job_id,
            escrow=ESCROW,
            terms=terms,
            model_id=model_id,
            input_root=input_root,
            posted_block=1,
            stage=int(JobState.SUBMITTED),
            deadline=submitted_at + evaluation_window,
            commitment=submitted_hash(terms, Answer(WORKER, claimed_at, deliverable)),
            provider=WORKER,
            claimed_at=claimed_at,
            deliverable=deliverable,
        )

    return build


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the wall clock that relay delays are counted by."""
    start = time.time()

    def advance(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: start + seconds)

    advance(0)
    return advance
