"""``proofmill model``: import, show, verify, bench on small models, and what it says to files it cannot use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from proofmill.cli import main
from proofmill.exact.manifest.document import describe
from proofmill.exact.manifest.packed import read_packed, write_packed
from proofmill.exact.models import golden
from proofmill.exact.program.model import Model
from tests.unit.exact.small_models import small_bert, small_bert_folder, small_cnn, small_llama


def run(*arguments: str | Path) -> Result:
    return CliRunner(mix_stderr=False).invoke(main, ["model", *map(str, arguments)])


def packed(directory: Path, model: Model) -> Path:
    path = directory / f"{model.description.name}.safetensors"
    write_packed(path, describe(model), model)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A published model: config.json and model.safetensors."""
    path = tmp_path / "published"
    small_bert_folder(path)
    return path


def test_list__names_every_known_model() -> None:
    result = run("list", "--json")
    names = [entry["name"] for entry in json.loads(result.stdout)["models"]]
    assert {"minilm-e16", "minilm-e16x", "smollm2-e16", "smollm2-e16x", "digits-e16", "digits-e16x"} == set(
        names
    )
    assert "minilm-e16x" in run("list").stdout


@pytest.mark.parametrize("profile", ["E16", "E16x"])
def test_import__published_folder__becomes_the_same_model(tmp_path: Path, folder: Path, profile: str) -> None:
    out = tmp_path / "model.safetensors"
    result = run("import", folder, "--out", out, "--profile", profile, "--name", "small-bert", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    manifest, model = read_packed(out)
    assert report["model_id"] == manifest.model_id.hex()
    assert report["profile"] == model.description.profile == profile
    expected = small_bert(profile)  # type: ignore[arg-type]
    assert model.program == expected.program
    for words in ("converting", "proving", "hashing", "writing"):
        assert words in result.stderr, "each step is told"


def test_import__file_exists__is_kept_unless_forced(tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "model.safetensors"
    out.write_text("precious")
    result = run("import", folder, "--out", out)
    assert result.exit_code == 1
    assert "exists" in result.stderr
    assert "--force" in result.stderr
    assert out.read_text() == "precious"
    assert run("import", folder, "--out", out, "--force").exit_code == 0
    read_packed(out)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("no such source", "neither a file nor a directory"),
        ("no config", "config.json"),
        ("another family", "model_type is 'gpt2'"),
        ("truncated weights", "model.safetensors"),
        ("a tensor missing", "encoder.layer.0.output.dense.weight"),
        ("not a number", "not finite"),
        ("not gguf", "not a GGUF file"),
        ("broken gguf", "cannot be read"),
    ],
)
def test_import__unusable_source__is_refused_by_place_and_writes_nothing(
    tmp_path: Path, folder: Path, damage: str, words: str
) -> None:
    source: Path = folder
    weights = folder / "model.safetensors"
    if damage == "no such source":
        source = tmp_path / "nothing"
    elif damage == "no config":
        (folder / "config.json").unlink()
    elif damage == "another family":
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    elif damage == "truncated weights":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage in ("a tensor missing", "not a number"):
        tensors = load_file(weights)
        if damage == "a tensor missing":
            del tensors["encoder.layer.0.output.dense.weight"]
        else:
            tensors["encoder.layer.1.output.dense.weight"][0, 0] = float("nan")
        save_file(tensors, weights)
    else:
        source = tmp_path / ("model.bin" if damage == "not gguf" else "model.gguf")
        source.write_bytes(b"GGUF" + bytes(100))
    out = tmp_path / "out.safetensors"
    result = run("import", source, "--out", out)
    assert result.exit_code == 1, result.stdout
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not out.exists()


@pytest.mark.parametrize("make", [small_bert, small_llama, small_cnn])
def test_show__packed_file__says_what_it_computes(tmp_path: Path, make: Callable[[str], Model]) -> None:
    model = make("E16")
    path = packed(tmp_path, model)
    facts = json.loads(run("show", path, "--operators", "--json").stdout)
    assert facts["model_id"] == describe(model).model_id.hex()
    assert len(facts["operator_list"]) == len(model.program.operators)
    shown = run("show", path, "--operators").stdout
    assert facts["model_id"] in shown
    assert model.description.task in shown


@pytest.mark.parametrize("make", [small_bert, small_cnn])
def test_verify__good_model__all_carriers_agree(tmp_path: Path, make: Callable[[str], Model]) -> None:
    path = packed(tmp_path, make("E16"))
    result = run("verify", path, "--carrier", "fp64", "--carrier", "int64")
    assert result.exit_code == 0, result.stderr
    assert "carriers agree with each other" in result.stdout.replace("\n", " ")


def test_verify__recorded_answer_differs__fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_cnn("E16")
    monkeypatch.setitem(golden.GOLDEN_ANSWERS, describe(model).model_id.hex(), "0" * 64)
    result = run("verify", packed(tmp_path, model), "--carrier", "fp64", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["right"] is False
    assert "golden" in result.stderr


@pytest.mark.parametrize("command", ["show", "verify", "bench"])
def test_a_damaged_file_is_refused(tmp_path: Path, command: str) -> None:
    path = packed(tmp_path, small_bert("E16"))
    path.write_bytes(path.read_bytes()[:-5])
    result = run(command, path)
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("make", [small_bert, small_cnn])
def test_bench__reports_rates(tmp_path: Path, make: Callable[[str], Model]) -> None:
    result = run("bench", packed(tmp_path, make("E16")), "--carrier", "fp64", "--runs", "1", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["carrier"] == "fp64"
    assert all(entry["per_second"] > 0 for entry in report["results"].values())


def test_import__packaged_model_with_options__is_refused_instead_of_ignoring_them(tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    result = run("import", "digits-e16", "--out", out, "--profile", "E16x")
    assert result.exit_code == 1
    assert "are fixed" in result.stderr
    assert not out.exists()
    assert run("import", "digits-e16", "--out", out).exit_code == 0
    assert read_packed(out)[1].description.profile == "E16"


def test_import__place_cannot_be_written__is_said_before_converting(tmp_path: Path, folder: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    result = run("import", folder, "--out", blocked / "model.safetensors")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert "converting" not in result.stderr


def test_import__disk_full__is_said_and_leaves_nothing(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **keywords: object) -> None:
        raise SafetensorError("no space left on device")

    monkeypatch.setattr("proofmill.exact.manifest.packed.save_file", fail)
    out = tmp_path / "out" / "model.safetensors"
    result = run("import", folder, "--out", out)
    assert result.exit_code == 1
    assert "no space left" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(out.parent.iterdir()) == []


def test_verify__no_carrier_available__does_not_accuse_the_machine(tmp_path: Path) -> None:
    path = packed(tmp_path, small_cnn("E16"))
    result = run("verify", path, "--carrier", "bf16")
    assert result.exit_code == 1
    assert "nothing was computed" in result.stderr
    assert "other bits" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("missing.safetensors", "Check the path"),
        ("model.gguf", "Import it first"),
        ("folder", "Import it first"),
        ("notes.txt", "no packed model"),
        ("[/red]nosuch", "Known models"),
    ],
)
def test_show__what_is_no_packed_model__is_never_advised_to_be_deleted(
    tmp_path: Path, name: str, remedy: str
) -> None:
    if name == "folder":
        (tmp_path / name).mkdir()
    elif "." in name and not name.startswith("missing"):
        (tmp_path / name).write_text("something else")
    result = run("show", name if name.startswith("[") else tmp_path / name)
    assert result.exit_code == 1
    assert remedy in result.stderr
    assert "Delete" not in result.stderr
    assert "Traceback" not in result.stderr


def test_bench__model_of_few_positions__is_measured(tmp_path: Path) -> None:
    result = run("bench", packed(tmp_path, small_llama("E16")), "--carrier", "fp64", "--runs", "1", "--json")
    assert result.exit_code == 0, result.stderr
    assert len(json.loads(result.stdout)["results"]) == 3
