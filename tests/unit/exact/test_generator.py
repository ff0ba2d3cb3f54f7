"""Generation: an answer is a function of its request alone, and one prefill pass checks it."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from proofmill.exact import InvalidOperand, InvalidSequence, ModelUnavailable
from proofmill.exact.execution.executor import Executor
from proofmill.exact.generation import Completion, GenerationRequest
from proofmill.exact.generator import Generator, choose
from proofmill.exact.kernels.selection import choose_kernels
from proofmill.exact.program.interpreter import run
from proofmill.exact.program.sampling import Sampling
from tests.unit.exact.small_models import POSITIONS, VOCABULARY, small_llama

MODEL = small_llama("E16")

REQUESTS = [
    GenerationRequest((5, 1, 28), 6),
    GenerationRequest((3,), 9, Sampling(1 << 16, 7)),
    GenerationRequest((3,), 9, Sampling(1 << 16, 8)),
    GenerationRequest((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), 3, Sampling(1 << 18, 2**64 - 1)),
    GenerationRequest((7, 7), 1),
    GenerationRequest(tuple(range(POSITIONS - 4)), 5, Sampling(1, 0)),
]


@pytest.fixture(scope="module")
def generator() -> Generator:
    with torch.inference_mode():
        return Generator(b"\1" * 32, MODEL.description, Executor(MODEL, choose_kernels()), None)


def by_definition(request: GenerationRequest) -> list[int]:
    """Token after token, each from a whole pass of the interpreter over everything before it."""
    sequence = list(request.prompt)
    for _ in range(request.maximum_new_tokens):
        choices = run(MODEL, torch.tensor(sequence), request.sampling)[-1]
        assert isinstance(choices, torch.Tensor)
        sequence.append(int(choices[-1]))
        if sequence[-1] in request.stop_tokens:
            break
    return sequence[len(request.prompt) :]


@pytest.mark.parametrize(("batch_size", "prefill_chunk"), [(1, 512), (2, 1), (3, 4), (32, 512)])
def test_answers_equal_their_definition(generator: Generator, batch_size: int, prefill_chunk: int) -> None:
    completions = generator.generate(REQUESTS, batch_size=batch_size, prefill_chunk=prefill_chunk)
    for request, completion in zip(REQUESTS, completions, strict=True):
        assert list(completion.tokens) == by_definition(request)
        assert completion.reason == "length"


def test_generation_ends_with_the_first_stop_token(generator: Generator) -> None:
    tokens = by_definition(REQUESTS[1])
    stopping = GenerationRequest((3,), 9, Sampling(1 << 16, 7), frozenset({tokens[3]}))
    expected = tokens[: tokens.index(tokens[3]) + 1]
    assert generator.generate([stopping]) == [Completion(tuple(expected), "stop")]
    assert generator.check(stopping, Completion(tuple(expected), "stop")) is None


def test_seeds_differ_and_a_cold_draw_is_the_greedy_one(generator: Generator) -> None:
    one, other = generator.generate(REQUESTS[1:3])
    assert one != other
    cold = GenerationRequest((5, 1, 28), 6, Sampling(1 << 24, 3))
    assert generator.generate([cold])[0].tokens == generator.generate(REQUESTS[:1])[0].tokens


def test_a_stream_tells_tokens_in_order_and_their_end(generator: Generator) -> None:
    found: dict[int, list[int]] = {}
    ended = set()
    for event in generator.stream(REQUESTS, batch_size=2, prefill_chunk=3):
        assert event.request not in ended
        assert event.place == len(found.setdefault(event.request, []))
        found[event.request].append(event.token)
        if event.last:
            ended.add(event.request)
    completions = generator.generate(REQUESTS)
    assert ended == set(range(len(REQUESTS)))
    assert [tuple(found[index]) for index in range(len(REQUESTS))] == [one.tokens for one in completions]


@pytest.mark.parametrize("index", range(len(REQUESTS)))
def test_one_pass_accepts_the_right_answer_and_finds_the_first_wrong_token(
    generator: Generator, index: int
) -> None:
    request = REQUESTS[index]
    (right,) = generator.generate([request])
    assert generator.check(request, right) is None
    for place, token in enumerate(right.tokens):
        wrong = (*right.tokens[:place], (token + 1) % VOCABULARY, *right.tokens[place + 1 :])
        assert generator.check(request, Completion(wrong, "length")) == place


def test_an_answer_too_short_or_too_long_is_wrong_at_its_end(generator: Generator) -> None:
    request = REQUESTS[0]
    (right,) = generator.generate([request])
    assert generator.check(request, Completion(right.tokens[:-1], "length")) == len(right.tokens) - 1
    assert generator.check(request, Completion((*right.tokens, 0), "length")) == len(right.tokens)
    assert generator.check(request, Completion((), "length")) == 0
    assert generator.check(request, Completion(right.tokens, "stop")) == len(right.tokens)
    impossible = Completion((right.tokens[0], VOCABULARY, *right.tokens[2:]), "length")
    assert generator.check(request, impossible) == 1
    assert generator.check(request, Completion((-1,) * 1000, "length")) == 0
    wrong_before = Completion(((right.tokens[0] + 1) % VOCABULARY, VOCABULARY), "length")
    assert generator.check(request, wrong_before) == 0
    stop = frozenset({right.tokens[0]})
    going_on = GenerationRequest(request.prompt, 6, None, stop)
    place = 1
    assert generator.check(going_on, right) == place


def test_logits_are_those_of_the_program(generator: Generator) -> None:
    sequence = [5, 1, 28, 0]
    expected = run(MODEL, torch.tensor(sequence))[-2]
    assert isinstance(expected, torch.Tensor)
    assert torch.equal(generator.logits(sequence).long(), expected)
    assert torch.equal(generator.logits(sequence, first=3).long(), expected[3:])
    with pytest.raises(InvalidOperand, match="first place 4 of 4"):
        generator.logits(sequence, first=4)


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (GenerationRequest((), 1), "the prompt has 0 tokens"),
        (GenerationRequest((1,) * (POSITIONS + 1), 1), f"the prompt has {POSITIONS + 1} tokens"),
        (GenerationRequest((1, VOCABULARY), 1), f"the prompt, token 1: {VOCABULARY}"),
        (GenerationRequest((-1,), 1), "the prompt, token 0: -1"),
        (GenerationRequest((True,), 1), "the prompt, token 0"),
        (GenerationRequest((1,), 0), "0 new tokens"),
        (GenerationRequest((1,), POSITIONS + 1), f"need {POSITIONS + 1} positions"),
    ],
)
def test_bad_requests_are_refused_before_any_runs(
    generator: Generator, request_: GenerationRequest, named: str
) -> None:
    with pytest.raises(InvalidSequence, match=named):
        generator.stream([REQUESTS[0], request_])


@pytest.mark.parametrize(("batch_size", "prefill_chunk"), [(0, 1), (1, 0)])
def test_bad_sizes_are_refused(generator: Generator, batch_size: int, prefill_chunk: int) -> None:
    with pytest.raises(InvalidOperand, match="prefill chunk"):
        generator.generate(REQUESTS, batch_size=batch_size, prefill_chunk=prefill_chunk)


def test_no_requests_give_no_answers(generator: Generator) -> None:
    assert generator.generate([]) == []


def test_a_model_without_tokenizer_says_so(generator: Generator) -> None:
    with pytest.raises(ModelUnavailable, match="no tokenizer"):
        _ = generator.tokenizer


@pytest.mark.parametrize(
    ("temperature", "inverse"),
    [("1", 1 << 16), ("0.5", 1 << 17), ("0.8", 81920), (Fraction(2, 3), 98304), (2, 1 << 15)],
)
def test_a_temperature_is_read_exactly(temperature: str | int | Fraction, inverse: int) -> None:
    assert Sampling.from_temperature(temperature, 0).inverse_temperature == inverse


@pytest.mark.parametrize("temperature", ["0", "-1", "warm", "0.001", "1e9", "nan", "inf"])
def test_bad_temperatures_are_refused(temperature: str) -> None:
    with pytest.raises(InvalidOperand, match="temperature"):
        Sampling.from_temperature(temperature, 0)


@pytest.mark.parametrize("seed", [-1, 1 << 64])
def test_bad_seeds_are_refused(seed: int) -> None:
    with pytest.raises(InvalidOperand, match="64 bits"):
        Sampling(1 << 16, seed)


def test_ties_go_to_the_lowest_index() -> None:
    logits = torch.tensor([[1, 5, 5, 0], [7, 7, 7, 7]], dtype=torch.int32)
    assert choose(logits, [0, 1], [None, None], 16) == [1, 0]
    with pytest.raises(InvalidSequence, match="2 rows of logits for 1 positions"):
        choose(logits, [0], [None], 16)
