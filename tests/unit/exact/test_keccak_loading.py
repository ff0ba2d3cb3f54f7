"""When the compiled hash is loaded: not for a handful of messages, and always once there is much to do."""

import numpy as np
import pytest

from proofmill.exact.commitment import keccak
from proofmill.exact.commitment.keccak import hash_messages


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A process that has loaded nothing yet and is patient for 100 messages; one entry for each attempt to load."""
    attempts: list[int] = []

    class Loader:
        def __call__(self) -> None:
            attempts.append(1)

        def cache_info(self) -> object:
            return type("Info", (), {"currsize": len(attempts)})

    monkeypatch.setattr(keccak, "_native_function", Loader())
    monkeypatch.setattr(keccak, "_is_loaded", lambda: False)
    monkeypatch.setattr(keccak, "_hashed_one_by_one", 0)
    monkeypatch.setattr(keccak, "_PATIENCE", 100)
    return attempts


def messages(count: int) -> keccak.Bytes:
    return np.zeros((count, 8), dtype=np.uint8)


def test_hash_messages__few__are_hashed_without_loading(loads: list[int]) -> None:
    for _ in range(10):
        assert hash_messages(messages(10))[0].tobytes() == keccak.keccak256(bytes(8))
    assert loads == []
    hash_messages(messages(1))
    assert loads == [1]
    hash_messages(messages(1))
    assert loads == [1, 1], "once loaded it is always used"


def test_hash_messages__many_at_once__load_at_once(loads: list[int]) -> None:
    hash_messages(messages(101))
    assert loads == [1]


def test_hash_messages__loaded_for_inference__is_used(
    loads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keccak, "_is_loaded", lambda: True)
    hash_messages(messages(1))
    assert loads == [1]


def test_hash_messages__told_so__obeys(loads: list[int]) -> None:
    hash_messages(messages(1000), native=False)
    assert loads == []
    hash_messages(messages(1), native=True)
    assert loads == [1]


@pytest.mark.parametrize("native", [True, False])
def test_hash_messages__single_message__is_hashed_either_way(native: bool) -> None:
    message = np.arange(70, dtype=np.uint8)
    assert hash_messages(message, native=native).tobytes() == keccak.keccak256(message.tobytes())
