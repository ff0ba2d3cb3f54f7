"""How every command finds the member's settings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from oracle.config import OracleSettings

config_option = click.option(
    "--config", type=click.Path(path_type=Path), help="TOML file; PROOFMILL_ORACLE_* overrides it."
)


def settings_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--config``, which may also stand before the command, and pass the loaded settings as ``settings``."""

    @config_option
    @functools.wraps(command)
    def wrapped(*args: Any, config: Path | None, **kwargs: Any) -> Any:
        chosen = config or click.get_current_context().find_root().params.get("config")
        return command(*args, settings=OracleSettings.load(chosen), **kwargs)

    return wrapped
