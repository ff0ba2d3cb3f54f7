"""What it costs a member to check: the cells of one challenge, and one whole product."""

from __future__ import annotations

from typing import Any

import torch

from bench.capability.timing import interleaved
from proofmill.capability.arithmetic import choose_carrier
from proofmill.capability.cells import Cell, draw_cells
from proofmill.capability.chain import Chain
from proofmill.capability.checker import check_work
from proofmill.capability.commitment import RowDigests, Tree, digest_bytes
from proofmill.capability.freivalds import check_product
from proofmill.capability.generator import generate_matrix
from proofmill.capability.parameters import Parameters
from proofmill.capability.proof import Opening, encode_openings
from proofmill.capability.seeds import derive_key
from proofmill.capability.verdict import Verdict

SEED = b"\x08" * 32


def answer_by_rows(parameters: Parameters) -> tuple[tuple[bytes, ...], tuple[Opening, ...]]:
    """Roots and right openings of drawn cells, for which only the opened rows were computed.

    A whole honest answer would take a processor minutes. The other leaves are fillers; a check never sees them.
    """
    device = torch.device("cpu")
    cells = draw_cells(SEED, b"\x01" * 32, b"\x02" * 32, parameters)
    chain = Chain(SEED, parameters, choose_carrier(), device)
    digests = RowDigests(derive_key(SEED, "digest"), parameters.words, device)
    rows = torch.tensor([cell.row for cell in cells])
    first_rounds = torch.tensor([cell.first_round for cell in cells])
    starts = generate_matrix((5, 6), len(cells), parameters.size)
    for place, cell in enumerate(cells):
        if cell.segment == 0:
            starts[place] = chain.first_rows(rows[place : place + 1])[0]
    ends = chain.advance(starts, rows, first_rounds)
    leaves: dict[Cell, bytes] = dict(zip(cells, digest_bytes(digests.compute(ends)), strict=True))
    for cell, leaf in zip(cells, digest_bytes(digests.compute(starts)), strict=True):
        leaves[Cell(cell.segment - 1, cell.row)] = leaf
    filler = b"\x0f" * 32
    trees = [
        Tree([leaves.get(Cell(segment, row), filler) for row in range(parameters.size)])
        for segment in range(parameters.segments)
    ]
    openings = tuple(
        Opening(
            cell,
            starts[place].numpy().tobytes() if cell.segment else b"",
            trees[cell.segment - 1].path(cell.row) if cell.segment else b"",
            trees[cell.segment].path(cell.row),
        )
        for place, cell in enumerate(cells)
    )
    return tuple(tree.root for tree in trees), openings


def report(size: int, cells: int, runs: int, threads: int) -> dict[str, Any]:
    """Times of both checks, the generation of B in them, and beside them the bare products of the cells' rows in the same run."""
    parameters = Parameters(size, 32 * 4, cells)
    with torch.inference_mode():
        roots, openings = answer_by_rows(parameters)
        carrier = choose_carrier()
        x = generate_matrix(derive_key(SEED, "A"), size, size)
        b = generate_matrix(derive_key(SEED, "B"), size, size)
        c = carrier.multiply(x, b)

        def check_cells() -> Verdict:
            return check_work(SEED, parameters, roots, openings)

        def check_whole_product() -> Verdict:
            return check_product(SEED, parameters, roots, 0, x, c)

        def bare_products() -> None:
            for _ in range(32):
                carrier.multiply(x[:cells], b)

        for check in (check_cells, check_whole_product):
            verdict = check()
            if not verdict.is_accepted:
                raise AssertionError(f"{check.__name__}: {verdict}")
        c[size // 2, size // 3] += 1
        if check_whole_product().is_accepted:
            raise AssertionError("a wrong product was accepted")
        c[size // 2, size // 3] -= 1
        works = (
            check_cells,
            check_whole_product,
            bare_products,
            lambda: generate_matrix(derive_key(SEED, "B"), size, size),
        )
        times = interleaved(works, runs, "cpu")
    names = ("cells", "whole_product", "bare_products", "generation")
    figures: dict[str, Any] = {name: time.figures(threads) for name, time in zip(names, times, strict=True)}
    figures["cells_to_bare_products"] = round(times[0].processor / times[2].processor, 3)
    figures["answer_bytes"] = len(encode_openings(openings))
    return {"size": size, "cell_count": cells, "carrier": carrier.name} | figures
