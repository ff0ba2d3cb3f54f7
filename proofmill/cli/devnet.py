"""``proofmill devnet``: the demo's network without the play, for trying the other commands against."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from proofmill.cli.console import progress_console
from proofmill.cli.settings_option import DEVNET_SETTINGS
from proofmill.devnet.network import Devnet, NetworkPlan
from proofmill.failures import report_failures


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=DEVNET_SETTINGS.parent,
    show_default=True,
    help="Keys, settings, blobs and logs; made anew at each start.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8_545,
    show_default=True,
    help="Port of the chain; 0 takes any.",
)
@report_failures
def devnet(directory: Path, port: int) -> None:
    """Run a local chain, four oracles and a worker until Ctrl-C."""
    progress = progress_console()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with Devnet(
        directory, NetworkPlan(rpc_port=port), watch=lambda step: progress.print(step, soft_wrap=True)
    ):
        config = directory / "client.toml"
        progress.print(
            f"\nReady. In another terminal:\n  proofmill embed README.md --out out.npz --config {config}"
        )
        stopping.wait()
        progress.print("stopping")
