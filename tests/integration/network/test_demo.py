"""The demonstration as a user runs it: one command, real processes, both acts adding up."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from proofmill.exact.models.loading import load_embedder
from proofmill.jobs import sentences_of
from tests.integration.network.conftest import write_document

DOCUMENT = (
    "The harbour freezes over in the coldest winters.",
    "In very cold winters the port is covered by ice.",
    "A violin has four strings tuned in fifths.",
    "The committee computes the answer once more.",
)


def test_demo__document_of_the_user__both_acts_add_up(tmp_path: Path) -> None:
    document = write_document(tmp_path / "text.txt", *DOCUMENT)
    out = tmp_path / "embeddings.npz"
    run = subprocess.run(
        [sys.executable, "-c", "from proofmill.cli import main; main()", "demo", str(document), "--json"]
        + ["--out", str(out), "--directory", str(tmp_path / "network")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["adds_up"] is True
    assert [act["state"] for act in report["acts"]] == ["completed", "rejected"]
    for act in report["acts"]:
        assert [step["call"] for step in act["history"]] == [
            "JobEscrow.post",
            "JobEscrow.claim",
            "JobEscrow.submit",
            "OracleCommittee.transmit",
        ]
        assert all(step["gas"] > 21_000 for step in act["history"])
        assert act["gas"] == sum(step["gas"] for step in act["history"] + act["collections"])
    assert [step["call"] for step in report["acts"][0]["collections"]] == [
        "JobEscrow.collect_earnings",
        "Staking.pay_earnings",
    ]
    assert report["acts"][1]["collections"] == []
    assert set(report["nearest_pairs"][0]["sentences"]) == set(DOCUMENT[:2])
    assert "Act 2" in run.stderr

    answer = np.load(out)
    sentences = sentences_of(document.read_bytes())
    assert answer["sentences"].tolist() == sentences
    embedder = load_embedder("minilm-e16")
    np.testing.assert_array_equal(answer["quantized"], embedder.embed(embedder.tokenize(sentences)))
