"""Settings of the worker: ``worker.toml`` or ``PROOFMILL_WORKER_*``. The table is in docs/WORKER.md."""

import re

from eth_typing import ChecksumAddress
from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from proofmill.capability.sizes import CLASSES
from proofmill.chain.types import address
from proofmill.settings import NodeSettings

PROCESSOR = CLASSES[0].name  # the one size for processors; all others are for cards


class WorkerSettings(NodeSettings):
    """What a worker needs to know, and which jobs its owner is ready to take."""

    model_config = SettingsConfigDict(env_prefix="PROOFMILL_WORKER_", extra="forbid", frozen=True)

    operator: str | None = Field(
        default=None,
        description="whose stake is bound and who is paid; the keystore's key is then its hot key. Default: the key itself",
    )
    peers: list[str] = Field(
        default_factory=list,
        description="base URLs of the committee's members: for request blobs, and for those that measure",
    )
    minimum_price: int = Field(
        default=1, ge=1, description="least price of a job paid in MILL, in its smallest unit"
    )
    token_prices: dict[str, int] = Field(
        default_factory=dict, description="other payment tokens that are taken → least price in each"
    )
    maximum_bond_bps: int = Field(
        default=1_000_000,
        ge=1,
        description="most stake to commit to a job, in hundredths of a percent of its highest price in MILL",
    )
    minimum_submit_window: int = Field(
        default=60, ge=1, description="seconds that a job must leave between claim and submission"
    )
    minimum_evaluation_window: int = Field(
        default=300, ge=1, description="seconds that a job must leave the committee to judge the answer"
    )
    request_bytes_per_second: int = Field(
        default=500,
        ge=1,
        description="bytes of a request that this machine surely computes in a second; a token takes four",
    )
    collect_after_jobs: int = Field(
        default=20,
        ge=1,
        description="paid jobs after which earnings are collected, in two transactions for all of them",
    )
    collect_after_seconds: float = Field(
        default=86_400.0, gt=0, description="seconds after which fewer earnings are collected too"
    )
    minimum_collection: int = Field(
        default=10**18,
        ge=1,
        description="earnings in MILL below this are not worth two transactions; in other tokens, one least price",
    )

    devices: dict[str, str] = Field(
        default_factory=dict,
        description="devices to have measured: cpu or cuda:N → size of challenge; none: all that are found, by their names",
    )

    @field_validator("devices")
    @classmethod
    def _are_devices(cls, value: dict[str, str]) -> dict[str, str]:
        for device, size in value.items():
            if not re.fullmatch(r"cpu|cuda:\d{1,2}", device):
                raise ValueError(f"{device!r} is no device; write cpu, or cuda:0, cuda:1, … in quotes")
            fitting = [one.name for one in CLASSES if (one.name == PROCESSOR) == (device == "cpu")]
            if size not in fitting:
                raise ValueError(f"{size!r} is no size for {device}; choose {' or '.join(fitting)}")
        return value

    @field_validator("operator")
    @classmethod
    def _is_address(cls, value: str | None) -> ChecksumAddress | None:
        return None if value is None else address(value, "operator")

    @field_validator("token_prices")
    @classmethod
    def _are_tokens(cls, value: dict[str, int]) -> dict[str, int]:
        for token, price in value.items():
            if price < 1:
                raise ValueError(f"the least price in {token} must be at least 1")
        return {address(token, "token"): price for token, price in value.items()}

    @field_validator("peers")
    @classmethod
    def _are_http(cls, value: list[str]) -> list[str]:
        for url in value:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{url!r} is not an http:// or https:// address")
        return [url.rstrip("/") for url in value]
