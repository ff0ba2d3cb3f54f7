"""How near a prover comes to the device's own int8 peak, and what a block of memory costs to make and to use."""

from __future__ import annotations

from typing import Any

import torch

from bench.capability.timing import interleaved
from proofmill.capability.arithmetic import choose_carrier
from proofmill.capability.generator import generate_matrix
from proofmill.capability.memory import Walk
from proofmill.capability.parameters import SEGMENT_ROUNDS, Parameters
from proofmill.capability.prover import Prover, memory_needed
from proofmill.capability.sizes import CELLS, DeviceClass

SEED = b"\x09" * 32


def prover_report(size: int, segments: int, runs: int, device: str, threads: int) -> dict[str, Any]:
    """Operations per second of a whole challenge, and of bare products of the same size in the same run."""
    parameters = Parameters(size, SEGMENT_ROUNDS * segments, CELLS)
    with torch.inference_mode():
        prover = Prover(SEED, parameters, device)
        carrier = choose_carrier(device)
        x, w = (generate_matrix((key, key), size, size, device) for key in (1, 2))

        def bare_products() -> None:
            for _ in range(parameters.rounds):
                carrier.multiply(x, w)

        challenge, bare = interleaved((prover.run, bare_products), runs, device)
    on_processor = device == "cpu"
    return {
        "size": size,
        "rounds": parameters.rounds,
        "carrier": carrier.name,
        "memory_bytes": memory_needed(parameters),
        "challenge": challenge.figures(threads),
        "bare_products": bare.figures(threads),
        "tera_operations_per_second": round(parameters.operations / challenge.least / 1e12, 3),
        "bare_tera_operations_per_second": round(parameters.operations / bare.least / 1e12, 3),
        # A busy processor says little by the clock on the wall; a GPU is measured by it.
        "share_of_peak": round(
            bare.processor / challenge.processor if on_processor else bare.least / challenge.least, 3
        ),
    }


def memory_report(chosen: DeviceClass, runs: int, device: str) -> dict[str, Any]:
    """Seconds to generate a block and to do a step over it, the products alone and with everything else of a step."""
    parameters = chosen.memory_parameters(16 * chosen.block_size**2)
    if device == "cpu":
        torch.set_num_threads(
            1
        )  # both sides' work divides among cores alike; waiting for each other would be counted
    with torch.inference_mode():
        carrier = choose_carrier(device)
        walk = Walk(SEED, SEED, parameters, carrier, torch.device(device))
        block, state, masks = walk.generate_block(0), walk.first_state(), walk.masks(0, 1)[0]

        def step() -> None:
            walk.name(walk.digests(state))
            walk.step(state, block, masks)

        generation, product, whole_step = interleaved(
            (lambda: walk.generate_block(1), lambda: carrier.multiply(state, block), step), runs, device
        )
    measure = "processor" if device == "cpu" else "least"
    cost = getattr(generation, measure)
    return {
        "device_class": chosen.name,
        "block_size": parameters.size,
        "state_rows": parameters.state_rows,
        "passes": parameters.passes,
        "generation_seconds": round(generation.least, 5),
        "product_seconds": round(product.least, 5),
        "step_seconds": round(whole_step.least, 5),
        "generation_to_product": round(cost / getattr(product, measure), 2),
        "generation_to_step": round(cost / getattr(whole_step, measure), 2),
    }
