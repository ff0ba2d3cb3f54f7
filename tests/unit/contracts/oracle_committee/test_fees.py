"""What the members earn, and how it reaches them."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.models.oracle_committee import shares_of_fees
from tests.suite.deployment import deploy, events_of
from tests.unit.contracts.oracle_committee.assembly import Assembly, assemble, key_accounts


@pytest.fixture(scope="module")
def token() -> Any:
    """One that returns nothing, like some of those that people pay with."""
    return deploy("mocks/MockSilentToken.vy")


@pytest.mark.parametrize("fees", [4, 7, 10**18 + 3])
def test_share_fees__equal_shares__remainder_stays(assembly: Assembly, token: Any, fees: int) -> None:
    share, rest = shares_of_fees(fees, 4)
    token.mint(assembly.escrow.address, fees)
    assembly.committee.share_fees(assembly.escrow.address, token.address, sender=assembly.stranger)
    assert events_of(assembly.committee) == [("FeesShared", {"token": token.address, "amount": 4 * share})]
    assert [assembly.staking.distributed(operator, token.address) for operator in assembly.operators] == [
        share
    ] * 4
    assert token.balanceOf(assembly.committee.address) == rest
    assert token.allowance(assembly.committee.address, assembly.staking.address) == 0


def test_share_fees__remainders__add_up(assembly: Assembly, token: Any) -> None:
    for _ in range(2):
        token.mint(assembly.escrow.address, 6)
        assembly.committee.share_fees(assembly.escrow.address, token.address)
    assert assembly.staking.distributed(assembly.operators[0], token.address) == 3
    assert token.balanceOf(assembly.committee.address) == 0


def test_share_fees__less_than_one_each__reverts(assembly: Assembly, token: Any) -> None:
    token.mint(assembly.escrow.address, 3)
    with boa.reverts("committee: nothing to share"):
        assembly.committee.share_fees(assembly.escrow.address, token.address)


def test_share_fees__without_a_configuration__reverts(unseated: Assembly, token: Any) -> None:
    token.mint(unseated.escrow.address, 100)
    with boa.reverts("committee: no member to pay"):
        unseated.committee.share_fees(unseated.escrow.address, token.address)


def test_share_fees__ejected_member__earns_nothing_more(assembly: Assembly, token: Any) -> None:
    """Nor when it has joined again, until it is seated."""
    assembly.committee.prove_equivocation(assembly.equivocation(assembly.keys[1]))
    assembly.join(assembly.operators[1], key_accounts(1, salt=8)[0])
    token.mint(assembly.escrow.address, 9)
    assembly.committee.share_fees(assembly.escrow.address, token.address)
    shares = [assembly.staking.distributed(operator, token.address) for operator in assembly.operators]
    assert shares == [3, 0, 3, 3]


def test_share_fees__member_without_a_seat__earns_nothing(assembly: Assembly, token: Any) -> None:
    newcomer, _ = assembly.newcomer()
    token.mint(assembly.escrow.address, 8)
    assembly.committee.share_fees(assembly.escrow.address, token.address)
    assert assembly.staking.distributed(newcomer, token.address) == 0


def test_share_fees__largest_committee(token: Any) -> None:
    large = assemble(faults=10)
    token.mint(large.escrow.address, 31 * 5 + 30)
    large.committee.share_fees(large.escrow.address, token.address)
    assert {large.staking.distributed(operator, token.address) for operator in large.operators} == {5}
    assert token.balanceOf(large.committee.address) == 30


def test_share_fees__staking_that_refuses__moves_nothing(assembly: Assembly, token: Any) -> None:
    token.mint(assembly.escrow.address, 8)
    assembly.staking.refuse(assembly.operators[3])
    with boa.reverts("staking: refused"):
        assembly.committee.share_fees(assembly.escrow.address, token.address)
    assert token.balanceOf(assembly.escrow.address) == 8


def test_share_fees__token_that_answers_false__reverts(assembly: Assembly) -> None:
    false_token = deploy("mocks/MockFalseApprovalToken.vy")
    with boa.reverts("committee: approval refused"):
        assembly.committee.share_fees(assembly.escrow.address, false_token.address)


def test_share_fees__hostile_escrow__cannot_come_back_in(assembly: Assembly, token: Any) -> None:
    """Anyone names the escrow, so anyone can be called here; what it can do is give."""
    token.mint(assembly.escrow.address, 8)
    inner = assembly.committee.share_fees.prepare_calldata(assembly.escrow.address, token.address)
    assembly.escrow.arm(assembly.committee.address, inner)
    assembly.committee.share_fees(assembly.escrow.address, token.address)
    assert assembly.escrow.reentry_succeeded() is False
    assert assembly.staking.distributed(assembly.operators[0], token.address) == 2


def test_share_fees__address_that_is_no_escrow__reverts(assembly: Assembly, token: Any) -> None:
    for address in (assembly.stranger, token.address, assembly.committee.address):
        with pytest.raises(boa.BoaError):
            assembly.committee.share_fees(address, token.address)
