"""The options by which every command that talks to a network finds it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from proofmill.client import ClientSettings

DEFAULT_SETTINGS = Path("proofmill.toml")
DEVNET_SETTINGS = Path(".proofmill/devnet/client.toml")


def settings_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--config`` and pass the loaded settings as ``settings``."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="Settings file. Default: proofmill.toml, else that of a running `proofmill devnet`.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, config: Path | None, **kwargs: Any) -> Any:
        return command(*args, settings=load_settings(config), **kwargs)

    return wrapped


def load_settings(config: Path | None) -> ClientSettings:
    """The named file, or the first default that exists; without any, the environment must hold everything."""
    chosen = config
    if chosen is None:
        chosen = next((path for path in (DEFAULT_SETTINGS, DEVNET_SETTINGS) if path.exists()), None)
    return ClientSettings.load(chosen)
