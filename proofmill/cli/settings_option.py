"""The options by which every command that talks to a network finds it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from proofmill.client import ClientSettings
from proofmill.operator import AccountSettings
from proofmill.settings import ChainSettings

DEFAULT_SETTINGS = Path("proofmill.toml")
DEVNET_SETTINGS = Path(".proofmill/devnet/client.toml")


_Settings = TypeVar("_Settings", bound=ChainSettings)


def settings_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--config`` and pass the loaded settings as ``settings``."""
    return _config_option(command, ClientSettings, "Settings file.")


def account_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for what any account does, with the settings of whatever runs under it."""
    return _config_option(command, AccountSettings, "Settings file of a worker, an oracle or a client.")


def load_settings(config: Path | None, kind: type[_Settings]) -> _Settings:
    """The named file, or the first default that exists; without any, the environment must hold everything."""
    chosen = config
    if chosen is None:
        chosen = next((path for path in (DEFAULT_SETTINGS, DEVNET_SETTINGS) if path.exists()), None)
    return kind.load(chosen)


def _config_option(command: Callable[..., Any], kind: type[ChainSettings], what: str) -> Callable[..., Any]:
    @click.option(
        "--config",
        type=click.Path(path_type=Path),
        help=f"{what} Default: proofmill.toml, else that of a running `proofmill devnet`.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, config: Path | None, **kwargs: Any) -> Any:
        return command(*args, settings=load_settings(config, kind), **kwargs)

    return wrapped
