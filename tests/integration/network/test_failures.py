"""What happens to the client's money when somebody fails, with processes that really die."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from proofmill.chain import JobState
from proofmill.chain.types import address
from proofmill.cli import main
from proofmill.client import MILL, Client, JobFailed, Progress, Terms
from proofmill.devnet.network import Devnet
from tests.integration.network.conftest import wait_for, write_document

SENTENCES = ["The tide comes in twice a day.", "A lighthouse marks the entrance of the bay."]


def wallet(client: Client) -> int:
    return client.suite.mill_token.balance_of(client.account.address)


def terms_for(devnet: Devnet, worker: str) -> Terms:
    return replace(Terms(), provider=address(devnet.address(worker)))


def test_embed__command_line__writes_the_answer_and_job_show_tells_its_story(
    devnet: Devnet, tmp_path: Path
) -> None:
    document = write_document(tmp_path / "text.txt", *SENTENCES)
    out = tmp_path / "out.npz"
    config = str(devnet.directory / "client.toml")
    run = CliRunner(mix_stderr=False).invoke(
        main,
        ["embed", str(document), "--out", str(out), "--config", config, "--json"]
        + ["--worker", devnet.address("worker")],
    )
    assert run.exit_code == 0, run.stderr
    assert "a worker that lies loses 400 MILL; that is more than it can win" in run.stderr
    summary = json.loads(run.stdout)
    assert summary["sentences"] == 2
    assert np.load(out)["embeddings"].shape == (2, 384)
    shown = CliRunner(mix_stderr=False).invoke(
        main, ["job", "show", str(summary["job"]), "--config", config, "--json"]
    )
    assert shown.exit_code == 0, shown.stderr
    story = json.loads(shown.stdout)
    assert (story["bond"], story["lying_pays"]) == (str(400 * MILL), False)
    assert (story["state"], story["answer"]) == ("completed", summary["answer"])
    assert [step["call"] for step in story["history"]][-1] == "OracleCommittee.transmit"
    listed = CliRunner(mix_stderr=False).invoke(main, ["job", "list", "--config", config, "--json"])
    assert listed.exit_code == 0, listed.stderr
    [entry] = [item for item in json.loads(listed.stdout)["jobs"] if item["job"] == summary["job"]]
    assert (entry["state"], entry["worker"]) == ("completed", devnet.address("worker"))
    fetched = tmp_path / "again.npz"
    again = CliRunner(mix_stderr=False).invoke(
        main, ["job", "fetch", str(summary["job"]), "--out", str(fetched), "--config", config]
    )
    assert again.exit_code == 0, again.stderr
    np.testing.assert_array_equal(np.load(fetched)["quantized"], np.load(out)["quantized"])


def test_embed__model_that_nobody_serves__money_comes_back_with_a_remedy(
    devnet: Devnet, tmp_path: Path
) -> None:
    document = write_document(tmp_path / "text.txt", *SENTENCES)
    config = str(devnet.directory / "client.toml")
    with Client.open(devnet.client_settings()) as client:
        before = wallet(client)
    run = CliRunner(mix_stderr=False).invoke(
        main,
        ["embed", str(document), "--out", str(tmp_path / "out.npz"), "--config", config]
        + ["--model", "ab" * 32, "--claim-window", "5"],
    )
    assert run.exit_code == 1
    assert "no worker claimed it in time; 10 MILL are back" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out.npz").exists()
    with Client.open(devnet.client_settings()) as client:
        assert wallet(client) == before


def test_cancel__before_a_claim__money_comes_back(devnet: Devnet, client: Client) -> None:
    before = wallet(client)
    request = replace(client.build_request(SENTENCES), model_id=bytes([1]) * 32)
    posted = client.post(request, Terms())
    assert wallet(client) == before - Terms().price
    client.sender.close()  # the command line below uses the same key
    config = str(devnet.directory / "client.toml")
    run = CliRunner(mix_stderr=False).invoke(
        main, ["job", "cancel", str(posted.id), "--config", config, "--json"]
    )
    assert run.exit_code == 0, run.stderr
    assert json.loads(run.stdout)["state"] == "rejected"
    assert wallet(client) == before
    with pytest.raises(JobFailed, match="was cancelled"):
        client.wait(posted.id)


def test_job_show__number_never_used__says_so(devnet: Devnet) -> None:
    config = str(devnet.directory / "client.toml")
    run = CliRunner(mix_stderr=False).invoke(main, ["job", "show", "999999", "--config", config])
    assert run.exit_code == 1
    assert "has no job 999999" in run.stderr


def test_wait__worker_lies_by_one_unit__rejected_and_compensated(devnet: Devnet, client: Client) -> None:
    before = wallet(client)
    stake = client.suite.staking.slashable(devnet.address("lying-worker"))
    with pytest.raises(JobFailed, match="found the answer of"):
        client.embed(SENTENCES, terms=terms_for(devnet, "lying-worker"))
    bond = 40 * Terms().price  # by default; the price of it compensates
    assert wallet(client) == before + Terms().price
    assert client.suite.staking.slashable(devnet.address("lying-worker")) == stake - bond


def test_worker__killed_after_its_claim__finishes_the_job_when_it_is_back(
    devnet: Devnet, client: Client, restart: Callable[[str], None]
) -> None:
    before = wallet(client)
    request = client.build_request(SENTENCES * 40)  # long enough to be in the middle of it
    posted = client.post(request, terms_for(devnet, "worker"))
    wait_for(lambda: client.suite.job_escrow.job(posted.id).is_claimed, what="the claim")
    devnet.nodes["worker"].kill()
    restart("worker")
    job = client.wait(posted.id)
    assert job.state == JobState.COMPLETED
    assert len(client.collect(job).quantized) == 80
    assert wallet(client) == before - Terms().price


def test_committee__one_member_dead__answers_are_accepted_and_lies_rejected(
    devnet: Devnet, client: Client, restart: Callable[[str], None]
) -> None:
    """The dead member is the leader of the next sequence: the hardest one to lose."""
    sequence = client.suite.oracle_committee.latest_sequence() + 1
    members = client.suite.oracle_committee.members()
    leader = members[sequence % len(members)]
    [name] = [role for role in devnet.nodes if role.startswith("oracle") and devnet.address(role) == leader]
    devnet.nodes[name].kill()
    # Where it is drawn, a substitute judges after a sixteenth of the time for a verdict: no reason to wait for long here.
    honest, lying = (
        replace(terms_for(devnet, worker), evaluation_window=320) for worker in ("worker", "lying-worker")
    )
    assert client.embed(SENTENCES, terms=honest).job.state == JobState.COMPLETED
    with pytest.raises(JobFailed, match="found the answer of"):
        client.embed(SENTENCES, terms=lying)


def test_worker__vanishes_after_its_claim__client_gets_price_and_compensation(
    devnet: Devnet, client: Client, steps: list[Progress]
) -> None:
    before = wallet(client)
    vanishing = devnet.nodes["vanishing-worker"]
    posted = client.post(client.build_request(SENTENCES), terms_for(devnet, "vanishing-worker"))
    wait_for(
        lambda: vanishing.process is not None and vanishing.process.poll() is not None,
        what="the worker's end",
    )
    stake = client.suite.staking.slashable(devnet.address("vanishing-worker"))
    devnet.anvil.increase_time(Terms().submit_window + 1)
    with pytest.raises(JobFailed, match="did not answer in time"):
        client.wait(posted.id)
    # Half a price is taken: half of it compensates, a tenth is for whoever called, which was the client.
    penalty = posted.terms.bond * 125 // 10_000
    assert penalty == Terms().price // 2
    assert wallet(client) == before + penalty // 2 + penalty // 10
    assert client.suite.staking.slashable(devnet.address("vanishing-worker")) == stake - penalty
    assert client.suite.staking.committed(devnet.address("vanishing-worker")) == 0


def operate(devnet: Devnet, role: str, *arguments: str) -> str:
    """A command of the operator of a node whose process does not run; its standard output."""
    config = str(devnet.directory / f"{role}.toml")
    run = CliRunner(mix_stderr=False).invoke(main, [*arguments, "--config", config])
    assert run.exit_code == 0, run.stderr
    return run.stdout


def test_operator_commands__of_a_worker_that_is_down__stake_keys_and_earnings(
    devnet: Devnet, client: Client, restart: Callable[[str], None]
) -> None:
    worker, requester = devnet.address("worker"), devnet.address("requester")
    config = str(devnet.directory / "worker.toml")
    running = CliRunner(mix_stderr=False).invoke(main, ["stake", "add", "1", "--config", config])
    assert running.exit_code == 1
    assert "another sender works with the key" in running.stderr
    stake = json.loads(operate(devnet, "worker", "stake", "show", "--json"))
    assert (stake["operator"], stake["own"]) == (worker, str(10_000 * MILL))
    assert stake["largest_bond"] == str(1_000 * MILL)
    devnet.nodes["worker"].stop()

    client.sender.send("gift", client.suite.mill_token.transfer(worker, 5 * MILL))
    assert "10,005 MILL in all" in operate(devnet, "worker", "stake", "add", "5")
    assert "5 MILL thaws" in operate(devnet, "worker", "stake", "thaw", "5")
    early = CliRunner(mix_stderr=False).invoke(main, ["stake", "redeem", "--config", config])
    assert early.exit_code == 1
    assert "has thawed before" in early.stderr

    assert "may work" in operate(devnet, "worker", "hot-key", "add", requester)
    assert client.suite.staking.is_hot_key(worker, requester)
    assert "no longer" in operate(devnet, "worker", "hot-key", "remove", requester)
    assert not client.suite.staking.is_hot_key(worker, requester)

    assert json.loads(operate(devnet, "worker", "earnings", "show", "--json")) == {"earnings": []}
    token, staking = client.suite.mill_token, client.suite.staking
    before = token.balance_of(worker)
    client.sender.send("allow distribution", token.approve(staking.address, 3 * MILL))
    client.sender.send("distribute", staking.distribute(worker, token.address, 3 * MILL))
    [waiting] = json.loads(operate(devnet, "worker", "earnings", "collect", "--json"))["collected"]
    assert (waiting["token"], waiting["payable"]) == (token.address, str(3 * MILL))
    assert token.balance_of(worker) == before + 3 * MILL
    members = json.loads(operate(devnet, "worker", "committee", "show", "--json"))
    assert [member["operator"] for member in members["members"]] == client.suite.oracle_committee.members()
    joining = CliRunner(mix_stderr=False).invoke(main, ["committee", "join", "--config", config])
    assert joining.exit_code == 0, joining.stderr  # its stake bears the bond, a tenth of it
    assert "has left" in operate(devnet, "worker", "committee", "leave")
    restart("worker")
