"""The commands of ``python -m oracle``."""

from __future__ import annotations

from pathlib import Path

import click

from oracle.cli.challenge import challenge
from oracle.cli.replay import replay
from oracle.cli.settings_option import config_option, settings_option
from oracle.cli.status import status
from oracle.config import OracleSettings
from proofmill.failures import report_failures


@click.group(invoke_without_command=True)
@config_option
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """One member of the committee. Without a command: run it."""
    if context.invoked_subcommand is None:
        context.invoke(run, config=config)


@main.command()
@report_failures
@settings_option
def run(settings: OracleSettings) -> None:
    """Re-execute submitted jobs, attest verdicts with the committee, relay them; until SIGTERM or SIGINT."""
    from oracle.run import run_oracle  # PyTorch takes seconds to import, which only the service waits for

    run_oracle(settings)


for command in (status, challenge, replay):
    main.add_command(command)
