"""Small programs of each architecture: every value of the interpreter against the plain Python integers."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch

from proofmill.exact import ops
from proofmill.exact.generation import Sampling
from proofmill.exact.program.graph import Program, ProgramBuilder
from proofmill.exact.program.interpreter import OperandValue, run
from proofmill.exact.program.kinds import Shape, TableShape
from proofmill.exact.program.model import WEIGHT_TYPE, Description, Model, Profile
from tests.reference import function_tables, scalars
from tests.reference.programs import run_operators, run_program

PROFILES: tuple[Profile, ...] = ("E16", "E16x")
LIMITS = {"E16": 127, "E16x": 16256}


class Builder:
    """Programs with random tables of the values real models have."""

    def __init__(self, input: Shape, profile: Profile, seed: int) -> None:
        self.program = ProgramBuilder(input)
        self.profile: Profile = profile
        self.random = random.Random(seed)
        self.tensors: dict[str, torch.Tensor] = {}

    def integers(self, limit: int, *shape: int) -> torch.Tensor:
        count = int(torch.tensor(shape).prod())
        return torch.tensor([self.random.randint(-limit, limit) for _ in range(count)]).view(shape)

    def matrix(self, name: str, rows: int, columns: int, limit: int = 2**18) -> str:
        self.tensors[f"{name}.rows"] = self.integers(limit, rows, columns).to(torch.int32)
        return self.program.table(name, TableShape("matrix", rows, columns))

    def linear(self, value: int, name: str, outputs: int, inputs: int, shift: int) -> int:
        limit = LIMITS[self.profile]
        scale = 2**shift // (limit * 2)  # weights of about one, spread over few inputs
        self.tensors[f"{name}.weight"] = self.integers(limit, outputs, inputs).to(WEIGHT_TYPE[self.profile])
        self.tensors[f"{name}.multiplier"] = (scale - self.integers(scale // 4, outputs)).to(torch.int32)
        self.tensors[f"{name}.bias"] = self.integers(2**14, outputs).to(torch.int32)
        table = self.program.table(name, TableShape("linear", outputs, inputs))
        operand = self.program.add("quantise", value, group=inputs)
        return self.program.add("linear", operand, table=table, shift=shift)

    def norm(self, value: int, name: str, kind: str, size: int) -> int:
        self.tensors[f"{name}.gamma"] = (2**14 + self.integers(2**12, size)).to(torch.int32)
        offset = 2**12 if kind == "layer_norm" else 0
        self.tensors[f"{name}.beta"] = self.integers(offset, size).to(torch.int32)
        table = self.program.table(name, TableShape("pairs", size, 1))
        root = function_tables.rounded_root(size)
        return self.program.add(kind, value, table=table, epsilon=3, root=root)

    def attention(self, value: int, heads: int, key_heads: int, head_size: int, *, causal: bool) -> int:
        shape = {"heads": heads, "key_heads": key_heads, "head_size": head_size, "causal": int(causal)}
        multiplier = function_tables.score_multiplier(head_size)
        operand = self.program.add("quantise", value, group=head_size)
        scores = self.program.add("scores", operand, **shape, multiplier=multiplier)
        weights = self.program.add("softmax", scores, operand, **shape)
        return self.program.add("mix", weights, operand, **shape)

    def model(self) -> Model:
        description = Description("test", self.profile, "embedding", 24, vocabulary_size=9, maximum_tokens=12)
        return Model(self.program.build(), self.tensors, description)


def encoder(profile: Profile, seed: int) -> Model:
    b = Builder(Shape("tokens", None, 1), profile, seed)
    x = b.program.add("embedding", 0, table=b.matrix("word", 9, 8))
    x = b.program.add("position_embedding", 0, x, table=b.matrix("position", 12, 8))
    x = b.norm(x, "embedding.norm", "layer_norm", 8)
    mixed = b.attention(b.linear(x, "query_key_value", 24, 8, 30), 2, 2, 4, causal=False)
    x = b.norm(b.program.add("add", x, b.linear(mixed, "output", 8, 8, 30)), "norm.1", "layer_norm", 8)
    hidden = b.program.add("gelu", b.linear(x, "up", 16, 8, 29))
    x = b.norm(b.program.add("add", x, b.linear(hidden, "down", 8, 16, 31)), "norm.2", "layer_norm", 8)
    b.program.add("unit_mean", x)
    return b.model()


def decoder(profile: Profile, seed: int) -> Model:
    b = Builder(Shape("tokens", None, 1), profile, seed)
    x = b.program.add("embedding", 0, table=b.matrix("word", 9, 8))
    y = b.linear(b.norm(x, "norm.1", "rms_norm", 8), "query_key_value", 32, 8, 30)
    for part in ("cosine", "sine"):
        b.tensors[f"rotation.{part}"] = b.integers(2**20, 12, 2).to(torch.int32)
    rotation = b.program.table("rotation", TableShape("rotation", 12, 2))
    y = b.program.add("rotate", y, table=rotation, columns=24, head_size=4)
    mixed = b.attention(y, 4, 2, 4, causal=True)
    x = b.program.add("add", x, b.linear(mixed, "output", 8, 16, 30))
    gates = b.linear(b.norm(x, "norm.2", "rms_norm", 8), "gate_up", 24, 8, 29)
    hidden = b.program.add("gated_silu", gates, shift=16)
    x = b.program.add("add", x, b.linear(hidden, "down", 8, 12, 31))
    logits = b.linear(b.norm(x, "norm.3", "rms_norm", 8), "head", 9, 8, 31)
    b.program.add("choose", logits, fraction_bits=16)
    return b.model()


def classifier(profile: Profile, seed: int) -> Model:
    b = Builder(Shape("bytes", 42, 2), profile, seed)
    image = {"height": 6, "width": 7, "channels": 2}
    x = b.program.add("pixels", 0, table=b.matrix("pixels", 2, 256))
    x = b.program.add("patches", x, **image, kernel=3, stride=1, padding=1)
    x = b.program.add("relu", b.linear(x, "convolution", 3, 18, 30))
    x = b.program.add("max_pool", x, height=6, width=7, channels=3, size=2, stride=2)
    x = b.program.add("average_pool", x, height=3, width=3, channels=3, size=2, stride=1)
    b.linear(b.program.add("flatten", x, rows=4), "head", 5, 12, 30)
    return b.model()


ARCHITECTURES = {"encoder": encoder, "decoder": decoder, "classifier": classifier}


def document(program: Program) -> dict[str, Any]:
    """The operator list as a manifest holds it."""
    return {
        "operators": [
            {
                "kind": operator.kind,
                "inputs": list(operator.inputs),
                "table": operator.table,
                "constants": dict(operator.constants),
            }
            for operator in program.operators
        ]
    }


def plain(tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    return {name: tensor.tolist() for name, tensor in tensors.items()}


def assert_equal(value: object, expected: Any) -> None:
    if isinstance(value, OperandValue):
        rows = zip(value.values.tolist(), value.exponents.tolist(), strict=True)
        assert list(rows) == [(q, k) for q, k in expected]
    elif isinstance(value, ops.SoftmaxRows):
        for t, heads in enumerate(expected):
            for head, row in enumerate(heads):
                hidden = [0] * (value.weights.shape[2] - len(row.weights))
                assert value.weights[t, head].tolist() == row.weights + hidden
                found = value.exponents[t, head], value.sums[t, head], value.reciprocals[t, head]
                assert tuple(map(int, found)) == (row.exponent, row.sum, row.reciprocal)
    else:
        assert isinstance(value, torch.Tensor)
        if value.ndim == 3:  # scores: what a causal row cannot see is zero
            length = value.shape[2]
            expected = [[row + [0] * (length - len(row)) for row in heads] for heads in expected]
        assert value.tolist() == expected


def check(model: Model, sample: Sequence[Any], sampling: Sampling | None = None) -> list[Any]:
    drawing = {"inverse_temperature": sampling.inverse_temperature, "seed": sampling.seed} if sampling else {}
    expected = run_operators(document(model.program), plain(model.tensors), sample, **drawing)
    found = run(model, torch.tensor(sample), sampling)
    assert len(found) == len(expected)
    for value, other in zip(found, expected, strict=True):
        assert_equal(value, other)
    assert run_program(document(model.program), plain(model.tensors), sample, **drawing) == expected[-1]
    return expected


def sample_of(model: Model, seed: int) -> list[Any]:
    generator = random.Random(seed)
    if model.program.input.kind == "tokens":
        return [generator.randrange(9) for _ in range(generator.randint(1, 12))]
    return [[generator.randrange(256) for _ in range(2)] for _ in range(42)]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("seed", range(4))
def test_interpreter_equals_big_integers(architecture: str, profile: Profile, seed: int) -> None:
    model = ARCHITECTURES[architecture](profile, seed)
    expected = check(model, sample_of(model, seed + 100))
    # A program that collapses to zeros or to its limits would agree without showing anything.
    logits = expected[-2] if architecture == "decoder" else expected[-1]
    assert len({abs(x) for row in logits for x in row}) > 3


@pytest.mark.parametrize("seed", range(4))
def test_sampled_choices_equal_big_integers(seed: int) -> None:
    model = decoder("E16", seed)
    check(model, sample_of(model, seed), Sampling(inverse_temperature=40_000, seed=2**64 - 1 - seed))


def test_no_intermediate_of_these_programs_was_wider_than_its_proof() -> None:
    scalars.widest.clear()
    for architecture in ARCHITECTURES.values():
        for profile in PROFILES:
            model = architecture(profile, 9)
            run_program(document(model.program), plain(model.tensors), sample_of(model, 9))
    proved = {"linear Σ q w · c": 53, "scores Σ q k · m": 53, "mix Σ p v · R": 54, "norm c · R": 52}
    proved |= {
        "gelu x · Φ": 52,
        "gated silu s · u": 55,
        "rotate a · cos - b · sin": 53,
        "unit mean s · R": 57,
    }
    assert set(proved) <= set(scalars.widest)
    assert {kind: bits for kind, bits in proved.items() if scalars.widest[kind] > bits} == {}
