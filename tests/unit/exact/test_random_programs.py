"""Random programs run to the bits of their definition on every kind of kernels, or are refused with a typed error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from proofmill.exact import InvalidProgram
from proofmill.exact.execution.executor import Executor
from proofmill.exact.kernels.selection import carrier_fault, choose_kernels
from proofmill.exact.program.model import Model
from tests.unit.exact.random_programs import RandomProgram, answer

SEEDS_PER_BLOCK, BLOCKS = 45, 8
CARRIERS = [name for name in ("native", "int64") if carrier_fault(name) is None]


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_programs_are_refused_or_run_to_the_bits_of_their_definition(block: int) -> None:
    kernels = [choose_kernels(name) for name in CARRIERS]
    ran = 0
    for seed in range(block * SEEDS_PER_BLOCK, (block + 1) * SEEDS_PER_BLOCK):
        source = RandomProgram(seed)
        try:
            model = source.model()
        except InvalidProgram:
            continue
        samples = source.samples()
        expected = torch.cat([answer(model, sample) for sample in samples])
        for one in kernels:
            runner = Executor(model, one)
            if source.images:
                found = runner.run_images(torch.stack(samples))
            else:
                found = runner.run_tokens([sample.tolist() for sample in samples])
            assert torch.equal(found.long(), expected), (seed, one.name)
            if not source.images:
                check_tails(model, runner, samples, seed)
        ran += 1
    assert ran > SEEDS_PER_BLOCK // 3


def check_tails(model: Model, runner: Executor, samples: list[Tensor], seed: int) -> None:
    """Asking for the last rows only, and feeding a causal program piece by piece, changes no bit."""
    kinds = {operator.kind for operator in model.program.operators}
    if "unit_mean" in kinds:
        return
    sequences = [sample.tolist() for sample in samples]
    expected = torch.cat([answer(model, sample)[-1:] for sample in samples])
    tails = [1] * len(samples)
    assert torch.equal(runner.run_tokens(sequences, tails=tails).long(), expected), (seed, "tails")
    causal = [o.constants["causal"] for o in model.program.operators if o.kind == "scores"]
    if causal and all(causal):
        caches = [runner.new_cache(1) for _ in samples]
        runner.run_tokens([one[:1] for one in sequences], caches=caches, tails=[0] * len(samples))
        longer = [place for place, one in enumerate(sequences) if len(one) > 1]
        if longer:
            rest = [sequences[place][1:] for place in longer]
            held = [caches[place] for place in longer]
            found = runner.run_tokens(rest, caches=held, tails=[1] * len(longer))
            assert torch.equal(found.long(), expected[longer]), (seed, "caches")
