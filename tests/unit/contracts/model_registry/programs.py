"""Programs whose descriptors tests take: every kind of operator, real where a packaged model has it. No test lives here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import boa
import numpy as np
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from proofmill.exact.commitment.descriptor import VALUE_KINDS, ProgramTree, TableCommitment
from proofmill.exact.commitment.keccak import hash_leaf
from proofmill.exact.commitment.merkle import MerkleTree
from proofmill.exact.manifest.document import Manifest
from proofmill.exact.manifest.packed import read_manifest
from proofmill.exact.models.catalogue import cache_path, known_model, load_packed
from proofmill.exact.program.graph import Program, ProgramBuilder
from proofmill.exact.program.kinds import KINDS, Shape, TableShape
from proofmill.model_registration import Registration

WORDS = 31
TOKENS = Shape("tokens", None, 1)


@cache
def real_manifest(name: str) -> Manifest:
    """Of a packaged model; its weights are not read unless it was never converted."""
    known = known_model(name)
    path = cache_path(known)
    manifest = read_manifest(path) if path.exists() else load_packed(known)[0]
    assert manifest.model_id == known.model_id
    return manifest


@cache
def real_registration(name: str) -> Registration:
    return Registration.of(real_manifest(name))


def program_tree(program: Program) -> ProgramTree:
    """With made-up roots of tables."""
    return ProgramTree(
        program,
        {
            name: TableCommitment(keccak(text=name), shape, 1 if shape.layout == "linear" else 4)
            for name, shape in program.tables.items()
        },
    )


def averaging_program() -> Program:
    """The kind that no packaged model has."""
    builder = ProgramBuilder(Shape("bytes", 64, 3))
    pixels = builder.table("pixels", TableShape("matrix", 3, 256))
    image = builder.add("pixels", 0, table=pixels)
    builder.add("average_pool", image, height=8, width=8, channels=3, size=4, stride=2)
    return builder.build()


def chain_of_activations(operators: int) -> Program:
    """An embedding, then as many rectifiers as it takes."""
    builder = ProgramBuilder(TOKENS)
    value = builder.add("embedding", 0, table=builder.table("words", TableShape("matrix", 50, 8)))
    for _ in range(operators - 1):
        value = builder.add("relu", value)
    return builder.build()


@dataclass(frozen=True)
class Placed:
    """One operator's leaf with all that its check depends on."""

    kind: str
    leaf: bytes
    number: int
    operators: int
    input: Shape

    @property
    def words(self) -> list[int]:
        return words_of(self.leaf)

    def changed(self, words: Mapping[int, int]) -> Placed:
        changed = {**dict(enumerate(self.words)), **words}
        return self.replaced(leaf_of([changed[place] for place in range(WORDS)]))

    def replaced(self, leaf: bytes) -> Placed:
        return Placed(self.kind, leaf, self.number, self.operators, self.input)


@cache
def every_kind() -> tuple[Placed, ...]:
    """For each kind its first operator in some program, and those of a kind that differ in what their words are zero."""
    found: dict[tuple[str, tuple[bool, ...]], Placed] = {}
    sources = [
        (manifest.program, ProgramTree(manifest.program, manifest.commitments))
        for manifest in map(real_manifest, ("digits-e16", "minilm-e16", "smollm2-e16x"))
    ]
    sources.append((averaging_program(), program_tree(averaging_program())))
    for program, tree in sources:
        count = len(program.operators)
        for number, operator in enumerate(program.operators, start=1):
            leaf = tree.open(number).data
            zeros = tuple(word != 0 for word in words_of(leaf)[:23])
            place = Placed(operator.kind, leaf, number, count, program.input)
            found.setdefault((operator.kind, zeros), place)
    assert {kind for kind, _ in found} == set(KINDS)
    return tuple(found.values())


def words_of(leaf: bytes) -> list[int]:
    return [int.from_bytes(leaf[i : i + 32], "big") for i in range(0, len(leaf), 32)]


def leaf_of(words: Sequence[int]) -> bytes:
    return b"".join(word.to_bytes(32, "big") for word in words)


def shape_words(shape: Shape) -> tuple[int, int, int, int]:
    return 1 + VALUE_KINDS.index(shape.kind), shape.rows or 0, shape.width, shape.group


def head_of(operators: int, program_input: Shape = TOKENS) -> bytes:
    return leaf_of([0, *shape_words(program_input), operators, *[0] * (WORDS - 6)])


def tree_of(leaves: Sequence[bytes]) -> MerkleTree:
    """Over leaves of any content."""
    hashes = np.frombuffer(b"".join(map(hash_leaf, leaves)), dtype=np.uint8).reshape(-1, 32)
    return MerkleTree(hashes)


# ------------------------------------------------------------------ calls without titanoboa's accounts of failures
_CHECK = keccak(text="check(bytes,uint256,uint256,(uint256,uint256,uint256,uint256))")[:4]


def refusal(harness: Any, placed: Placed) -> str | None:
    """The reason for which `DescriptorBoundsHarness.check` refuses an operator, or None."""
    arguments = (placed.leaf, placed.number, placed.operators, shape_words(placed.input))
    types = ["bytes", "uint256", "uint256", "(uint256,uint256,uint256,uint256)"]
    result = boa.env.execute_code(harness.address, data=_CHECK + encode(types, arguments))
    if not result.is_error:
        return None
    output = bytes(result.output)
    assert output[:4] == bytes.fromhex("08c379a0"), "every refusal has a reason"
    return output[68 : 68 + int.from_bytes(output[36:68], "big")].decode()
