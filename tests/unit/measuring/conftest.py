"""A committee of four, and observations that its members sign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from proofmill.chain.types import address
from proofmill.measuring.figures import Panel
from proofmill.measuring.observations import Observation, Outcome, SignedObservation
from proofmill.measuring.rules import MeasuringRules

CHAIN_ID = 31_337
COMMITTEE = address("0x" + "c0" * 20)
OPERATOR = address("0x" + "0b" * 20)
FAULTS = 1
MEMBERS: tuple[LocalAccount, ...] = tuple(Account.from_key(bytes([9] * 31 + [n])) for n in range(1, 5))
STRANGER: LocalAccount = Account.from_key(bytes([8] * 32))
Observe = Callable[..., SignedObservation]


@pytest.fixture
def rules() -> MeasuringRules:
    return MeasuringRules()


@pytest.fixture
def panel() -> Panel:
    keys = tuple(address(member.address) for member in MEMBERS)
    return Panel(CHAIN_ID, COMMITTEE, b"\x0d" * 32, keys, FAULTS)


@pytest.fixture
def observe(panel: Panel, rules: MeasuringRules) -> Observe:
    """``observe(member, speed, **changes)``: an observation signed by a member or a stranger; speed 0 is a wrong answer."""
    usual = Observation(
        config_digest=panel.config_digest,
        rules_digest=rules.digest(),
        window=7,
        beacon=b"\xbe" * 32,
        operator=OPERATOR,
        device_id=b"\xde" * 32,
        device_class=1,
        outcome=Outcome.MEASURED,
        operations_per_second=10**12,
        memory_bytes=80 << 30,
        picojoules_per_operation=0,
        observed_at=1_700_000_000,
    )

    def make(member: LocalAccount, speed: int, **changes: object) -> SignedObservation:
        failed = {"outcome": Outcome.WRONG, "memory_bytes": 0} if speed == 0 else {}
        observation = replace(usual, **{"operations_per_second": speed, **failed, **changes})  # type: ignore[arg-type]
        return SignedObservation.of(observation, member, CHAIN_ID, COMMITTEE)

    return make
