"""Names of what a dispute asks for: the keys of ``ITraceReader.vyi``, and the ids of cases and claims."""

from __future__ import annotations

from eth_abi.abi import encode

from proofmill.exact.commitment.keccak import keccak256

_TREE, _ROWS, _LEAVES, _LEAF = 1, 2, 3, 4


def case_id(job_id: int, record: bytes) -> bytes:
    """A submitted answer: a job with the record that the escrow keeps of it."""
    return keccak256(encode(["uint256", "bytes32"], [job_id, record]))


def tree_key(identifier: bytes, node: bytes, level: int, depth: int, count: int) -> bytes:
    """``count`` nodes at ``level`` of a tree of depth ``level + depth``."""
    return _key(identifier, _TREE, node, level, depth, count=count)


def rows_key(
    identifier: bytes, root: bytes, level: int, depth: int, count: int, *, has_supplement: bool
) -> bytes:
    """A value's row hashes, or ``count`` groups of 2^level of them, with its supplement root."""
    return _key(identifier, _ROWS, root, level, depth, int(has_supplement), count=count)


def leaves_key(
    identifier: bytes,
    row_hash: bytes,
    value_sections: int,
    value_leaves: int,
    witness_sections: int,
    witness_leaves: int,
    count: int,
) -> bytes:
    """The leaf hashes of a row, ``count`` of which are not free."""
    shape = (value_sections, value_leaves, witness_sections, witness_leaves)
    return _key(identifier, _LEAVES, row_hash, *shape, count=count)


def leaf_key(identifier: bytes, leaf_hash: bytes) -> bytes:
    """The bytes of a leaf."""
    return _key(identifier, _LEAF, leaf_hash)


def _key(identifier: bytes, form: int, node: bytes, *numbers: int, count: int = 0) -> bytes:
    padded = [*numbers, *[0] * (4 - len(numbers)), count]
    types = ["bytes32", "uint256", "bytes32", *["uint256"] * 5]
    return keccak256(encode(types, [identifier, form, node, *padded]))
