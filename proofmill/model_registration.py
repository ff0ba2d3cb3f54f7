"""Registering a model: what the registry must see of it, and the transactions that show it.

A registration is a function of the manifest alone, and what the registry holds already is never sent again: whoever starts the
same registration later, or at the same time, goes on where the others are.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from web3.types import TxReceipt

from proofmill.chain.model_registry import ModelRegistry
from proofmill.chain.types import ContractCall
from proofmill.errors import ProofmillError
from proofmill.exact.commitment.descriptor import ProgramTree, model_id, tables_root
from proofmill.exact.commitment.keccak import keccak256
from proofmill.exact.commitment.merkle import EMPTY, Opening
from proofmill.exact.manifest.document import Manifest
from proofmill.exact.trace.limits import check_disputable

GROUP_LEAVES: Final = 16
GROUP_DEPTH: Final = 4
MAXIMUM_URI_BYTES: Final = 256
GROUPS_AT_ONCE: Final = 8  # sent before their receipts are waited for


class UriTooLong(ProofmillError):
    """The address does not fit the registry's event; nothing was sent."""


class Sender(Protocol):
    """What sends transactions: :class:`proofmill.chain.TransactionSender`."""

    def send_many(self, calls: Sequence[tuple[str, ContractCall]]) -> list[TxReceipt]: ...


@dataclass(frozen=True)
class LeafGroup:
    """Up to 16 leaves of the program's tree from leaf 16 · ``number`` on, and the siblings of the node above them."""

    number: int
    leaves: tuple[bytes, ...]
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Registration:
    """All that the registry asks for; made by :meth:`of`."""

    model_id: bytes
    program_root: bytes
    tables_root: bytes
    manifest_hash: bytes
    operators: int
    head: Opening
    groups: tuple[LeafGroup, ...]

    @classmethod
    def of(cls, manifest: Manifest) -> Registration:
        """From a manifest whose model has been checked.

        Raises:
            ModelRefused: the registry would refuse it, because a dispute cannot carry it.
        """
        commitments = manifest.commitments
        tree = ProgramTree(manifest.program, commitments)
        check_disputable(manifest.program.input, tree.descriptors)
        operators = len(tree.descriptors)
        tables, text = tables_root(commitments), manifest.to_bytes()
        return cls(
            model_id(tree.root, tables, text),
            tree.root,
            tables,
            keccak256(text),
            operators,
            tree.open(0),
            tuple(_group(tree, number, operators) for number in range(operators // GROUP_LEAVES + 1)),
        )

    def missing(self, checked_groups: int) -> tuple[LeafGroup, ...]:
        """The groups that are not checked yet; bit i of ``checked_groups`` says that group i is."""
        return tuple(group for group in self.groups if not checked_groups >> group.number & 1)


def _group(tree: ProgramTree, number: int, operators: int) -> LeafGroup:
    start = number * GROUP_LEAVES
    leaves = range(start, min(start + GROUP_LEAVES, operators + 1))
    return LeafGroup(
        number, tuple(tree.open(leaf).data for leaf in leaves), tree.open(start).path[GROUP_DEPTH:]
    )


@dataclass(frozen=True)
class RegistrationOutcome:
    """What it took: 0 transactions if others had done it all."""

    transactions: int
    gas_used: int


def register(
    registration: Registration,
    registry: ModelRegistry,
    sender: Sender,
    *,
    uri: str = "",
    report: Callable[[str], None] = lambda _: None,
) -> RegistrationOutcome:
    """Have the registry check all that it has not checked, and announce ``uri`` if one is given.

    ``report`` is told each step in words. Interrupted at any point, a second call does the rest.

    Raises:
        UriTooLong: before anything is sent.
        CallReverted: the registry refuses a leaf; what it checked before stays checked.
    """
    size = len(uri.encode())
    if size > MAXIMUM_URI_BYTES:
        raise UriTooLong(
            f"the address has {size} bytes, at most {MAXIMUM_URI_BYTES}", remedy="Announce a shorter one."
        )
    act = (
        uuid.uuid4().hex
    )  # each call of this function is an act of its own; within it a crash never sends twice
    receipts: list[TxReceipt] = []

    def send(calls: Sequence[ContractCall]) -> None:
        start = len(receipts)
        intents = [(f"{call.description}/{act}/{start + place}", call) for place, call in enumerate(calls)]
        receipts.extend(sender.send_many(intents))

    if uri or registry.model(registration.model_id).program_root == EMPTY:
        head = registration.head
        begin = registry.begin(
            registration.program_root,
            registration.tables_root,
            registration.manifest_hash,
            head.data,
            head.path,
            uri,
        )
        send([begin])
        report(f"{registration.operators} operators announced")
    missing = registration.missing(registry.checked_groups(registration.model_id))
    done = len(registration.groups) - len(missing)
    if done:
        report(f"{done} of {len(registration.groups)} groups are checked already")
    for start in range(0, len(missing), GROUPS_AT_ONCE):
        some = missing[start : start + GROUPS_AT_ONCE]
        send(
            [registry.check(registration.model_id, group.number, group.leaves, group.path) for group in some]
        )
        done += len(some)
        report(f"{done} of {len(registration.groups)} groups checked")
    return RegistrationOutcome(len(receipts), sum(receipt["gasUsed"] for receipt in receipts))
