"""Messages: read strictly, bounded before they are read."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import cbor2
import pytest

from proofmill.capability.cells import Cell
from proofmill.capability.errors import InvalidChallenge
from proofmill.capability.parameters import MOST_MEMORY_BYTES, MemoryParameters, Parameters
from proofmill.capability.proof import (
    IllFormedProof,
    StepOpening,
    decode_openings,
    decode_roots,
    decode_steps,
    decode_walk_root,
    encode_openings,
    encode_roots,
    encode_steps,
    encode_walk_root,
    most_opening_bytes,
    most_step_bytes,
)
from proofmill.capability.sizes import CLASSES

from .challenges import SMALL, honest_answer

ROOTS = encode_roots(honest_answer().roots)
OPENINGS = encode_openings(honest_answer().openings)
WALK = MemoryParameters(64, 4, 8, 40, 1, 2)


def test_messages__of_an_honest_answer__are_read_as_written() -> None:
    assert decode_roots(ROOTS, SMALL) == honest_answer().roots
    assert decode_openings(OPENINGS, SMALL) == honest_answer().openings
    assert decode_walk_root(encode_walk_root(b"\x07" * 32)) == b"\x07" * 32
    steps = (StepOpening(0, b"", b"", b"\x01" * 32), StepOpening(9, b"\x02" * 512, b"\x03", b"\x04"))
    assert decode_steps(encode_steps(steps), WALK) == steps


def message(**fields: object) -> bytes:
    return cbor2.dumps({"kind": "openings", "version": 1, "openings": []} | fields, canonical=True)


ONE = [0, 0, b"", b"", b""]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "ill_formed"),
        (OPENINGS[:-1], "ill_formed"),
        (OPENINGS + b"\0", "ill_formed"),
        (b"\xa3" + OPENINGS[1:].replace(b"\x67version\x01", b"\x67version\x18\x01"), "ill_formed"),
        (b"\x9f\xff", "ill_formed"),
        (b"\xc1\x00", "ill_formed"),
        (b"\x5b\x00\x00\x00\x00\x40\x00\x00\x00", "ill_formed"),
        (b"\x9a\x40\x00\x00\x00", "ill_formed"),
        (b"\xba\x40\x00\x00\x00", "ill_formed"),
        (b"\x81" * 60 + b"\x00", "ill_formed"),
        (ROOTS, "ill_formed"),
        (message(version=2), "wrong_version"),
        (message(version="1"), "wrong_version"),
        (message(extra=1), "ill_formed"),
        (message(openings=b""), "ill_formed"),
        (message(openings=[ONE[:4]]), "ill_formed"),
        (message(openings=[[*ONE, b""]]), "ill_formed"),
        (message(openings=[["0", *ONE[1:]]]), "ill_formed"),
        (message(openings=[[0, 0, 0, b"", b""]]), "ill_formed"),
        (message(openings=[ONE] * (SMALL.cells + 1)), "ill_formed"),
        (b"\0" * (most_opening_bytes(SMALL) + 1), "too_large"),
    ],
)
def test_decode_openings__ill_formed__names_the_fault(data: bytes, code: str) -> None:
    with pytest.raises(IllFormedProof) as caught:
        decode_openings(data, SMALL)
    assert caught.value.code == code


@pytest.mark.parametrize("count", [0, 3, 5])
def test_decode_roots__not_as_many_as_segments__is_refused(count: int) -> None:
    with pytest.raises(IllFormedProof):
        decode_roots(encode_roots([b"\x01" * 32] * count), SMALL)


def test_decode_walk_root__not_32_bytes__is_refused() -> None:
    with pytest.raises(IllFormedProof):
        decode_walk_root(encode_walk_root(b"\x01" * 31))


def test_claims_of_a_gigabyte__inside_small_messages__reserve_nothing() -> None:
    tracemalloc.start()
    try:
        for head in (b"\x5a\x40\x00\x00\x00", b"\x7a\x40\x00\x00\x00", b"\x9a\x40\x00\x00\x00"):
            for read in (decode_openings, decode_roots):
                with pytest.raises(IllFormedProof):
                    read(b"\xa1\x64kind" + head, SMALL)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("parameters", [SMALL, *(one.parameters for one in CLASSES)])
def test_bounds__of_every_class__hold_for_the_longest_openings(parameters: Parameters) -> None:
    """Cells of the greatest numbers and longest paths fit."""
    opening = replace(
        honest_answer().openings[-1],
        cell=Cell(parameters.segments - 1, parameters.size - 1),
        start=b"\0" * parameters.size,
    )
    path = b"\0" * ((most_opening_bytes(parameters) // parameters.cells - 40 - parameters.size) // 2 - 8)
    longest = replace(opening, start_path=path, end_path=path)
    assert len(decode_openings(encode_openings([longest] * parameters.cells), parameters)) == parameters.cells
    assert most_opening_bytes(parameters) < 1 << 20


def test_bounds__of_steps__hold_for_the_longest_openings() -> None:
    assert most_step_bytes(CLASSES[-1].memory_parameters(80 << 30)) < 2 << 20


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 0},
        {"size": 96},
        {"size": 1 << 16},
        {"size": True},
        {"size": 64.0},
        {"rounds": 0},
        {"rounds": 33},
        {"rounds": 1 << 18},
        {"cells": 0},
        {"cells": 257},
    ],
)
def test_parameters__out_of_bounds__are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(InvalidChallenge):
        replace(SMALL, **fields)


def test_parameters__more_cells_than_there_are__are_refused() -> None:
    with pytest.raises(InvalidChallenge):
        Parameters(64, 32, 65)


@pytest.mark.parametrize(
    "fields",
    [{"steps": 31}, {"passes": 0}, {"state_rows": 65}, {"samples": 0}, {"samples": 41}, {"blocks": 0}],
)
def test_memory_parameters__out_of_bounds__are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(InvalidChallenge):
        replace(WALK, **fields)


def test_memory_parameters__claim_above_any_machine__is_refused() -> None:
    with pytest.raises(InvalidChallenge, match="memory bytes"):
        MemoryParameters(1 << 15, MOST_MEMORY_BYTES // (1 << 30) + 1, 8, 1 << 20, 1, 2)
