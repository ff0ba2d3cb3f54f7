"""Deploying: complete, resumable, checked; and the anvil process itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from eth_abi.abi import decode
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from proofmill.chain import Deployment, Journal, Suite, connect
from proofmill.chain.errors import DeploymentInvalid, RpcUnavailable, WrongChain
from proofmill.chain.job_escrow import PostingRates
from proofmill.deploy import (
    INITIAL_RATES,
    Artifacts,
    DeployParameters,
    InvalidParameters,
    NotOwner,
    configure_committee,
    deploy_suite,
)
from proofmill.devnet.anvil import Anvil, AnvilFailed
from tests.integration.chain.faults import faulty, once
from tests.integration.conftest import SenderFactory


class Crash(BaseException):
    """Ends a deployment in the middle, as a killed process would."""


def crash() -> None:
    raise Crash


def rates_set(anvil: Anvil, escrow: ChecksumAddress) -> list[PostingRates]:
    """Every set of rates that an escrow has had, its constructor's first."""
    topic = keccak(text="RatesSet(uint256,uint256,uint256,uint256)")
    logs = anvil.web3.eth.get_logs(
        {"address": escrow, "topics": [HexBytes(topic)], "fromBlock": 0, "toBlock": "latest"}
    )
    return [PostingRates(*decode(["uint256"] * 4, bytes(log["data"]))) for log in logs]


def test_deploy_suite__interrupted__is_finished_by_running_again(
    anvil: Anvil, tmp_path: Path, make_sender: SenderFactory
) -> None:
    deployer, admin = anvil.accounts[3], anvil.accounts[4].address
    parameters = DeployParameters(name="again", admin=admin)
    journal = Journal(tmp_path / "deploy.db")
    for method in ("eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_estimateGas"):
        web3 = faulty(anvil.rpc_url, method, before=once(crash))
        sender = make_sender(connection=web3, account=deployer, database=journal)
        with pytest.raises(Crash):
            deploy_suite(web3, sender, parameters=parameters)
        sender.close()
    sender = make_sender(account=deployer, database=journal)
    deployment = deploy_suite(anvil.web3, sender, parameters=parameters)
    assert anvil.web3.eth.get_transaction_count(deployer.address) == 15 + 8 + 6
    deployment.verify(anvil.web3)
    suite = deployment.connect(anvil.web3)
    for contract in (suite.staking, suite.job_escrow, suite.oracle_committee, suite.capability_registry):
        assert (contract.owner(), contract.pending_owner()) == (deployer.address, admin)
    escrow, staking, token = suite.job_escrow, suite.staking, suite.mill_token.address
    assert [
        staking.is_verifier(suite.job_escrow.address),
        staking.is_verifier(suite.oracle_committee.address),
    ] == [True] * 2
    assert staking.is_earnings_token(token)
    assert escrow.payment_tokens() == [token]
    assert escrow.evaluator() == suite.oracle_committee.address
    # The second time by the deployment, which changes nothing but the late penalty of what the constructor set.
    assert rates_set(anvil, escrow.address) == [INITIAL_RATES, INITIAL_RATES._replace(late_penalty_bps=125)]
    assert escrow.rates() == INITIAL_RATES._replace(late_penalty_bps=125)
    assert escrow.capability_registry() == suite.capability_registry.address
    assert suite.capability_registry.committee() == suite.oracle_committee.address
    assert suite.oracle_committee.members() == []
    accepting = make_sender(account=anvil.accounts[4], database=journal)
    accepting.send("accept", suite.staking.accept_ownership())
    assert suite.staking.owner() == admin


def test_configure_committee__again_and_by_others__does_only_what_is_needed(
    anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    members = [member.address for member in anvil.accounts[5:9]]
    committee, owner = suite.oracle_committee, make_sender(account=anvil.accounts[0])
    assert not configure_committee(suite, owner, members, 1)
    changed = [*members[1:], members[0]]
    with pytest.raises(NotOwner, match="belongs to"):
        configure_committee(suite, make_sender(account=anvil.accounts[1]), changed, 1)
    assert configure_committee(suite, owner, changed, 1)
    assert (committee.members(), committee.keys(), committee.config_count()) == (changed, changed, 2)
    assert configure_committee(suite, owner, members, 1)
    assert configure_committee(
        suite, owner, changed, 1
    )  # the same once more is another step, not the same intent
    assert committee.config_count() == 4


def test_configure_committee__members_that_do_not_fit__are_named(
    anvil: Anvil, suite: Suite, make_sender: SenderFactory
) -> None:
    owner = make_sender(account=anvil.accounts[0])
    members = [member.address for member in anvil.accounts[5:9]]
    stranger = anvil.accounts[4].address
    with pytest.raises(InvalidParameters, match=f"have not joined the committee: {stranger}"):
        configure_committee(suite, owner, [stranger, *members[:3]], 1)
    for wrong in (members[:3], [members[0]] * 4):
        with pytest.raises(InvalidParameters, match="do not tolerate 1 faults"):
            configure_committee(suite, owner, wrong, 1)


def test_load__manifest_of_this_chain__round_trips(
    anvil: Anvil, deployment: Deployment, tmp_path: Path
) -> None:
    path = tmp_path / "manifest.json"
    deployment.save(path)
    assert Deployment.load(path, anvil.web3) == deployment


def test_load__chain_started_anew__is_refused(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    deployment.save(path)
    with Anvil() as other, pytest.raises(DeploymentInvalid, match="no code"):
        Deployment.load(path, other.web3)
    with Anvil(chain_id=5) as other, pytest.raises(WrongChain):
        Deployment.load(path, other.web3)


def test_creation_code__every_contract__is_compiled() -> None:
    assert len(Artifacts().creation_code("JobEscrow")) > 1_000


def test_connect__other_chain__is_refused(session_anvil: Anvil) -> None:
    with pytest.raises(WrongChain):
        connect(session_anvil.rpc_url, 1)


def test_anvil__stopped__answers_no_more() -> None:
    with Anvil() as anvil:
        url = anvil.rpc_url
        log_file = anvil.log_file
        assert anvil.web3.eth.block_number == 0
        anvil.mine(3)
        assert anvil.web3.eth.block_number == 3
    assert not anvil.is_running
    assert log_file is not None
    assert not log_file.exists()
    with pytest.raises(RpcUnavailable):
        connect(url, timeout=1)


def test_anvil__port_taken__says_why(session_anvil: Anvil) -> None:
    taken = int(session_anvil.rpc_url.rsplit(":", 1)[1])
    with pytest.raises(AnvilFailed, match="did not start"):
        Anvil(port=taken).start()


def test_anvil__block_time__mines_by_itself() -> None:
    with Anvil(block_time=1) as anvil:
        deadline = time.monotonic() + 5
        while anvil.web3.eth.block_number == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert anvil.web3.eth.block_number > 0


def test_anvil__parent_killed__dies_too() -> None:
    program = (
        "from proofmill.devnet.anvil import Anvil\n"
        "import time\n"
        "anvil = Anvil().start()\n"
        "print(anvil.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while _is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _is_alive(child)


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits for its parent to read its status does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
