"""``proofmill dispute``: what it says and refuses, with a stand-in for the chain. The games are in tests/integration/disputes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from eth_account import Account

from proofmill.chain import Job, JobTerms
from proofmill.chain.dispute_game import Case, Challenge
from proofmill.chain.records import StageFlag
from proofmill.chain.terms import Rates, Schedule
from proofmill.chain.types import EMPTY_ADDRESS, ContractCall, JobState
from proofmill.cli import main
from proofmill.disputes.inquiry import REASONS
from proofmill.disputes.prosecution import record_of
from proofmill.jobs import EmbeddingAnswer, EmbeddingRequest
from proofmill.store import BlobUnavailable

MODEL = b"\5" * 32
GAME, OPERATOR, STRANGER = ("0x" + digit * 40 for digit in "123")
ACCOUNT = Account.from_key(b"\7" * 32)
BOND = 100 * 10**18
NOW = 1_700_000_000
REQUEST = EmbeddingRequest(MODEL, ((1, 2), (3,)))
RIGHT = EmbeddingAnswer(np.array([[1, 2], [3, 4]], dtype=np.int32))
WRONG = EmbeddingAnswer(np.array([[1, 2], [3, 5]], dtype=np.int32))
TERMS = JobTerms(
    requester=STRANGER,  # type: ignore[arg-type]
    provider=EMPTY_ADDRESS,
    evaluator=STRANGER,  # type: ignore[arg-type]
    arbiter=GAME,  # type: ignore[arg-type]
    payment_token=STRANGER,  # type: ignore[arg-type]
    callback=EMPTY_ADDRESS,
    request_hash=b"\1" * 32,
    price_floor=1,
    price_ceiling=1,
    bond=1,
    schedule=Schedule(NOW, 0, NOW + 1, 600, 600, 600, 3_600),
    rates=Rates(0, 0, 0, 0, 0, 0, 0, 1),
)
JOB = Job(
    id=4,
    escrow=STRANGER,  # type: ignore[arg-type]
    terms=TERMS,
    model_id=MODEL,
    input_root=REQUEST.root,
    posted_block=10,
    stage=JobState.SUBMITTED,
    deadline=NOW + 600,
    commitment=b"\2" * 32,
    provider=OPERATOR,  # type: ignore[arg-type]
    claimed_at=NOW,
    deliverable=WRONG.root,
)
CHALLENGE = Challenge(
    challenger=STRANGER,  # type: ignore[arg-type]
    job_id=JOB.id,
    record=record_of(JOB),
    claim_id=bytes(32),
    bond=BOND,
    priority=NOW,
    status=1,
    pending=bytes(32),
    is_answered=False,
    challenger_left=600,
    defender_left=600,
    turn_began_at=NOW,
    asks=0,
)

NO_CASE = Case(0, 0, 0, 0, bytes(32))


@dataclass
class Chain:
    """What the command sees of a network, changed by each test before it runs."""

    job: Job = JOB
    is_registered: bool = True
    balance: int = 10 * BOND
    gas_price: int = 10**9
    blobs: dict[bytes, bytes] = field(
        default_factory=lambda: {REQUEST.root: REQUEST.to_bytes(), WRONG.root: WRONG.to_bytes()}
    )
    case: Case = NO_CASE
    challenges: dict[int, Challenge] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def log_event(self, name: str, **args: Any) -> None:
        self.events.append(SimpleNamespace(name=name, args=args, block_number=11, log_index=0))

    def open_challenge(self, challenge: Challenge = CHALLENGE) -> None:
        number = len(self.challenges) + 1
        self.challenges[number] = challenge
        self.case = Case(1, number, 1, 0, bytes(32))
        fields = {"job_id": JOB.id, "record": record_of(JOB)}
        self.log_event("ChallengeOpened", challenge_id=number, challenger=challenge.challenger, **fields)

    # the clients' methods that are called
    def send(self, intent: str, call: ContractCall) -> Any:
        self.sent.append(call.description)
        return {}

    def fetch(self, digest: bytes) -> bytes:
        if digest not in self.blobs:
            raise BlobUnavailable("the blob is not available", answers=[], remedy="Try again.")
        return self.blobs[digest]

    def client(self, watch: Any) -> Any:
        def call(name: str) -> Any:
            return lambda *_: ContractCall(None, name.encode(), name)

        web3 = SimpleNamespace(eth=SimpleNamespace(block_number=20, gas_price=self.gas_price))
        game = SimpleNamespace(
            address=GAME,
            web3=web3,
            log=lambda first, last: [each for each in self.events if first <= each.block_number <= last],
            challenge=lambda number: self.challenges[number],
            case=lambda job_id, record: self.case,
            challenge_bond=lambda: BOND,
            commit=call("commit"),
            open=call("open"),
            opened_in=lambda receipt: 1,
        )
        token = SimpleNamespace(
            balance_of=lambda account: self.balance, allowance=lambda *_: 0, approve=call("approve")
        )
        suite = SimpleNamespace(
            dispute_game=game,
            mill_token=token,
            job_escrow=SimpleNamespace(job=lambda job_id: self.job),
            model_registry=SimpleNamespace(is_registered=lambda model_id: self.is_registered),
        )
        sender = SimpleNamespace(address=ACCOUNT.address, send=self.send, status=lambda intent: None)
        return SimpleNamespace(
            account=ACCOUNT, suite=suite, sender=sender, fetcher=self, poll_interval=0.0, watch=watch
        )


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Chain:
    stand_in = Chain()

    @contextmanager
    def open_client(settings: Any, *, watch: Any = lambda _: None) -> Iterator[Any]:
        yield stand_in.client(watch)

    engine = SimpleNamespace(execute=lambda model_id, request: RIGHT.to_bytes())
    monkeypatch.setattr("proofmill.cli.dispute.Client.open", open_client)
    monkeypatch.setattr("proofmill.cli.dispute.minilm_engine", lambda: engine)
    return stand_in


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """The command with settings that nobody reads here."""
    path = tmp_path / "client.toml"
    names = ("deployment", "keystore", "password_file", "data_directory")
    lines = ['rpc_url = "http://127.0.0.1:1"', 'nodes = ["http://127.0.0.1:1"]']
    path.write_text("\n".join([*lines, *(f'{name} = "{tmp_path / name}"' for name in names)]) + "\n")

    def invoke(command: str, *arguments: str) -> Result:
        full = ["dispute", command, "4", "--config", str(path), *arguments]
        return CliRunner(mix_stderr=False).invoke(main, full)

    return invoke


# ------------------------------------------------------------------ open
def test_open__wrong_answer__challenged_and_says_how_to_go_on(chain: Chain, run: Any) -> None:
    result = run("open", "--no-watch")
    assert result.exit_code == 0, result.stderr
    assert chain.sent == ["commit", "approve", "open"]
    assert "the answer to sequence 1 is wrong" in result.stderr
    assert "proofmill dispute watch 4" in result.stdout


def test_open__json__holds_the_challenge(chain: Chain, run: Any) -> None:
    result = run("open", "--no-watch", "--json")
    assert json.loads(result.stdout) == {"job": 4, "challenge": 1, "result": "open"}


def test_open__answer_that_nobody_serves__challenged_all_the_same(chain: Chain, run: Any) -> None:
    del chain.blobs[WRONG.root]
    result = run("open", "--no-watch")
    assert result.exit_code == 0, result.stderr
    assert "nobody serves the submitted answer" in result.stderr
    assert chain.sent == ["commit", "approve", "open"]


REFUSED: list[tuple[dict[str, Any], tuple[str, ...], str]] = [
    ({"job": replace(JOB, deliverable=RIGHT.root)}, (), "the answer to job 4 is right"),
    ({"job": replace(JOB, deliverable=None)}, (), "has no answer yet"),
    ({"job": replace(JOB, terms=replace(TERMS, arbiter=EMPTY_ADDRESS))}, (), "judged by its committee alone"),
    ({"job": replace(JOB, stage=JobState.REJECTED)}, (), "job 4 is over"),
    (
        {"job": replace(JOB, stage=JobState.SUBMITTED | StageFlag.CONDEMNED << 4)},
        (),
        "the committee has rejected the answer",
    ),
    ({"is_registered": False}, (), "is not registered"),
    ({"balance": BOND - 1}, (), "a challenge posts 100 MILL"),
    ({"blobs": {}}, (), "not available"),
    ({"gas_price": 10**12}, ("--budget", "0.5"), "may cost 4.000000 ether of gas, the budget is 0.500000"),
]


@pytest.mark.parametrize(("change", "arguments", "words"), REFUSED)
def test_open__nothing_to_win_or_not_possible__refused_and_nothing_sent(
    chain: Chain, run: Any, change: dict[str, Any], arguments: tuple[str, ...], words: str
) -> None:
    for name, value in change.items():
        setattr(chain, name, value)
    result = run("open", *arguments)
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) >= 2, "with a remedy"
    assert chain.sent == []


def test_open__budget_that_suffices__is_no_obstacle(chain: Chain, run: Any) -> None:
    assert run("open", "--no-watch", "--budget", "0.01").exit_code == 0


def test_open__own_challenge_has_lost__says_so_and_fails(chain: Chain, run: Any) -> None:
    """After a restart the challenge is there already; no second one is opened."""
    chain.open_challenge(CHALLENGE._replace(challenger=ACCOUNT.address, status=2))
    result = run("open")
    assert result.exit_code == 1
    assert "lost" in result.stdout
    assert chain.sent == []


# ------------------------------------------------------------------ watch
def test_watch__no_challenge_of_this_account__refused(chain: Chain, run: Any) -> None:
    chain.open_challenge()  # a stranger's
    result = run("watch")
    assert result.exit_code == 1
    assert "this account has not challenged" in result.stderr
    assert "proofmill dispute open 4" in result.stderr


def test_watch__case_was_won_meanwhile__says_so_without_running_the_job_again(chain: Chain, run: Any) -> None:
    chain.open_challenge(CHALLENGE._replace(challenger=ACCOUNT.address, status=3))
    chain.case = Case(3, 0, 1, 0, next(iter(REASONS)))
    chain.blobs.clear()
    result = run("watch", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["result"] == "won"


# ------------------------------------------------------------------ status
def test_status__nobody_doubts__says_so(chain: Chain, run: Any) -> None:
    result = run("status")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "nobody has doubted the answer" in result.stdout


def test_status__open_challenges__whose_move_it_is_and_until_when(chain: Chain, run: Any) -> None:
    chain.open_challenge()
    chain.open_challenge(CHALLENGE._replace(pending=b"\1" * 32, asks=1))
    chain.open_challenge(CHALLENGE._replace(status=2))
    chain.log_event("ItemsAsked", challenge_id=2, key=b"\1" * 32)
    report = json.loads(run("status", "--json").stdout)
    assert report["standing"] == "in dispute, 3 open"
    first, second, third = (each["standing"] for each in report["challenges"])
    assert first == "waits until 2023-11-14 22:23:20+00:00 for its challenger"
    assert second.endswith("for the operator to publish what it answered to each sequence")
    assert third == "lost, its challenger was silent"
    assert report["challenges"][0]["bond"] == str(BOND)
    words = run("status").stdout
    assert "in dispute, 3 open" in words
    assert "100 MILL" in words


@pytest.mark.parametrize(
    ("case", "outcome", "words"),
    [
        (
            Case(2, 1, 1, 0, next(iter(REASONS))),
            0,
            "the answer is refuted (a step of the trace is false), the escrow is still to be told",
        ),
        (
            Case(3, 0, 1, 0, next(iter(REASONS))),
            1,
            "settled: the operator is convicted (a step of the trace is false)",
        ),
        (Case(3, 0, 0, 0, bytes(32)), 3, "settled: it is dismissed"),
        (Case(3, 0, 0, NOW, bytes(32)), 2, "settled: the answer is upheld"),
        (
            Case(1, 0, 0, NOW, bytes(32)),
            0,
            "appealed by its operator, may be challenged until 2023-11-14 22:13:20+00:00",
        ),
    ],
)
def test_status__case_in_words(chain: Chain, run: Any, case: Case, outcome: int, words: str) -> None:
    chain.case = case
    chain.log_event("CaseOpened", job_id=4, record=record_of(JOB))
    if outcome:
        chain.log_event("CaseSettled", job_id=4, record=record_of(JOB), outcome=outcome)
    assert json.loads(run("status", "--json").stdout)["standing"] == words
