"""The packed word of a job: every field survives, no field reaches into another."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.contracts.suite import deploy

ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


@pytest.fixture(scope="module")
def ledger() -> Any:
    return deploy("mocks/JobLedgerHarness.vy")


@settings(max_examples=100, deadline=None)
@given(state=st.integers(0, 5), deadline=st.integers(0, 2**40 - 1), provider=ADDRESSES)
def test_store__then_read__is_the_identity(ledger: Any, state: int, deadline: int, provider: str) -> None:
    ledger.store(1, state, deadline, provider)
    assert (ledger.state(1), ledger.deadline(1)) == (state, deadline)
    assert str(ledger.provider(1)).lower() == provider
    assert ledger.packed(1) == int(provider, 16) | deadline << 160 | state << 200
    assert ledger.packed(2) == 0


@settings(max_examples=20, deadline=None)
@given(deadline=st.integers(2**40, 2**256 - 1))
def test_store__deadline_wider_than_its_field__reverts(ledger: Any, deadline: int) -> None:
    with boa.reverts("escrow: deadline out of range"):
        ledger.store(1, 1, deadline, "0x" + "00" * 20)
