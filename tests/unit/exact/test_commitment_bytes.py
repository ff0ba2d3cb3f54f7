"""Leaves and descriptors, byte by byte."""

import numpy as np
import pytest
import torch

from proofmill.exact.commitment.descriptor import (
    OperatorDescriptor,
    ProgramTree,
    TableCommitment,
    describe,
    model_id,
    table_leaf,
    table_opening_of,
    tables_root,
)
from proofmill.exact.commitment.keccak import hash_leaf, hash_messages, keccak256
from proofmill.exact.commitment.leaves import TableTree, table_depth, table_opening, table_root
from proofmill.exact.commitment.merkle import verify_opening
from proofmill.exact.errors import InvalidOpening, InvalidOperand
from proofmill.exact.program.graph import Program, ProgramBuilder
from proofmill.exact.program.kinds import Shape, TableShape


def integers(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "big", signed=True) for value in values)


@pytest.mark.parametrize("native", [True, False])
def test_keccak_is_that_of_the_evm(native: bool) -> None:
    known = {
        b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
        b"abc": "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
    }
    for message, digest in known.items():
        assert keccak256(message).hex() == digest
        row = np.frombuffer(message, dtype=np.uint8)[None]
        assert hash_messages(row, native=native).tobytes().hex() == digest


def test_only_bytes_are_hashed() -> None:
    with pytest.raises(InvalidOperand, match="int64"):
        hash_messages(np.zeros((2, 3), dtype=np.int64))


def test_weights_are_lanes_in_reverse_with_the_constants_behind() -> None:
    weight = torch.arange(1, 35, dtype=torch.int8).repeat(2, 1)
    weight[1] = -weight[1]
    multiplier, bias = (
        torch.tensor([7, 2**24 - 1], dtype=torch.int32),
        torch.tensor([5, -3], dtype=torch.int32),
    )
    tree = TableTree("linear", {"weight": weight, "multiplier": multiplier, "bias": bias})
    word = bytes(range(1, 33))
    lanes = b"".join(word[i : i + 4] for i in range(28, -1, -4))
    second = bytes(28) + bytes([33, 34, 0, 0])
    assert tree.open(0).data == lanes + second + bytes(24) + integers(7, 5)
    assert tree.open(1).data[-8:] == integers(2**24 - 1, -3)
    assert tree.open(1).data[28] == 256 - 1
    assert tree.root == keccak256(hash_leaf(tree.open(0).data) + hash_leaf(tree.open(1).data))


def test_wide_weights_are_all_high_digits_before_all_low_ones() -> None:
    weight = torch.tensor([[16256, -16256, 127, 128, -129]], dtype=torch.int16)
    parts = {"weight": weight, "multiplier": torch.ones(1).int(), "bias": torch.zeros(1).int()}
    data = table_opening("linear", parts, 0).data
    assert len(data) == 96
    high, low = (
        [int.from_bytes(data[at + 28 + i : at + 29 + i], "big", signed=True) for i in range(4)]
        for at in (0, 32)
    )
    assert [256 * a + b for a, b in zip(high, low, strict=True)] == [16256, -16256, 127, 128]
    fifth = [int.from_bytes(data[at + 24 : at + 25], "big", signed=True) for at in (0, 32)]
    assert 256 * fifth[0] + fifth[1] == -129


def test_rows_of_a_matrix_are_leaves_of_256() -> None:
    rows = torch.arange(3 * 300, dtype=torch.int32).view(3, 300) - 450
    tree = TableTree("matrix", {"rows": rows})
    assert tree.open(2, 1).data == integers(*rows[2, 256:].tolist())
    assert tree.open(2, 1).index == 2 * 2 + 1
    row_hashes = [
        keccak256(hash_leaf(integers(*row[:256].tolist())) + hash_leaf(integers(*row[256:].tolist())))
        for row in rows
    ]
    expected = keccak256(keccak256(row_hashes[0] + row_hashes[1]) + keccak256(row_hashes[2] + bytes(32)))
    assert tree.root == expected
    assert (
        table_root("matrix", {"rows": rows.to(torch.int16)}) == expected
    )  # the type that holds integers is no part of them


def test_pairs_and_rotations() -> None:
    gamma, beta = torch.arange(20).int(), -torch.arange(20).int()
    pairs = TableTree("pairs", {"gamma": gamma, "beta": beta})
    assert pairs.open(1).data == integers(16, -16, 17, -17, 18, -18, 19, -19)
    cosine, sine = torch.arange(6).int().view(3, 2), torch.arange(6).int().view(3, 2) + 10
    assert table_opening("rotation", {"cosine": cosine, "sine": sine}, 2).data == integers(4, 5, 14, 15)


@pytest.mark.parametrize(
    ("layout", "rows", "columns"),
    [
        ("linear", 5, 40),
        ("matrix", 4, 700),
        ("rotation", 7, 130),
        ("pairs", 50, 1),
        ("pairs", 3, 1),
        ("matrix", 1, 1),
    ],
)
def test_every_leaf_of_a_table_opens(layout: str, rows: int, columns: int) -> None:
    matrix = torch.randint(-99, 99, (rows, columns), dtype=torch.int32)
    vector = matrix[:, 0].contiguous()
    parts = {
        "linear": {"weight": matrix.to(torch.int8), "multiplier": vector, "bias": vector},
        "matrix": {"rows": matrix},
        "rotation": {"cosine": matrix, "sine": matrix},
        "pairs": {"gamma": vector, "beta": vector},
    }[layout]
    tree = TableTree(layout, parts)  # type: ignore[arg-type]
    assert tree.depth == table_depth(layout, rows, columns)  # type: ignore[arg-type]
    for row in range(tree.rows):
        for leaf in range(tree.leaves_per_row):
            assert verify_opening(tree.root, tree.depth, tree.open(row, leaf))
    with pytest.raises(InvalidOpening, match="in a table"):
        tree.open(tree.rows)


def small_program() -> Program:
    b = ProgramBuilder(Shape("tokens", None, 1))
    x = b.add("embedding", 0, table=b.table("word", TableShape("matrix", 9, 6)))
    operand = b.add("quantise", x, group=2)
    scores = b.add("scores", operand, heads=1, key_heads=1, head_size=2, causal=1, multiplier=9)
    weights = b.add("softmax", scores, operand, heads=1, key_heads=1, head_size=2, causal=1)
    b.add("mix", weights, operand, heads=1, key_heads=1, head_size=2, causal=1)
    return b.build()


def test_descriptors_say_what_a_program_is() -> None:
    program = small_program()
    tables = {"word": TableCommitment(b"\x07" * 32, program.tables["word"])}
    tree = ProgramTree(program, tables)
    head, embedding, quantise = (tree.open(i).data for i in range(3))

    def words(data: bytes) -> list[int]:
        return [int.from_bytes(data[i : i + 32], "big") for i in range(0, len(data), 32)]

    assert words(head) == [0, 1, 0, 1, 0, 5] + [0] * 25
    assert words(embedding) == [
        *[1, 3, 0, 6, 0, 1],
        *[0, 1, 0, 1, 0, 0, 0, 0, 0, 0],
        *[0, 0, int.from_bytes(b"\x07" * 32, "big"), 1, 9, 6, 4],
        *[0] * 8,
    ]
    assert words(quantise)[:8] == [5, 4, 0, 6, 2, 1, 1, 3]
    assert words(quantise)[16:18] == [4, 2]  # the value columns a mix reads
    assert words(quantise)[23] == 2
    assert words(tree.open(3).data)[23:29] == [1, 1, 2, 1, 9, 0]
    for number in range(6):
        assert verify_opening(tree.root, 3, tree.open(number))
    for descriptor in tree.descriptors:
        assert OperatorDescriptor.decode(descriptor.encode()) == descriptor


@pytest.mark.parametrize("word", [0, 1, 5, 22, 30])
def test_bytes_that_describe_no_operator_are_refused(word: int) -> None:
    program = small_program()
    data = bytearray(
        describe(program, {"word": TableCommitment(bytes(32), program.tables["word"])})[1].encode()
    )
    data[32 * word] = 0xFF
    with pytest.raises(InvalidOpening):
        OperatorDescriptor.decode(bytes(data))
    with pytest.raises(InvalidOpening, match="31 bytes"):
        OperatorDescriptor.decode(bytes(31))


def test_a_model_is_its_program_its_tables_and_its_manifest() -> None:
    tables = {
        "b": TableCommitment(b"\x01" * 32, TableShape("pairs", 4, 1)),
        "a": TableCommitment(b"\x02" * 32, TableShape("linear", 3, 5), 2),
    }
    leaf = keccak256(b"a") + b"\x02" * 32 + b"".join(n.to_bytes(32, "big") for n in (3, 3, 5, 2))
    assert table_leaf("a", tables["a"]) == leaf
    root = keccak256(hash_leaf(leaf) + hash_leaf(table_leaf("b", tables["b"])))
    assert tables_root(tables) == root
    assert verify_opening(root, 1, table_opening_of("b", tables))
    assert tables_root({}) == bytes(32)
    assert model_id(b"p" * 32, root, b"{}") == keccak256(b"p" * 32 + root + keccak256(b"{}"))
