"""Programs run fast give the bits of their definition, whatever the kernels, the batch, the chunks or the company."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from proofmill.exact import InvalidOperand, InvalidProgram, InvalidSequence
from proofmill.exact.execution.executor import Executor
from proofmill.exact.kernels.selection import CARRIER_CHOICES, carrier_fault, choose_kernels
from proofmill.exact.program.interpreter import run
from proofmill.exact.program.model import Model, Profile
from tests.reference.programs import run_program
from tests.unit.exact.reference_documents import reference_document, reference_tensors
from tests.unit.exact.small_models import POSITIONS, VOCABULARY, small_bert, small_cnn, small_llama

SEQUENCES = [[3], [5, 1], [0, 28, 7, 7, 11], [9] * 13, [4, 2], list(range(20))]
PROFILES: tuple[Profile, ...] = ("E16", "E16x")


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def executor(model: Model, carrier: str) -> Executor:
    fault = carrier_fault(carrier)
    if fault is not None:
        pytest.skip(f"{carrier} unavailable here: {fault}")
    return Executor(model, choose_kernels(carrier))


def defined(model: Model, sequence: list[int]) -> torch.Tensor:
    """The last activation by definition: logits where the program ends in a choice."""
    values = run(model, torch.tensor(sequence))
    last = values[-2] if model.program.operators[-1].kind == "choose" else values[-1]
    assert isinstance(last, torch.Tensor)
    return last


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("carrier", CARRIER_CHOICES)
@pytest.mark.parametrize("make", [small_bert, small_llama])
def test_stacked_sequences_equal_their_definition(make, carrier: str, profile: Profile) -> None:  # type: ignore[no-untyped-def]
    model = make(profile)
    rows = executor(model, carrier).run_tokens(SEQUENCES)
    expected = torch.cat([defined(model, sequence) for sequence in SEQUENCES])
    assert rows.dtype == torch.int32
    assert torch.equal(rows.long(), expected)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("carrier", CARRIER_CHOICES)
def test_stacked_images_equal_their_definition(carrier: str, profile: Profile) -> None:
    model = small_cnn(profile)
    generator = torch.Generator().manual_seed(4)
    images = torch.randint(0, 256, (5, 42, 2), generator=generator, dtype=torch.uint8)
    images[0], images[1] = 0, 255
    rows = executor(model, carrier).run_images(images)
    expected = torch.cat([run(model, image)[-1] for image in images])  # type: ignore[misc]
    assert torch.equal(rows.long(), expected)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("make", [small_bert, small_llama])
def test_the_definition_equals_big_integers(make, profile: Profile) -> None:  # type: ignore[no-untyped-def]
    model = make(profile)
    for sequence in SEQUENCES[:4]:
        answer = run_program(reference_document(model), reference_tensors(model), sequence)
        found = run(model, torch.tensor(sequence))[-1]
        assert isinstance(found, torch.Tensor)
        assert answer == found.tolist()


@pytest.mark.parametrize("profile", PROFILES)
def test_the_definition_of_images_equals_big_integers(profile: Profile) -> None:
    model = small_cnn(profile)
    image = torch.arange(84, dtype=torch.uint8).view(42, 2) * 3
    answer = run_program(reference_document(model), reference_tensors(model), image.tolist())
    found = run(model, image)[-1]
    assert isinstance(found, torch.Tensor)
    assert answer == found.tolist()


@pytest.mark.parametrize("carrier", CARRIER_CHOICES)
@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_chunks_and_single_tokens_equal_one_pass(carrier: str, chunk: int) -> None:
    model = small_llama("E16")
    runner = executor(model, carrier)
    sequence = [5, 1, 28, 0, 7, 7, 7, 19, 3, 3, 12, 25, 8]
    cache = runner.new_cache(capacity=2)
    parts = [
        runner.run_tokens([sequence[start : start + chunk]], caches=[cache])
        for start in range(0, len(sequence), chunk)
    ]
    assert torch.equal(torch.cat(parts), runner.run_tokens([sequence]))
    assert cache.length == len(sequence)


@pytest.mark.parametrize("carrier", CARRIER_CHOICES)
def test_sequences_at_different_places_share_a_pass(carrier: str) -> None:
    model = small_llama("E16x")
    runner = executor(model, carrier)
    first, second = [5, 1, 28, 0, 7, 9, 9], [3, 2]
    caches = [runner.new_cache(), runner.new_cache()]
    runner.run_tokens([first[:5]], caches=caches[:1])
    rows = runner.run_tokens([first[5:], second], caches=caches)
    alone = torch.cat([runner.run_tokens([first])[5:], runner.run_tokens([second])])
    assert torch.equal(rows, alone)


@pytest.mark.parametrize("carrier", CARRIER_CHOICES)
def test_tails_are_the_last_rows(carrier: str) -> None:
    runner = executor(small_llama("E16"), carrier)
    everything = runner.run_tokens(SEQUENCES)
    tails = [1, 0, 3, 13, 0, 2]
    expected, stop = [], 0
    for sequence, tail in zip(SEQUENCES, tails, strict=True):
        stop += len(sequence)
        expected.append(everything[stop - tail : stop])
    assert torch.equal(runner.run_tokens(SEQUENCES, tails=tails), torch.cat(expected))
    assert runner.run_tokens(SEQUENCES, tails=[0] * 6).shape == (0, VOCABULARY)


def test_a_copied_or_cut_cache_continues_like_the_original() -> None:
    runner = executor(small_llama("E16"), "int64")
    cache = runner.new_cache()
    runner.run_tokens([[1, 2, 3]], caches=[cache])
    twin = cache.copy()
    expected = runner.run_tokens([[1, 2, 3, 4]])[-1:]
    assert torch.equal(runner.run_tokens([[9, 9]], caches=[cache])[:0], expected[:0])
    assert torch.equal(runner.run_tokens([[4]], caches=[twin]), expected)
    cache.truncate(3)
    assert torch.equal(runner.run_tokens([[4]], caches=[cache]), expected)
    with pytest.raises(InvalidSequence, match="cannot cut"):
        cache.truncate(5)


def test_a_full_cache_refuses_before_anything_runs() -> None:
    runner = executor(small_llama("E16"), "int64")
    cache = runner.new_cache()
    runner.run_tokens([[1] * (POSITIONS - 1)], caches=[cache])
    with pytest.raises(InvalidSequence, match=f"{POSITIONS + 1} tokens, at most {POSITIONS}"):
        runner.run_tokens([[1, 2]], caches=[cache])
    assert cache.length == POSITIONS - 1
    runner.run_tokens([[1]], caches=[cache])


def test_an_encoder_has_no_cache() -> None:
    with pytest.raises(InvalidProgram, match="causal"):
        executor(small_bert("E16"), "int64").new_cache()


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(1, 42, 2),
        torch.zeros(1, 41, 2, dtype=torch.uint8),
        torch.zeros(42, 2, dtype=torch.uint8),
    ],
)
def test_images_of_another_shape_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(InvalidOperand, match=r"expected torch\.uint8"):
        executor(small_cnn("E16"), "int64").run_images(images)


def test_no_images_give_no_rows() -> None:
    empty = torch.zeros(0, 42, 2, dtype=torch.uint8)
    assert executor(small_cnn("E16"), "int64").run_images(empty).shape == (0, 4)
