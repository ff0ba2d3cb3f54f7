"""Settings: precedence, relative paths, and messages that name the key."""

from pathlib import Path

import pytest

from oracle.config import OracleSettings
from proofmill.settings import InvalidSettings
from worker.config import WorkerSettings

GOOD = """
rpc_url = "http://127.0.0.1:8545"
deployment = "deployment.json"
keystore = "keys/worker.json"
password_file = "/etc/proofmill/password"
data_directory = "data"
minimum_price = 5
peers = ["http://127.0.0.1:9000/"]
"""


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "worker.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_load__relative_paths__are_relative_to_the_file(settings_file: Path) -> None:
    settings = WorkerSettings.load(settings_file)
    assert settings.keystore == settings_file.parent / "keys/worker.json"
    assert settings.password_file == Path("/etc/proofmill/password")
    assert settings.peers == ["http://127.0.0.1:9000"]


def test_load__environment__wins_over_the_file(settings_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROOFMILL_WORKER_MINIMUM_PRICE", "77")
    assert WorkerSettings.load(settings_file).minimum_price == 77


def test_load__two_files__do_not_mix(settings_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(GOOD.replace("minimum_price = 5\n", ""), encoding="utf-8")
    assert WorkerSettings.load(settings_file).minimum_price == 5
    assert WorkerSettings.load(other).minimum_price == 1


@pytest.mark.parametrize(
    ("line", "urls"),
    [
        ('rpc_url = "http://a"', ("http://a",)),
        ('rpc_url = "http://a, https://b"', ("http://a", "https://b")),
        ('rpc_url = ["http://a", "https://b/key", "http://a"]', ("http://a", "https://b/key")),
    ],
)
def test_load__one_endpoint_or_several__in_their_order(
    settings_file: Path, line: str, urls: tuple[str, ...]
) -> None:
    settings_file.write_text(GOOD.replace('rpc_url = "http://127.0.0.1:8545"', line), encoding="utf-8")
    assert WorkerSettings.load(settings_file).rpc_url == urls


def test_load__several_endpoints_in_the_environment__have_commas(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROOFMILL_WORKER_RPC_URL", "http://a,http://b")
    assert WorkerSettings.load(settings_file).rpc_url == ("http://a", "http://b")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rpc_url = []", "rpc_url"),
        ('rpc_url = ["http://a", "ftp://b"]', "rpc_url"),
        ("minimum_price = 0", "minimum_price"),
        ("surprise = 1", "surprise"),
        ('peers = ["ftp://x"]', "peers"),
        ('rpc_url = "ws://127.0.0.1"', "rpc_url"),
        ("confirmations = 0", "confirmations"),
    ],
)
def test_load__value_that_does_not_fit__names_the_key(settings_file: Path, line: str, words: str) -> None:
    key = line.partition(" ")[0]
    kept = [old for old in GOOD.splitlines() if not old.startswith(key + " ")]
    settings_file.write_text("\n".join([*kept, line]), encoding="utf-8")
    with pytest.raises(InvalidSettings, match=words) as failure:
        WorkerSettings.load(settings_file)
    assert failure.value.remedy


def test_load__missing_key__names_it(settings_file: Path) -> None:
    settings_file.write_text(GOOD.replace('deployment = "deployment.json"', ""), encoding="utf-8")
    with pytest.raises(InvalidSettings, match="deployment"):
        WorkerSettings.load(settings_file)


@pytest.mark.parametrize("content", [b"rpc_url = ", b"\xff\xfe\x00"])
def test_load__not_toml__says_so(settings_file: Path, content: bytes) -> None:
    settings_file.write_bytes(content)
    with pytest.raises(InvalidSettings, match="not valid TOML"):
        WorkerSettings.load(settings_file)


def test_load__no_such_file__says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="no settings file"):
        WorkerSettings.load(tmp_path / "absent.toml")


def test_load__oracle_with_peers__checksums_addresses(tmp_path: Path) -> None:
    path = tmp_path / "oracle.toml"
    member = "0x" + "ab" * 20
    path.write_text(
        GOOD.replace("minimum_price = 5\n", "").replace('peers = ["http://127.0.0.1:9000/"]', "")
        + f'[peers]\n"{member}" = "http://127.0.0.1:9001/"\n',
        encoding="utf-8",
    )
    [(address, url)] = OracleSettings.load(path).peers.items()
    assert address.lower() == member
    assert address != member
    assert url == "http://127.0.0.1:9001"


def test_load__oracle_relays_slower_than_it_waits__is_refused(tmp_path: Path, settings_file: Path) -> None:
    path = tmp_path / "oracle.toml"
    path.write_text(
        GOOD.replace("minimum_price = 5\n", "").replace('peers = ["http://127.0.0.1:9000/"]', "")
        + "patience = 5\nrelay_delay = 6\n",
        encoding="utf-8",
    )
    with pytest.raises(InvalidSettings, match="relay_delay"):
        OracleSettings.load(path)
