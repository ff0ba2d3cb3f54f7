"""docs/EXACT.md states the numbers the program uses."""

from pathlib import Path

from proofmill.exact import MINILM_MODEL_ID, Embedder, Manifest
from proofmill.exact.tables import EXP2_SHA256, PHI_SHA256

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "EXACT.md").read_text("utf-8")


def test_document_states_the_pinned_numbers(minilm: Embedder) -> None:
    constants = Manifest.from_bytes(minilm.manifest).constants
    expected = [MINILM_MODEL_ID, EXP2_SHA256, PHI_SHA256]
    expected.append(
        f"ε = {constants.layer_norm_epsilon}, root = {constants.layer_norm_root} and m = {constants.score_multiplier}"
    )
    assert [text for text in expected if text not in TEXT] == []
