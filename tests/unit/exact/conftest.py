"""One MiniLM for the tests of the engine, converted into a directory that lives as long as the test run."""

from pathlib import Path

import pytest

from proofmill.exact import Embedder, load_minilm


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def minilm(model_cache: Path) -> Embedder:
    return load_minilm(cache_directory=model_cache)
