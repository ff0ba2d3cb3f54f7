"""``python -m oracle status``: what the member is, what waits for it, and what stands in its way."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from oracle.cli.settings_option import settings_option
from oracle.config import OracleSettings
from oracle.inspection import Inspection
from oracle.standing import standing_of
from proofmill.chain.history import format_amount
from proofmill.cli.console import json_option, print_json, result_console
from proofmill.failures import report_failures

ETHER = 10**18


@click.command()
@json_option
@report_failures
@settings_option
def status(as_json: bool, settings: OracleSettings) -> None:
    """What the member is and has, what waits for it, and what stands in its way.

    Reads a copy of its database and the chain; the service may run or not, and notices nothing.
    """
    with Inspection.open(settings) as inspection:
        standing = standing_of(inspection)
    if as_json:
        print_json(standing)
        return
    _print(result_console(), standing)


def _print(console: Console, standing: Mapping[str, Any]) -> None:
    member, chain, committee = standing["member"], standing["chain"], standing["committee"]
    seat = "none: it is in no configuration" if member["seat"] is None else str(member["seat"])
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("key", member["key"]),
        ("operator", member["operator"] or "none: this key has joined no committee"),
        ("seat", seat),
        ("bond", format_amount(member["bond"])),
        ("balances", f"{member['ether'] / ETHER:.4f} ether, {format_amount(member['mill'])}"),
        ("block", f"{chain['block']} of {chain['head']}, {_ago(chain['block_time'])}"),
        ("committee", f"{committee['members']} members, up to {committee['faults_tolerated']} at fault"),
        ("sequence", f"{committee['latest_sequence']}; {committee['next_leader']} leads the next"),
        ("database", "read" if standing["has_run"] else "none: the member has not run here"),
    ):
        facts.add_row(f"[bold]{name}[/]", value)
    console.print(facts)
    _list(console, "jobs that wait for a verdict", standing["waiting"], _JOB)
    _list(console, "paid or contested jobs that can still be challenged", standing["challengeable"], _JOB)
    _list(console, "answers found wrong", standing["doubts"], ("job", "worker", "claimed", "computed"))
    _list(
        console,
        "own challenges that are open",
        standing["challenges"],
        ("challenge", "job", "turn", "seconds_left"),
    )
    _list(
        console, "unfinished transactions", standing["transactions"], ("intent", "state", "nonce", "attempts")
    )
    _list(console, "endpoints", standing["endpoints"], ("name", "fit", "head", "lag", "last_failure"))
    _print_measuring(console, standing["measuring"])


_JOB = ("job", "worker", "finding", "deadline")


def _print_measuring(console: Console, measuring: Mapping[str, Any] | None) -> None:
    if measuring is None:
        console.print("\n[bold]measuring[/]  off: the settings have no table of rules", highlight=False)
        return
    rules = ", ".join(f"{name} {value}" for name, value in measuring["rules"].items())
    console.print(
        f"\n[bold]measuring[/]  window {measuring['window']}, {measuring['phase']}, until block {measuring['last_block']}\n"
        f"           rules {measuring['rules_digest']}: {rules}",
        highlight=False,
        soft_wrap=True,
    )
    _list(
        console,
        "devices observed by this member",
        measuring["devices"],
        ("window", "operator", "device", "outcome", "tera_operations_per_second"),
    )


def _list(console: Console, title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    if not rows:
        console.print(f"\n[bold]{title}[/]  none")
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(column, row[column]) for column in columns))
    console.print()
    console.print(table)


def _cell(column: str, value: Any) -> str:
    if value is None:
        return "none yet" if column == "finding" else "–"
    if column == "deadline":
        return _until(int(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    is_hash = text.startswith("0x") and len(text) == 66
    return f"{text[:10]}…{text[-4:]}" if is_hash else text


def _until(moment: int) -> str:
    left = moment - int(time.time())
    return f"in {left} s" if left >= 0 else f"{-left} s ago"


def _ago(moment: int) -> str:
    return f"{max(0, int(time.time()) - moment)} s ago"
