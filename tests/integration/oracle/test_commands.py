"""What an operator asks about a member, while its service holds the key: status and replay on a real chain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from oracle.cli import main
from proofmill.chain import Deployment, Journal, Outcome, TransactionSender
from proofmill.chain.errors import TransactionPending
from proofmill.chain.keystore import create_keystore
from proofmill.devnet.anvil import Anvil
from tests.integration.committee import judge
from tests.integration.conftest import SenderFactory
from tests.integration.disputes.trial import ForgedReruns, RightEngine, lie_about, right_answer
from tests.integration.oracle.conftest import BOND, HONEST, Open
from tests.integration.oracle.honest_member import HonestMember
from tests.integration.own_chain import MEMBER_BOND

Ask = Callable[..., Result]
RULES = {"window_blocks": 1_000_000, "begin_blocks": 9_999}  # the chain of a test stays in window 0


@pytest.fixture
def ask(
    anvil: Anvil,
    deployment: Deployment,
    member: HonestMember,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Ask:
    """Run a command with the settings of the member."""
    password = tmp_path / "password"
    password.write_text("a password\n", encoding="utf-8")
    password.chmod(0o600)
    create_keystore(tmp_path / "key.json", password, account=anvil.accounts[HONEST], iterations=2)
    deployment.save(tmp_path / "deployment.json")
    config = tmp_path / "oracle.toml"
    lines = [
        f'rpc_url = "{anvil.rpc_url}"',
        'deployment = "deployment.json"',
        'keystore = "key.json"',
        'password_file = "password"',
        f'data_directory = "{member.directory}"',
        "[measuring]",
        *(f"{name} = {value}" for name, value in RULES.items()),
    ]
    config.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr("proofmill.jobs.minilm_engine", RightEngine)

    def run(*words: str) -> Result:
        return CliRunner(mix_stderr=False).invoke(
            main, ["--config", str(config), *words], catch_exceptions=False
        )

    return run


@pytest.fixture
def running(member: HonestMember, make_sender: SenderFactory) -> Iterator[TransactionSender]:
    """The service's sender, which holds the member's key and database."""
    database = Journal(member.directory / "oracle.db")
    with make_sender(account=member.account, database=database, give_up=0.2) as sender:
        yield sender


def standing(ask: Ask) -> Any:
    result = ask("status", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_status__before_the_first_run__says_who_the_member_is_and_what_waits(
    ask: Ask, member: HonestMember, submitted: Open
) -> None:
    trial = submitted(right_answer())
    found = standing(ask)
    assert found["has_run"] is False
    assert found["member"]["operator"] == found["member"]["key"] == member.address
    assert found["member"]["seat"] == 3
    assert (found["member"]["bond"], found["member"]["mill"]) == (MEMBER_BOND, BOND)
    assert found["member"]["ether"] == member.anvil.web3.eth.get_balance(member.address)
    assert [(job["job"], job["finding"]) for job in found["waiting"]] == [(trial.job_id, None)]
    assert found["measuring"]["phase"] == "beginning"
    assert found["measuring"]["rules"]["window_blocks"] == RULES["window_blocks"]
    assert not (member.directory / "oracle.db").exists(), "looking leaves nothing behind"


def test_status__service_holds_key_and_database__shows_findings_and_unfinished_transactions(
    ask: Ask, member: HonestMember, submitted: Open, running: TransactionSender, anvil: Anvil
) -> None:
    liar = ForgedReruns(lie_about("linear"))
    trial = submitted(liar.answer(), liar)
    member.look()
    anvil.set_mining(False)
    with pytest.raises(TransactionPending):
        running.send("a transfer", member.suite.mill_token.transfer(trial.operator.address, 1))
    found = standing(ask)
    assert found["has_run"] is True
    assert [(job["job"], job["finding"]) for job in found["waiting"]] == [(trial.job_id, "reject")]
    [doubt] = found["doubts"]
    assert doubt["claimed"] == "0x" + liar.answer().root.hex()
    assert doubt["computed"] == "0x" + right_answer().root.hex()
    [transaction] = found["transactions"]
    assert (transaction["intent"], transaction["state"]) == ("a transfer", "pending")
    [endpoint] = found["endpoints"]
    assert endpoint["fit"] is True
    text = ask("status").output
    assert f"{trial.job_id}" in text
    assert "reject" in text
    assert "a transfer" in text


def test_status__own_challenge__is_shown_with_its_clock(
    ask: Ask, member: HonestMember, submitted: Open
) -> None:
    liar = ForgedReruns(lie_about("linear"))
    trial = submitted(liar.answer(), liar)
    judge(trial.anvil, trial.suite, trial.operator, trial.job_id, Outcome.COMPLETE)
    member.look()
    while not (challenges := standing(ask)["challenges"]):
        member.look()
    [challenge] = challenges
    assert challenge["job"] == trial.job_id
    assert challenge["seconds_left"] > 0


def test_replay__what_was_found_and_paid_rightly__differs_in_nothing(
    ask: Ask, member: HonestMember, submitted: Open, running: TransactionSender
) -> None:
    trial = submitted(right_answer())
    member.look()
    judge(trial.anvil, trial.suite, trial.operator, trial.job_id, Outcome.COMPLETE)
    result = ask("replay", "--json")
    assert result.exit_code == 0, result.output
    [job] = json.loads(result.stdout)["jobs"]
    assert (job["job"], job["state"], job["found"], job["now"]) == (
        trial.job_id,
        "completed",
        "complete",
        "complete",
    )
    assert job["computed"] == "0x" + right_answer().root.hex()


def test_replay__chain_has_paid_for_a_lie__is_said_with_a_status(
    ask: Ask, member: HonestMember, submitted: Open
) -> None:
    liar = ForgedReruns(lie_about("linear"))
    trial = submitted(liar.answer(), liar)
    judge(trial.anvil, trial.suite, trial.operator, trial.job_id, Outcome.COMPLETE)
    result = ask("replay", str(trial.job_id), "--json")
    assert result.exit_code == 1
    [job] = json.loads(result.stdout)["jobs"]
    assert (job["found"], job["now"]) == (None, "reject")
    assert job["differences"] == ["the chain has paid for a wrong answer (attested)"]
    assert "1 differ" in ask("replay", "--first", str(trial.job_id)).output


def test_replay__request_is_nowhere__says_so_and_does_not_pass_for_agreement(
    ask: Ask, member: HonestMember, submitted: Open
) -> None:
    trial = submitted(right_answer())
    for blob in (member.directory / "blobs" / "pinned").rglob("*"):
        if blob.is_file():
            blob.unlink()
    result = ask("replay", str(trial.job_id))
    assert result.exit_code == 1
    assert "no peer gave it" in result.stdout
    assert "none of 1 jobs" in result.stderr
