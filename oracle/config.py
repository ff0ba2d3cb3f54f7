"""Settings of the oracle: ``oracle.toml`` or ``PROOFMILL_ORACLE_*``. The table is in docs/ORACLE.md."""

from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict
from web3 import Web3

from proofmill.settings import NodeSettings


class OracleSettings(NodeSettings):
    """What one committee member needs to know."""

    model_config = SettingsConfigDict(env_prefix="PROOFMILL_ORACLE_", extra="forbid", frozen=True)

    peers: dict[str, str] = Field(
        default_factory=dict, description="operator of each other committee member → its base URL"
    )
    patience: float = Field(
        default=20.0,
        gt=0,
        le=3_600,
        description="seconds that the leader of a sequence has before the next may lead",
    )
    relay_delay: float = Field(
        default=6.0,
        gt=0,
        le=3_600,
        description="seconds per rank before a member relays what the leader did not",
    )
    accept_uploads: bool = Field(default=True, description="take request blobs from clients over HTTP")

    sampling: bool = Field(
        default=True,
        description="judge the exact jobs that the verification policy draws for this member, not all of them",
    )
    disputes: bool = Field(
        default=True,
        description="challenge answers that are wrong, and hold other members to what they signed",
    )
    mill_value: int = Field(
        default=10**16,
        ge=1,
        description="wei that one MILL is taken to be worth, where gas is weighed against it",
    )
    challenge_budget: int = Field(
        default=0,
        ge=0,
        description="most wei of gas for a dispute or a proof, whatever it is worth; 0: no more than it is worth",
    )

    @field_validator("peers")
    @classmethod
    def _addresses_and_urls(cls, value: dict[str, str]) -> dict[str, str]:
        for address, url in value.items():
            if not Web3.is_address(address):
                raise ValueError(f"{address!r} is not an address")
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{url!r} is not an http:// or https:// address")
        return {Web3.to_checksum_address(address): url.rstrip("/") for address, url in value.items()}

    @model_validator(mode="after")
    def _relay_within_patience(self) -> Self:
        if self.relay_delay > self.patience:
            raise ValueError("relay_delay must not exceed patience, or two leaders overlap without need")
        return self
