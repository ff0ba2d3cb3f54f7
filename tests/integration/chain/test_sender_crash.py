"""A sender killed at each step: the intent is mined exactly once, whoever continues it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from proofmill.chain import Journal, Status, Suite
from proofmill.chain.errors import SenderLocked
from proofmill.devnet.anvil import REPOSITORY, Anvil
from tests.integration.chain.crashing_child import MOMENTS
from tests.integration.conftest import SenderFactory

RECIPIENT = "0x00000000000000000000000000000000000000ac"
AMOUNT = 11


def run_child(anvil: Anvil, suite: Suite, account: LocalAccount, database: Path, moment: str) -> int:
    arguments = [anvil.rpc_url, str(database), "0x" + account.key.hex(), suite.mill_token.address, moment]
    command = [
        sys.executable,
        "-m",
        "tests.integration.chain.crashing_child",
        *arguments,
        RECIPIENT,
        str(AMOUNT),
    ]
    return subprocess.run(command, cwd=REPOSITORY, timeout=60, check=False).returncode


@pytest.mark.parametrize("continued_by", ["resume", "send"])
@pytest.mark.parametrize("moment", list(MOMENTS))
def test_killed_sender__is_continued__mines_exactly_once(
    moment: str,
    continued_by: str,
    anvil: Anvil,
    suite: Suite,
    operator: LocalAccount,
    tmp_path: Path,
    make_sender: SenderFactory,
) -> None:
    database = tmp_path / "crash.db"
    assert run_child(anvil, suite, operator, database, moment) == -signal.SIGKILL
    sender = make_sender(database=Journal(database))  # the dead process's lock is gone
    was_journaled = sender.status("pay") is not None
    assert was_journaled == (moment != "simulating")
    if continued_by == "resume":
        sender.resume()
        assert sender.status("pay") in (Status.MINED, None)
    if continued_by == "send" or not was_journaled:
        sender.send("pay", suite.mill_token.transfer(RECIPIENT, AMOUNT))
    assert suite.mill_token.balance_of(RECIPIENT) == AMOUNT
    assert anvil.web3.eth.get_transaction_count(operator.address) == 1


def test_other_process__holds_the_key__is_refused(
    anvil: Anvil, suite: Suite, operator: LocalAccount, tmp_path: Path, make_sender: SenderFactory
) -> None:
    program = (
        "import sys, fcntl\n"
        "from proofmill.chain.database import open_database, acquire_process_lock\n"
        f"acquire_process_lock(open_database(sys.argv[1]), {anvil.chain_id}, sys.argv[2])\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    database = tmp_path / "shared.db"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(database), operator.address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SenderLocked):
            make_sender(database=Journal(database))
        holder.kill()
    make_sender(database=Journal(database))
