"""Where a command's words go: progress to standard error, results to standard output, JSON when asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

from proofmill.client import Progress

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON on standard output."
)


def progress_console() -> Console:
    """Standard error, in colour only where a person looks at it (NO_COLOR is respected)."""
    return Console(stderr=True, highlight=False)


def result_console() -> Console:
    """Standard output; as wide as it takes when it goes to a file or a pipe."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def print_json(result: Mapping[str, Any]) -> None:
    """The whole result as one JSON document."""
    click.echo(json.dumps(result, indent=2))


class StepPrinter:
    """Prints the steps of a job as they happen."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, progress: Progress) -> None:
        self._console.print(f"  [cyan]{progress.stage:<10}[/] {progress.message}", soft_wrap=True)
