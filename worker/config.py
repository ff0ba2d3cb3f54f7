"""Settings of the worker: ``worker.toml`` or ``PROOFMILL_WORKER_*``. The table is in docs/WORKER.md."""

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from proofmill.settings import NodeSettings


class WorkerSettings(NodeSettings):
    """What a worker needs to know, and which jobs its owner is ready to take."""

    model_config = SettingsConfigDict(env_prefix="PROOFMILL_WORKER_", extra="forbid", frozen=True)

    peers: list[str] = Field(
        default_factory=list, description="base URLs of nodes to fetch request blobs from"
    )
    minimum_price: int = Field(
        default=1, ge=1, description="least price, in the payment token's smallest unit"
    )
    maximum_bond_bps: int = Field(
        default=100_000,
        ge=1,
        description="most stake to commit to a job, in hundredths of a percent of its price",
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

    @field_validator("peers")
    @classmethod
    def _are_http(cls, value: list[str]) -> list[str]:
        for url in value:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{url!r} is not an http:// or https:// address")
        return [url.rstrip("/") for url in value]
