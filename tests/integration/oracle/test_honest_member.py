"""A member that finds an answer wrong brings it down by itself, whatever the rest of its committee says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oracle.fees import TURN_SECONDS, FeeSharing
from oracle.purse import Purse
from oracle.statements import Statements
from oracle.transmitted import NotReadable, TransmissionReader
from proofmill.chain import (
    CloseReason,
    JobState,
    OpenedVerdict,
    Outcome,
    Report,
    ReportHead,
    Suite,
    TransactionSender,
    Verdict,
    open_database,
    sign_report,
)
from proofmill.chain.types import EMPTY_ADDRESS, ContractCall
from proofmill.devnet.anvil import CHAIN_ID, Anvil
from tests.integration.committee import FIRST_MEMBER, attested, judge
from tests.integration.disputes.trial import (
    CHALLENGE_WINDOW,
    DISPUTE_WINDOW,
    EVALUATION_WINDOW,
    STAKE,
    ForgedReruns,
    Trial,
    lie_about,
    right_answer,
)
from tests.integration.offers import PRICE
from tests.integration.oracle.conftest import EVALUATOR_FEE_BPS, Open
from tests.integration.oracle.honest_member import HonestMember
from tests.integration.own_chain import MEMBER_BOND


def own_stake(trial: Trial) -> int:
    return trial.suite.staking.self_stake(trial.operator.address)


def seats(suite: Suite) -> list[bool]:
    """Which members are still there, in the order of their seats."""
    keys = suite.oracle_committee.keys()
    return [key != EMPTY_ADDRESS for key in keys]


def test_lie_that_colluders_attested__challenged_refuted_and_its_signers_expelled(
    submitted: Open, member: HonestMember, requester: TransactionSender
) -> None:
    """It was paid before the honest member has even seen it."""
    liar = ForgedReruns(lie_about("linear"))
    trial = submitted(liar.answer(), liar)
    token = trial.suite.mill_token
    judge(trial.anvil, trial.suite, trial.operator, trial.job_id, Outcome.COMPLETE)
    held, paid_back = token.balance_of(member.address), token.balance_of(requester.address)
    member.play(trial)
    assert trial.job.close_reason is CloseReason.REFUTED
    assert own_stake(trial) == STAKE - PRICE
    assert seats(trial.suite) == [False, False, True, True]
    for signer in trial.anvil.accounts[FIRST_MEMBER : FIRST_MEMBER + 2]:
        assert trial.suite.oracle_committee.member(signer.address).bond == 0
    rewards = token.balance_of(member.address) - held
    assert 0 < rewards - 2 * MEMBER_BOND // 4 <= PRICE // 2, (
        "bond back, two quarters of a bond, the slash's reward"
    )
    assert token.balance_of(requester.address) - paid_back == PRICE // 2, "compensated"
    why = [facts["why"] for event, facts in member.log.lines if event == "challenging"]
    assert why == ["the committee has paid for it"]

    sent = member.nonce
    trial.anvil.increase_time(DISPUTE_WINDOW)
    member.play(trial)
    assert member.nonce == sent, "nothing is left to do"


def test_member_that_dies_at_every_move__goes_on_and_sends_nothing_twice(
    submitted: Open, member: HonestMember
) -> None:
    """Before each transaction, and again when it is mined and nothing has been made of it yet."""
    liar = ForgedReruns(lie_about("linear"))
    trial = submitted(liar.answer(), liar)
    judge(trial.anvil, trial.suite, trial.operator, trial.job_id, Outcome.COMPLETE)
    first = int(trial.anvil.web3.eth.block_number) + 1
    mortal = replace(member, moves={})
    mortal.play(trial)
    assert trial.job.close_reason is CloseReason.REFUTED
    assert seats(trial.suite) == [False, False, True, True]
    assert mortal.moves is not None
    assert min(mortal.moves.values()) >= 2
    calls = calls_of(mortal, first)
    # commit, approve, open, name_item, three questions, prove, settle, reclaim, two proofs
    assert len(calls) == len(set(calls)) == len(mortal.moves) == 12


def calls_of(member: HonestMember, first_block: int) -> list[bytes]:
    """The calldata of everything that the member has had mined."""
    eth = member.anvil.web3.eth
    numbers = range(first_block, int(eth.block_number) + 1)
    sent: list[Any] = [each for number in numbers for each in eth.get_block(number, True)["transactions"]]
    mine = [transaction for transaction in sent if transaction["from"] == member.address]
    assert all(eth.get_transaction_receipt(each["hash"])["status"] == 1 for each in mine)
    return [bytes(each["to"], "ascii") + bytes(each["input"]) for each in mine]


def test_lie_behind_a_throw_away_challenge__own_challenge_outlives_it(
    submitted: Open, member: HonestMember
) -> None:
    """Whoever contests keeps the committee from its verdict, and says nothing more."""
    liar = ForgedReruns(lie_about("unit_mean"))
    trial = submitted(liar.answer(), liar)
    trial.prosecution().open(trial.job)
    assert not trial.job.awaits_verdict
    member.look()
    assert member.log.said("dispute opened")
    trial.anvil.increase_time(DISPUTE_WINDOW // 4)
    member.play(trial)
    assert trial.job.close_reason is CloseReason.CONVICTED
    assert own_stake(trial) == STAKE - PRICE


def test_lie_on_which_the_committee_is_silent__challenged_after_half_of_its_time(
    submitted: Open, member: HonestMember
) -> None:
    trial = submitted(ForgedReruns(lie_about("unit_mean")).answer())
    trial.anvil.increase_time(EVALUATION_WINDOW // 2 - 60)
    member.look()
    assert member.nonce == 0 or not member.log.said("challenging")
    trial.anvil.increase_time(60)
    member.look()
    assert member.log.said("dispute opened")
    assert not trial.job.awaits_verdict


def test_lie_that_was_rejected_and_appealed__challenged_before_it_is_upheld(
    submitted: Open, member: HonestMember
) -> None:
    """An appeal that nobody challenges is upheld, and the lie is paid."""
    liar = ForgedReruns(lie_about("unit_mean"))
    trial = submitted(liar.answer(), liar)
    judge(trial.anvil, trial.suite, trial.operator, trial.job_id, Outcome.REJECT)
    member.look()
    assert not member.log.said("challenging"), "it is for the operator to appeal"
    job, game = trial.job, trial.suite.dispute_game
    trial.operator.send("appeal", game.appeal(job.id, job.terms, job.answer.to_abi()))
    member.look()
    assert member.log.said("dispute opened")
    trial.anvil.increase_time(DISPUTE_WINDOW // 4 + 1)
    assert not trial.defend(), "it cannot be upheld while the challenge is open"


def test_right_answer__never_challenged_and_nobody_accused(submitted: Open, member: HonestMember) -> None:
    """Contested by a stranger that has nothing to show, given back, paid by the committee."""
    trial = submitted(right_answer())
    sent = member.nonce
    trial.prosecution().open(trial.job)
    member.look()
    trial.anvil.increase_time(DISPUTE_WINDOW // 3)
    trial.defend_until_nothing_is_left()
    member.look()
    judge(trial.anvil, trial.suite, trial.operator, trial.job_id, Outcome.COMPLETE)
    member.look()
    trial.anvil.increase_time(CHALLENGE_WINDOW)
    member.look()
    assert trial.job.state is JobState.COMPLETED
    assert member.nonce == sent
    assert seats(trial.suite) == [True, True, True, True]


def test_right_answer_that_was_rejected__upheld_and_nobody_is_accused(
    submitted: Open, member: HonestMember
) -> None:
    trial = submitted(right_answer())
    judge(trial.anvil, trial.suite, trial.operator, trial.job_id, Outcome.REJECT)
    assert trial.defence().appeal(trial.job, trial.matter())
    member.look()
    trial.anvil.increase_time(DISPUTE_WINDOW // 4 + 1)
    trial.defend_until_nothing_is_left()
    assert trial.job.close_reason is CloseReason.UPHELD
    member.look()
    # By silence, which refutes nobody: the same would happen to a wrong answer that nobody could doubt.
    assert seats(trial.suite) == [True, True, True, True]


# ------------------------------------------------------------------ signatures
def test_member_that_signed_two_reports_under_one_number__expelled(
    suite: Suite, anvil: Anvil, member: HonestMember
) -> None:
    committee = suite.oracle_committee
    liar = anvil.accounts[FIRST_MEMBER]
    database = open_database(member.directory / "oracle.db")
    statements = Statements(database)
    for evidence in (b"\1" * 32, b"\2" * 32):
        head = ReportHead(committee.config_digest(), 7, 1, evidence, suite.job_escrow.address)
        report = Report(head, (Verdict(1, Outcome.COMPLETE, bytes(32)),))
        statements.note(report, liar.address, sign_report(report, liar, CHAIN_ID, committee.address))
    database.dispose()
    held = suite.mill_token.balance_of(member.address)
    member.look()
    member.look()
    assert seats(suite) == [False, True, True, True]
    assert suite.mill_token.balance_of(member.address) - held == MEMBER_BOND // 4


def test_fees__shared_by_whose_turn_it_is_where_its_part_is_worth_the_gas(
    submitted: Open, member: HonestMember
) -> None:
    trial = submitted(right_answer())
    escrow, staking, token = trial.suite.job_escrow, trial.suite.staking, trial.suite.mill_token.address
    judge(trial.anvil, trial.suite, trial.operator, trial.job_id, Outcome.COMPLETE)
    fees = escrow.fees(token, trial.suite.oracle_committee.address)[1]
    turn = member.look().block_time // TURN_SECONDS
    trial.anvil.increase_time(((3 - turn) % 4) * TURN_SECONDS)
    trial.anvil.mine()
    view = member.look()
    log: Any = member.log

    def step(seat: int, mill_value: int) -> bool:
        purse = Purse(trial.suite, member.address, mill_value, 0)
        account = trial.anvil.accounts[FIRST_MEMBER + seat]
        sharing = FeeSharing(account=account, suite=trial.suite, sender=member.sender, purse=purse, log=log)
        return sharing.step(view)

    assert not step(2, 10**24), "it is not its turn"
    assert not step(3, 1), "it is not worth it"
    assert step(3, 10**24)
    assert not step(3, 10**24), "there is nothing more"
    first = trial.anvil.accounts[FIRST_MEMBER].address
    assert staking.earned(first, token, first) == fees // 4 == PRICE * EVALUATOR_FEE_BPS // 40_000


def forwarder_to(target: str) -> bytes:
    """Code that deploys a contract which hands its whole calldata on to `target`."""
    runtime = bytes.fromhex(f"366000600037 600060003660006000 73{target[2:]} 5af1 602e57 60006000fd 5b00")
    return bytes.fromhex(f"60{len(runtime):02x}80600b6000396000f3") + runtime


@pytest.mark.parametrize("is_hidden", [False, True])
def test_signatures_in_a_relayed_report__read_also_behind_another_contract(
    submitted: Open, member: HonestMember, is_hidden: bool
) -> None:
    trial = submitted(right_answer())
    job, committee = trial.job, trial.suite.oracle_committee
    call = attested(
        trial.anvil, trial.suite, [OpenedVerdict(job.id, Outcome.COMPLETE, job.terms, job.answer)]
    )
    if is_hidden:
        code = ContractCall(None, forwarder_to(committee.address), "a forwarder")
        deployed = trial.operator.send("deploy", code)["contractAddress"]
        call = replace(call, to=deployed)
    receipt = trial.operator.send("relay", call)
    assert trial.job.state is JobState.COMPLETED
    reader = TransmissionReader(trial.anvil.web3, CHAIN_ID, committee)
    database = open_database(member.directory / "oracle.db")
    statements = Statements(database)
    reader.note(bytes(receipt["transactionHash"]), statements, member.log)  # type: ignore[arg-type]
    found = statements.on(job.id, job.commitment, Outcome.COMPLETE)
    database.dispose()
    assert [statement.key for statement in found] == sorted(
        account.address for account in trial.anvil.accounts[FIRST_MEMBER : FIRST_MEMBER + 2]
    )


def test_transaction_that_the_node_does_not_have__said_with_a_remedy(suite: Suite, anvil: Anvil) -> None:
    reader = TransmissionReader(anvil.web3, CHAIN_ID, suite.oracle_committee)
    with pytest.raises(NotReadable, match="does not have transaction"):
        reader.read(b"\7" * 32)
