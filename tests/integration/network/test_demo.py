"""The demonstration as a user runs it: one command, real processes, every act adding up."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proofmill.client import MILL
from proofmill.exact.models.loading import load_embedder
from proofmill.jobs import sentences_of
from tests.integration.network.conftest import write_document

DOCUMENT = (
    "The harbour freezes over in the coldest winters.",
    "In very cold winters the port is covered by ice.",
    "A violin has four strings tuned in fifths.",
    "The committee computes the answer once more.",
)
COLLUDERS = ["oracle-1", "oracle-3"]
PRICE, BOND, MEMBER_BOND = 10 * MILL, 400 * MILL, 200 * MILL


@dataclass(frozen=True)
class Demonstration:
    """One run of the command: what it printed, and where."""

    report: dict[str, Any]
    progress: str
    document: Path
    embeddings: Path

    def changes(self, act: int) -> dict[str, int]:
        """What became more or less in an act, by the name of the balance."""
        before, after = self.report["acts"][act]["before"], self.report["acts"][act]["after"]
        found = {name: int(after[name]) - int(amount) for name, amount in before.items()}
        return {name: change for name, change in found.items() if change}


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    folder = tmp_path_factory.mktemp("demonstration")
    document, out = write_document(folder / "text.txt", *DOCUMENT), folder / "embeddings.npz"
    run = subprocess.run(
        [sys.executable, "-c", "from proofmill.cli import main; main()", "demo", str(document), "--json"]
        + ["--out", str(out), "--directory", str(folder / "network")],
        capture_output=True,
        text=True,
        timeout=560,  # below the limit of a test, so that what it has said is not lost
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return Demonstration(json.loads(run.stdout), run.stderr, document, out)


def test_demo__document_of_the_user__embedded(demonstration: Demonstration) -> None:
    report = demonstration.report
    assert set(report["nearest_pairs"][0]["sentences"]) == set(DOCUMENT[:2])
    answer = np.load(demonstration.embeddings)
    sentences = sentences_of(demonstration.document.read_bytes())
    assert answer["sentences"].tolist() == sentences
    embedder = load_embedder("minilm-e16")
    np.testing.assert_array_equal(answer["quantized"], embedder.embed(embedder.tokenize(sentences)))


def test_demo__every_act__adds_up(demonstration: Demonstration) -> None:
    report = demonstration.report
    assert report["adds_up"] is True
    assert [act["problems"] for act in report["acts"]] == [[], [], []]
    assert [act["close_reason"] for act in report["acts"]] == ["attested", "condemned", "refuted"]
    assert ["Act 2" in demonstration.progress, "Act 3" in demonstration.progress] == [True, True]
    for act in report["acts"]:
        assert [step["call"] for step in act["history"][:4]] == [
            "JobEscrow.post",
            "JobEscrow.claim",
            "JobEscrow.submit",
            "OracleCommittee.transmit",
        ]
        assert all(step["gas"] > 21_000 for step in act["history"])
        assert act["gas"] == sum(step["gas"] for step in act["history"] + act["collections"])
    assert [len(act["history"]) for act in report["acts"]] == [4, 4, 5]
    for act in (0, 2):
        assert [step["call"] for step in report["acts"][act]["collections"]] == [
            "JobEscrow.collect_earnings",
            "Staking.pay_earnings",
        ]
    assert report["acts"][1]["collections"] == []


def test_demo__committee_attests_a_lie__one_challenger_has_worker_and_signers_slashed(
    demonstration: Demonstration,
) -> None:
    act = demonstration.report["acts"][2]
    assert act["signers"] == COLLUDERS
    assert act["proof"].startswith("operator 5 (linear): ")
    game = [(move["who"], move["call"]) for move in act["moves"] if move["call"].startswith("DisputeGame.")]
    assert game == [
        ("challenger", "DisputeGame.commit"),
        ("challenger", "DisputeGame.open"),
        ("challenger", "DisputeGame.name_item"),
        ("forging-worker", "DisputeGame.post_trace"),
        ("challenger", "DisputeGame.ask"),
        ("forging-worker", "DisputeGame.reveal_rows"),
        ("challenger", "DisputeGame.ask"),
        ("forging-worker", "DisputeGame.reveal_row"),
        ("challenger", "DisputeGame.prove"),
        ("challenger", "DisputeGame.settle"),
        ("challenger", "DisputeGame.reclaim"),
    ]
    proofs = [move["who"] for move in act["moves"] if move["call"] == "OracleCommittee.prove_misjudgement"]
    assert proofs == ["challenger"] * len(COLLUDERS), "it had no help"
    assert all(move["words"] for move in act["moves"])
    assert act["gas_by_role"]["challenger"] == sum(
        move["gas"] for move in act["moves"] if move["who"] == "challenger"
    )
    assert [slash["who"] for slash in act["slashes"]] == ["forging-worker", *COLLUDERS]
    assert 0 < act["slashes"][0]["seconds_after_the_lie"] < 3_600, "no clock had to run out"


def test_demo__committee_attests_a_lie__everybody_has_what_is_due(demonstration: Demonstration) -> None:
    """In numbers, so that the command's own arithmetic is checked by another's."""
    assert demonstration.changes(2) == {
        # The requester is not listed: it paid the price, and has as much out of the worker's stake.
        "challenger: wallet": BOND // 10 + 2 * MEMBER_BOND // 4,
        "forging-worker: wallet": PRICE,
        "forging-worker: stake": -BOND,
        "oracle-1: stake": -MEMBER_BOND,
        "oracle-3: stake": -MEMBER_BOND,
        "total supply": -(BOND - PRICE - BOND // 10) - 2 * (MEMBER_BOND - MEMBER_BOND // 4),
    }
    slashes = demonstration.report["acts"][2]["slashes"]
    assert [int(slash["to_requester"]) for slash in slashes] == [PRICE, 0, 0]
    for slash in slashes:
        shares = ("to_requester", "to_reporter", "insured", "burned")
        assert int(slash["taken"]) == sum(int(slash[share]) for share in shares)
