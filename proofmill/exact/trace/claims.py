"""What a job commits to: its request and its answer as roots whose parts can be opened one by one.

A request is a list of *items*, one for each sequence: (T, root of value 0 as in docs/TRACE.md, section 2). An answer is a list of
items too: (rows, tree over the ``values`` node of each row of the program's last value), or for a generation (number of new
tokens, tree over a leaf for each). Both follow from the integers alone: nobody needs a trace, or the model, to make them.

::

    leaf of an item = keccak(keccak(rows ‖ root))
    request root    = keccak(kind ‖ count ‖ tree over the items ‖ inverse temperature ‖ seed ‖ maximum new tokens ‖ stop token)
    answer root     = keccak(count ‖ tree over the items)

Numbers are words of 32 bytes. These are the ABI encodings of ``IDisputeGame.Request`` and ``IDisputeGame.Item``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proofmill.exact.commitment.keccak import Bytes, hash_leaf, hash_messages, keccak256
from proofmill.exact.commitment.leaves import LEAF_ELEMENTS, hash_chunks, integer_bytes
from proofmill.exact.commitment.merkle import EMPTY, MerkleTree, Opening, roots, tree_depth
from proofmill.exact.errors import InvalidOpening, InvalidOperand

Integers = NDArray[Any]

MAXIMUM_ITEMS: Final = 1_024  # paths in the contracts have room for ten siblings
WORD_BYTES: Final = 32
NO_STOP_TOKEN: Final = (1 << 256) - 1
_INTEGER_BYTES: Final = 4
_LEAF_BYTES: Final = _INTEGER_BYTES * LEAF_ELEMENTS


class RequestKind(IntEnum):
    """What is done with each sequence of a request."""

    MAP = 1  # it is run once
    GENERATION = 2  # it is continued


class OpenedItem(NamedTuple):
    """An item with its siblings up to the tree's root: the fields of ``IDisputeGame.Item``."""

    rows: int
    root: bytes
    path: tuple[bytes, ...]


class RequestWords(NamedTuple):
    """The fields of ``IDisputeGame.Request``, in their order."""

    kind: int
    item_count: int
    items_root: bytes
    inverse_temperature: int
    seed: int
    maximum_new_tokens: int
    stop_token: int


# ---------------------------------------------------------------------------------------------------- one item


class Item:
    """One sequence of a request or of an answer: integers [R, W] and their root, with openings of every leaf.

    The integers are 32-bit, signed or not: the bytes of a leaf are their big-endian words of four bytes. They are not copied:
    they must not change. Made by :func:`input_items`, :func:`answer_rows` and :func:`answer_tokens`, or their singular forms.
    """

    def __init__(self, values: Integers, nodes: Bytes, *, is_input: bool) -> None:
        """``nodes`` are the ``values`` nodes of the rows, uint8 [R, 32]."""
        self._values, self._is_input = values, is_input
        self.row_hashes: Bytes = _row_hashes(nodes) if is_input else nodes
        top = roots(self.row_hashes).tobytes()
        self.root = keccak256(top + EMPTY) if is_input else top

    @property
    def rows(self) -> int:
        """R, the number of tokens of a sequence, or of rows of an image or an answer."""
        return len(self._values)

    @property
    def width(self) -> int:
        """W, integers in a row."""
        return int(self._values.shape[1])

    @property
    def leaves(self) -> int:
        """Leaves of a row."""
        return -(-self.width // LEAF_ELEMENTS)

    @property
    def hash(self) -> bytes:
        """The item's leaf in the tree over all items."""
        return hash_item(self.rows, self.root)

    def leaf_data(self, row: int, leaf: int = 0) -> bytes:
        """Bytes of one leaf, at most 256 integers."""
        self._check(row, leaf)
        return integer_bytes(self._values[row, leaf * LEAF_ELEMENTS : (leaf + 1) * LEAF_ELEMENTS]).tobytes()

    def leaf_hashes(self, row: int) -> Bytes:
        """Leaf hashes of one row, uint8 [leaves, 32]."""
        self._check(row, 0)
        return hash_chunks(integer_bytes(self._values[row]), _LEAF_BYTES)

    def open(self, row: int, leaf: int = 0) -> Opening:
        """Open one leaf against :attr:`root`.

        In an answer the path goes through the leaves of the row and then through the rows. An input is a value of a trace:
        its path also passes the witness and the supplement, which it does not have.
        """
        self._check(row, leaf)
        below = MerkleTree(self.leaf_hashes(row))
        index = row << below.depth | leaf
        path = (*below.path(leaf), *self.row_path(row))
        if self._is_input:
            index = row << 1 + below.depth | leaf
        return Opening(self.leaf_data(row, leaf), index, path)

    def row_path(self, row: int) -> tuple[bytes, ...]:
        """Siblings from the ``values`` node of a row up to :attr:`root`."""
        self._check(row, 0)
        path = self._rows_tree.path(row)
        return (EMPTY, *path, EMPTY) if self._is_input else path

    @property
    def depth(self) -> int:
        """Length of the path of every leaf."""
        return tree_depth(self.rows) + tree_depth(self.leaves) + (2 if self._is_input else 0)

    @functools.cached_property
    def _rows_tree(self) -> MerkleTree:
        return MerkleTree(self.row_hashes)

    def _check(self, row: int, leaf: int) -> None:
        if not (0 <= row < self.rows and 0 <= leaf < self.leaves):
            raise InvalidOpening(
                f"leaf {leaf} of row {row} in an item of {self.rows} rows of {self.leaves} leaves",
                remedy="Open an existing leaf.",
            )


def hash_item(rows: int, root: bytes) -> bytes:
    """``keccak(keccak(rows ‖ root))``, an item's leaf."""
    return hash_leaf(_word(rows) + root)


def input_item(values: Sequence[int] | Integers) -> Item:
    """A sequence of token ids [T], or an image [rows, channels], as an item of a request."""
    return input_items([values])[0]


def input_items(sequences: Sequence[Sequence[int] | Integers]) -> list[Item]:
    """Items of a request, hashed together; all of them ids [T], or all of them images of equally many channels."""
    return _items(sequences, is_input=True)


def answer_item(values: Integers) -> Item:
    """Rows of an activation, integers [R, W], as an item of an answer: one row of a pooled embedding or of logits."""
    return answer_items([values])[0]


def answer_items(answers: Sequence[Integers]) -> list[Item]:
    """Items of an answer, hashed together: each [R, W] with a W that all of them have; an array [n, R, W] will do."""
    return _items(answers, is_input=False)


def answer_tokens(ids: Sequence[int] | Integers) -> Item:
    """New tokens [n] as an item of the answer of a generation: rows of one integer, each a leaf."""
    return _items([ids], is_input=False)[0]


def _items(sequences: Sequence[Sequence[int] | Integers], *, is_input: bool) -> list[Item]:
    parts = [_as_rows(values) for values in sequences]
    if not parts:
        raise InvalidOperand("no item", remedy="Commit to at least one sequence.")
    joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
    nodes = _values_nodes(joined)
    items, start = [], 0
    for part in parts:
        items.append(Item(part, nodes[start : start + len(part)], is_input=is_input))
        start += len(part)
    return items


def _as_rows(values: Sequence[int] | Integers) -> Integers:
    rows = np.asarray(values)
    if rows.ndim == 1:
        rows = rows[:, None]
    if rows.ndim != 2 or rows.dtype.kind not in "iu" or 0 in rows.shape:
        raise InvalidOperand(
            f"values of type {rows.dtype} and shape {rows.shape}",
            remedy="Commit to integers [n], or to rows of integers [R, W], at least one.",
        )
    if rows.dtype.itemsize > _INTEGER_BYTES and (rows.min() < -(1 << 31) or rows.max() >= 1 << 32):
        raise InvalidOperand(
            "an integer has more than 32 bits", remedy="Commit to int32 or to token ids below 2^32."
        )
    return rows


def _values_nodes(rows: Integers) -> Bytes:
    """The ``values`` node of each row: integers [R, W] give uint8 [R, 32]."""
    return roots(hash_chunks(integer_bytes(rows), _LEAF_BYTES))


def _row_hashes(nodes: Bytes) -> Bytes:
    """Hashes of rows without a witness: uint8 [R, 32] gives [R, 32]."""
    return hash_messages(np.concatenate((nodes, np.zeros_like(nodes)), axis=1))


def _word(number: int) -> bytes:
    return number.to_bytes(WORD_BYTES, "big")


# ------------------------------------------------------------------------------------------- requests and answers


class _ItemTree:
    """The tree over the items of one side."""

    items: Sequence[Item]

    def _check_count(self) -> None:
        if not 1 <= len(self.items) <= MAXIMUM_ITEMS:
            raise InvalidOperand(
                f"{len(self.items):,} items, the range is 1 to {MAXIMUM_ITEMS:,}",
                remedy="Split the work into several jobs.",
            )

    @property
    def count(self) -> int:
        """Items, 1 to 1,024."""
        return len(self.items)

    @functools.cached_property
    def item_hashes(self) -> Bytes:
        """The leaves of the tree over the items, uint8 [count, 32]."""
        words = np.zeros((len(self.items), 2 * WORD_BYTES), dtype=np.uint8)
        for place, item in enumerate(self.items):
            words[place] = np.frombuffer(_word(item.rows) + item.root, dtype=np.uint8)
        return hash_messages(words, twice=True)

    @property
    def rows_and_roots(self) -> tuple[list[int], list[bytes]]:
        """Of every item in order: what ``IDisputeGame.reveal_items`` takes."""
        return [item.rows for item in self.items], [item.root for item in self.items]

    def open(self, item: int) -> OpenedItem:
        """Item number ``item``, from 0, with its path; InvalidOpening if there is none."""
        path = self._tree.path(item)
        return OpenedItem(self.items[item].rows, self.items[item].root, path)

    @functools.cached_property
    def _tree(self) -> MerkleTree:
        return MerkleTree(self.item_hashes)


@dataclass(frozen=True, eq=False)
class RequestCommitment(_ItemTree):
    """A request as the contracts know it: preimage and openings of a job's input root. Immutable."""

    kind: RequestKind
    items: Sequence[Item]
    inverse_temperature: int = 0  # Q.16; 0: the greatest logit is chosen, or nothing is
    seed: int = 0
    maximum_new_tokens: int = 0  # 0 for a map
    stop_token: int = NO_STOP_TOKEN

    def __post_init__(self) -> None:
        self._check_count()
        numbers = (self.inverse_temperature, self.seed, self.maximum_new_tokens, self.stop_token)
        if not all(0 <= number < 1 << 256 for number in numbers):
            raise InvalidOperand(
                f"{numbers} do not fit words of 32 bytes", remedy="Use natural numbers below 2^256."
            )
        if (self.kind == RequestKind.MAP) != (self.maximum_new_tokens == 0):
            raise InvalidOperand(
                f"{self.maximum_new_tokens} new tokens in a {self.kind.name.lower()}",
                remedy="Ask for at least one new token in a generation, for none in a map.",
            )

    @property
    def items_root(self) -> bytes:
        return self._tree.root

    @property
    def words(self) -> RequestWords:
        """The struct that the contracts take."""
        return RequestWords(
            int(self.kind),
            self.count,
            self.items_root,
            self.inverse_temperature,
            self.seed,
            self.maximum_new_tokens,
            self.stop_token,
        )

    @functools.cached_property
    def root(self) -> bytes:
        """The job's input root."""
        return keccak256(b"".join(one if isinstance(one, bytes) else _word(one) for one in self.words))


@dataclass(frozen=True, eq=False)
class AnswerCommitment(_ItemTree):
    """An answer as the contracts know it: preimage and openings of a job's deliverable. Immutable."""

    items: Sequence[Item]

    def __post_init__(self) -> None:
        self._check_count()

    @property
    def answers_root(self) -> bytes:
        """Root of the tree over the items."""
        return self._tree.root

    @functools.cached_property
    def root(self) -> bytes:
        """The job's deliverable."""
        return keccak256(_word(self.count) + self.answers_root)
