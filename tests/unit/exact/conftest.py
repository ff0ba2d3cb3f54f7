"""One MiniLM for the tests of the engine, converted into a directory that lives as long as the test run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from proofmill.exact.embedder import Embedder


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def minilm(model_cache: Path) -> Embedder:
    from proofmill.exact.models.loading import load_embedder

    return load_embedder("minilm-e16", cache_directory=model_cache)
