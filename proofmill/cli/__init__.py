"""The ``proofmill`` command line. Results go to standard output, progress to standard error.

Commands are loaded when they are used: ``proofmill --help`` imports neither torch nor web3.
"""

from __future__ import annotations

import importlib
import sys

import click

from proofmill import __version__

_COMMANDS = {
    "committee": ("proofmill.cli.committee", "committee"),
    "demo": ("proofmill.cli.demo", "demo"),
    "devnet": ("proofmill.cli.devnet", "devnet"),
    "dispute": ("proofmill.cli.dispute", "dispute"),
    "earnings": ("proofmill.cli.earnings", "earnings"),
    "embed": ("proofmill.cli.embed", "embed"),
    "hot-key": ("proofmill.cli.stake", "hot_key"),
    "job": ("proofmill.cli.job", "job"),
    "keystore": ("proofmill.cli.keystore", "keystore"),
    "model": ("proofmill.cli.model", "model"),
    "stake": ("proofmill.cli.stake", "stake"),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        except KeyboardInterrupt:  # loading takes a second or two
            click.echo("interrupted", err=True)
            sys.exit(130)
        return command


@click.group(cls=_LazyGroup)
@click.version_option(__version__, prog_name="proofmill")
def main() -> None:
    """Neural-network inference in exact integers, paid through and checked by contracts."""
