"""The memory-filling walk: honest, and with blocks, steps or states that are not what they must be."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
import torch

from proofmill.capability import definition, memory
from proofmill.capability.arithmetic import choose_carrier
from proofmill.capability.cells import draw_steps
from proofmill.capability.commitment import commitment_of
from proofmill.capability.errors import DeviceUnfit, InvalidChallenge
from proofmill.capability.memory import MemoryProver, Walk, check_steps
from proofmill.capability.parameters import MemoryParameters
from proofmill.capability.proof import StepOpening
from proofmill.capability.seeds import derive_key
from proofmill.capability.verdict import Reason, Verdict

PARAMETERS = MemoryParameters(size=64, blocks=7, state_rows=4, steps=150, passes=2, samples=8)
FILL, WALK, BEACON = b"\x21" * 32, b"\x22" * 32, b"\x23" * 32


@functools.cache
def honest() -> tuple[MemoryProver, bytes]:
    prover = MemoryProver(FILL, PARAMETERS)
    prover.fill()
    return prover, prover.walk(WALK)


def opened(prover: MemoryProver, root: bytes, beacon: bytes = BEACON) -> tuple[StepOpening, ...]:
    return prover.open(draw_steps(WALK, commitment_of([root]), beacon, PARAMETERS))


def verdict(root: bytes, openings: tuple[StepOpening, ...], beacon: bytes = BEACON) -> Verdict:
    return check_steps(FILL, WALK, PARAMETERS, root, beacon, openings)


OPENINGS = opened(*honest())


def test_walk__honest__is_accepted() -> None:
    assert verdict(honest()[1], OPENINGS).is_accepted
    assert any(opening.step > memory.CHECKPOINT_STEPS for opening in OPENINGS)


def test_walk__first_step__needs_no_opened_state() -> None:
    prover, root = honest()
    beacon = next(
        beacon
        for beacon in (place.to_bytes(32, "big") for place in range(500))
        if draw_steps(WALK, commitment_of([root]), beacon, PARAMETERS)[0] == 0
    )
    openings = opened(prover, root, beacon)
    assert openings[0].state == b""
    assert verdict(root, openings, beacon).is_accepted


def test_walk__one_step__equals_definition() -> None:
    """State rows are advanced as rows of X, by the block whose number follows from their digests."""
    walk = Walk(FILL, WALK, PARAMETERS, choose_carrier(), torch.device("cpu"))
    state = walk.first_state()
    digest_key = derive_key(WALK, "digest")
    lanes = [int.from_bytes(definition.row_digest(row.tolist(), digest_key)[:8], "little") for row in state]
    mask = (1 << 64) - 1
    total = sum(
        definition.mix((lane + (place + 1) * 0x9E3779B97F4A7C15) & mask, 0)
        for place, lane in enumerate(lanes)
    )
    name = ((total & mask) >> 1) % PARAMETERS.blocks
    assert int(walk.name(walk.digests(state))) == name
    key = derive_key(FILL, "block", name)
    columns = [definition.entries(key, column * 64, 64, passes=2) for column in range(64)]
    found = walk.step(state, walk.generate_block(name), walk.masks(9, 1)[0])
    for row in range(4):
        expected = definition.next_row(state[row].tolist(), columns, derive_key(WALK, "mix"), 9, row)
        assert found[row].tolist() == expected


def test_walk__reads_every_block() -> None:
    prover, _ = honest()
    walk = prover._walk
    assert walk is not None
    state, names = walk.first_state(), set()
    for step in range(PARAMETERS.steps):
        name = int(walk.name(walk.digests(state)))
        names.add(name)
        state = walk.step(state, walk.generate_block(name), walk.masks(step, 1)[0])
    assert names == set(range(PARAMETERS.blocks))


@pytest.mark.parametrize(
    "openings",
    [(), OPENINGS[:-1], (*OPENINGS, OPENINGS[0]), OPENINGS[::-1], (OPENINGS[0], *OPENINGS[:-1])],
    ids=["none", "short", "one more", "order", "duplicate"],
)
def test_steps__not_exactly_the_drawn_set__are_refused(openings: tuple[StepOpening, ...]) -> None:
    assert verdict(honest()[1], openings).reason is Reason.WRONG_CELLS


@pytest.mark.parametrize(
    ("field", "changed", "reason"),
    [
        ("state", lambda data: data[:-1], Reason.WRONG_LENGTH),
        ("state", lambda data: data[:-1] + bytes([data[-1] ^ 1]), Reason.NOT_COMMITTED),
        ("start_path", lambda data: data + b"\0", Reason.WRONG_LENGTH),
        ("start_path", lambda data: bytes([data[0] ^ 1]) + data[1:], Reason.NOT_COMMITTED),
        ("end_path", lambda data: bytes([data[0] ^ 1]) + data[1:], Reason.WRONG_WORK),
        ("end_path", lambda data: b"", Reason.WRONG_LENGTH),
    ],
)
def test_steps__one_part_changed__are_refused(field: str, changed: object, reason: Reason) -> None:
    assert callable(changed)
    last = replace(OPENINGS[-1], **{field: changed(getattr(OPENINGS[-1], field))})
    assert verdict(honest()[1], (*OPENINGS[:-1], last)).reason is reason


def test_walk__with_another_block_in_place_of_one__is_refused() -> None:
    """Who keeps fewer blocks than claimed and reads one of them instead of the block named."""
    prover = MemoryProver(FILL, PARAMETERS)
    prover.fill()
    assert prover._blocks is not None
    prover._blocks = prover._blocks.clone()
    prover._blocks[4:] = prover._blocks[:3].clone()
    root = prover.walk(WALK)
    assert verdict(root, opened(prover, root)).reason is Reason.WRONG_WORK


def test_walk__under_another_seed__is_refused() -> None:
    prover = MemoryProver(FILL, PARAMETERS)
    prover.fill()
    root = prover.walk(b"\x32" * 32)
    assert verdict(root, opened(prover, root)).reason in (Reason.NOT_COMMITTED, Reason.WRONG_WORK)


def test_root__not_32_bytes__is_refused() -> None:
    assert verdict(b"\0" * 31, OPENINGS).reason is Reason.WRONG_ROOTS


def test_prover__claims_more_than_is_free__reserves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_free_bytes", lambda device: PARAMETERS.memory_bytes - 1)
    with pytest.raises(DeviceUnfit, match="bytes free"):
        MemoryProver(FILL, PARAMETERS)


def test_prover__out_of_order__says_what_to_call() -> None:
    prover = MemoryProver(FILL, PARAMETERS)
    with pytest.raises(InvalidChallenge, match="empty"):
        prover.walk(WALK)
    with pytest.raises(InvalidChallenge, match="no walk"):
        prover.open([0])
    with pytest.raises(InvalidChallenge, match="no walk"):
        honest()[0].open([PARAMETERS.steps])
