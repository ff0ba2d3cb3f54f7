"""By what a blob is known: the root that contracts hold, or the sha2-256."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from Crypto.Hash import keccak

from proofmill.jobs import EmbeddingAnswer, EmbeddingRequest, identify
from proofmill.jobs import identity as identity_module
from proofmill.store import content_id

MODEL = bytes(range(32))
REQUEST = EmbeddingRequest(MODEL, ((101, 7592, 102), (2**32 - 1,)))
ANSWER = EmbeddingAnswer(np.array([[1, -2], [2**31 - 1, -(2**31)]], np.int32))


def _hash(*parts: bytes | int) -> bytes:
    data = b"".join(part if isinstance(part, bytes) else part.to_bytes(32, "big") for part in parts)
    return keccak.new(data=data, digest_bits=256).digest()


def _leaf(data: bytes) -> bytes:
    return _hash(_hash(data))


def _int32(*numbers: int) -> bytes:
    return b"".join((number % 2**32).to_bytes(4, "big") for number in numbers)


def test_identify__request__is_its_root_step_by_step() -> None:
    none = bytes(32)
    first = [_hash(_leaf(_int32(token)), none) for token in (101, 7592, 102)]
    rows = _hash(_hash(first[0], first[1]), _hash(first[2], none))
    second = _hash(_leaf(_int32(2**32 - 1)), none)
    items = [_leaf(_word(3) + _hash(rows, none)), _leaf(_word(1) + _hash(second, none))]
    root = _hash(1, 2, _hash(*items), 0, MODEL, 0, 2**256 - 1)
    assert identify(REQUEST.to_bytes()) == REQUEST.root == root


def test_identify__answer__is_its_root_step_by_step() -> None:
    rows = [_leaf(_int32(1, -2)), _leaf(_int32(2**31 - 1, -(2**31)))]
    root = _hash(2, _hash(*(_leaf(_word(1) + row) for row in rows)))
    assert identify(ANSWER.to_bytes()) == ANSWER.root == root


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


@pytest.mark.parametrize("blob", [b"", b"data", REQUEST.to_bytes() + b"\0", ANSWER.to_bytes()[:-1]])
def test_identify__anything_else__is_its_sha2_256(blob: bytes) -> None:
    assert identify(blob) == content_id(blob)


def test_identify__same_sequences_for_another_model__is_another_blob() -> None:
    # Otherwise whoever serves one for the other makes a node take an honest job for a malformed one.
    other = EmbeddingRequest(MODEL[::-1], REQUEST.sequences)
    assert identify(other.to_bytes()) != identify(REQUEST.to_bytes())


def test_identify__many_blobs__remembers_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    def root_of(blob: bytes) -> bytes | None:
        made.append(blob)
        return None

    monkeypatch.setattr(identity_module, "_root_of", root_of)
    monkeypatch.setattr(identity_module, "_recent", identity_module._Recent(capacity=2))
    for blob in (b"a", b"b", b"a", b"c", b"a", b"b"):
        assert identify(blob) == content_id(blob)
    assert made == [b"a", b"b", b"c", b"b"]


def test_identify__small_job__loads_no_tensor_library() -> None:
    program = (
        "import sys; from proofmill.jobs import EmbeddingRequest, identify;"
        "identify(EmbeddingRequest(bytes(32), ((1, 2, 3),) * 100).to_bytes());"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
