"""What one hostile member may answer: it costs the leader a bounded time and memory, and never the process."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from oracle.peers import Peers, Reply
from proofmill.chain import Job
from tests.unit.oracle.conftest import Committee
from tests.unit.oracle.reports import all_find, proposal_of, report_on

MEMBER = "0x" + "11" * 20
Serve = Callable[[Callable[[socket.socket], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A peer that does with each connection whatever a test wants."""
    listeners: list[socket.socket] = []

    def start(behave: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    try:
                        behave(connection)
                    except OSError:
                        continue  # the other side hung up, as it should

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.close()


def answering(status: str, body: bytes, *headers: str) -> Callable[[socket.socket], None]:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]

    def behave(connection: socket.socket) -> None:
        connection.sendall("\r\n".join(lines).encode() + body)

    return behave


def ask(committee: Committee, url: str, job: Job, *, timeout: float = 5.0) -> Reply:
    all_find(committee, job)
    leader = committee.leader_of(1)
    peers = Peers({MEMBER: url}, timeout=timeout)
    try:
        [reply] = peers.propose(proposal_of(committee, leader, report_on(leader, job)))
    finally:
        peers.close()
    return reply


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": "no", "code": "disagree", "jobs": [1e999]}',
        b'{"error": "no", "code": "disagree", "jobs": ["' + b"9" * 5_000 + b'"]}',
        b'{"error": "no", "jobs": {"1": 2}}',
        b"[" * 60_000,
        b'{"error": ' * 6_000,
        b"\xff\xfe",
        b"null",
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "409 Conflict"])
def test_propose__nonsense_in_the_answer__is_no_answer(
    committee: Committee, submitted_job: Callable[..., Job], serve: Serve, body: bytes, status: str
) -> None:
    reply = ask(committee, serve(answering(status, body)), submitted_job())
    assert (reply.signature, reply.disputed_jobs) == (None, ())


def test_propose__compressed_answer__is_not_unfolded(
    committee: Committee, submitted_job: Callable[..., Job], serve: Serve
) -> None:
    """32 MiB of zeros in 32 KiB; twice compressed it would be gigabytes."""
    bomb = gzip.compress(bytes(32 << 20))
    reply = ask(committee, serve(answering("200 OK", bomb, "Content-Encoding: gzip")), submitted_job())
    assert reply.signature is None
    assert "unreadable" in (reply.refusal or "")


def test_propose__answer_that_trickles__is_cut_off(
    committee: Committee, submitted_job: Callable[..., Job], serve: Serve
) -> None:
    """One byte now and then passes every timeout that counts from the last byte."""

    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b" ")
            time.sleep(0.1)

    started = time.monotonic()
    reply = ask(committee, serve(trickle), submitted_job(), timeout=0.5)
    assert time.monotonic() - started < 3
    assert "no complete answer in 0.5 seconds" in (reply.refusal or "")


def test_propose__control_characters_in_a_refusal__do_not_reach_the_log(
    committee: Committee, submitted_job: Callable[..., Job], serve: Serve
) -> None:
    body = b'{"error": "\\u001b[2Jgone", "code": "\\u001b", "jobs": []}'
    reply = ask(committee, serve(answering("409 Conflict", body)), submitted_job())
    assert "\x1b" not in (reply.refusal or "") + (reply.code or "")
