"""``proofmill stake`` and ``proofmill hot-key``: what an operator has at risk, and which keys may work for it."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from eth_typing import ChecksumAddress

from proofmill.chain.history import format_amount
from proofmill.cli.console import json_option, print_json, result_console
from proofmill.cli.settings_option import account_option
from proofmill.cli.values import AddressType, AmountType
from proofmill.failures import report_failures
from proofmill.operator import AccountSettings, OperatorAccount, OperatorView

operator_option = click.option("--operator", type=AddressType(), help="Another operator than this account's.")


@click.group()
def stake() -> None:
    """Stake of an operator."""


@stake.command()
@operator_option
@json_option
@report_failures
@account_option
def show(operator: ChecksumAddress | None, as_json: bool, settings: AccountSettings) -> None:
    """Show what is staked, what open work holds, and how much more it may hold."""
    current = OperatorView.open(settings).stake(operator)
    if as_json:
        amounts = ("own", "delegated", "committed", "room", "largest_bond")
        thawing = [{"amount": str(amount), "ready_at": ready_at} for amount, ready_at in current.thawing]
        figures = {name: str(getattr(current, name)) for name in amounts}
        print_json({"operator": current.operator, **figures, "thawing": thawing})
        return
    rows = [
        ("operator", current.operator),
        ("own stake", format_amount(current.own)),
        ("delegated", format_amount(current.delegated)),
        ("committed", f"{format_amount(current.committed)} to open work"),
        (
            "room",
            f"{format_amount(current.room)} more, {format_amount(current.largest_bond)} at most for one job",
        ),
        *(
            ("thawing", f"{format_amount(amount)}, ready {_time(ready_at)}")
            for amount, ready_at in current.thawing
        ),
    ]
    for name, value in rows:
        result_console().print(f"[bold]{name:<12}[/] {value}", soft_wrap=True)


@stake.command()
@click.argument("amount", type=AmountType())
@operator_option
@report_failures
@account_option
def add(amount: int, operator: ChecksumAddress | None, settings: AccountSettings) -> None:
    """Stake AMOUNT of this account's MILL."""
    with OperatorAccount.unlock(settings) as account:
        account.add_stake(amount, operator)
        own = account.stake(operator).own
    result_console().print(f"{format_amount(amount)} staked, {format_amount(own)} in all")


@stake.command()
@click.argument("amount", type=AmountType())
@report_failures
@account_option
def thaw(amount: int, settings: AccountSettings) -> None:
    """Ask for AMOUNT of this account's own stake back; it stays slashable until it is redeemed."""
    with OperatorAccount.unlock(settings) as account:
        account.thaw(amount)
        ready_at = account.stake(account.address).thawing[-1][1]
    result_console().print(
        f"{format_amount(amount)} thaws; `proofmill stake redeem` pays it from {_time(ready_at)} on"
    )


@stake.command()
@report_failures
@account_option
def redeem(settings: AccountSettings) -> None:
    """Pay out own stake that has thawed."""
    with OperatorAccount.unlock(settings) as account:
        paid = account.redeem()
    result_console().print(f"{format_amount(paid)} paid to {account.address}")


@click.group()
def hot_key() -> None:
    """Keys that may claim and submit for this account, and never move its stake."""


@hot_key.command("add")
@click.argument("key", type=AddressType())
@report_failures
@account_option
def add_hot_key(key: ChecksumAddress, settings: AccountSettings) -> None:
    """Authorise the address KEY."""
    with OperatorAccount.unlock(settings) as account:
        account.set_hot_key(key, authorised=True)
    result_console().print(f"{key} may work for {account.address}")


@hot_key.command("remove")
@click.argument("key", type=AddressType())
@report_failures
@account_option
def remove_hot_key(key: ChecksumAddress, settings: AccountSettings) -> None:
    """Withdraw the authority of the address KEY."""
    with OperatorAccount.unlock(settings) as account:
        account.set_hot_key(key, authorised=False)
    result_console().print(f"{key} may no longer work for {account.address}")


def _time(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(sep=" ")
