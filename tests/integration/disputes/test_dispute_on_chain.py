"""Disputes on a real chain: the players' own code against the contracts as they are deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proofmill.chain import (
    CloseReason,
    Deployment,
    JobState,
    Journal,
    Outcome,
    StageFlag,
    Suite,
    TransactionSender,
    open_database,
)
from proofmill.chain.block_search import first_block_since
from proofmill.chain.job_board import JobBoard
from proofmill.client import Client
from proofmill.devnet.anvil import Anvil
from proofmill.disputes.docket import Docket
from proofmill.disputes.inquiry import Inquiry, NotDisputable
from proofmill.disputes.matter import Reruns
from proofmill.disputes.prosecution import Progress, TooDear, record_of
from proofmill.health import Health
from proofmill.jobs import EmbeddingAnswer, identify
from proofmill.model_registration import register
from proofmill.store import BlobFetcher, DirectoryStore
from tests.integration.committee import judge
from tests.integration.conftest import SenderFactory
from tests.integration.disputes.trial import (
    CHALLENGE_WINDOW,
    DISPUTE_WINDOW,
    STAKE,
    ForgedReruns,
    RightEngine,
    Shelf,
    Trial,
    lie_about,
    registration,
    request_blob,
    right_answer,
    submit,
)
from tests.integration.offers import PRICE
from worker.defence import LOOK_BACK_SECONDS, OwnDefence
from worker.earnings import EarningsCollector
from worker.policy import Policy
from worker.service import Worker

BOND = 100 * 10**18
Open = Callable[..., Trial]


@pytest.fixture
def requester(suite: Suite, make_sender: SenderFactory) -> TransactionSender:
    sender = make_sender()
    sender.send("allow escrow", suite.mill_token.approve(suite.job_escrow.address, 100 * PRICE))
    return sender


@pytest.fixture
def submitted(
    anvil: Anvil,
    suite: Suite,
    deployment: Deployment,
    requester: TransactionSender,
    make_sender: SenderFactory,
    tmp_path: Path,
) -> Open:
    """A submitted job of a registered model, with an operator that has stake and short windows."""
    owner, operator, challenger = (
        make_sender(account=anvil.accounts[index], database=Journal(tmp_path / f"{index}.db"))
        for index in (0, 2, 3)
    )
    owner.send("windows", suite.job_escrow.set_windows(CHALLENGE_WINDOW, DISPUTE_WINDOW))
    register(registration(), suite.model_registry, owner)
    operator.send("allow staking", suite.mill_token.approve(suite.staking.address, STAKE))
    operator.send("stake", suite.staking.stake(STAKE))

    def build(answer: EmbeddingAnswer, reruns: Reruns | None = None, *, is_served: bool = True) -> Trial:
        job_id = submit(suite, requester, operator, answer)
        return Trial(
            anvil,
            suite,
            deployment.deployed_block,
            job_id,
            operator,
            challenger,
            answer,
            reruns or Reruns(Shelf()),
            is_served,
        )

    return build


def own_stake(trial: Trial) -> int:
    return trial.suite.staking.self_stake(trial.operator.address)


def test_lying_operator__convicted_by_its_own_trace(submitted: Open, requester: TransactionSender) -> None:
    liar = ForgedReruns(lie_about("linear"))
    trial = submitted(liar.answer(), liar)
    token = trial.suite.mill_token
    gained, before = trial.balances(), token.balance_of(requester.address)
    challenge_id = trial.prosecution().open(trial.job)
    assert trial.prosecution().open(trial.job) == challenge_id, (
        "a restarted challenger opens no second challenge"
    )
    assert gained() == [0, -BOND]

    assert trial.play(challenge_id) is Progress.WON
    assert trial.log.said("dispute: proved")
    job = trial.job
    assert (job.state, job.close_reason) == (JobState.REJECTED, CloseReason.CONVICTED)
    assert own_stake(trial) == STAKE - PRICE
    assert token.balance_of(requester.address) - before == PRICE + PRICE // 2, "refunded and compensated"
    operator, challenger = gained()
    assert operator == 0
    assert 0 < challenger <= PRICE // 2, "the bond is back, with a reward"


def test_silent_operator__timed_out_and_convicted(submitted: Open) -> None:
    trial = submitted(ForgedReruns(lie_about("unit_mean")).answer())
    gained = trial.balances()
    challenge_id = trial.prosecution().open(trial.job)
    assert trial.play(challenge_id, is_defended=False) is Progress.WAITING, "the operator has its time"
    trial.anvil.increase_time(DISPUTE_WINDOW // 4)
    assert trial.prosecute(challenge_id) is Progress.WAITING
    trial.anvil.increase_time(DISPUTE_WINDOW // 16)
    assert trial.play(challenge_id, is_defended=False) is Progress.WON
    assert trial.log.said("the operator is silent")
    assert trial.job.close_reason is CloseReason.CONVICTED
    assert own_stake(trial) == STAKE - PRICE
    assert gained()[1] > 0


def test_answer_that_nobody_serves__its_items_are_asked_for(submitted: Open) -> None:
    liar = ForgedReruns(lie_about("unit_mean"))
    trial = submitted(liar.answer(), liar, is_served=False)
    challenge_id = trial.prosecution().open(trial.job)
    assert trial.play(challenge_id) is Progress.WON
    asked = [facts["what"] for event, facts in trial.log.lines if event == "dispute: asked"]
    assert asked[0] == "what was answered to each sequence"
    assert trial.log.said("dispute: proved")
    assert trial.job.close_reason is CloseReason.CONVICTED


def test_silent_challenger__loses_its_bond_and_the_operator_is_paid(submitted: Open) -> None:
    """It doubts an answer that is right: it can name a sequence and ask, and nothing that it is told helps it."""
    trial = submitted(right_answer())
    gained, supply = trial.balances(), trial.suite.mill_token.total_supply()
    challenge_id = trial.prosecution().open(trial.job)
    assert trial.job.state is JobState.SUBMITTED
    assert trial.prosecute(challenge_id) is Progress.NOTHING_WRONG
    assert not trial.defend(), "the challenger has its time"
    trial.anvil.increase_time(DISPUTE_WINDOW // 3)
    assert trial.defend()
    assert trial.log.said("the challenger is silent")
    assert trial.defend()
    assert not trial.defend()
    assert trial.log.said("nobody doubts the answer any more")
    assert trial.prosecute(challenge_id) is Progress.LOST
    assert gained() == [BOND * 4 // 5, -BOND]
    assert supply - trial.suite.mill_token.total_supply() == BOND // 5

    job = trial.job
    assert job.awaits_verdict, "it goes on where it was"
    trial.anvil.increase_time(max(1, job.deadline - trial.now() + 1))
    call = trial.suite.job_escrow.finalize(job.id, job.terms, job.answer)
    trial.operator.send("finalize", call)
    assert trial.job.close_reason is CloseReason.UNOPPOSED
    assert trial.suite.job_escrow.earnings(trial.suite.mill_token.address, trial.operator.address) > 0
    assert own_stake(trial) == STAKE


def test_challenger_whose_own_runs_are_false__is_answered_and_loses(submitted: Open) -> None:
    trial = submitted(right_answer())
    gained = trial.balances()
    challenge_id = trial.prosecution().open(trial.job)
    enemy = ForgedReruns(lie_about("linear"))
    for _ in ("its trace", "the rows of the operator that differs", "the row that differs"):
        assert trial.prosecute_as(enemy, challenge_id) is Progress.MOVED
        assert trial.defend()
    assert trial.log.said("dispute: asked")
    assert not trial.suite.dispute_game.challenge(challenge_id).waits_for_defender, (
        "nothing is left to answer"
    )
    trial.anvil.increase_time(DISPUTE_WINDOW // 3)
    trial.defend_until_nothing_is_left()
    assert trial.prosecute(challenge_id) is Progress.LOST
    assert gained() == [BOND * 4 // 5, -BOND]
    assert trial.job.awaits_verdict


def test_condemned_by_the_committee__appealed_unopposed_and_paid(submitted: Open, anvil: Anvil) -> None:
    trial = submitted(right_answer())
    judge(anvil, trial.suite, trial.operator, trial.job_id, Outcome.REJECT)
    assert StageFlag.CONDEMNED in trial.job.flags
    assert trial.defence().appeal(trial.job, trial.matter())
    assert StageFlag.CONTESTED in trial.job.flags
    assert not trial.defend(), "whoever doubts it has time to say so"
    anvil.increase_time(DISPUTE_WINDOW // 4 + 1)
    assert trial.defend()
    assert trial.job.close_reason is CloseReason.UPHELD
    assert own_stake(trial) == STAKE


def test_condemned_and_wrong__is_not_appealed_by_its_operator(submitted: Open, anvil: Anvil) -> None:
    trial = submitted(ForgedReruns(lie_about("unit_mean")).answer())
    judge(anvil, trial.suite, trial.operator, trial.job_id, Outcome.REJECT)
    assert not trial.defence().appeal(trial.job, trial.matter())
    assert trial.log.said("rejected, and rightly so")


def test_lie_that_the_committee_accepted__refuted_after_its_completion(submitted: Open, anvil: Anvil) -> None:
    liar = ForgedReruns(lie_about("unit_mean"))
    trial = submitted(liar.answer(), liar)
    judge(anvil, trial.suite, trial.operator, trial.job_id, Outcome.COMPLETE)
    assert trial.job.state is JobState.COMPLETED
    challenge_id = trial.prosecution().open(trial.job)
    assert trial.play(challenge_id) is Progress.WON
    assert trial.job.close_reason is CloseReason.REFUTED
    assert own_stake(trial) == STAKE - PRICE


def test_dismissed_and_doubted_again__settled_a_second_time(
    submitted: Open, requester: TransactionSender
) -> None:
    """The call is the same as the first time; the journal must not take it for sent."""
    trial = submitted(right_answer())
    for challenger in (trial.challenger, requester):
        round_ = replace(trial, challenger=challenger)
        round_.prosecution().open(round_.job)
        assert not round_.job.awaits_verdict
        round_.anvil.increase_time(DISPUTE_WINDOW // 3)
        round_.defend_until_nothing_is_left()
        assert round_.job.awaits_verdict


def test_challenger_that_sees_an_older_chain__waits_and_asks_nothing_twice(submitted: Open) -> None:
    """The events may be read from a node that lags behind the one that shows the state; a question is one of eight."""
    liar = ForgedReruns(lie_about("linear"))
    trial = submitted(liar.answer(), liar)
    game, challenge_id = trial.suite.dispute_game, trial.prosecution().open(trial.job)
    questions = 0
    while not trial.log.said("dispute: proved"):
        before_the_move = trial.prosecution()
        assert trial.prosecute(challenge_id) is Progress.MOVED
        before_the_answer = trial.prosecution()
        if not trial.defend():
            break
        questions += 1
        for stale in (before_the_move, before_the_answer):
            assert stale.step(challenge_id, trial.job, trial.matter) is Progress.WAITING
            assert game.challenge(challenge_id).asks == questions
    assert questions == 3


def test_reward__is_the_first_committed_challengers_that_is_still_there(
    submitted: Open, requester: TransactionSender, make_sender: SenderFactory, tmp_path: Path
) -> None:
    """The first falls silent, the last one proves; the second is rewarded, because its own step says that it was earlier."""
    liar = ForgedReruns(lie_about("unit_mean"))
    first = submitted(liar.answer(), liar)
    third_account = first.anvil.accounts[4]
    requester.send("fund", first.suite.mill_token.transfer(third_account.address, BOND))
    second = replace(first, challenger=requester)
    third = replace(first, challenger=make_sender(account=third_account, database=Journal(tmp_path / "4.db")))
    first.prosecution().open(first.job)
    first.anvil.increase_time(1_000)
    gained_second, gained_third = second.balances(), third.balances()
    second_id = second.prosecution().open(first.job)
    first.anvil.increase_time(5)  # a second counts
    third_id = third.prosecution().open(first.job)
    first.anvil.increase_time(15)
    assert first.defend()
    assert first.log.said("the challenger is silent")
    for _ in range(10):
        third.prosecute(third_id)
        if first.log.said("dispute: proved"):
            break
        first.defend()
    assert second.suite.dispute_game.case(first.job_id, record_of(first.job)).lead == third_id
    assert second.play(second_id) is Progress.WON
    assert third.play(third_id) is Progress.WON
    assert gained_second()[1] > 0
    assert gained_third()[1] == 0, "its bond is back"


def test_open__budget_for_gas_too_small__nothing_is_sent(submitted: Open) -> None:
    trial = submitted(right_answer())
    with pytest.raises(TooDear, match="the budget is 0\\.000000 ether"):
        trial.prosecution(budget=1).open(trial.job)
    assert trial.suite.dispute_game.challenge(1).challenger != trial.challenger.address


def test_inquiry__runs_the_job_again_and_disputes_it_to_the_end(
    submitted: Open, anvil: Anvil, deployment: Deployment, tmp_path: Path
) -> None:
    """What `proofmill dispute open` does, and `watch` after it was interrupted."""
    liar = ForgedReruns(lie_about("linear"))
    trial = submitted(liar.answer(), liar)
    store, engine, told = DirectoryStore(tmp_path / "blobs", identify=identify), RightEngine(), list[str]()
    for blob in (request_blob(), trial.answer.to_bytes()):
        store.put(blob)
    client = Client(
        anvil.accounts[3],
        anvil.web3,
        deployment,
        trial.challenger,
        BlobFetcher(store, rounds=1),
        poll_interval=0.0,
        watch=lambda step: told.append(step.message),
    )
    inquiry = Inquiry(client, trial.job_id, engine=engine, reruns=Reruns(Shelf()))
    assert inquiry.view().standing == "nobody has doubted the answer"
    inquiry.examine()
    challenge_id = inquiry.open()

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    first = Inquiry(client, trial.job_id, engine=engine, reruns=Reruns(Shelf()), sleep=interrupted)
    with pytest.raises(KeyboardInterrupt):
        first.play(first.resume())
    assert first.view().challenges[0].standing.endswith("for the operator to publish its trace of sequence 1")

    defended = list[bool]()
    second = Inquiry(
        client,
        trial.job_id,
        engine=engine,
        reruns=Reruns(Shelf()),
        sleep=lambda _: defended.append(trial.defend()),
    )
    assert second.resume() == challenge_id
    assert second.play(challenge_id) is Progress.WON
    assert trial.job.close_reason is CloseReason.CONVICTED
    assert "proved: " in "\n".join(told)
    assert second.view().standing == "settled: the operator is convicted (a step of the trace is false)"
    assert second.view().challenges[0].standing == "ended, its bond is back"
    with pytest.raises(NotDisputable, match="is over"):
        Inquiry(client, trial.job_id, engine=engine, reruns=Reruns(Shelf())).examine()


# ------------------------------------------------------------------ the worker's own cycle
@pytest.fixture
def worker_of(deployment: Deployment, tmp_path: Path) -> Callable[[Trial], Worker]:
    """The operator's worker, as after a restart: with its disk and nothing in memory."""
    database = open_database(tmp_path / "worker.db")
    store = DirectoryStore(tmp_path / "blobs", identify=identify)
    store.put(request_blob())

    def build(trial: Trial) -> Worker:
        suite, operator, token = trial.suite, trial.operator.address, trial.suite.mill_token.address
        log: Any = trial.log
        fetcher = BlobFetcher(store, rounds=1)
        return Worker(
            operator=operator,
            suite=suite,
            board=JobBoard(
                trial.anvil.web3,
                suite.job_escrow,
                database,
                start_block=deployment.deployed_block,
                confirmations=1,
            ),
            sender=trial.operator,
            engine=RightEngine(),
            store=store,
            fetcher=fetcher,
            policy=Policy(
                minimum_prices={token: 1},
                maximum_bond_bps=100_000,
                minimum_submit_window=60,
                minimum_evaluation_window=300,
                request_bytes_per_second=500,
            ),
            earnings=EarningsCollector(
                operator=operator,
                suite=suite,
                sender=trial.operator,
                minimums={token: PRICE},
                after_jobs=100,
                after_seconds=1e9,
                log=log,
            ),
            health=Health(role="worker", address=operator, stale_after=60),
            log=log,
            defence=OwnDefence(
                operator=operator,
                suite=suite,
                sender=trial.operator,
                docket=Docket(
                    suite.dispute_game,
                    first_block_since(trial.anvil.web3, LOOK_BACK_SECONDS, deployment.deployed_block),
                ),
                reruns=Reruns(Shelf()),
                engine=RightEngine(),
                fetcher=fetcher,
                log=log,
            ),
        )

    return build


def test_worker__challenged_in_vain__answers_in_its_cycle_and_keeps_four_fifths_of_the_bond(
    submitted: Open, worker_of: Callable[[Trial], Worker]
) -> None:
    trial = submitted(right_answer())
    gained = trial.balances()
    challenge_id = trial.prosecution().open(trial.job)
    enemy, game = ForgedReruns(lie_about("linear")), trial.suite.dispute_game
    for _ in range(3):
        assert trial.prosecute_as(enemy, challenge_id) is Progress.MOVED
        assert game.challenge(challenge_id).waits_for_defender
        worker_of(trial).step()
        assert not game.challenge(challenge_id).waits_for_defender
    trial.anvil.increase_time(DISPUTE_WINDOW // 3)
    worker = worker_of(trial)
    worker.step()
    assert trial.job.awaits_verdict, "the challenger is timed out and the case settled in one cycle"
    assert gained() == [BOND * 4 // 5, -BOND]
    worker.step()
    assert worker._health.report()[1]["own_disputes"] == 0


def test_worker__rejected_by_the_committee__appeals_and_is_paid(
    submitted: Open, worker_of: Callable[[Trial], Worker], anvil: Anvil
) -> None:
    trial = submitted(right_answer())
    judge(anvil, trial.suite, trial.operator, trial.job_id, Outcome.REJECT)
    worker_of(trial).step()
    assert StageFlag.CONTESTED in trial.job.flags
    worker_of(trial).step()
    anvil.increase_time(DISPUTE_WINDOW // 4 + 1)
    worker_of(trial).step()
    assert trial.job.close_reason is CloseReason.UPHELD


def test_worker__its_lie_was_found_out__does_not_defend_it(
    submitted: Open, worker_of: Callable[[Trial], Worker]
) -> None:
    trial = submitted(ForgedReruns(lie_about("linear")).answer())
    challenge_id = trial.prosecution().open(trial.job)
    trial.prosecute(challenge_id)
    worker_of(trial).step()
    assert trial.suite.dispute_game.challenge(challenge_id).waits_for_defender
    assert trial.log.said("own answer is wrong, it is not defended")
