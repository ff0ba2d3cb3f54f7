"""What the command line says to input it cannot use: the cause, what to do, status 1, no stack trace, nothing spent.

No network runs here: every one of these must be refused before one is needed.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from proofmill.cli import main
from proofmill.cli.documents import read_sentences
from proofmill.errors import ProofmillError


def run(*arguments: str, directory: Path) -> Result:
    with CliRunner(mix_stderr=False).isolated_filesystem(directory):
        return CliRunner(mix_stderr=False).invoke(main, list(arguments))


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Settings of a network that does not exist."""
    path = tmp_path / "client.toml"
    path.write_text(
        'rpc_url = "http://127.0.0.1:9"\ndeployment = "d.json"\nkeystore = "k.json"\npassword_file = "p"\n'
        'data_directory = "data"\nnodes = ["http://127.0.0.1:9"]\n',
        encoding="utf-8",
    )
    return path


UNUSABLE = {
    "empty": (b"", "empty"),
    "only blank": (b" \n\t\n", "empty"),
    "binary": (bytes(range(256)) * 20, "binary"),
    "another encoding": ("Ein Satz mit fünf Wörtern.".encode("latin-1"), "UTF-8"),
    "ten megabytes": (b"A sentence of five words. " * 400_000, "10,400,000 bytes"),
    "no sentences": (b"a\n\nb\n\nc\n", "sentence"),
    "too many sentences": (b"This is a sentence here.\n\n" * 5_000, "5,000 sentences"),
}


@pytest.mark.parametrize("command", ["demo", "embed"])
@pytest.mark.parametrize("kind", UNUSABLE)
def test_document__unusable__is_refused_in_words(
    command: str, kind: str, tmp_path: Path, settings: Path
) -> None:
    content, words = UNUSABLE[kind]
    document = tmp_path / "document"
    document.write_bytes(content)
    options = ["--out", str(tmp_path / "out.npz")] + (
        ["--config", str(settings)] if command == "embed" else []
    )
    result = run(command, str(document), *options, directory=tmp_path)
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) >= 2, "a remedy follows the cause"
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("command", ["demo", "embed"])
def test_document__does_not_exist_or_is_a_folder__says_so(
    command: str, tmp_path: Path, settings: Path
) -> None:
    options = ["--out", str(tmp_path / "out.npz")] + (
        ["--config", str(settings)] if command == "embed" else []
    )
    for name in ("absent.txt", "."):
        result = run(command, str(tmp_path / name), *options, directory=tmp_path)
        assert result.exit_code == 1
        assert "cannot be read" in result.stderr


def test_embed__output_cannot_be_written__refused_before_anything_is_paid(
    tmp_path: Path, settings: Path
) -> None:
    document = tmp_path / "document"
    document.write_text("A sentence of five words.", encoding="utf-8")
    for target in (tmp_path / "absent" / "out.npz", tmp_path):
        result = run(
            "embed", str(document), "--out", str(target), "--config", str(settings), directory=tmp_path
        )
        assert result.exit_code == 1
        assert "cannot be written" in result.stderr


def test_embed__no_settings_at_all__says_how_to_give_them(tmp_path: Path) -> None:
    document = tmp_path / "document"
    document.write_text("A sentence of five words.", encoding="utf-8")
    result = run("embed", str(document), "--out", "out.npz", directory=tmp_path)
    assert result.exit_code == 1
    assert "rpc_url" in result.stderr
    assert "PROOFMILL_" in result.stderr


def test_embed__settings_point_nowhere__names_the_file(tmp_path: Path, settings: Path) -> None:
    document = tmp_path / "document"
    document.write_text("A sentence of five words.", encoding="utf-8")
    result = run(
        "embed",
        str(document),
        "--out",
        str(tmp_path / "o.npz"),
        "--config",
        str(settings),
        directory=tmp_path,
    )
    assert result.exit_code == 1
    assert str(tmp_path / "k.json") in result.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--price", "ten"),
        ("--price", "0"),
        ("--price", "-1"),
        ("--price", "0.0000000000000000001"),
        ("--price", "nan"),
        ("--model", "0x12"),
        ("--model", "z" * 64),
        ("--worker", "0x12"),
        ("--worker", "0xAb2d3c9692f223eF15cA572363A7C6c7d4eb2762"),
        ("--claim-window", "0"),
        ("--price-floor", "-1"),
        ("--price-ceiling", "ten"),
        ("--ramp", "0"),
        ("--tier", "256"),
    ],
)
def test_embed__option_that_does_not_fit__is_named(
    option: str, value: str, tmp_path: Path, settings: Path
) -> None:
    result = run("embed", "x", "--out", "o", "--config", str(settings), option, value, directory=tmp_path)
    assert result.exit_code == 2
    assert option in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--price", "5", "--ramp", "60"], "--price is fixed"),
        (["--price", "5", "--price-ceiling", "6"], "--price is fixed"),
        (["--ramp", "60"], "needs --price-floor and --price-ceiling"),
        (["--price-floor", "1"], "needs --price-floor and --price-ceiling"),
        (["--price-floor", "2", "--price-ceiling", "1"], "above --price-ceiling"),
    ],
)
def test_embed__prices_that_contradict_each_other__are_refused(
    options: list[str], words: str, tmp_path: Path, settings: Path
) -> None:
    result = run("embed", "x", "--out", "o", "--config", str(settings), *options, directory=tmp_path)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["stake", "add", "0"], "positive amount"),
        (["stake", "add", "ten"], "not a number"),
        (["hot-key", "add", "0x12"], "not an address"),
        (["earnings", "show", "--operator", "0x12"], "not an address"),
    ],
)
def test_operator_command__value_that_does_not_fit__is_named(
    command: list[str], words: str, tmp_path: Path, settings: Path
) -> None:
    result = run(*command, "--config", str(settings), directory=tmp_path)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


def test_operator_command__settings_of_a_worker__are_read(tmp_path: Path) -> None:
    """One file for the process and for the commands of its operator: what only the process needs is passed over."""
    path = tmp_path / "worker.toml"
    path.write_text(
        'rpc_url = "http://127.0.0.1:9"\ndeployment = "d.json"\nkeystore = "k.json"\npassword_file = "p"\n'
        'data_directory = "data"\ncollect_after_jobs = 5\noperator = "0x12"\n',
        encoding="utf-8",
    )
    result = run("stake", "show", "--config", str(path), directory=tmp_path)
    assert result.exit_code == 1
    assert "operator is not an address" in result.stderr
    path.write_text(path.read_text("utf-8").replace("0x12", "0x" + "12" * 20), encoding="utf-8")
    result = run("stake", "show", "--config", str(path), directory=tmp_path)
    assert result.exit_code == 1
    assert str(tmp_path / "k.json") in result.stderr


def test_demo__directory_holds_something_else__is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "document"
    document.write_text("A sentence of five words.", encoding="utf-8")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work", encoding="utf-8")
    result = run("demo", str(document), "--directory", str(precious), directory=tmp_path)
    assert result.exit_code == 1
    assert "is not empty" in result.stderr
    assert (precious / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_keystore_new__makes_a_key_once_and_never_overwrites(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("a long secret\n", encoding="utf-8")
    path = tmp_path / "key.json"
    first = run("keystore", "new", str(path), "--password-file", str(password), directory=tmp_path)
    assert first.exit_code == 0
    assert first.stdout.startswith("0x")
    before = path.read_bytes()
    second = run("keystore", "new", str(path), "--password-file", str(password), directory=tmp_path)
    assert second.exit_code == 1
    assert path.read_bytes() == before


def test_read_sentences__exactly_the_limit__is_read(tmp_path: Path) -> None:
    document = tmp_path / "document"
    document.write_bytes(b"This is a sentence here.\n\n" * 4)
    assert len(read_sentences(document, maximum=4)) == 4
    with pytest.raises(ProofmillError, match="4 sentences; one job takes at most 3"):
        read_sentences(document, maximum=3)
