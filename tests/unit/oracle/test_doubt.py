"""When a member challenges an answer that it has found wrong, and what keeps it from that.

The games are in tests/integration/oracle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oracle.ballots import Ballots
from oracle.doubt import LOOK_EVERY, SETTLED_FOR, SILENCE_SHARE, Doubts, occasion
from oracle.evidence import Finding
from oracle.purse import CannotPay, Purse
from proofmill.chain import CloseReason, Job, JobState, Outcome, StageFlag, Verdict, open_database
from proofmill.chain.dispute_game import CASE_OPEN, CASE_REFUTED, CHALLENGE_LOST, Case, Challenge
from proofmill.chain.errors import JobNotFound, RpcUnavailable
from proofmill.chain.records import submitted_hash
from proofmill.chain.types import EMPTY_ADDRESS, address
from proofmill.disputes.docket import Docket
from proofmill.disputes.matter import Matter
from proofmill.disputes.prosecution import GAME_GAS, Progress, record_of
from proofmill.store import BlobUnavailable
from tests.unit.cli.test_dispute_command import GAME, REQUEST, RIGHT, STRANGER, WRONG
from tests.unit.cli.test_dispute_command import JOB as PLAIN_JOB

JOB = replace(PLAIN_JOB, commitment=submitted_hash(PLAIN_JOB.terms, PLAIN_JOB.answer))
SCHEDULE = JOB.terms.schedule
MEMBER = address("0x" + "7" * 40)
BOND = 100 * 10**18
SUBMITTED = int(JobState.SUBMITTED)
CONTESTED = SUBMITTED | StageFlag.CONTESTED << 4
CONDEMNED = SUBMITTED | StageFlag.CONDEMNED << 4
APPEALED = SUBMITTED | (StageFlag.CONDEMNED | StageFlag.CONTESTED) << 4
PAID = JobState.COMPLETED | CloseReason.ATTESTED << 4
CONVICTED = JobState.REJECTED | CloseReason.CONVICTED << 4
NO_CASE = Case(0, 0, 0, 0, bytes(32))
OPEN_CASE = Case(CASE_OPEN, 1, 1, 0, bytes(32))
REFUTED_CASE = Case(CASE_REFUTED, 1, 1, 0, bytes(32))
APPEAL = Case(CASE_OPEN, 0, 0, JOB.deadline - 100, bytes(32))


@pytest.mark.parametrize(
    ("stage", "case", "now", "last"),
    [
        (PAID, NO_CASE, JOB.deadline, JOB.deadline),
        (PAID, OPEN_CASE, JOB.deadline, JOB.deadline),  # others may have challenged it, and not mean it
        (PAID, REFUTED_CASE, JOB.deadline, None),
        (PAID, NO_CASE, JOB.deadline + 1, None),
        (JobState.COMPLETED | CloseReason.UNOPPOSED << 4, NO_CASE, JOB.deadline, None),
        (CONVICTED, NO_CASE, JOB.deadline, None),
        (SUBMITTED, NO_CASE, JOB.deadline - SCHEDULE.evaluation_window // SILENCE_SHARE - 1, None),
        (SUBMITTED, NO_CASE, JOB.deadline - SCHEDULE.evaluation_window // SILENCE_SHARE, JOB.deadline),
        (SUBMITTED, NO_CASE, JOB.deadline + 1, None),
        (CONTESTED, OPEN_CASE, 0, JOB.deadline - SCHEDULE.dispute_window),
        (
            CONTESTED,
            OPEN_CASE,
            JOB.deadline - SCHEDULE.dispute_window,
            JOB.deadline - SCHEDULE.dispute_window,
        ),
        (CONTESTED, OPEN_CASE, JOB.deadline - SCHEDULE.dispute_window + 1, None),
        (CONTESTED, REFUTED_CASE, 0, None),
        (
            CONDEMNED,
            NO_CASE,
            JOB.deadline,
            None,
        ),  # the committee has rejected it: it is for its operator to appeal
        (APPEALED, APPEAL, JOB.deadline - 100, JOB.deadline - 100),
        (APPEALED, APPEAL, JOB.deadline - 99, None),
    ],
)
def test_occasion__wrong_answer__challenged_only_where_it_is_about_to_stand(
    stage: int, case: Case, now: int, last: int | None
) -> None:
    found = occasion(replace(JOB, stage=stage), case, now)
    assert (found.last if found is not None else None) == last


# ------------------------------------------------------------------ the duty, among stand-ins
@dataclass
class Player:
    """Stands for `Prosecution`: notes what it is asked."""

    opened: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    progress: Progress = Progress.WAITING
    error: Exception | None = None

    def open(self, job: Job) -> int:
        self.opened.append(job.id)
        return len(self.opened)

    def step(self, challenge_id: int, job: Job, matter: Callable[[], Matter]) -> Progress:
        self.steps.append(challenge_id)
        if self.error is not None:
            raise self.error
        assert matter().own.root == RIGHT.root
        return self.progress


@dataclass
class Stage:
    """A member's doubts, with everything around them played by this object."""

    directory: Path
    jobs: dict[int, Job] = field(default_factory=dict)
    cases: dict[int, Case] = field(default_factory=dict)
    challenges: dict[int, Challenge] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)
    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    now: int = JOB.deadline
    held: int = BOND
    ether: int = 10**18
    has_request: bool = True
    is_registered: bool = True

    def __post_init__(self) -> None:
        self.ballots = Ballots(open_database(self.directory / "oracle.db"))
        self.player = Player()
        self.restart()

    def restart(self, *, budget: int = 0, mill_value: int = 10**40) -> None:
        stand_in: Any = self
        eth = SimpleNamespace(
            get_block=lambda _: {"number": 50, "timestamp": self.now},
            gas_price=10**9,
            get_balance=lambda _: self.ether,
        )
        game: Any = SimpleNamespace(
            address=GAME,
            web3=SimpleNamespace(eth=eth),
            log=lambda first, last: list(self.events),
            case=lambda job_id, record: self.cases.get(job_id, NO_CASE),
            challenge=lambda number: self.challenges[number],
            challenge_bond=lambda: BOND,
        )
        suite: Any = SimpleNamespace(
            dispute_game=game,
            job_escrow=SimpleNamespace(address=JOB.escrow, job=self.read),
            mill_token=SimpleNamespace(balance_of=lambda _: self.held),
            model_registry=SimpleNamespace(is_registered=lambda _: self.is_registered),
        )
        member: Any = MEMBER
        player: Any = self.player
        self.doubts = Doubts(
            account=member,
            suite=suite,
            docket=Docket(game, 0),
            prosecution=player,
            ballots=self.ballots,
            engine=stand_in,
            fetcher=stand_in,
            purse=Purse(suite, member, mill_value, budget),
            log=stand_in,
        )

    # what the doubts use of escrow, engine, fetcher and logger
    def read(self, job_id: int) -> Job:
        self.reads.append(job_id)
        if job_id not in self.jobs:
            raise JobNotFound(f"there is no job {job_id}", remedy="Check the number.")
        return self.jobs[job_id]

    def execute(self, model_id: bytes, request: bytes) -> bytes:
        return RIGHT.to_bytes()

    def fetch(self, digest: bytes) -> bytes:
        if digest != REQUEST.root or not self.has_request:
            raise BlobUnavailable("the blob is not available", answers=[], remedy="Try again.")
        return REQUEST.to_bytes()

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append((event, facts))

    warning = error = info

    # what happens
    def find(self, job: Job = JOB, outcome: Outcome = Outcome.REJECT) -> None:
        self.jobs[job.id] = job
        self.ballots.record_finding(
            Finding(
                escrow=job.escrow,
                verdict=Verdict(job.id, outcome, job.commitment),
                model_id=job.model_id,
                input_root=job.input_root,
                claimed=WRONG.root,
                computed=RIGHT.root,
            )
        )

    def challenge(self, number: int, challenger: str = MEMBER, job: Job = JOB, **changes: Any) -> None:
        record = record_of(job)
        args = {"challenge_id": number, "job_id": job.id, "record": record, "challenger": challenger}
        event = SimpleNamespace(name="ChallengeOpened", args=args, block_number=1, log_index=number)
        self.events.append(event)
        plain = Challenge(
            MEMBER,
            job.id,
            record,
            bytes(32),
            BOND,
            0,
            1,
            bytes(32),
            False,
            600,
            600,
            self.now,
            0,
        )
        self.challenges[number] = plain._replace(**changes)

    def said(self, event: str) -> list[dict[str, Any]]:
        return [facts for name, facts in self.lines if name == event]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def paid(number: int = JOB.id) -> Job:
    """A wrong answer that the committee has paid for."""
    return replace(JOB, id=number, stage=PAID)


def test_step__wrong_answer_was_paid__challenged_and_its_request_kept(stage: Stage) -> None:
    stage.find(paid())
    assert stage.doubts.step() == 1
    assert stage.player.opened == [JOB.id]
    assert stage.doubts.requests == {JOB.input_root}


@pytest.mark.parametrize("outcome", [Outcome.COMPLETE, Outcome.VOID])
def test_step__answer_that_was_not_found_wrong__never_looked_at(stage: Stage, outcome: Outcome) -> None:
    stage.find(paid(), outcome)
    assert stage.doubts.step() == 0
    assert (stage.player.opened, stage.reads) == ([], [])


@pytest.mark.parametrize(
    "job",
    [
        replace(paid(), is_known=False),
        replace(paid(), claimed_at=JOB.claimed_at + 1),  # another record than the one that was judged
        replace(paid(), terms=replace(JOB.terms, arbiter=EMPTY_ADDRESS)),
        replace(JOB, stage=CONDEMNED),
    ],
)
def test_step__nothing_to_challenge__left_alone(stage: Stage, job: Job) -> None:
    stage.find(replace(job, commitment=JOB.commitment))
    stage.doubts.step()
    assert stage.player.opened == []


def test_step__another_has_challenged__own_challenge_all_the_same(stage: Stage) -> None:
    stage.find(replace(JOB, stage=CONTESTED, deadline=JOB.deadline + SCHEDULE.dispute_window))
    stage.cases[JOB.id] = OPEN_CASE
    stage.challenge(1, STRANGER)
    stage.doubts.step()
    assert (stage.player.opened, stage.player.steps) == ([JOB.id], [])


def test_step__own_challenge__is_played_and_not_opened_again(stage: Stage) -> None:
    stage.find(paid())
    stage.challenge(3)
    stage.doubts.step()
    assert (stage.player.opened, stage.player.steps) == ([], [3])


def test_step__clock_of_one_runs_out_first__it_is_moved_first(stage: Stage) -> None:
    for number, left in ((1, 500), (2, 100), (3, 300)):
        job = paid(number)
        stage.find(job)
        stage.challenge(number, job=job, challenger_left=left)
    stage.find(paid(4))
    stage.challenge(4, job=paid(4), pending=b"\1" * 32)  # waits for the operator
    stage.doubts.step()
    assert stage.player.steps == [2, 3, 1, 4]


def test_step__move_fails__said_once_and_the_others_go_on(stage: Stage) -> None:
    stage.player.error = IndexError("a trace that nobody thought of")
    for number in (1, 2):
        stage.find(paid(number))
        stage.challenge(number, job=paid(number))
    assert (stage.doubts.step(), stage.doubts.step()) == (2, 2)
    assert stage.player.steps == [1, 2], "tried again after a pause"
    assert [facts["job"] for facts in stage.said("a doubt waits")] == [1, 2]


def test_step__node_is_away__the_turn_ends(stage: Stage) -> None:
    stage.player.error = RpcUnavailable("no answer", remedy="Wait.")
    stage.find(paid())
    stage.challenge(1)
    with pytest.raises(RpcUnavailable):
        stage.doubts.step()


def test_step__request_is_lost__no_bond_is_posted(stage: Stage) -> None:
    stage.has_request = False
    stage.find(paid())
    stage.doubts.step()
    assert stage.player.opened == []
    assert stage.said("a doubt waits")


def test_step__model_is_not_registered__no_bond_is_posted(stage: Stage) -> None:
    stage.is_registered = False
    stage.find(paid())
    stage.doubts.step()
    assert stage.player.opened == []
    assert "not registered" in stage.said("a doubt waits")[0]["error"]


def test_step__nothing_can_be_proved__waits_until_the_case_is_decided(stage: Stage) -> None:
    stage.player.progress = Progress.NOTHING_WRONG
    stage.find(paid())
    stage.challenge(1)
    stage.cases[JOB.id] = OPEN_CASE
    stage.doubts.step()
    stage.doubts.step()
    assert stage.player.steps == [1]
    stage.cases[JOB.id] = REFUTED_CASE
    stage.doubts.step()
    assert stage.player.steps == [1, 1], "its bond can be had back"


def test_step__challenge_was_lost__said_with_a_remedy_and_no_second_bond(stage: Stage) -> None:
    stage.player.progress = Progress.LOST
    stage.find(paid())
    stage.challenge(1, status=CHALLENGE_LOST)
    stage.doubts.step()
    stage.doubts.step()
    [line] = stage.said("challenge lost")
    assert "proofmill dispute open" in line["remedy"]
    assert (stage.player.steps, stage.player.opened) == ([1], [])


def test_step__job_is_over__forgotten_after_a_while_and_for_good(stage: Stage) -> None:
    """Not at once: a reorganisation may take the end back."""
    stage.find(replace(JOB, stage=CONVICTED))
    assert stage.doubts.step() == 0
    stage.doubts.step()
    assert len(stage.reads) == 1, "not looked at at every turn"
    stage.jobs[JOB.id] = paid()
    stage.now += LOOK_EVERY
    stage.jobs[JOB.id] = replace(paid(), deadline=stage.now)
    assert stage.doubts.step() == 1
    assert stage.player.opened == [JOB.id]
    stage.jobs[JOB.id] = replace(JOB, stage=CONVICTED)
    for seconds in (0, SETTLED_FOR):
        stage.now += seconds
        stage.doubts.step()
    assert stage.ballots.rejections(JOB.escrow) == []


def test_step__another_record_of_the_job_is_over__this_one_is_not(stage: Stage) -> None:
    stage.find(paid())
    [finding] = stage.ballots.rejections(JOB.escrow)
    stage.ballots.close_doubt(replace(finding, verdict=replace(finding.verdict, commitment=bytes(32))))
    assert stage.ballots.rejections(JOB.escrow) == [finding]


# ------------------------------------------------------------------ what it may cost
COST = GAME_GAS * 10**9
WORTH = JOB.terms.rates.ceiling_in_stake + JOB.terms.bond  # base units of MILL


@pytest.mark.parametrize(
    ("mill_value", "budget", "is_opened"),
    [
        (COST * 10**18 // WORTH, 0, True),
        (COST * 10**18 // WORTH - 10**18, 0, False),
        (1, COST, True),  # told so
        (1, COST - 1, False),
        (10**40, COST - 1, False),  # told so, too
    ],
)
def test_step__gas_against_what_the_claim_is_worth(
    stage: Stage, mill_value: int, budget: int, is_opened: bool
) -> None:
    stage.restart(mill_value=mill_value, budget=budget)
    stage.find(paid())
    stage.doubts.step()
    assert stage.player.opened == [JOB.id] * is_opened
    assert len(stage.said("a doubt waits")) == (not is_opened)


def replace_deadline(case: Case, moment: int) -> Case:
    return case._replace(appeal_deadline=moment)


@pytest.mark.parametrize(("held", "ether", "what"), [(BOND - 1, 10**18, "MILL"), (BOND, COST - 1, "ether")])
def test_step__bond_or_gas_is_not_there__said_with_a_remedy_and_others_go_on(
    stage: Stage, held: int, ether: int, what: str
) -> None:
    stage.held, stage.ether = held, ether
    stage.find(paid(1))
    stage.find(paid(2))
    stage.challenge(2, job=paid(2))
    stage.doubts.step()
    [line] = stage.said("a doubt waits")
    assert line["job"] == 1
    assert line["remedy"].startswith(f"Send it {what}")
    assert (stage.player.opened, stage.player.steps) == ([], [2])


def test_check_worth__budget_does_not_make_up_for_it(stage: Stage) -> None:
    eth: Any = SimpleNamespace(gas_price=1, get_balance=lambda _: 10**18)
    suite: Any = SimpleNamespace(dispute_game=SimpleNamespace(web3=SimpleNamespace(eth=eth)))
    purse = Purse(suite, MEMBER, 10**18, 10**18)
    purse.check_worth("sharing", gas=5, worth=5)
    with pytest.raises(CannotPay, match="more than the"):
        purse.check_worth("sharing", gas=6, worth=5)
    purse.check("a challenge", gas=6, worth=5)
