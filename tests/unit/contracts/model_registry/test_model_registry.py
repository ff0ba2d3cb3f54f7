"""Beginning, checking in any order and by anyone, warnings, and what nobody can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boa
import pytest
from eth_utils.crypto import keccak

from proofmill.exact.commitment.merkle import MerkleTree
from proofmill.exact.program.graph import Program
from proofmill.exact.program.kinds import Shape
from tests.suite.deployment import NO_WORD, NOBODY, actor, deploy, events_of
from tests.unit.contracts.model_registry.programs import (
    WORDS,
    chain_of_activations,
    head_of,
    leaf_of,
    program_tree,
    real_registration,
    tree_of,
    words_of,
)

TABLES_ROOT = b"tables".ljust(32, b"\6")
MANIFEST_HASH = b"manifest".ljust(32, b"\7")
REASON = b"wrong labels".ljust(32, b"\0")
URI = "https://models.example/small"


@dataclass
class Offered:
    """A program as its registrant has it: any leaves at all, under their true root."""

    leaves: list[bytes]
    tree: MerkleTree

    @classmethod
    def of(cls, leaves: Sequence[bytes]) -> Offered:
        return cls(list(leaves), tree_of(leaves))

    @classmethod
    def of_program(cls, program: Program) -> Offered:
        tree = program_tree(program)
        return cls.of([tree.open(leaf).data for leaf in range(len(program.operators) + 1)])

    @property
    def model_id(self) -> bytes:
        return keccak(self.tree.root + TABLES_ROOT + MANIFEST_HASH)

    @property
    def groups(self) -> int:
        return (len(self.leaves) + 15) // 16

    def begin(self, models: Any, sender: str, uri: str = URI, **changes: Any) -> bytes:
        arguments: dict[str, Any] = {
            "program_root": self.tree.root,
            "tables_root": TABLES_ROOT,
            "manifest_hash": MANIFEST_HASH,
            "head": self.leaves[0],
            "path": list(self.tree.path(0)),
        } | changes
        return bytes(models.begin(*arguments.values(), uri, sender=sender))

    def group(self, number: int) -> tuple[list[bytes], list[bytes]]:
        """Leaves and path."""
        return self.leaves[16 * number : 16 * number + 16], list(self.tree.path(16 * number)[4:])

    def check(self, models: Any, sender: str, number: int) -> None:
        models.check(self.model_id, number, *self.group(number), sender=sender)


@pytest.fixture(scope="module")
def offered() -> Offered:
    """Three groups, the last of 8 leaves."""
    return Offered.of_program(chain_of_activations(39))


# ------------------------------------------------------------------ construction and roles
def test_constructor__names_the_owner(models: Any, models_admin: str) -> None:
    assert (models.owner(), models.pending_owner()) == (models_admin, NOBODY)
    with boa.reverts("ownership: no owner"):
        deploy("ModelRegistry.vy", NOBODY)


def test_model__nobody_has_named__is_empty(models: Any) -> None:
    assert tuple(models.model(REASON)) == (NO_WORD, 0, False, 0)
    assert (models.is_registered(REASON), models.checked_groups(REASON)) == (False, 0)


# ------------------------------------------------------------------ begin
def test_begin__opens_the_registration(models: Any, registrant: str, offered: Offered) -> None:
    assert offered.begin(models, registrant) == offered.model_id
    assert events_of(models) == [
        (
            "RegistrationBegun",
            {
                "model_id": offered.model_id,
                "program_root": offered.tree.root,
                "tables_root": TABLES_ROOT,
                "manifest_hash": MANIFEST_HASH,
                "operators": 39,
                "registrant": registrant,
                "uri": URI,
            },
        )
    ]
    assert tuple(models.model(offered.model_id)) == (offered.tree.root, 0, False, 0)
    assert not models.is_registered(offered.model_id)


def test_begin__by_another__keeps_what_is_checked_and_announces_its_address(
    models: Any, registrant: str, offered: Offered
) -> None:
    """Whatever it says the head is: that is not looked at again."""
    offered.begin(models, registrant)
    offered.check(models, registrant, 1)
    for head, path in ((offered.leaves[0], list(offered.tree.path(0))), (b"", []), (head_of(1), [])):
        offered.begin(models, actor("stranger"), "ipfs://elsewhere", head=head, path=path)
        ((name, fields),) = events_of(models)
        assert (name, fields["operators"], fields["uri"]) == ("RegistrationBegun", 39, "ipfs://elsewhere")
        assert models.checked_groups(offered.model_id) == 0b10
    offered.check(models, actor("stranger"), 0)
    offered.check(models, registrant, 2)
    assert models.is_registered(offered.model_id)
    offered.begin(models, actor("stranger"))
    assert models.is_registered(offered.model_id)


def test_begin__same_program_under_another_manifest__is_another_model(
    models: Any, registrant: str, offered: Offered
) -> None:
    offered.begin(models, registrant)
    offered.check(models, registrant, 0)
    for changes in ({"tables_root": REASON}, {"manifest_hash": REASON}):
        other = offered.begin(models, registrant, **changes)
        assert other != offered.model_id
        assert models.checked_groups(other) == 0


def test_begin__head_that_is_not_the_programs__reverts(
    models: Any, registrant: str, offered: Offered
) -> None:
    path = list(offered.tree.path(0))
    for wrong in (path[:-1], [*path, NO_WORD], []):
        with boa.reverts("model: head path of wrong depth"):
            offered.begin(models, registrant, path=wrong)
    for head, siblings in ((head_of(38), path), (offered.leaves[0], [NO_WORD, *path[1:]])):
        with boa.reverts("model: head does not open"):
            offered.begin(models, registrant, head=head, path=siblings)
    with boa.reverts("model: head does not open"):
        offered.begin(models, registrant, program_root=REASON)
    # Another leaf of the tree is no head, though it opens.
    with boa.reverts("model: stray words in the head"):
        offered.begin(models, registrant, head=offered.leaves[1], path=list(offered.tree.path(1)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({5: 0}, "model: operators out of range"),
        ({5: 4096}, "model: operators out of range"),
        ({5: 2**256 - 1}, "model: operators out of range"),
        ({0: 1}, "model: stray words in the head"),
        ({6: 1}, "model: stray words in the head"),
        ({30: 1}, "model: stray words in the head"),
        ({1: 3}, "model: impossible input"),
        ({1: 7}, "model: impossible input"),
        ({1: 0}, "model: impossible input"),
        ({2: 1}, "model: impossible input"),
        ({3: 0}, "model: impossible input"),
        ({3: 2}, "model: impossible input"),
        ({4: 1}, "model: impossible input"),
        ({1: 2}, "model: impossible input"),
        ({1: 2, 2: 2**18 + 1}, "model: impossible input"),
        ({1: 2, 2: 1, 3: 2**18 + 1}, "model: impossible input"),
        ({1: 2, 2: 2**14, 3: 2**13 + 1}, "model: impossible input"),
        ({1: 2, 2: 2**255, 3: 2**255}, "model: impossible input"),
    ],
)
def test_begin__program_that_cannot_be__reverts(
    models: Any, registrant: str, changes: dict[int, int], reason: str
) -> None:
    words = words_of(head_of(1))
    leaf = leaf_of([changes.get(place, words[place]) for place in range(WORDS)])
    with boa.reverts(reason):
        Offered.of([leaf, leaf]).begin(models, registrant)


@pytest.mark.parametrize("size", [0, 1, 991])
def test_begin__head_that_is_too_short__reverts(models: Any, registrant: str, size: int) -> None:
    with boa.reverts("model: descriptor not 31 words"):
        Offered.of([head_of(1)[:size], NO_WORD]).begin(models, registrant)


@pytest.mark.parametrize("size", [Shape("bytes", 2**18, 2**9), Shape("bytes", 2**9, 2**18)])
def test_begin__largest_input__is_taken(models: Any, registrant: str, size: Shape) -> None:
    Offered.of([head_of(1, size), NO_WORD]).begin(models, registrant)


# ------------------------------------------------------------------ check
@pytest.mark.parametrize("operators", [1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 48])
def test_check__all_groups__registers_the_model(models: Any, registrant: str, operators: int) -> None:
    """In any order, by anyone; the call that completes it says so."""
    offered = Offered.of_program(chain_of_activations(operators))
    offered.begin(models, registrant)
    order = list(reversed(range(offered.groups)))
    for group in order:
        assert not models.is_registered(offered.model_id)
        offered.check(models, actor(f"checker {group}"), group)
        count = min(16, operators + 1 - 16 * group)
        checked = {"model_id": offered.model_id, "first": 16 * group, "count": count}
        completed = {
            "model_id": offered.model_id,
            "program_root": offered.tree.root,
            "operators": operators,
            "bounds_version": 1,
        }
        expected = [("DescriptorsChecked", checked), ("ModelRegistered", completed)]
        assert events_of(models) == (expected if group == order[-1] else expected[:1])
    assert models.is_registered(offered.model_id)
    assert tuple(models.model(offered.model_id)) == (offered.tree.root, operators, False, 1)
    assert models.checked_groups(offered.model_id) == 2**offered.groups - 1


def test_check__largest_program__has_a_bit_for_every_group(models: Any, registrant: str) -> None:
    offered = Offered.of_program(chain_of_activations(4095))
    offered.begin(models, registrant)
    for group in (255, 0, 128):
        offered.check(models, registrant, group)
    assert models.checked_groups(offered.model_id) == 1 << 255 | 1 << 128 | 1
    with boa.reverts("model: no such group"):
        models.check(offered.model_id, 256, *offered.group(255))


def test_check__twice__changes_nothing(models: Any, registrant: str, offered: Offered) -> None:
    """So nobody can make another's call revert by being faster. What it brings is not looked at."""
    offered.begin(models, registrant)
    offered.check(models, registrant, 1)
    for leaves, path in (offered.group(1), ([], []), offered.group(0)):
        models.check(offered.model_id, 1, leaves, path, sender=actor("stranger"))
        assert events_of(models) == []
    assert models.checked_groups(offered.model_id) == 0b10
    for group in (0, 2):
        offered.check(models, registrant, group)
    offered.check(models, registrant, 2)
    assert events_of(models) == []
    assert tuple(models.model(offered.model_id))[1] == 39


def test_check__model_that_nobody_began__reverts(models: Any, models_admin: str, offered: Offered) -> None:
    with boa.reverts("model: not begun"):
        offered.check(models, models_admin, 0)
    models.flag(offered.model_id, True, REASON, sender=models_admin)
    with boa.reverts("model: not begun"):
        offered.check(models, models_admin, 0)


def test_check__group_that_does_not_exist__reverts(models: Any, registrant: str, offered: Offered) -> None:
    offered.begin(models, registrant)
    for group in (3, 256, 2**256 - 1):
        with boa.reverts("model: no such group"):
            models.check(offered.model_id, group, *offered.group(2))


def test_check__leaves_that_are_not_the_groups__revert(
    models: Any, registrant: str, offered: Offered
) -> None:
    offered.begin(models, registrant)
    leaves, path = offered.group(1)
    for wrong in ([], leaves[:15], leaves[:1]):
        with boa.reverts("model: wrong number of leaves"):
            models.check(offered.model_id, 1, wrong, path)
    last, last_path = offered.group(2)
    with boa.reverts("model: wrong number of leaves"):
        models.check(offered.model_id, 2, [*last, b""], last_path)
    swapped = [leaves[1], leaves[0], *leaves[2:]]
    for wrong, siblings in (
        (swapped, path),
        (leaves, [NO_WORD, *path[1:]]),
        (leaves, list(reversed(path))),
        (offered.group(0)[0], path),
        (leaves, offered.group(0)[1]),
    ):
        with boa.reverts("model: group does not open"):
            models.check(offered.model_id, 1, wrong, siblings)
    for siblings in (path[:-1], [*path, NO_WORD], []):
        with boa.reverts("model: group path of wrong depth"):
            models.check(offered.model_id, 1, leaves, siblings)
    assert models.checked_groups(offered.model_id) == 0


def test_check__leaf_of_another_length__reverts(models: Any, registrant: str) -> None:
    """Though it opens."""
    good = Offered.of_program(chain_of_activations(2))
    offered = Offered.of([good.leaves[0], good.leaves[1][:-1], good.leaves[2]])
    offered.begin(models, registrant)
    with boa.reverts("model: descriptor not 31 words"):
        offered.check(models, registrant, 0)


def test_check__one_operator_out_of_bounds__keeps_its_group_open_for_good(
    models: Any, registrant: str
) -> None:
    """A hostile program of true roots, with one shift beyond the proved range."""
    registration = real_registration("minilm-e16")
    leaves = [leaf for group in registration.groups for leaf in group.leaves]
    linear = next(number for number, leaf in enumerate(leaves) if number > 20 and words_of(leaf)[0] == 6)
    words = words_of(leaves[linear])
    words[23] = 63
    leaves[linear] = leaf_of(words)
    offered = Offered.of(leaves)
    offered.begin(models, registrant)
    for group in range(offered.groups):
        if group == linear // 16:
            with boa.reverts("model: constant out of range"):
                offered.check(models, registrant, group)
        else:
            offered.check(models, registrant, group)
    assert not models.is_registered(offered.model_id)
    assert tuple(models.model(offered.model_id))[1] == 0


@pytest.mark.parametrize("name", ["digits-e16", "minilm-e16x", "smollm2-e16"])
def test_check__packaged_models__register_whole(models: Any, registrant: str, name: str) -> None:
    known = real_registration(name)
    returned = models.begin(
        known.program_root,
        known.tables_root,
        known.manifest_hash,
        known.head.data,
        list(known.head.path),
        "",
        sender=registrant,
    )
    assert bytes(returned) == known.model_id
    for group in known.groups:
        models.check(known.model_id, group.number, list(group.leaves), list(group.path), sender=registrant)
        # Gas of the call alone, without calldata: what docs/GAS.md says of a whole transaction is half as much again.
        assert models._computation.get_gas_used() < 230_000
    assert tuple(models.model(known.model_id)) == (known.program_root, known.operators, False, 1)


# ------------------------------------------------------------------ owner
def test_flag__warns_and_takes_nothing_away(
    models: Any, models_admin: str, registrant: str, offered: Offered
) -> None:
    """Before, during and after a registration; the warning can be taken back."""
    models.flag(offered.model_id, True, REASON, sender=models_admin)
    assert events_of(models) == [
        ("ModelFlagged", {"model_id": offered.model_id, "flagged": True, "reason": REASON})
    ]
    assert tuple(models.model(offered.model_id)) == (NO_WORD, 0, True, 0)
    offered.begin(models, registrant)
    for group in range(3):
        assert tuple(models.model(offered.model_id)) == (offered.tree.root, 0, True, 0)
        offered.check(models, registrant, group)
    assert models.is_registered(offered.model_id)
    assert tuple(models.model(offered.model_id)) == (offered.tree.root, 39, True, 1)
    for flagged in (True, False, False, True):
        models.flag(offered.model_id, flagged, NO_WORD, sender=models_admin)
        assert tuple(models.model(offered.model_id)) == (offered.tree.root, 39, flagged, 1)
        assert models.checked_groups(offered.model_id) == 0b111


def test_flag__only_the_owner(models: Any, registrant: str, offered: Offered) -> None:
    offered.begin(models, registrant)
    for caller in (registrant, actor("stranger")):
        with boa.reverts("ownership: not the owner"):
            models.flag(offered.model_id, True, REASON, sender=caller)


def test_ownership__moves_in_two_steps(models: Any, models_admin: str) -> None:
    timelock = actor("timelock")
    models.transfer_ownership(timelock, sender=models_admin)
    models.accept_ownership(sender=timelock)
    models.flag(REASON, True, REASON, sender=timelock)
    with boa.reverts("ownership: not the owner"):
        models.flag(REASON, False, REASON, sender=models_admin)
