"""Draws from the chain: when they are known, what enters them, and that members who look at different times agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine

from oracle.committee_view import CommitteeView
from oracle.sampling import Sampling, committee_policy, policy_digest
from oracle.track_records import TrackRecords
from proofmill.chain import Job, open_database
from proofmill.chain.errors import NodeRefused
from proofmill.chain.types import address
from proofmill.logs import get_logger
from proofmill.sampling import Draw, OperatorHistory, Reason, SamplingPolicy, SubmittedJob
from tests.unit.oracle.conftest import WORKER, Committee, build_committee
from tests.unit.oracle.scripted_chain import ScriptedChain, ScriptedSync, paid, records_of, submitted

ARBITER = address("0x" + "ab" * 20)
STAKE = 10**6
POLICY = SamplingPolicy()


@dataclass
class Stakes:
    """`Staking` as a node answers for it, or not."""

    chain: ScriptedChain
    amount: int = STAKE
    is_pruned: bool = False
    asked: int = 0

    def slashable(self, operator: str, *, block: bytes) -> int:
        self.asked += 1
        if self.is_pruned:
            raise NodeRefused("missing trie node", remedy="Use a node that keeps it.")
        assert block in {self.chain.hash_of(number) for number in range(len(self.chain.blocks))}
        return self.amount


@dataclass
class Beacons:
    """The blocks of the chain as `web3.eth` shows them: `prevrandao` is the hash of the block."""

    chain: ScriptedChain
    eth: Any = field(init=False)

    def __post_init__(self) -> None:
        self.eth = SimpleNamespace(get_block=self.block)

    def block(self, number: int) -> dict[str, Any]:
        value = self.chain.hash_of(number)
        return {"number": number, "hash": value, "parentHash": bytes(32), "timestamp": 0, "mixHash": value}


@dataclass
class Observer:
    """A member as far as it draws."""

    cursor: ScriptedSync
    records: TrackRecords
    stakes: Stakes
    sampling: Sampling
    beacons: Beacons


Observe = Callable[..., Observer]


@pytest.fixture(scope="module")
def committee(tmp_path_factory: pytest.TempPathFactory) -> Committee:
    """Only its view is used here, so one is enough."""
    return build_committee(tmp_path_factory.mktemp("committee"))


@pytest.fixture
def observe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Observe:
    def build(
        chain: ScriptedChain, place: str | Engine = "oracle.db", cursor: ScriptedSync | None = None
    ) -> Observer:
        where = tmp_path / place if isinstance(place, str) else place
        records, sync = records_of(monkeypatch, chain, where, cursor=cursor)
        stakes, beacons = Stakes(chain), Beacons(chain)
        sampling = Sampling(
            policy=POLICY,
            records=records,
            staking=stakes,  # type: ignore[arg-type]  # the one view that is asked
            web3=beacons,  # type: ignore[arg-type]
            log=get_logger(),
        )
        return Observer(sync, records, stakes, sampling, beacons)

    return build


@pytest.fixture
def exact_job(submitted_job: Callable[..., Job]) -> Callable[..., Job]:
    def build(job_id: int = 1) -> Job:
        job = submitted_job(job_id)
        return replace(job, terms=replace(job.terms, arbiter=ARBITER))

    return build


def seeing(committee: Committee, *jobs: Job, **changes: object) -> CommitteeView:
    return replace(committee.view, submitted={job.id: job for job in jobs}, **changes)  # type: ignore[arg-type]


def proven_worker(chain: ScriptedChain, jobs: int) -> None:
    """A worker with so many clean jobs."""
    first = 1_000
    for number in range(first, first + jobs):
        chain.mine(submitted(number, WORKER), paid(number))


def test_refresh__beacon_two_blocks_after_the_submission__is_waited_for(
    observe: Observe, committee: Committee, exact_job: Callable[..., Job]
) -> None:
    chain, job = ScriptedChain(), exact_job()
    block = chain.mine(submitted(job.id, WORKER))
    member = observe(chain)
    for _ in range(POLICY.beacon_delay_blocks):
        member.sampling.refresh(seeing(committee, job))
        assert member.sampling.draw_of(job) is None
        chain.mine()
    member.sampling.refresh(seeing(committee, job))
    expected = POLICY.draw(
        chain.hash_of(block + POLICY.beacon_delay_blocks),
        SubmittedJob(job.id, job.commitment, value=job.terms.bond, slashable_stake=STAKE),
        OperatorHistory(0, 0),
        members=4,
    )
    assert member.sampling.draw_of(job) == expected


def drawn(observe: Observe, committee: Committee, job: Job, chain: ScriptedChain) -> Draw:
    member = observe(chain)
    member.sampling.refresh(seeing(committee, job))
    draw = member.sampling.draw_of(job)
    assert draw is not None
    return draw


def test_refresh__first_fifty_jobs__then_the_rate_decays(
    observe: Observe, committee: Committee, exact_job: Callable[..., Job]
) -> None:
    job = exact_job()
    for clean in (49, 50):
        chain = ScriptedChain()
        proven_worker(chain, clean)
        chain.mine(submitted(job.id, WORKER))
        chain.mine()
        chain.mine(
            *(entry for number in range(2_000, 2_020) for entry in (submitted(number, WORKER), paid(number)))
        )
        draw = drawn(lambda one: observe(one, f"{clean}.db"), committee, job, chain)  # noqa: B023  called at once
        if clean < POLICY.new_operator_jobs:
            assert draw.reason is Reason.NEW_OPERATOR
        else:
            assert draw.rate == POLICY.decayed_rate(clean), "what came after the submission does not count"


def test_refresh__bond_over_a_twentieth_of_the_stake__is_always_judged(
    observe: Observe, committee: Committee, exact_job: Callable[..., Job]
) -> None:
    chain, job = ScriptedChain(), exact_job()
    proven_worker(chain, POLICY.new_operator_jobs)
    chain.mine(submitted(job.id, WORKER))
    chain.mine()
    chain.mine()
    member = observe(chain)
    member.stakes.amount = job.terms.bond * POLICY.large_job_divisor - 1
    member.sampling.refresh(seeing(committee, job))
    draw = member.sampling.draw_of(job)
    assert draw is not None
    assert draw.reason is Reason.LARGE_JOB


def test_refresh__state_of_the_block_is_gone__not_drawn_and_not_asked_at_every_look(
    observe: Observe, committee: Committee, exact_job: Callable[..., Job]
) -> None:
    chain, job = ScriptedChain(), exact_job()
    for _ in range(3):
        chain.mine(*([submitted(job.id, WORKER)] if not chain.blocks else []))
    member = observe(chain)
    member.stakes.is_pruned = True
    for _ in range(3):
        member.sampling.refresh(seeing(committee, job))
    assert member.sampling.draw_of(job) is None
    assert member.stakes.asked == 1


def test_refresh__member_restarted_after_the_state_is_gone__draws_the_same(
    observe: Observe, committee: Committee, exact_job: Callable[..., Job], tmp_path: Path
) -> None:
    """The stake is read and kept as soon as the submission is seen."""
    chain, job = ScriptedChain(), exact_job()
    chain.mine(submitted(job.id, WORKER))
    database = open_database(tmp_path / "kept.db")
    before = observe(chain, database)
    before.sampling.refresh(seeing(committee, job))
    chain.mine()
    chain.mine()
    again = observe(chain, database, before.cursor)
    again.stakes.is_pruned = True
    again.sampling.refresh(seeing(committee, job))
    assert again.sampling.draw_of(job) == drawn(lambda one: observe(one, "other.db"), committee, job, chain)


def test_refresh__job_without_arbiter__is_not_drawn(
    observe: Observe, committee: Committee, submitted_job: Callable[..., Job]
) -> None:
    chain, job = ScriptedChain(), submitted_job()
    for entries in ([submitted(job.id, WORKER)], [], []):
        chain.mine(*entries)
    member = observe(chain)
    member.sampling.refresh(seeing(committee, job))
    assert member.sampling.draw_of(job) is None


def test_refresh__paid_answer__is_drawn_like_a_submitted_one(
    observe: Observe, committee: Committee, exact_job: Callable[..., Job]
) -> None:
    """What colluders had paid before the beacon was known."""
    chain, job = ScriptedChain(), exact_job()
    for entries in ([submitted(job.id, WORKER), paid(job.id)], [], []):
        chain.mine(*entries)
    member = observe(chain)
    member.sampling.refresh(replace(seeing(committee), challengeable={job.id: job}))
    assert member.sampling.draw_of(job) is not None


def test_refresh__reorganised_beacon__everybody_draws_again(
    observe: Observe, committee: Committee, exact_job: Callable[..., Job]
) -> None:
    """One member saw the first branch, the other did not."""
    jobs = [exact_job(number) for number in range(1, 9)]
    chain = ScriptedChain()
    chain.mine(*(submitted(job.id, WORKER) for job in jobs))
    chain.mine()
    chain.mine()
    member = observe(chain)
    view = seeing(committee, *jobs)
    member.sampling.refresh(view)
    before = [member.sampling.draw_of(job) for job in jobs]
    chain.reorganise(1)
    chain.mine(salt=1)
    member.sampling.refresh(view)
    after = [member.sampling.draw_of(job) for job in jobs]
    newcomer = observe(chain, "newcomer.db")
    newcomer.sampling.refresh(view)
    assert after == [newcomer.sampling.draw_of(job) for job in jobs]
    assert before != after


def test_refresh__beacon_shown_from_another_branch__is_not_believed(
    observe: Observe, committee: Committee, exact_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint that is asked is behind the one whose events were read."""
    chain, job = ScriptedChain(), exact_job()
    for entries in ([submitted(job.id, WORKER)], [], []):
        chain.mine(*entries)
    member = observe(chain)
    honest = member.beacons.block(2)
    monkeypatch.setattr(
        member.beacons.eth, "get_block", lambda _: {**honest, "hash": b"\x99" * 32, "mixHash": b"\x98" * 32}
    )
    member.sampling.refresh(seeing(committee, job))
    assert member.sampling.draw_of(job) is None


def test_refresh__committee_of_another_size__is_drawn_from_anew(
    observe: Observe, committee: Committee, exact_job: Callable[..., Job]
) -> None:
    chain, job = ScriptedChain(), exact_job()
    for entries in ([submitted(job.id, WORKER)], [], []):
        chain.mine(*entries)
    member = observe(chain)
    member.sampling.refresh(seeing(committee, job))
    seven = (*committee.view.members, *committee.view.members[:3])
    larger = seeing(committee, job, members=seven, faults_tolerated=2, config_digest=b"\x02" * 32)
    member.sampling.refresh(larger)
    draw = member.sampling.draw_of(job)
    assert draw is not None
    assert sorted(draw.order) == list(range(7))
    assert len(draw.judges) == 3, "a completion needs the signatures of f + 1 who have computed it"


def test_committee_policy__more_judges_than_signatures_needed__stay() -> None:
    assert committee_policy(SamplingPolicy(judges=5), 1).judges == 5
    assert committee_policy(SamplingPolicy(judges=2), 4).judges == 5


def test_policy_digest__any_parameter_that_differs__shows() -> None:
    changes: list[dict[str, int]] = [
        {},
        {"judges": 3},
        {"floor_rate": 30_001},
        {"first_rate": 200_001},
        {"decay": 979_999},
        {"new_operator_jobs": 51},
        {"large_job_divisor": 21},
        {"canary_rate": 10_001},
        {"beacon_delay_blocks": 3},
    ]
    assert len({policy_digest(SamplingPolicy(**change)) for change in changes}) == len(changes)
    assert policy_digest(SamplingPolicy()) == policy_digest(SamplingPolicy())
