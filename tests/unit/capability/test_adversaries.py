"""Everybody who tries to score without the work, and the reason each is refused for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from proofmill.capability import chain
from proofmill.capability.cells import Cell, draw_cells
from proofmill.capability.commitment import commitment_of
from proofmill.capability.proof import Opening
from proofmill.capability.prover import Prover
from proofmill.capability.score import detection_probability
from proofmill.capability.verdict import Reason

from .challenges import (
    BEACON,
    BINDING,
    SEED,
    SMALL,
    Answer,
    Cheat,
    CheatingProver,
    answer_of,
    honest_answer,
    honest_prover,
)

HONEST = honest_answer()
OPENINGS = HONEST.openings
OTHER_SEED = replace(BINDING, device=b"\x33" * 32).seed(SMALL)
OLD_SEED = replace(BINDING, beacon=b"\x11" * 32).seed(SMALL)
GARBAGE = b"\x5a" * 32


def test_honest_answer__is_accepted() -> None:
    assert HONEST.verdict().is_accepted
    assert {opening.cell.segment for opening in OPENINGS} >= {0, 1}  # both kinds of start are in it


def undrawn() -> Cell:
    return next(
        cell
        for cell in (Cell(1, row) for row in range(64))
        if cell not in {opening.cell for opening in OPENINGS}
    )


@pytest.mark.parametrize(
    "openings",
    [
        (),
        OPENINGS[:-1],
        OPENINGS[1:],
        (*OPENINGS, OPENINGS[-1]),
        (OPENINGS[0], *OPENINGS[:-1]),
        OPENINGS[::-1],
        (*OPENINGS[:-1], *honest_prover().open([undrawn()])),
        (*OPENINGS[:-1], replace(OPENINGS[-1], cell=Cell(SMALL.segments, 0))),
    ],
    ids=["none", "short", "first left out", "one more", "duplicate", "order", "another row", "beyond"],
)
def test_openings__not_exactly_the_drawn_set__are_refused_unread(openings: tuple[Opening, ...]) -> None:
    assert replace(HONEST, openings=openings).verdict().reason is Reason.WRONG_CELLS


@pytest.mark.parametrize(
    "roots",
    [(), HONEST.roots[:-1], (*HONEST.roots, HONEST.roots[0]), (*HONEST.roots[:-1], b"\x00" * 31)],
    ids=["none", "short", "one more", "short root"],
)
def test_roots__not_one_per_segment__are_refused(roots: tuple[bytes, ...]) -> None:
    assert replace(HONEST, roots=roots).verdict().reason is Reason.WRONG_ROOTS


LATER = next(place for place, opening in enumerate(OPENINGS) if opening.cell.segment > 0)
FRESH = next(place for place, opening in enumerate(OPENINGS) if opening.cell.segment == 0)


def with_opening(place: int, **fields: bytes) -> Answer:
    changed = list(OPENINGS)
    changed[place] = replace(changed[place], **fields)
    return replace(HONEST, openings=tuple(changed))


@pytest.mark.parametrize("name", ["start", "start_path", "end_path"])
@pytest.mark.parametrize("place", [FRESH, LATER])
def test_opening__longer_or_shorter_part__is_refused(name: str, place: int) -> None:
    value = getattr(OPENINGS[place], name)
    assert with_opening(place, **{name: value + b"\0"}).verdict().reason is Reason.WRONG_LENGTH
    if value:
        assert with_opening(place, **{name: value[:-1]}).verdict().reason is Reason.WRONG_LENGTH
        assert with_opening(place, **{name: b""}).verdict().reason is Reason.WRONG_LENGTH


@pytest.mark.parametrize(
    ("name", "reason"),
    [("start", Reason.NOT_COMMITTED), ("start_path", Reason.NOT_COMMITTED), ("end_path", Reason.WRONG_WORK)],
)
@pytest.mark.parametrize("position", [0, -1])
def test_opening__one_bit_changed__is_refused(name: str, reason: Reason, position: int) -> None:
    value = bytearray(getattr(OPENINGS[LATER], name))
    value[position] ^= 1
    assert with_opening(LATER, **{name: bytes(value)}).verdict().reason is reason


def test_answer__to_another_devices_seed__is_refused() -> None:
    """One card that answers once for two: the other device's seed draws other cells of another chain."""
    assert HONEST.verdict(seed=OTHER_SEED).reason is Reason.WRONG_CELLS
    # Even opened for the cells that the other seed draws, it is another chain's work.
    reopened = Answer(HONEST.roots, honest_prover().open(draw_of(OTHER_SEED, HONEST.roots)))
    assert reopened.verdict(seed=OTHER_SEED).reason in (Reason.WRONG_WORK, Reason.NOT_COMMITTED)


def draw_of(seed: bytes, roots: tuple[bytes, ...], beacon: bytes = BEACON) -> tuple[Cell, ...]:
    return draw_cells(seed, commitment_of(roots), beacon, SMALL)


def test_answer__precomputed_for_an_old_beacon__is_refused() -> None:
    prover = honest_prover(OLD_SEED)
    stale = Answer(prover.roots, prover.open(draw_of(SEED, prover.roots)))
    assert stale.verdict().reason in (Reason.WRONG_WORK, Reason.NOT_COMMITTED)
    assert answer_of(prover, OLD_SEED, prover.roots).verdict(seed=OLD_SEED).is_accepted


def test_openings__of_an_earlier_draw__are_refused() -> None:
    assert HONEST.verdict(beacon=b"\xbf" * 32).reason is Reason.WRONG_CELLS


def test_roots__changed_after_the_draw__draw_other_cells() -> None:
    changed = (*HONEST.roots[:-1], GARBAGE)
    assert draw_of(SEED, changed) != draw_of(SEED, HONEST.roots)


def test_roots__of_the_right_segments_in_another_order__are_refused() -> None:
    roots = (HONEST.roots[1], HONEST.roots[0], *HONEST.roots[2:])
    prover = honest_prover()
    swapped = Answer(roots, prover.open(draw_of(SEED, roots)))
    assert swapped.verdict().reason in (Reason.WRONG_WORK, Reason.NOT_COMMITTED)


# -------------------------------------------------------------------------------------------- work left out

EIGHTH = torch.arange(64) % 8 == 0


def skip_rows(segment: int, before: Tensor, after: Tensor) -> Tensor:
    """Every eighth row is never computed: it stays as it was."""
    return torch.where(EIGHTH[:, None], before, after)


def skip_last_segment_half(segment: int, before: Tensor, after: Tensor) -> Tensor:
    """Half of one segment of four: again an eighth of all cells."""
    return torch.where((torch.arange(64) < 32)[:, None], before, after) if segment == 3 else after


def wrong_last_byte(segment: int, before: Tensor, after: Tensor) -> Tensor:
    """An eighth of the rows with one byte wrong: what leaving out a single column of the last round gives."""
    changed = after.clone()
    changed[EIGHTH, -1] ^= 1
    return changed


def skip_everything(segment: int, before: Tensor, after: Tensor) -> Tensor:
    return torch.full_like(after, segment)


def approximate(segment: int, before: Tensor, after: Tensor) -> Tensor:
    """Nearly right everywhere, as arithmetic of less precision would be."""
    return after ^ (after > 120).to(torch.int8)


@pytest.mark.parametrize("cheat", [skip_everything, approximate])
def test_cheat__everywhere__is_always_refused(cheat: Cheat) -> None:
    prover = CheatingProver(SEED, SMALL, cheat)
    assert answer_of(prover, SEED, prover.run()).verdict().reason is Reason.WRONG_WORK


@pytest.mark.parametrize("cheat", [skip_rows, skip_last_segment_half, wrong_last_byte])
def test_cheat__an_eighth_of_the_cells__is_detected_as_often_as_the_formula_says(cheat: Cheat) -> None:
    """60 beacons, 8 cells: 1 − (7/8)^8 = 0.656; four deviations of such a count are 0.245."""
    prover = CheatingProver(SEED, SMALL, cheat)
    roots = prover.run()
    beacons = [bytes([place]) * 32 for place in range(60)]
    verdicts = [answer_of(prover, SEED, roots, beacon).verdict(beacon=beacon) for beacon in beacons]
    assert {verdict.reason for verdict in verdicts} == {None, Reason.WRONG_WORK}
    rate = sum(not verdict.is_accepted for verdict in verdicts) / len(verdicts)
    assert abs(rate - detection_probability(Fraction(1, 8), SMALL.cells)) < 0.25


def test_skipped_rounds__one_of_32_in_every_cell__is_always_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no smaller unit to leave out than a cell."""
    prover = Prover(SEED, SMALL)
    with monkeypatch.context() as patched:
        patched.setattr(chain, "SEGMENT_ROUNDS", 31)
        answer = answer_of(prover, SEED, prover.run())
    assert answer.verdict().reason is Reason.WRONG_WORK
