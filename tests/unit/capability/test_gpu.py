"""A CUDA device gives the bits of the processor, in every part of the challenge."""

from __future__ import annotations

import pytest
import torch

from proofmill.capability.arithmetic import CARRIER_NAMES, carrier_fault
from proofmill.capability.cells import draw_cells, draw_steps
from proofmill.capability.checker import check_cells
from proofmill.capability.commitment import RowDigests, commitment_of
from proofmill.capability.generator import generate_matrix, generate_rows
from proofmill.capability.memory import MemoryProver, check_steps
from proofmill.capability.parameters import MemoryParameters, Parameters
from proofmill.capability.prover import Prover

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
SEED, BEACON = b"\x41" * 32, b"\x42" * 32
PARAMETERS = Parameters(1024, 64, 32)


@pytest.mark.parametrize("passes", [1, 3])
def test_generator__same_bits(passes: int) -> None:
    size = 4096
    assert torch.equal(
        generate_matrix((1, 2), size, size, "cuda", passes).cpu(),
        generate_matrix((1, 2), size, size, "cpu", passes),
    )
    rows = torch.tensor([0, 4095, 77])
    assert torch.equal(generate_rows((1, 2), rows.cuda(), size).cpu(), generate_rows((1, 2), rows, size))


def test_row_digests__same_bits() -> None:
    rows = generate_matrix((3, 4), 3000, 4096)
    found = RowDigests((5, 6), 512, torch.device("cuda")).compute(rows.cuda()).cpu()
    assert torch.equal(found, RowDigests((5, 6), 512, torch.device("cpu")).compute(rows))


def test_int8__is_exact_there() -> None:
    assert carrier_fault("int8", "cuda") is None


@pytest.mark.parametrize("carrier", CARRIER_NAMES)
def test_prover__same_roots_and_openings__accepted_by_a_processor(carrier: str) -> None:
    fault = carrier_fault(carrier, "cuda")
    if fault is not None:
        pytest.skip(f"{carrier}: {fault}")
    prover = Prover(SEED, PARAMETERS, "cuda", carrier)
    reference = Prover(SEED, PARAMETERS)
    roots = prover.run()
    assert roots == reference.run()
    cells = draw_cells(SEED, commitment_of(roots), BEACON, PARAMETERS)
    openings = prover.open(cells)
    assert openings == reference.open(cells)
    for device in ("cpu", "cuda"):
        assert check_cells(SEED, PARAMETERS, roots, BEACON, openings, device=device).is_accepted


def test_memory__same_root__accepted_by_a_processor() -> None:
    parameters = MemoryParameters(512, 9, 32, 200, 2, 8)
    roots = []
    for device in ("cuda", "cpu"):
        prover = MemoryProver(SEED, parameters, device)
        prover.fill()
        roots.append(prover.walk(BEACON))
    assert roots[0] == roots[1]
    openings = prover.open(draw_steps(BEACON, commitment_of([roots[0]]), SEED, parameters))
    assert check_steps(SEED, BEACON, parameters, roots[0], SEED, openings).is_accepted
