"""What counts as a finished job, what as a clean one, and that a chain which changes its mind changes the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofmill.chain import open_database
from proofmill.chain.types import address
from proofmill.sampling import OperatorHistory
from tests.unit.oracle.scripted_chain import Entry, ScriptedChain, paid, records_of, slashed, submitted

WORKER = address("0x" + "a1" * 20)
RIVAL = address("0x" + "a2" * 20)
OPERATORS = (WORKER, RIVAL)


def history_after(monkeypatch: pytest.MonkeyPatch, directory: Path, *entries: Entry) -> OperatorHistory:
    """The worker's, after one block with these events."""
    chain = ScriptedChain()
    chain.mine(*entries)
    records, _ = records_of(monkeypatch, chain, directory / "oracle.db")
    records.refresh()
    return records.history(WORKER, 0)


@pytest.mark.parametrize(
    ("entries", "finished", "clean"),
    [
        ([], 0, 0),
        ([submitted(1, WORKER)], 0, 0),  # still to be judged, or voided, or refunded without a verdict
        ([submitted(1, WORKER), paid(1)], 1, 1),
        ([submitted(1, RIVAL), paid(1)], 0, 0),
        ([submitted(1, WORKER), slashed(1, WORKER)], 1, 0),
        ([slashed(1, WORKER)], 1, 0),  # late: it never submitted
        ([slashed(1, WORKER), submitted(1, RIVAL), paid(1)], 1, 0),  # another worker took the job over
        ([submitted(1, WORKER), paid(1), slashed(1, WORKER)], 1, 0),  # paid, then refuted: one job
        ([slashed(1, WORKER), submitted(1, WORKER), paid(1)], 2, 1),  # two claims
        ([submitted(1, WORKER), paid(1), submitted(2, WORKER), slashed(2, WORKER)], 2, 0),
        ([submitted(2, WORKER), slashed(2, WORKER), submitted(1, WORKER), paid(1)], 2, 1),
        (
            [
                *(submitted(1, WORKER), paid(1), submitted(2, WORKER), paid(2)),
                *(slashed(1, WORKER), submitted(3, WORKER), paid(3)),
            ],
            3,
            1,
        ),
    ],
)
def test_history__events_of_the_escrow__count_as_defined(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, entries: list[Entry], finished: int, clean: int
) -> None:
    assert history_after(monkeypatch, tmp_path, *entries) == OperatorHistory(finished, clean)


def test_history__is_that_of_the_end_of_the_block_asked_about(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chain = ScriptedChain()
    chain.mine(submitted(1, WORKER))
    chain.mine(paid(1), submitted(2, WORKER))
    chain.mine(slashed(2, WORKER))
    records, _ = records_of(monkeypatch, chain, tmp_path / "oracle.db")
    records.refresh()
    found = [records.history(WORKER, block) for block in range(3)]
    assert found == [OperatorHistory(0, 0), OperatorHistory(1, 1), OperatorHistory(2, 0)]


def test_refresh__killed_before_the_cursor_moved__counts_nothing_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chain = ScriptedChain()
    chain.mine(submitted(1, WORKER), paid(1))
    database = open_database(tmp_path / "oracle.db")
    records, _ = records_of(monkeypatch, chain, database)
    records._take(records._sync.poll())
    again, _ = records_of(monkeypatch, chain, database)
    again.refresh()
    assert again.history(WORKER, 0) == OperatorHistory(1, 1)


def test_refresh__reorganisation__says_what_still_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chain = ScriptedChain()
    for job_id in (1, 2, 3):
        chain.mine(submitted(job_id, WORKER), paid(job_id))
    records, _ = records_of(monkeypatch, chain, tmp_path / "oracle.db")
    assert records.refresh() is None
    chain.reorganise(2)
    chain.mine(submitted(2, RIVAL), salt=1)
    assert records.refresh() == 0
    assert records.history(WORKER, 9) == OperatorHistory(1, 1)
    submission = records.submission(2)
    assert submission is not None
    assert (submission.operator, submission.block_hash) == (RIVAL, chain.hash_of(1))
    assert records.submission(3) is None


def test_note_stake__of_another_branch__is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chain = ScriptedChain()
    chain.mine(submitted(1, WORKER))
    records, _ = records_of(monkeypatch, chain, tmp_path / "oracle.db")
    records.refresh()
    before = records.submission(1)
    assert before is not None
    chain.reorganise(1)
    chain.mine(submitted(1, WORKER), salt=1)
    records.refresh()
    records.note_stake(before, 7)
    after = records.submission(1)
    assert after is not None
    assert after.stake is None
    records.note_stake(after, 8)
    kept = records.submission(1)
    assert kept is not None
    assert kept.stake == 8


# ---------------------------------------------------------------- whatever happens, members agree
ENDINGS = ("paid", "paid and refuted", "rejected", "voided", "late")


def life_of(job_id: int, operator: str, ending: str) -> list[Entry]:
    """The events of one job, in their order."""
    worker = address(operator)
    late = [slashed(job_id, worker)]
    lives = {
        "paid": [submitted(job_id, worker), paid(job_id)],
        "paid and refuted": [submitted(job_id, worker), paid(job_id), *late],
        "rejected": [submitted(job_id, worker), *late],
        "voided": [submitted(job_id, worker)],
        "late": late,
    }
    return lives[ending]


@st.composite
def branches(draw: st.DrawFn, first_job: int) -> list[tuple[Entry, ...]]:
    """Blocks in which some jobs live, their events in any order that keeps that of each job."""
    kinds = st.tuples(st.sampled_from(OPERATORS), st.sampled_from(ENDINGS))
    lives = [
        life_of(first_job + place, *kind) for place, kind in enumerate(draw(st.lists(kinds, max_size=8)))
    ]
    blocks: list[list[Entry]] = [[]]
    while any(lives):
        blocks[-1].append(draw(st.sampled_from([life for life in lives if life])).pop(0))
        if draw(st.booleans()):
            blocks.append([])
    return [tuple(block) for block in blocks]


def counted(chain: ScriptedChain, operator: str, block_number: int) -> OperatorHistory:
    """The definition once more, read from the whole chain: jobs by payments and faults, not by totals."""
    workers: dict[int, str] = {}
    payments: list[int] = []
    own: list[tuple[int, bool]] = []  # job, whether it ended well
    for _, entries in chain.blocks[: block_number + 1]:
        for name, job_id, worker in entries:
            if name == "JobSubmitted" and worker is not None:
                workers[job_id] = worker
            elif name == "JobCompleted":
                payments.append(job_id)
                own += [(job_id, True)] if workers[job_id] == operator else []
            elif worker == operator:
                own.append((job_id, False))
    faults = [place for place, (_, is_clean) in enumerate(own) if not is_clean]
    clean = len(own) - 1 - faults[-1] if faults else len(own)
    refutations = sum(1 for place in faults if (own[place][0], True) in own[:place])
    return OperatorHistory(len(own) - refutations, clean)


@settings(
    deadline=None,
    max_examples=8,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_history__any_chain_in_any_portions_with_reorganisations__all_members_agree(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One follows from the start, one is killed and restarted, one comes late with an empty database."""
    directory = tmp_path_factory.mktemp("records")
    chain = ScriptedChain()
    follower, _ = records_of(
        monkeypatch, chain, directory / "follower.db", portion=data.draw(st.integers(1, 3))
    )
    killed = open_database(directory / "killed.db")
    restarted, cursor = records_of(monkeypatch, chain, killed)
    for salt in range(3):
        chain.reorganise(data.draw(st.integers(0, len(chain.blocks))))
        for entries in data.draw(branches(first_job=100 * salt)):
            chain.mine(*entries, salt=salt)
        follower.refresh()
        restarted._take(restarted._sync.poll())  # and killed before the cursor moved
        restarted, cursor = records_of(monkeypatch, chain, killed, cursor=cursor)
        restarted.refresh()
    newcomer, _ = records_of(monkeypatch, chain, directory / "newcomer.db")
    newcomer.refresh()
    for operator in OPERATORS:
        for block in range(len(chain.blocks)):
            expected = counted(chain, operator, block)
            for member in (follower, restarted, newcomer):
                assert member.history(operator, block) == expected
