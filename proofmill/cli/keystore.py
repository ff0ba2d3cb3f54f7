"""``proofmill keystore new``: an encrypted key for a requester, a worker or an oracle."""

from __future__ import annotations

from pathlib import Path

import click

from proofmill.chain import create_keystore
from proofmill.cli.console import json_option, print_json
from proofmill.failures import report_failures


@click.group()
def keystore() -> None:
    """Encrypted keys."""


@keystore.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    required=True,
    help="File whose first line is the password.",
)
@json_option
@report_failures
def new(path: Path, password_file: Path, as_json: bool) -> None:
    """Write a new key to PATH and print its address; never overwrites."""
    address = create_keystore(path, password_file).address
    if as_json:
        print_json({"address": address, "keystore": str(path)})
    else:
        click.echo(address)
