"""``proofmill committee``: who sits on it, and taking a seat."""

from __future__ import annotations

import click

from proofmill.chain.history import format_amount
from proofmill.chain.types import EMPTY_ADDRESS
from proofmill.cli.console import json_option, print_json, result_console
from proofmill.cli.settings_option import account_option
from proofmill.failures import report_failures
from proofmill.operator import AccountSettings, OperatorAccount, OperatorView


@click.group()
def committee() -> None:
    """The oracle committee."""


@committee.command()
@json_option
@report_failures
@account_option
def show(as_json: bool, settings: AccountSettings) -> None:
    """Show the members, their keys, and how many of them may fail."""
    contract = OperatorView.open(settings).suite.oracle_committee
    seats = list(zip(contract.members(), contract.keys(), strict=True))
    faults, sequence, bond = contract.faults_tolerated(), contract.latest_sequence(), contract.member_bond()
    if as_json:
        members = [{"operator": operator, "key": key} for operator, key in seats]
        print_json(
            {
                "members": members,
                "faults_tolerated": faults,
                "latest_sequence": sequence,
                "member_bond": str(bond),
            }
        )
        return
    console = result_console()
    console.print(
        f"{len(seats)} members, {faults} of which may fail; {sequence} reports; bond {format_amount(bond)}"
    )
    for operator, key in seats:
        console.print(
            f"  {operator}  {'ejected' if key == EMPTY_ADDRESS else f'signs with {key}'}", soft_wrap=True
        )


@committee.command()
@report_failures
@account_option
def join(settings: AccountSettings) -> None:
    """Become a member with this key; its stake must bear the bond. The owner then names the configuration."""
    with OperatorAccount.unlock(settings) as account:
        bond = account.join_committee()
    result_console().print(f"{account.address} has joined, {format_amount(bond)} of its stake are committed")


@committee.command()
@report_failures
@account_option
def leave(settings: AccountSettings) -> None:
    """End the membership of this account, which must be in no configuration."""
    with OperatorAccount.unlock(settings) as account:
        account.leave_committee()
    result_console().print(f"{account.address} has left, its bond is free")
