"""How a command line ends when something went wrong: the cause, the remedy, a non-zero status, never a stack trace."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from proofmill.chain.errors import node_failures
from proofmill.errors import ProofmillError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def report_failures(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Print expected failures as two lines on standard error and exit with status 1."""

    @functools.wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            with node_failures():
                return command(*args, **kwargs)
        except ProofmillError as error:
            click.secho(f"error: {error}", fg="red", err=True)
            click.echo(f"       {error.remedy}", err=True)
            sys.exit(EXIT_FAILED)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(EXIT_INTERRUPTED)

    return wrapped
