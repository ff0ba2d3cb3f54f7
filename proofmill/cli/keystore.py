"""``proofmill keystore new``: an encrypted key for a requester, a worker or an oracle."""

from __future__ import annotations

from pathlib import Path

import click

from proofmill.chain import create_keystore
from proofmill.cli.failures import report_failures


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
@report_failures
def new(path: Path, password_file: Path) -> None:
    """Write a new key to PATH and print its address; never overwrites."""
    click.echo(create_keystore(path, password_file).address)
