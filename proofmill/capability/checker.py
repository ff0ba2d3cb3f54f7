"""The verdict on an answer: first that it has exactly the parts it must have, then that each part is right.

All cells go through one B together, so that a check costs B once and 32 products of ``cells`` rows, however long the challenge.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from proofmill.capability.arithmetic import Carrier, choose_carrier
from proofmill.capability.cells import draw_cells
from proofmill.capability.chain import Chain
from proofmill.capability.commitment import (
    DIGEST_BYTES,
    RowDigests,
    commitment_of,
    digest_bytes,
    path_length,
    root_of_path,
)
from proofmill.capability.parameters import Parameters
from proofmill.capability.proof import Opening
from proofmill.capability.seeds import derive_key
from proofmill.capability.verdict import ACCEPTED, Reason, Verdict


def check_roots(roots: Sequence[bytes], parameters: Parameters) -> Verdict:
    """Whether there is one root of 32 bytes for each segment: what can be said before the draw."""
    if len(roots) != parameters.segments:
        return Verdict(Reason.WRONG_ROOTS, f"{len(roots)} roots for {parameters.segments} segments")
    for segment, root in enumerate(roots):
        if len(root) != DIGEST_BYTES:
            return Verdict(Reason.WRONG_ROOTS, f"root {segment} has {len(root)} bytes")
    return ACCEPTED


def check_cells(
    seed: bytes,
    parameters: Parameters,
    roots: Sequence[bytes],
    beacon: bytes,
    openings: Sequence[Opening],
    *,
    device: str = "cpu",
    carrier: str | None = None,
) -> Verdict:
    """Whether the openings are those of the cells that ``beacon`` drew for these roots, and every cell was computed.

    Raises:
        DeviceUnfit: this machine has no exact arithmetic.
        InvalidChallenge: the seed or the beacon is not 32 bytes.
    """
    verdict = check_roots(roots, parameters)
    if not verdict.is_accepted:
        return verdict
    drawn = draw_cells(seed, commitment_of(roots), beacon, parameters)
    if tuple(opening.cell for opening in openings) != drawn:
        return Verdict(
            Reason.WRONG_CELLS, f"{len(openings)} openings are not the {len(drawn)} cells drawn, in order"
        )
    verdict = _check_lengths(parameters, openings)
    if not verdict.is_accepted:
        return verdict
    return check_work(seed, parameters, roots, openings, device=device, carrier=carrier)


def _check_lengths(parameters: Parameters, openings: Sequence[Opening]) -> Verdict:
    for opening in openings:
        path = path_length(opening.cell.row, parameters.size)
        before = opening.cell.segment > 0
        expected = (parameters.size if before else 0, path if before else 0, path)
        found = (len(opening.start), len(opening.start_path), len(opening.end_path))
        if found != expected:
            return Verdict(Reason.WRONG_LENGTH, f"{opening.cell}: lengths {found}, expected {expected}")
    return ACCEPTED


def check_work(
    seed: bytes,
    parameters: Parameters,
    roots: Sequence[bytes],
    openings: Sequence[Opening],
    *,
    device: str = "cpu",
    carrier: str | None = None,
) -> Verdict:
    """The second half of :func:`check_cells`: the contents of openings whose set and lengths are right."""
    with torch.inference_mode():
        return _check_work(
            seed, parameters, roots, openings, torch.device(device), choose_carrier(device, carrier)
        )


def _check_work(
    seed: bytes,
    parameters: Parameters,
    roots: Sequence[bytes],
    openings: Sequence[Opening],
    where: torch.device,
    carrier: Carrier,
) -> Verdict:
    size = parameters.size
    row_digests = RowDigests(derive_key(seed, "digest"), parameters.words, where)
    later = [place for place, opening in enumerate(openings) if opening.cell.segment > 0]
    x = torch.empty((len(openings), size), dtype=torch.int8, device=where)
    if later:
        joined = bytearray(b"".join(openings[place].start for place in later))
        starts = torch.frombuffer(joined, dtype=torch.int8).view(len(later), size).to(where)
        # What is opened is compared with the roots before any work is spent on it.
        for place, digest in zip(later, digest_bytes(row_digests.compute(starts)), strict=True):
            opening = openings[place]
            root = root_of_path(digest, opening.cell.row, size, opening.start_path)
            if root != roots[opening.cell.segment - 1]:
                return Verdict(
                    Reason.NOT_COMMITTED, f"{opening.cell}: its start is not in the root before it"
                )
        x[torch.tensor(later, device=where)] = starts
    chain = Chain(seed, parameters, carrier, where)
    fresh = [place for place, opening in enumerate(openings) if opening.cell.segment == 0]
    if fresh:
        x[torch.tensor(fresh, device=where)] = chain.first_rows(
            _numbers([openings[place].cell.row for place in fresh], where)
        )
    rows = _numbers([opening.cell.row for opening in openings], where)
    first_rounds = _numbers([opening.cell.first_round for opening in openings], where)
    ends = digest_bytes(row_digests.compute(chain.advance(x, rows, first_rounds)))
    for opening, digest in zip(openings, ends, strict=True):
        root = root_of_path(digest, opening.cell.row, size, opening.end_path)
        if root != roots[opening.cell.segment]:
            return Verdict(Reason.WRONG_WORK, f"{opening.cell}: 32 rounds do not end in the row committed")
    return ACCEPTED


def _numbers(values: Sequence[int], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.int64, device=device)
