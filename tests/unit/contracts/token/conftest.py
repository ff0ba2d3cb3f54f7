"""A token of its own for each test, one holder with a key, and its clocks."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.suite.deployment import SUPPLY, actor, deploy, now
from tests.unit.contracts.token.typed_data import OWNER

BLOCKS_PER_STEP = 3
SECONDS_PER_STEP = 36


class Clock:
    """The chain's time, as blocks and as seconds, and the one of the two that the token counts by."""

    def __init__(self, is_timestamp: bool) -> None:
        self.is_timestamp = is_timestamp
        boa.env.evm.patch.block_number += 1_000  # far from the time, so that taking one for the other shows

    @property
    def time(self) -> int:
        return now() if self.is_timestamp else int(boa.env.evm.patch.block_number)

    def advance(self) -> int:
        """To a later timepoint, which is not the next; returns the one that is over."""
        over = self.time
        boa.env.evm.patch.block_number += BLOCKS_PER_STEP
        boa.env.evm.patch.timestamp += SECONDS_PER_STEP
        return over


class StorageReads:
    """Stands in for the EVM's SLOAD and remembers which words were read."""

    OPCODE = 0x54

    def __init__(self, sload: Any) -> None:
        self.sload = sload
        self.mnemonic, self.gas_cost = sload.mnemonic, sload.gas_cost
        self.slots: set[int] = set()

    def __call__(self, computation: Any) -> None:
        slot = computation.stack_pop1_int()
        computation.stack_push_int(slot)
        self.slots.add(slot)
        self.sload(computation)


@pytest.fixture
def storage_reads(monkeypatch: pytest.MonkeyPatch) -> StorageReads:
    opcodes = boa.env.evm.vm.state.computation_class.opcodes
    reads = StorageReads(opcodes[StorageReads.OPCODE])
    monkeypatch.setitem(opcodes, StorageReads.OPCODE, reads)
    return reads


@pytest.fixture(autouse=True)
def _no_storage_of_contracts_before() -> None:
    """titanoboa remembers which words were written at an address when another contract takes it, and then cannot print it."""
    boa.env.sstore_trace.clear()


@pytest.fixture
def mill(holder: str) -> Any:
    return deploy("MillToken.vy", holder, SUPPLY, False)


@pytest.fixture(params=[False, True], ids=["blocks", "seconds"])
def clock(request: pytest.FixtureRequest) -> Clock:
    return Clock(request.param)


@pytest.fixture
def voting(clock: Clock, holder: str) -> Any:
    """The token, counting by the one clock and by the other."""
    return deploy("MillToken.vy", holder, SUPPLY, clock.is_timestamp)


@pytest.fixture
def holder() -> str:
    """Has the whole supply, and a key that signs."""
    return str(OWNER.address)


@pytest.fixture
def receiver() -> str:
    return actor("receiver")


@pytest.fixture
def spender() -> str:
    return actor("spender")


@pytest.fixture
def voter() -> str:
    return actor("voter")


@pytest.fixture
def stranger() -> str:
    return actor("stranger")
