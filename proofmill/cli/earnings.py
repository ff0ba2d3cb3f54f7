"""``proofmill earnings``: what an operator has been paid and not yet received."""

from __future__ import annotations

import click
from eth_typing import ChecksumAddress

from proofmill.chain.history import format_amount
from proofmill.cli.console import json_option, print_json, result_console
from proofmill.cli.settings_option import account_option
from proofmill.cli.stake import operator_option
from proofmill.failures import report_failures
from proofmill.operator import AccountSettings, Earnings, OperatorAccount, OperatorView


@click.group()
def earnings() -> None:
    """Earnings of an operator. A worker collects its own from time to time."""


@earnings.command()
@operator_option
@json_option
@report_failures
@account_option
def show(operator: ChecksumAddress | None, as_json: bool, settings: AccountSettings) -> None:
    """Show what waits, by payment token."""
    view = OperatorView.open(settings)
    mill, found = view.suite.mill_token.address, view.earnings(operator)
    if as_json:
        print_json({"earnings": [_as_json(item) for item in found]})
        return
    for item in found:
        amount = _amount(item.uncollected, item.token, mill)
        result_console().print(
            f"{amount} to be collected, {_amount(item.payable, item.token, mill)} to be paid out"
        )
    if not found:
        result_console().print("nothing waits")


@earnings.command()
@operator_option
@json_option
@report_failures
@account_option
def collect(operator: ChecksumAddress | None, as_json: bool, settings: AccountSettings) -> None:
    """Share out what waits with the delegators, and pay the operator its part."""
    with OperatorAccount.unlock(settings) as account:
        mill, found = account.suite.mill_token.address, account.collect_earnings(operator)
        who = operator or account.operator
    if as_json:
        print_json({"collected": [_as_json(item) for item in found]})
        return
    for item in found:
        result_console().print(f"{_amount(item.uncollected, item.token, mill)} collected, {who} is paid")


def _as_json(item: Earnings) -> dict[str, str]:
    return {"token": item.token, "uncollected": str(item.uncollected), "payable": str(item.payable)}


def _amount(amount: int, token: ChecksumAddress, mill: ChecksumAddress) -> str:
    return format_amount(amount) if token == mill else f"{amount} units of {token}"
