"""The frame of a node: what only ends a turn, and what ends the process."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError
from web3.exceptions import BlockNotFound, Web3RPCError

from oracle.ballots import Ballots
from proofmill.chain import open_database
from proofmill.chain.errors import JournalUnavailable, NodeRefused, RpcUnavailable
from proofmill.logs import get_logger
from proofmill.service import run_until_stopped

RATE_LIMIT = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "limit exceeded"}}


def turns_survived(step: Callable[[], None]) -> int:
    """How many of three turns are begun when each does `step`."""
    stopping = threading.Event()
    turns = 0

    def counted() -> None:
        nonlocal turns
        turns += 1
        if turns == 3:
            stopping.set()
        step()

    run_until_stopped(counted, stopping=stopping, poll_interval=0.001, log=get_logger())
    return turns


@pytest.mark.parametrize(
    "error",
    [
        RpcUnavailable("away", remedy="wait"),
        Web3RPCError("limit exceeded", rpc_response=RATE_LIMIT),  # type: ignore[arg-type]
        BlockNotFound("the node is behind"),
        NodeRefused("no", remedy="another node"),
    ],
)
def test_run_until_stopped__node_fails_or_refuses__ends_the_turn_only(error: Exception) -> None:
    def step() -> None:
        raise error

    assert turns_survived(step) == 3


def test_run_until_stopped__bug__ends_the_process() -> None:
    def step() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        turns_survived(step)


def test_ballots__database_is_busy__is_an_expected_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    ballots = Ballots(open_database("sqlite://"))

    def busy() -> None:
        raise OperationalError("INSERT", {}, Exception("database is locked"))

    monkeypatch.setattr(ballots._engine, "begin", busy)
    with pytest.raises(JournalUnavailable):
        ballots.attested(bytes(32), 1)
