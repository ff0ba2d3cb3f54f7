"""``python -m adversaries.colluding_oracle --config …``: a committee member that attests whatever one worker answers.

It judges every other worker honestly, so nobody sees what it is before it counts. With f + 1 of its kind a committee pays that
worker for anything.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click
from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from oracle.config import OracleSettings
from oracle.evidence import Finding
from oracle.judge import Judge, case_of
from oracle.run import run_oracle
from proofmill.chain.records import Job
from proofmill.chain.reports import Outcome, Verdict
from proofmill.chain.types import address
from proofmill.failures import report_failures
from proofmill.store import BlobFetcher, BlobUnavailable


class ColludingSettings(OracleSettings):
    """An oracle's settings, and whose lies it signs."""

    model_config = SettingsConfigDict(env_prefix="PROOFMILL_ORACLE_", extra="forbid", frozen=True)

    confederate: str = Field(description="operator of the worker whose answers are attested unseen")
    confederate_url: str = Field(description="base URL of that worker, to get its answers from")

    @field_validator("confederate")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return str(address(value, "confederate"))


class ColludingJudge(Judge):
    """Finds what its confederate has claimed, without running anything; judges all others as it should."""

    def __init__(self, *, confederate: str, confederate_url: str, **honest: Any) -> None:
        super().__init__(**honest)
        self._confederate = confederate
        self._from_confederate = BlobFetcher(self._store, [confederate_url])

    def consider(self, job: Job) -> Finding | None:
        if job.provider != self._confederate or job.deliverable is None:
            return super().consider(job)
        finding = Finding(
            escrow=job.escrow,
            verdict=Verdict(job.id, Outcome.COMPLETE, job.commitment),
            model_id=job.model_id,
            input_root=job.input_root,
            claimed=job.deliverable,
            computed=job.deliverable,
        )
        try:
            self._from_confederate.fetch(job.deliverable)  # so that the requester gets its false answer
        except BlobUnavailable as error:
            self._log.warning("answer not kept", job=job.id, error=str(error), remedy=error.remedy)
        self._ballots.record_finding(finding)
        self._judged.add(case_of(job))
        self._log.info("attested unseen", job=job.id, worker=job.provider)
        return finding


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file; PROOFMILL_ORACLE_* overrides it.")
@report_failures
def main(config: Path | None) -> None:
    """Judge honestly, but for the answers of one worker."""
    settings = ColludingSettings.load(config)
    judge = partial(
        ColludingJudge, confederate=settings.confederate, confederate_url=settings.confederate_url
    )
    run_oracle(settings, judge)


if __name__ == "__main__":
    main()
