"""Settings that worker, oracle and client share: one TOML file, overridden by the environment.

Precedence is environment over file over default. A setting of the worker is read from ``PROOFMILL_WORKER_<NAME>``,
of the oracle from ``PROOFMILL_ORACLE_<NAME>``, of the client from ``PROOFMILL_<NAME>``. Secrets are never settings:
a keystore's password is named by the path of a file.
"""

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from proofmill.chain.connection import split_urls
from proofmill.errors import ProofmillError
from proofmill.measuring.rules import InvalidRules, MeasuringRules


class InvalidSettings(ProofmillError, ValueError):
    """A settings file or an environment variable does not fit; names the key and what is expected."""


class _FileValues(PydanticBaseSettingsSource):
    """The values of a TOML file, read once by `load`, ranking below the environment."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self._values)


class FileSettings(BaseSettings):
    """Settings with a file behind them. Relative paths in a file are relative to that file."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)
    _file_values: ClassVar[dict[str, Any]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileValues(settings_cls, cls._file_values)

    @classmethod
    def load(cls, file: Path | None, **overrides: Any) -> Self:
        """Read `file` (may be None), the environment and `overrides` (which win).

        Raises:
            InvalidSettings: the file is missing or not TOML, or a value does not fit.
        """
        values = _read_toml(file) if file is not None else {}
        base = file.resolve().parent if file is not None else Path.cwd()
        for name, field in cls.model_fields.items():
            if name in values and field.annotation in (Path, Path | None) and isinstance(values[name], str):
                values[name] = base / Path(values[name]).expanduser()
        reader = type(cls.__name__, (cls,), {"_file_values": values, "__module__": cls.__module__})
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            settings = reader(**given)
        except ValidationError as error:
            raise InvalidSettings(_explain(error, file), remedy=f"Correct it; {_where(cls, file)}") from error
        assert isinstance(settings, cls)
        return settings


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidSettings(
            f"There is no settings file {file}.", remedy="Give an existing file with --config."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(
            f"{file} is not valid TOML: {error}", remedy="Correct the line it names."
        ) from error


def _explain(error: ValidationError, file: Path | None) -> str:
    origin = f"{file}" if file is not None else "the environment"
    problems = "; ".join(
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
        for item in error.errors(include_url=False)
    )
    return f"Settings in {origin} do not fit: {problems}."


def _where(cls: type[BaseSettings], file: Path | None) -> str:
    prefix = cls.model_config.get("env_prefix", "")
    return f"each key may also be given as {prefix}<KEY> in the environment" + (
        f" instead of {file}." if file else "."
    )


class ChainSettings(FileSettings):
    """How to reach the chain and who signs."""

    # Taken as it is from the environment, where a list has commas and not the brackets of JSON.
    rpc_url: Annotated[tuple[str, ...], NoDecode] = Field(
        min_length=1,
        description="HTTP endpoint of an Ethereum node; or several, as a list or with commas, the preferred one first",
    )
    deployment: Path = Field(description="deployment manifest (JSON) that `deploy` wrote")
    keystore: Path = Field(description="encrypted keystore, version 3")
    password_file: Path = Field(description="file whose first line is the keystore's password")
    data_directory: Path = Field(description="journal, event cursor and blobs; one process at a time")
    confirmations: int = Field(
        default=1, ge=1, le=256, description="blocks before anything counts, the one that holds it included"
    )

    @field_validator("rpc_url", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        is_text = isinstance(value, str) or (
            isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        )
        return split_urls(value) if is_text else value

    @field_validator("rpc_url")
    @classmethod
    def _are_endpoints(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(("http://", "https://")):
                raise ValueError("an http:// or https:// address is expected")
        return value


class NodeSettings(ChainSettings):
    """What a long-running node has besides: an address to listen on, peers, a rhythm, a log."""

    listen_host: str = Field(default="127.0.0.1", description="address to serve on")
    listen_port: int = Field(default=0, ge=0, le=65_535, description="0 takes a free port")
    poll_interval: float = Field(
        default=2.0, gt=0, le=600, description="seconds between two looks at the chain"
    )
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    log_format: str = Field(default="json", pattern="^(json|console)$")
    fee_patience: float = Field(default=30.0, gt=0, description="seconds unmined before a fee is raised")
    torch_threads: int = Field(default=0, ge=0, le=1_024, description="0 leaves torch's own choice")
    quota_bytes: int = Field(default=8 << 30, ge=1 << 20, description="most bytes of blobs kept on disk")
    requests_per_second: float = Field(
        default=50.0,
        ge=0,
        description="HTTP requests that one client address may make, sustained; 0 sets no limit",
    )
    request_burst: int = Field(
        default=200, ge=1, description="HTTP requests that one client address may make at once"
    )
    # Taken as it is from the environment: what is not JSON there is told in words.
    measuring: Annotated[MeasuringRules | None, NoDecode] = Field(
        default=None,
        description="table of rules that all members and workers share: devices are measured; without it they are not",
    )

    @field_validator("measuring", mode="before")
    @classmethod
    def _rules(cls, value: Any) -> Any:
        """A table in a file, a JSON object in the environment; what is left out has its default."""
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except json.JSONDecodeError as error:
                raise ValueError(
                    'in the environment a JSON object is expected, such as {"window_blocks": 7200}'
                ) from error
        if value is None or isinstance(value, MeasuringRules):
            return value
        if not isinstance(value, dict):
            raise ValueError("a table of rules is expected; it may be empty")
        known = [rule.name for rule in fields(MeasuringRules)]
        if unknown := sorted(set(value) - set(known)):
            raise ValueError(f"there is no rule {', '.join(unknown)}; the rules are {', '.join(known)}")
        try:
            return MeasuringRules(**value)
        except InvalidRules as error:
            raise ValueError(f"{error}; {error.remedy.rstrip(chr(46))}") from error
