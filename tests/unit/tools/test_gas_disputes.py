"""What the gas bench plays: that it reaches every check, and what it makes of a receipt."""

from __future__ import annotations

from typing import Any

import pytest

from bench.gas.chain import account
from bench.gas.disputes.court import MiscountedGas, Sent, note
from bench.gas.disputes.steps import accusations, checks_of, operators
from proofmill.chain.types import ContractCall
from proofmill.exact.program.kinds import KINDS
from tests.suite.traces import honest_run

DATA = bytes(10) + b"\x01" * 100
FLOOR = 21_000 + 10 * 10 + 40 * 100
EXECUTION = 50_000
STANDARD = 21_000 + 4 * 10 + 16 * 100 + EXECUTION


def test_accusations__every_check_of_every_kind_is_reached() -> None:
    """Nobody could say that a kind is cheap whose dearest check was left out."""
    found: dict[str, set[str]] = {}
    for name, number in operators():
        for accused in accusations(honest_run(name), number):
            found.setdefault(accused.kind, set()).add(accused.check)
    assert found == {kind: checks_of(kind) for kind in KINDS}


def test_sent__both_rules_of_calldata() -> None:
    sent = Sent("operator", "DisputeGame.post_trace", STANDARD, EXECUTION, DATA, 1)
    assert (sent.zero_bytes, sent.other_bytes, sent.name) == (10, 100, "post_trace")
    assert (sent.standard, sent.floor) == (STANDARD, FLOOR)


class _Chain:
    """Says of one transaction what it is told to."""

    def __init__(self) -> None:
        self.anvil = self.web3 = self.eth = self

    def request(self, method: str, parameters: list[Any]) -> list[dict[str, Any]]:
        assert method == "trace_transaction"
        return [{"result": {"gasUsed": hex(EXECUTION)}}]

    def get_block(self, number: int) -> dict[str, int]:
        return {"timestamp": 7}


@pytest.mark.parametrize(
    ("gas", "is_right"),
    [(STANDARD, True), (STANDARD - 10_000, True), (STANDARD + 1, False), (STANDARD * 4 // 5 - 1, False)],
)
def test_note__a_receipt_that_the_rules_do_not_explain(gas: int, is_right: bool) -> None:
    call = ContractCall(account("someone").address, DATA, "DisputeGame.post_trace")
    receipt: Any = {"transactionHash": bytes(32), "gasUsed": gas, "blockNumber": 1}
    chain: Any = _Chain()
    if is_right:
        assert note(chain, "operator", call, receipt).gas == gas
    else:
        with pytest.raises(MiscountedGas, match="should cost"):
            note(chain, "operator", call, receipt)
