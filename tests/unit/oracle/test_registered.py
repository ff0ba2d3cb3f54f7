"""Which jobs a member may reject: those whose wrong answer could be proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from oracle.registered import Registrations
from proofmill.chain import Job
from proofmill.chain.types import address

ARBITER = address("0x" + "a9" * 20)


@dataclass
class Registry:
    """Knows since which block the one model is registered."""

    registered_in: int | None
    asked: list[tuple[int, int]] = field(default_factory=list)
    address: str = "0x" + "5e" * 20

    def __post_init__(self) -> None:
        self.web3 = SimpleNamespace(eth=SimpleNamespace(get_logs=self.get_logs))
        self.decoder = SimpleNamespace(topics=lambda names: ["0x" + "00" * 32])

    def is_registered(self, model_id: bytes) -> bool:
        return self.registered_in is not None

    def get_logs(self, wanted: Any) -> list[dict[str, int]]:
        self.asked.append((wanted["fromBlock"], wanted["toBlock"]))
        found = self.registered_in
        is_within = found is not None and wanted["fromBlock"] <= found <= wanted["toBlock"]
        return [{"blockNumber": found}] if is_within and found is not None else []


@pytest.mark.parametrize(
    ("registered_in", "is_provable"), [(None, False), (49, True), (50, True), (51, False)]
)
def test_is_provable__exact_job__if_its_model_was_registered_when_it_was_posted(
    submitted_job: Callable[..., Job], registered_in: int | None, is_provable: bool
) -> None:
    registry: Any = Registry(registered_in)
    job = submitted_job()
    job = replace(job, posted_block=50, terms=replace(job.terms, arbiter=ARBITER))
    known = Registrations(registry, 7)
    assert known.is_provable(job) is is_provable
    assert known.is_provable(job) is is_provable


def test_is_provable__registration_once_seen__not_searched_for_again(
    submitted_job: Callable[..., Job],
) -> None:
    registry: Any = Registry(20)
    job = submitted_job()
    job = replace(job, posted_block=50, terms=replace(job.terms, arbiter=ARBITER))
    known = Registrations(registry, 7)
    assert known.is_provable(job)
    assert not known.is_provable(replace(job, posted_block=19))
    assert registry.asked == [(7, 50)]


def test_is_provable__committee_only_job__needs_no_registration(submitted_job: Callable[..., Job]) -> None:
    registry: Any = Registry(None)
    assert Registrations(registry, 7).is_provable(submitted_job())
    assert registry.asked == []
