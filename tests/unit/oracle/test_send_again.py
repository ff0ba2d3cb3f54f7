"""Moves that were mined and reverted: sent again, not for ever, and never while one may still succeed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from proofmill.chain.errors import TransactionReverted
from proofmill.chain.journal import Status
from proofmill.chain.types import EMPTY_ADDRESS, ContractCall
from proofmill.disputes.prosecution import MOST_ATTEMPTS, send_again

CALL = ContractCall(EMPTY_ADDRESS, b"", "a move")


@dataclass
class RevertingSender:
    """Its first `reverts` transactions are mined and revert."""

    reverts: int
    journal: dict[str, Status] = field(default_factory=dict)
    mined: list[str] = field(default_factory=list)

    def status(self, intent: str) -> Status | None:
        return self.journal.get(intent)

    def send(self, intent: str, call: ContractCall) -> Any:
        if intent not in self.journal:
            self.mined.append(intent)
            self.journal[intent] = Status.REVERTED if len(self.mined) <= self.reverts else Status.MINED
        if self.journal[intent] is Status.REVERTED:
            raise TransactionReverted(intent, bytes(32), "clock", None)
        return intent


def looks(sender: Any, times: int) -> list[str]:
    """What comes of looking again and again, as a player does."""
    done: list[str] = []
    for _ in range(times):
        try:
            done.append(str(send_again(sender, "open", CALL)))
        except TransactionReverted:
            continue
    return done


def test_send_again__succeeded__the_same_receipt_and_no_second_transaction() -> None:
    sender = RevertingSender(reverts=0)
    assert looks(sender, 3) == ["open"] * 3
    assert sender.mined == ["open"]


def test_send_again__reverted_twice__third_attempt_stays() -> None:
    sender = RevertingSender(reverts=2)
    assert looks(sender, 4) == ["open/attempt-3"] * 2
    assert sender.mined == ["open", "open/attempt-2", "open/attempt-3"]


def test_send_again__reverts_for_ever__stops_paying() -> None:
    sender = RevertingSender(reverts=1_000)
    assert looks(sender, 30) == []
    assert len(sender.mined) == MOST_ATTEMPTS


@pytest.mark.parametrize("status", [Status.PREPARED, Status.PENDING, Status.DROPPED])
def test_send_again__not_resolved_yet__the_same_intent(status: Status) -> None:
    sender = RevertingSender(reverts=0, journal={"open": status})
    assert looks(sender, 1) == ["open"]
    assert sender.mined == []
