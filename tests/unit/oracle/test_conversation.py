"""The same conversation over HTTP: real servers on this machine, real clients, hostile bodies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from oracle.messages import MAXIMUM_MESSAGE_BYTES, AttestedReport
from oracle.peers import Peers
from oracle.routes import build_application
from proofmill.chain import Job
from proofmill.health import Health
from proofmill.store import DirectoryStore, ServiceServer
from tests.unit.oracle.conftest import Committee, Member
from tests.unit.oracle.reports import all_find, proposal_of, report_on


@pytest.fixture
def urls(committee: Committee, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Every member but the first serves; the first talks to them over HTTP."""
    servers: list[ServiceServer] = []
    addresses: dict[str, str] = {}
    for index, member in enumerate(committee.members[1:]):
        application = build_application(
            rounds=member.rounds,
            store=DirectoryStore(tmp_path / f"served-{index}"),
            health=Health(role="oracle", address=member.account.address, stale_after=60),
            accept_uploads=True,
        )
        server = ServiceServer(application).start()
        servers.append(server)
        addresses[member.operator] = server.url
    yield addresses
    for server in servers:
        server.stop()


def over_http(member: Member, urls: dict[str, str]) -> Peers:
    peers = Peers(urls, timeout=5)
    member.rounds._peers = peers
    return peers


def test_lead__over_http__quorum_and_hand_over(
    committee: Committee, urls: dict[str, str], submitted_job: Callable[..., Job]
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job, latest_sequence=3)  # sequence 4 is led by member 0
    leader = committee.members[0]
    peers = over_http(leader, urls)
    leader.rounds.lead()
    leader.rounds.relay()
    peers.close()
    assert leader.transmitted[0].signers.bit_count() == 2
    assert all(member.ballots.attested(committee.view.config_digest, 4) for member in committee.members[1:])


def test_propose__one_peer_down_one_talks_nonsense__the_rest_answer(
    committee: Committee, urls: dict[str, str], submitted_job: Callable[..., Job]
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job, latest_sequence=3)
    names = list(urls)
    hostile = {**urls, names[0]: "http://127.0.0.1:9", names[1]: urls[names[1]] + "/healthz?"}
    leader = committee.members[0]
    peers = over_http(leader, hostile)
    replies = {
        reply.member: reply
        for reply in peers.propose(proposal_of(committee, leader, report_on(leader, job, sequence=4)))
    }
    peers.close()
    assert replies[names[0]].code == "unreachable"  # type: ignore[index]
    assert replies[names[1]].signature is None  # type: ignore[index]
    assert replies[names[2]].signature is not None  # type: ignore[index]


@pytest.mark.parametrize("path", ["/proposals", "/attested"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"\x00\xff" * 100, 422),
        (b"[]", 422),
        (b'{"report": {"sequence": -1}}', 422),
        (b"{" + b" " * (MAXIMUM_MESSAGE_BYTES + 1), 413),
    ],
)
def test_post__hostile_body__refused_in_words(
    urls: dict[str, str], path: str, body: bytes, status: int
) -> None:
    response = httpx.post(next(iter(urls.values())) + path, content=body)
    assert response.status_code == status
    assert response.json()["error"]


def test_attested__forged__refused(
    committee: Committee, urls: dict[str, str], submitted_job: Callable[..., Job]
) -> None:
    job = submitted_job()
    all_find(committee, job)
    committee.sees(job)
    leader = committee.members[1]
    report = report_on(leader, job)
    proposal = proposal_of(committee, leader, report)
    forged = AttestedReport(
        report=proposal.report, signers=0b11, signatures=[proposal.signature, proposal.signature]
    )
    response = httpx.post(next(iter(urls.values())) + "/attested", content=forged.model_dump_json())
    assert (response.status_code, response.json()["code"]) == (409, "signatures")
