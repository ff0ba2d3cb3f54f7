"""Everything that a seed must be bound to changes it; nothing can be read in two ways."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofmill.capability.errors import InvalidChallenge
from proofmill.capability.parameters import MemoryParameters, Parameters
from proofmill.capability.seeds import Binding, Nonce, derive_key

from .challenges import BINDING, SMALL

SEED_HEX = "4fa5f2ad3099bf2237016e82ca44d62c4a1d0094f30666d834b8164b014a40db"
OTHER = b"\x99" * 32
FIRST, SECOND, THIRD = BINDING.nonces


@pytest.mark.parametrize(
    "other",
    [
        replace(BINDING, chain_id=1),
        replace(BINDING, beacon=OTHER),
        replace(BINDING, operator=OTHER[:20]),
        replace(BINDING, device=OTHER),
        replace(BINDING, nonces=(FIRST, SECOND)),
        replace(BINDING, nonces=(Nonce(0, OTHER), SECOND, THIRD)),
        replace(BINDING, nonces=(FIRST, SECOND, Nonce(3, OTHER))),
        replace(BINDING, nonces=(FIRST, SECOND, Nonce(4, THIRD.value))),
        replace(BINDING, nonces=(Nonce(0, SECOND.value), Nonce(2, FIRST.value), THIRD)),
    ],
    ids=["chain", "beacon", "operator", "device", "fewer", "first", "last", "member", "swapped"],
)
def test_seed__any_binding_differs__differs(other: Binding) -> None:
    assert other.seed(SMALL) != BINDING.seed(SMALL)


@pytest.mark.parametrize(
    "parameters",
    [
        replace(SMALL, size=128),
        replace(SMALL, rounds=160),
        replace(SMALL, cells=9),
        MemoryParameters(64, 1, 8, 40, 2, 4),
    ],
)
def test_seed__other_parameters__differs(parameters: Parameters | MemoryParameters) -> None:
    assert BINDING.seed(parameters) != BINDING.seed(SMALL)


@pytest.mark.parametrize("field", ["size", "blocks", "state_rows", "steps", "passes", "samples"])
def test_seed__each_memory_parameter__differs(field: str) -> None:
    parameters = MemoryParameters(64, 2, 8, 40, 2, 4)
    changed = replace(parameters, **{field: 2 * getattr(parameters, field)})
    assert BINDING.seed(changed) != BINDING.seed(parameters)


def test_derive_key__purpose_index_or_seed_differ__differs() -> None:
    seed = BINDING.seed(SMALL)
    keys = {derive_key(seed, "A"), derive_key(seed, "B"), derive_key(seed, "A", 1), derive_key(OTHER, "A")}
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chain_id", 0),
        ("chain_id", 1 << 256),
        ("beacon", b"\x01" * 31),
        ("operator", b"\x01" * 32),
        ("device", b""),
        ("nonces", ()),
        ("nonces", (SECOND, FIRST)),
        ("nonces", (FIRST, FIRST)),
        ("nonces", (Nonce(-1, OTHER),)),
        ("nonces", (Nonce(1, OTHER[:31]),)),
        ("nonces", tuple(Nonce(member, OTHER) for member in range(257))),
    ],
)
def test_binding__impossible_field__is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidChallenge):
        replace(BINDING, **{field: value})


def test_seed__golden__is_as_recorded() -> None:
    assert BINDING.seed(SMALL).hex() == SEED_HEX
