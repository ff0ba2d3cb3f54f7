"""Keystores, manifests, the journal's database, fees and artifacts, without a node."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st
from web3.exceptions import ContractLogicError, Web3RPCError

from proofmill.chain import Deployment, Journal, SenderPolicy, create_keystore, load_keystore, open_database
from proofmill.chain.connection import connect
from proofmill.chain.database import bind_chain
from proofmill.chain.deployment import CONTRACT_FIELDS
from proofmill.chain.errors import (
    ChainReplaced,
    DeploymentInvalid,
    DeploymentNotFound,
    FeeCeilingReached,
    InvalidValue,
    JournalUnavailable,
    KeystoreExists,
    KeystoreInvalid,
    KeystoreNotFound,
    RpcUnavailable,
    WrongPassword,
    revert_data,
    revert_reason,
)
from proofmill.chain.fees import GWEI, raised_fees
from proofmill.chain.journal import Attempt, Fees, Key, Status
from proofmill.chain.types import EMPTY_ADDRESS, ContractCall
from proofmill.deploy import ArtifactMissing, Artifacts, DeployParameters, InvalidParameters
from proofmill.devnet import anvil
from proofmill.errors import ProofmillError

KEY = Key(1, EMPTY_ADDRESS)
CALL = ContractCall(None, b"\x01", "a deployment")


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    return path


def test_keystore__created__opens_and_is_private(tmp_path: Path, password_file: Path) -> None:
    path = tmp_path / "keys" / "worker.json"
    created = create_keystore(path, password_file, iterations=2)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keystore(path, password_file).key == created.key
    with pytest.raises(KeystoreExists):
        create_keystore(path, password_file, iterations=2)


def test_keystore__given_account__is_kept(tmp_path: Path, password_file: Path) -> None:
    account = Account.from_key(b"\x05" * 32)
    create_keystore(tmp_path / "key", password_file, account=account, iterations=2)
    assert load_keystore(tmp_path / "key", password_file).address == account.address


def test_keystore__wrong_password__is_told_apart(tmp_path: Path, password_file: Path) -> None:
    create_keystore(tmp_path / "key", password_file, iterations=2)
    password_file.write_text("wrong")
    with pytest.raises(WrongPassword):
        load_keystore(tmp_path / "key", password_file)
    password_file.write_text("\n")
    with pytest.raises(KeystoreInvalid):
        load_keystore(tmp_path / "key", password_file)


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"version": 9, "crypto": {}}', "3"])
def test_keystore__malformed__is_refused(content: str, tmp_path: Path, password_file: Path) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(KeystoreInvalid):
        load_keystore(tmp_path / "key", password_file)


def test_keystore__missing_or_open__is_told(
    tmp_path: Path, password_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeystoreNotFound):
        load_keystore(tmp_path / "key", password_file)
    create_keystore(tmp_path / "key", password_file, iterations=2)
    (tmp_path / "key").chmod(0o644)
    with caplog.at_level(logging.WARNING):
        load_keystore(tmp_path / "key", password_file)
    assert "chmod 600" in caplog.text


def manifest() -> dict[str, Any]:
    names = CONTRACT_FIELDS
    return {
        "chain_id": 1,
        "deployed_block": 2,
        "name": "test",
        **{name: f"0x{index:040x}" for index, name in enumerate(names, 1)},
        "code_hashes": dict.fromkeys(names, "0x" + "00" * 32),
    }


def test_manifest__well_formed__round_trips(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest()))
    deployment = Deployment.load(path)
    deployment.save(path)
    assert Deployment.load(path) == deployment
    assert os.listdir(tmp_path) == ["manifest.json"]


@pytest.mark.parametrize(
    "change",
    [{"chain_id": "1"}, {"chain_id": True}, {"staking": "0x12"}, {"extra": 1}, {"code_hashes": {}}, None],
)
def test_manifest__malformed__is_refused(change: dict[str, Any] | None, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("{" if change is None else json.dumps({**manifest(), **change}))
    with pytest.raises(DeploymentInvalid):
        Deployment.load(path)


def test_manifest__missing__is_told(tmp_path: Path) -> None:
    with pytest.raises(DeploymentNotFound) as caught:
        Deployment.load(tmp_path / "manifest.json")
    assert "ape run deploy" in caught.value.remedy


def attempt(nonce: int, number: int = 1, maximum: int = GWEI) -> Attempt:
    return Attempt(number.to_bytes(32, "big"), b"raw", nonce, Fees(maximum, 1), 1.5)


def test_journal__entry__survives_reopening_with_all_attempts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state" / "journal.db")
    entry = journal.record(KEY, "deploy", CALL, 2**256 - 1, 21_000, attempt(4))
    entry = journal.replace_attempt(journal.mark_broadcast(entry, 2.5), attempt(4, 2, 2 * GWEI))
    assert entry.status is Status.PENDING
    again = Journal(tmp_path / "state" / "journal.db")
    assert again.find(KEY, "deploy") == entry
    assert again.find(Key(2, EMPTY_ADDRESS), "deploy") is None
    assert again.next_nonce(KEY) == 5
    assert again.next_nonce(Key(2, EMPTY_ADDRESS)) == 0


def test_journal__dropped_entry__frees_its_nonce(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    entry = journal.drop(journal.record(KEY, "deploy", CALL, 0, 21_000, attempt(4)))
    assert (journal.next_nonce(KEY), journal.at_nonce(KEY, 4), journal.unresolved(KEY)) == (0, None, [])
    entry = journal.prepare_again(entry, 30_000, attempt(7, 2))
    assert journal.unresolved(KEY) == [entry]
    entry = journal.resolve(entry, Status.REVERTED, b"h" * 32, 9, b"b" * 32, "why")
    assert journal.find(KEY, "deploy") == entry
    assert journal.reopen(entry).is_unresolved


def test_database__same_id_other_genesis__is_refused(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "journal.db")
    bind_chain(engine, 1, b"a" * 32)
    bind_chain(engine, 1, b"a" * 32)
    bind_chain(engine, 2, b"b" * 32)
    with pytest.raises(ChainReplaced):
        bind_chain(engine, 1, b"b" * 32)


@pytest.mark.parametrize("location", ["nonsense://nowhere", "/dev/null/journal.db", "sqlite:////proc/x.db"])
def test_database__unusable__is_told(location: str) -> None:
    with pytest.raises(JournalUnavailable) as caught:
        open_database(location)
    assert caught.value.remedy


fees = st.builds(Fees, st.integers(1, 100 * GWEI), st.integers(0, 100 * GWEI))


@given(previous=fees, market=fees)
def test_raised_fees__any__rise_by_an_eighth(previous: Fees, market: Fees) -> None:
    raised = raised_fees(previous, market, SenderPolicy())
    assert raised.maximum * 8 >= previous.maximum * 9
    assert raised.maximum >= market.maximum
    if previous.priority <= previous.maximum:
        assert raised.priority > previous.priority
        assert raised.priority * 8 >= previous.priority * 9
    assert raised.priority <= raised.maximum


def test_raised_fees__above_ceiling__are_refused() -> None:
    policy = SenderPolicy(fee_ceiling=10 * GWEI)
    with pytest.raises(FeeCeilingReached) as caught:
        raised_fees(Fees(9 * GWEI, 1), Fees(GWEI, 1), policy)
    assert "ceiling" in caught.value.remedy
    with pytest.raises(InvalidValue):
        SenderPolicy(confirmations=0)
    with pytest.raises(InvalidValue):
        SenderPolicy(fee_ceiling=1)


REASON = "0x08c379a0" + f"{32:064x}{5:064x}" + b"stale".hex().ljust(64, "0")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ContractLogicError("execution reverted: stale", data=REASON), "stale"),
        (ContractLogicError("execution reverted", data="0x4e487b71" + f"{17:064x}"), "panic 0x11"),
        (ContractLogicError("execution reverted", data="0x12345678"), "0x12345678"),
        (ContractLogicError("execution reverted", data="0x08c379a0ff"), "0x08c379a0ff"),
        (ContractLogicError("execution reverted", data="0x"), "no reason given"),
        (ContractLogicError("execution reverted: no data", data="no data"), "no reason given"),
    ],
)
def test_revert_reason__what_nodes_say__is_decoded(error: ContractLogicError, reason: str) -> None:
    assert revert_reason(error) == reason


def test_revert_data__wrapped_in_the_answer__is_found() -> None:
    answer: Any = {"error": {"code": 3, "message": "execution reverted", "data": {"data": "0x1234"}}}
    assert revert_data(Web3RPCError("x", rpc_response=answer)) == b"\x12\x34"


def test_connect__nobody_there__is_told() -> None:
    with pytest.raises(RpcUnavailable) as caught:
        connect("http://127.0.0.1:9", timeout=0.5)
    assert isinstance(caught.value, ProofmillError)
    assert "node runs" in caught.value.remedy


def test_artifacts__missing_or_malformed__name_the_remedy(tmp_path: Path) -> None:
    for content in (None, "{", "[]", '{"contractTypes": {}}', '{"contractTypes": {"MillToken": {}}}'):
        if content is not None:
            (tmp_path / "__local__.json").write_text(content)
        with pytest.raises(ArtifactMissing) as caught:
            Artifacts(tmp_path).creation_code("MillToken")
        assert "make setup" in caught.value.remedy
    (tmp_path / "MillToken.json").write_text('{"deploymentBytecode": {"bytecode": "0x6001"}}')
    assert Artifacts(tmp_path).creation_code("MillToken") == b"\x60\x01"


@pytest.mark.parametrize(
    "values",
    [
        {"supply": 0},
        {"thaw_period": 86_400},
        {"supply": 2**96},
        {"member_bond": 0},
        {"bond_rate": 0},
        {"late_penalty_bps": -1},
        {"late_penalty_bps": 5_001},
        {"maximum_report_age": 1},
        {"name": ""},
    ],
)
def test_parameters__out_of_bounds__are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameters) as caught:
        DeployParameters(**values)
    assert caught.value.remedy


def test_find_anvil__variable_wins_and_must_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "anvil"
    monkeypatch.setenv("PROOFMILL_ANVIL", str(binary))
    with pytest.raises(anvil.AnvilNotFound):
        anvil.find_anvil()
    binary.touch(mode=0o700)
    assert anvil.find_anvil() == binary
    monkeypatch.delenv("PROOFMILL_ANVIL")
    monkeypatch.setattr(anvil, "REPOSITORY", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert anvil.find_anvil() == binary
    binary.unlink()
    with pytest.raises(anvil.AnvilNotFound) as caught:
        anvil.find_anvil()
    assert "make setup" in caught.value.remedy
