"""Roots of requests and answers: what a trace of the same run commits to, opened leaf by leaf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from eth_abi.abi import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofmill.exact.commitment import keccak
from proofmill.exact.commitment.keccak import hash_leaf, keccak256
from proofmill.exact.commitment.merkle import root_from_path, tree_depth, verify_opening
from proofmill.exact.errors import InvalidOpening, InvalidOperand
from proofmill.exact.program.sampling import Sampling
from proofmill.exact.trace.claims import (
    MAXIMUM_ITEMS,
    NO_STOP_TOKEN,
    AnswerCommitment,
    RequestCommitment,
    RequestKind,
    answer_item,
    answer_items,
    answer_tokens,
    hash_item,
    input_item,
    input_items,
)
from proofmill.exact.trace.geometry import Leaf
from proofmill.exact.trace.tracing import Trace, trace
from tests.property.exact.test_exact_programs import ARCHITECTURES, sample_of

REQUEST_TYPES = ["uint256", "uint256", "bytes32", "uint256", "uint256", "uint256", "uint256"]


def traced(architecture: str) -> tuple[Any, Trace]:
    """A sample with its trace, of which every value is kept."""
    model = ARCHITECTURES[architecture]("E16", 3)
    sample = sample_of(model, 5)
    sampling = Sampling(50_000, 3) if architecture == "decoder" else None
    return sample, trace(model, torch.tensor(sample), sampling=sampling, keep=range(99))


def values_node(run: Trace, number: int, row: int) -> bytes:
    """The ``values`` node of a row as the trace opens it: the path up to there."""
    opening = run.open(number, Leaf("values", row))
    depth = run.run.geometry(number).values.depth
    return root_from_path(hash_leaf(opening.data), 0, opening.path[:depth])


@pytest.fixture(params=[True, False], ids=["compiled", "one by one"], autouse=True)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of hashing, whatever other tests of the process have loaded."""
    monkeypatch.setattr(keccak, "_is_worth_loading", lambda _: request.param)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_input_item__of_a_traced_run__is_value_0(architecture: str) -> None:
    sample, run = traced(architecture)
    item = input_item(np.array(sample))
    assert (item.rows, item.root) == (run.run.length, run.roots[0])
    grid = run.run.geometry(0).values
    for row in range(item.rows):
        for leaf in range(item.leaves):
            assert item.open(row, leaf) == run.open(0, Leaf("values", row, 0, leaf))
    assert item.leaves == grid.leaves
    assert item.depth == run.run.geometry(0).locate(Leaf("values", 0))[1]


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "decoder"])
def test_answer_item__of_a_traced_run__is_the_last_value(architecture: str) -> None:
    _, run = traced(architecture)
    last = len(run.roots) - 1
    answer = run.values[last]
    assert isinstance(answer, torch.Tensor)
    item = answer_item(answer.numpy())
    nodes = [values_node(run, last, row) for row in range(item.rows)]
    assert [bytes(node) for node in item.row_hashes] == nodes
    assert item.root == tree(nodes)


def test_answer_tokens__of_a_traced_generation__are_rows_of_the_choice() -> None:
    _, run = traced("decoder")
    last = len(run.roots) - 1
    choice = run.values[last]
    assert isinstance(choice, torch.Tensor)
    item = answer_tokens(choice.flatten().numpy()[-2:])
    nodes = [values_node(run, last, run.run.length - 2 + row) for row in range(2)]
    assert item.root == tree(nodes)
    assert (item.rows, item.width, item.leaves) == (2, 1, 1)


def tree(hashes: list[bytes]) -> bytes:
    """The root by the words of docs/TRACE.md, section 1."""
    level = hashes + [bytes(32)] * ((1 << tree_depth(len(hashes))) - len(hashes))
    while len(level) > 1:
        level = [keccak256(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def by_definition(values: Any) -> list[bytes]:
    """The ``values`` node of each row."""
    return [
        tree(
            [
                hash_leaf(b"".join(int(one).to_bytes(4, "big", signed=True) for one in row[i : i + 256]))
                for i in range(0, len(row), 256)
            ]
        )
        for row in values
    ]


@given(st.integers(1, 9), st.sampled_from([1, 2, 255, 256, 257, 384, 1025]), st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_answer_item__any_shape__is_as_defined_and_opens(rows: int, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(-(1 << 31), 1 << 31, (rows, width)).astype(np.int32)
    item = answer_item(values)
    assert item.root == tree(by_definition(values))
    row, leaf = seed % rows, seed % item.leaves
    opening = item.open(row, leaf)
    assert verify_opening(item.root, item.depth, opening)
    assert opening.data == item.leaf_data(row, leaf)
    assert bytes(item.leaf_hashes(row)[leaf]) == hash_leaf(opening.data)
    assert root_from_path(item.row_hashes[row].tobytes(), row, item.row_path(row)) == item.root
    asked = input_item(values)
    assert verify_opening(asked.root, asked.depth, asked.open(row, leaf))
    assert asked.root != item.root


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_request__any_count__is_what_the_contracts_hash(count: int) -> None:
    sequences = [[7] * (1 + i % 5) + [i] for i in range(count)]
    request = RequestCommitment(RequestKind.GENERATION, input_items(sequences), 65_536, 9, 32, 2)
    words = (2, count, request.items_root, 65_536, 9, 32, 2)
    assert request.words == words
    assert request.root == keccak256(encode(REQUEST_TYPES, words))
    for place in {0, count // 2, count - 1}:
        rows, root, path = request.open(place)
        assert (rows, root) == (len(sequences[place]), input_item(sequences[place]).root)
        leaf = hash_leaf(encode(["uint256", "bytes32"], (rows, root)))
        assert leaf == hash_item(rows, root) == request.items[place].hash == bytes(request.item_hashes[place])
        assert len(path) == tree_depth(count) <= 10
        assert root_from_path(leaf, place, path) == request.items_root


@pytest.mark.parametrize("count", [1, 2, 5])
def test_answer__any_count__is_what_the_contracts_hash(count: int) -> None:
    values = np.arange(count * 3, dtype=np.int32).reshape(count, 1, 3)
    answer = AnswerCommitment(answer_items(list(values)))
    assert answer.root == keccak256(encode(["uint256", "bytes32"], (count, answer.answers_root)))
    assert answer.answers_root == tree([hash_item(1, by_definition(value)[0]) for value in values])
    assert answer.rows_and_roots == ([1] * count, [item.root for item in answer.items])
    rows, root, path = answer.open(count - 1)
    assert root_from_path(hash_item(rows, root), count - 1, path) == answer.answers_root


@pytest.mark.parametrize("place", range(5))
def test_request__one_number_changes__is_another_root(place: int) -> None:
    items = input_items([[1, 2], [3]])
    numbers = [1, 7, 8, 9]
    plain = RequestCommitment(RequestKind.GENERATION, items, *numbers).root
    if place < len(numbers):
        numbers[place] += 1
    else:
        items = input_items([[1], [2, 3]])
    assert RequestCommitment(RequestKind.GENERATION, items, *numbers).root != plain


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: answer_item(np.zeros((2, 2))), "type float64"),
        (lambda: answer_item(np.zeros((0, 2), np.int32)), r"shape \(0, 2\)"),
        (lambda: answer_item(np.zeros((1, 2, 3), np.int32)), "shape"),
        (lambda: input_item([]), "shape"),
        (lambda: input_item([1 << 32]), "more than 32 bits"),
        (lambda: input_item([-(1 << 31) - 1]), "more than 32 bits"),
        (lambda: input_items([]), "no item"),
        (lambda: AnswerCommitment([]), "0 items"),
        (lambda: AnswerCommitment([answer_tokens([1])] * (MAXIMUM_ITEMS + 1)), "1,025 items"),
        (lambda: RequestCommitment(RequestKind.MAP, [input_item([1])], maximum_new_tokens=1), "in a map"),
        (lambda: RequestCommitment(RequestKind.GENERATION, [input_item([1])]), "in a generation"),
        (lambda: RequestCommitment(RequestKind.MAP, [input_item([1])], seed=-1), "words"),
        (
            lambda: RequestCommitment(RequestKind.MAP, [input_item([1])], stop_token=NO_STOP_TOKEN + 1),
            "words",
        ),
    ],
)
def test_commitment__to_what_has_no_root__is_refused(make: Callable[[], object], reason: str) -> None:
    with pytest.raises(InvalidOperand, match=reason):
        make()


def test_open__nothing_there__is_refused() -> None:
    item = answer_item(np.zeros((2, 300), np.int32))
    for row, leaf in ((2, 0), (-1, 0), (0, 2), (0, -1)):
        with pytest.raises(InvalidOpening, match="in an item of 2 rows of 2 leaves"):
            item.open(row, leaf)
    for place in (-1, 1):
        with pytest.raises(InvalidOpening, match="no leaf"):
            AnswerCommitment([item]).open(place)


def test_items__hashed_together__are_those_hashed_alone() -> None:
    sequences = [[1], [2, 3, 4], [5, 6]]
    assert [item.root for item in input_items(sequences)] == [input_item(one).root for one in sequences]
    alone = [answer_item(np.array([[1, 2]])), answer_item(np.array([[3, 4], [5, 6]]))]
    together = answer_items([np.array([[1, 2]]), np.array([[3, 4], [5, 6]])])
    assert [item.root for item in together] == [item.root for item in alone]
