"""The board of open jobs on a real node: restarts, reorganisations, nodes that are behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from web3 import Web3
from web3.types import RPCResponse

from proofmill.chain import Deployment, JobEscrow, JobState, Suite, TransactionSender, open_database
from proofmill.chain.events import EventLog
from proofmill.chain.job_board import JobBoard
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.devnet.anvil import Anvil
from tests.integration.chain.faults import faulty
from tests.integration.offers import PRICE, offer

ANSWER = b"\x07" * 32
Post = Callable[..., int]


@pytest.fixture
def database(tmp_path: Path) -> Engine:
    return open_database(tmp_path / "board.db")


@pytest.fixture
def board(web3: Web3, suite: Suite, deployment: Deployment, database: Engine) -> JobBoard:
    return make_board(web3, suite.job_escrow, deployment, database)


def make_board(web3: Web3, escrow: JobEscrow, deployment: Deployment, database: Engine) -> JobBoard:
    return JobBoard(web3, escrow, database, start_block=deployment.deployed_block, confirmations=1)


@pytest.fixture
def post(suite: Suite, web3: Web3, sender: TransactionSender) -> Post:
    """Post a job; the same name again is the same intent of the sender, mined again after a reorganisation."""
    sender.send("allow escrow", suite.mill_token.approve(suite.job_escrow.address, 100 * PRICE))
    sender.send("allow staking", suite.mill_token.approve(suite.staking.address, 50 * PRICE))
    sender.send("stake", suite.staking.stake(50 * PRICE))
    wanted = offer(suite)

    def build(name: str = "post") -> int:
        return suite.job_escrow.posted_in(sender.send(name, suite.job_escrow.post(wanted))).id

    return build


def submit(suite: Suite, sender: TransactionSender, job_id: int) -> None:
    job = suite.job_escrow.job(job_id)
    receipt = sender.send("claim", suite.job_escrow.claim(job_id, job.terms, sender.address))
    claimed = suite.job_escrow.claimed_in(receipt, job)
    sender.send("submit", suite.job_escrow.submit(job_id, claimed.claim, ANSWER))


def test_refresh__through_the_life_of_a_job__state_and_answer_follow(
    board: JobBoard, suite: Suite, sender: TransactionSender, post: Post
) -> None:
    job_id = post()
    [funded] = board.refresh().open
    assert (funded.id, funded.state, funded.deliverable) == (job_id, JobState.FUNDED, None)
    submit(suite, sender, job_id)
    [submitted] = board.refresh().open
    assert (submitted.state, submitted.deliverable) == (JobState.SUBMITTED, ANSWER)


def test_refresh__settled_job__is_named_once(
    board: JobBoard, suite: Suite, sender: TransactionSender, post: Post, anvil: Anvil
) -> None:
    job_id = post()
    board.refresh()
    sender.send("cancel", suite.job_escrow.cancel(job_id, suite.job_escrow.job(job_id).terms))
    view = board.refresh()
    assert ([job.id for job in view.settled], view.open) == ([job_id], ())
    anvil.mine(70)  # deeper than any reorganisation that is followed
    for _ in range(2):
        view = board.refresh()
        assert (view.settled, view.open) == ((), ())


def test_refresh__restart__keeps_open_jobs_and_does_not_repeat_settled_ones(
    board: JobBoard,
    web3: Web3,
    suite: Suite,
    deployment: Deployment,
    database: Engine,
    sender: TransactionSender,
    post: Post,
) -> None:
    settled, kept = post("first"), post("second")
    sender.send("cancel", suite.job_escrow.cancel(settled, suite.job_escrow.job(settled).terms))
    assert [job.id for job in board.refresh().settled] == [settled]
    view = make_board(web3, deployment.connect(web3).job_escrow, deployment, database).refresh()
    assert ([job.id for job in view.open], view.settled) == ([kept], ())


def test_refresh__post_reorganised_away__job_disappears(board: JobBoard, post: Post, anvil: Anvil) -> None:
    post()
    assert len(board.refresh().open) == 1
    anvil.reorganise(1)
    assert board.refresh().open == ()


def test_refresh__posted_again_after_a_reorganisation__job_is_not_lost(
    board: JobBoard, post: Post, anvil: Anvil
) -> None:
    """Between two looks the job leaves the chain and comes back in a later block: the usual reorganisation."""
    job_id = post()
    assert [job.id for job in board.refresh().open] == [job_id]
    anvil.reorganise(1)
    assert post() == job_id
    assert [job.id for job in board.refresh().open] == [job_id]
    assert [job.id for job in board.refresh().open] == [job_id]


def test_refresh__settlement_reorganised_away__job_is_open_again(
    board: JobBoard, suite: Suite, sender: TransactionSender, post: Post, anvil: Anvil
) -> None:
    job_id = post()
    board.refresh()
    sender.send("cancel", suite.job_escrow.cancel(job_id, suite.job_escrow.job(job_id).terms))
    assert [job.id for job in board.refresh().settled] == [job_id]
    anvil.reorganise(1)
    assert [job.id for job in board.refresh().open] == [job_id]
    sender.send("cancel", suite.job_escrow.cancel(job_id, suite.job_escrow.job(job_id).terms))
    assert [job.id for job in board.refresh().settled] == [job_id]


def test_refresh__node_misses_the_event_once__job_is_only_late(
    anvil: Anvil, deployment: Deployment, database: Engine, post: Post
) -> None:
    """Behind a load balancer the second question may reach a node that has not got the block yet."""
    job_id = post()
    asked: list[Any] = []

    def forget_second(parameters: Any) -> RPCResponse | None:
        asked.append(parameters)
        return {"jsonrpc": "2.0", "id": 1, "result": []} if len(asked) == 2 else None

    web3 = faulty(anvil.rpc_url, "eth_getLogs", before=forget_second)
    board = make_board(web3, deployment.connect(web3).job_escrow, deployment, database)
    assert board.refresh().open == ()
    assert [job.id for job in board.refresh().open] == [job_id]


def test_refresh__answer_of_another_branch__is_no_answer(
    board: JobBoard,
    suite: Suite,
    sender: TransactionSender,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To compare the commitment of one branch with the answer of another would make an honest oracle sign a wrong verdict."""
    submit(suite, sender, post())
    events_of = JobEscrow._events_of

    def of_another_branch(self: JobEscrow, *arguments: Any) -> list[EventLog]:
        return [
            replace(event, args={**event.args, "deliverable": b"\x08" * 32})
            if event.name == "JobSubmitted"
            else event
            for event in events_of(self, *arguments)
        ]

    with monkeypatch.context() as patch:
        patch.setattr(JobEscrow, "_events_of", of_another_branch)
        [job] = board.refresh().open
        assert (job.is_known, job.deliverable) == (False, None)
    [job] = board.refresh().open
    assert (job.is_known, job.deliverable) == (True, ANSWER)


def test_refresh__claim_of_another_branch__is_nobodys(
    board: JobBoard,
    suite: Suite,
    sender: TransactionSender,
    post: Post,
    anvil: Anvil,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that took the job for its own would submit with a record that the chain does not have."""
    job_id = post()
    terms = suite.job_escrow.job(job_id).terms
    sender.send("claim", suite.job_escrow.claim(job_id, terms, sender.address))
    events_of = JobEscrow._events_of

    def of_another_branch(self: JobEscrow, *arguments: Any) -> list[EventLog]:
        return [
            replace(event, args={**event.args, "claimed_at": event.args["claimed_at"] + 1})
            if event.name == "JobClaimed"
            else event
            for event in events_of(self, *arguments)
        ]

    with monkeypatch.context() as patch:
        patch.setattr(JobEscrow, "_events_of", of_another_branch)
        [job] = board.refresh().open
        assert (job.is_known, job.is_open, job.provider) == (False, False, EMPTY_ADDRESS)
    [job] = board.refresh().open
    assert (job.is_known, job.provider) == (True, sender.address)


def test_refresh__claim_reorganised_away_and_made_again__has_the_new_time(
    board: JobBoard, suite: Suite, sender: TransactionSender, post: Post, anvil: Anvil
) -> None:
    job_id = post()
    terms = suite.job_escrow.job(job_id).terms
    sender.send("claim", suite.job_escrow.claim(job_id, terms, sender.address))
    [before] = board.refresh().open
    anvil.reorganise(1)
    assert [job.is_open for job in board.refresh().open] == [True]
    anvil.increase_time(30)
    sender.send("claim", suite.job_escrow.claim(job_id, terms, sender.address))
    [after] = board.refresh().open
    assert after.claimed_at > before.claimed_at
    assert after.is_known


def test_refresh__submitted_job_on_a_long_chain__logs_are_read_once_and_from_its_post_on(
    anvil: Anvil,
    deployment: Deployment,
    suite: Suite,
    database: Engine,
    sender: TransactionSender,
    post: Post,
) -> None:
    anvil.mine(500)
    job_id = post()
    submit(suite, sender, job_id)
    ranges: list[int] = []

    def note(parameters: Any) -> None:
        ranges.append(int(parameters[0]["fromBlock"], 16))

    web3 = faulty(anvil.rpc_url, "eth_getLogs", before=note)
    board = make_board(web3, deployment.connect(web3).job_escrow, deployment, database)
    [job] = board.refresh().open
    assert ranges[1:] == [job.posted_block, job.posted_block]  # after the events: the terms and the answer
    del ranges[:]
    board.refresh()
    assert ranges == []


def test_refresh__jobs_without_news__cost_the_node_nothing(
    anvil: Anvil, deployment: Deployment, database: Engine, post: Post
) -> None:
    """However many jobs wait for a worker, a look at a quiet chain asks the same few questions."""
    first = post("first")
    asked: list[Any] = []
    web3 = faulty(anvil.rpc_url, "eth_call", before=asked.append)
    board = make_board(web3, deployment.connect(web3).job_escrow, deployment, database)
    board.refresh()
    others = [post(name) for name in ("second", "third", "fourth")]
    assert [job.id for job in board.refresh().open] == [first, *others]
    del asked[:]
    anvil.mine(3)
    assert [job.id for job in board.refresh().open] == [first, *others]
    assert asked == []


def test_refresh__event_that_the_node_never_showed__state_is_found_within_a_minute(
    web3: Web3,
    suite: Suite,
    deployment: Deployment,
    database: Engine,
    sender: TransactionSender,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = [0.0]
    board = JobBoard(
        web3,
        suite.job_escrow,
        database,
        start_block=deployment.deployed_block,
        confirmations=1,
        clock=lambda: seconds[0],
    )
    job_id = post()
    board.refresh()
    terms = suite.job_escrow.job(job_id).terms
    with monkeypatch.context() as patch:
        patch.setattr("proofmill.chain.events.EventDecoder.decode_all", lambda *_: [])
        sender.send("claim", suite.job_escrow.claim(job_id, terms, sender.address))
        assert [job.state for job in board.refresh().open] == [JobState.FUNDED]
    assert [job.is_claimed for job in board.refresh().open] == [False]
    seconds[0] += 60
    assert [job.is_claimed for job in board.refresh().open] == [True]
