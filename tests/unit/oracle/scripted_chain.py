"""A chain of events that a test writes and rewrites, and what reads it as `EventSync` does. No test lives here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from eth_typing import ChecksumAddress
from sqlalchemy import Engine

from oracle import track_records
from oracle.track_records import TrackRecords
from proofmill.chain import open_database
from proofmill.chain.events import EventLog
from proofmill.chain.sync import SyncResult
from proofmill.store import content_id
from tests.unit.oracle.conftest import ESCROW

Entry = tuple[str, int, ChecksumAddress | None]  # event, job, operator where the event names it


@dataclass
class ScriptedChain:
    """Blocks from 0 on; a block is its events and a salt that makes its hash differ from another branch's."""

    blocks: list[tuple[int, tuple[Entry, ...]]] = field(default_factory=list)

    def mine(self, *entries: Entry, salt: int = 0) -> int:
        """One more block; its number."""
        self.blocks.append((salt, entries))
        return len(self.blocks) - 1

    def reorganise(self, depth: int) -> None:
        """Forget the last blocks; the ones mined next should have another salt."""
        del self.blocks[len(self.blocks) - depth :]

    def hash_of(self, number: int) -> bytes:
        return content_id(repr((number, self.blocks[: number + 1])).encode())

    def events(self, first: int, last: int) -> list[EventLog]:
        return [
            _event(number, self.hash_of(number), index, entry)
            for number in range(first, last + 1)
            for index, entry in enumerate(self.blocks[number][1])
        ]


def submitted(job_id: int, operator: ChecksumAddress) -> Entry:
    return "JobSubmitted", job_id, operator


def paid(job_id: int) -> Entry:
    return "JobCompleted", job_id, None


def slashed(job_id: int, operator: ChecksumAddress) -> Entry:
    return "Compensated", job_id, operator


def _event(number: int, block_hash: bytes, index: int, entry: Entry) -> EventLog:
    name, job_id, operator = entry
    args: dict[str, Any] = {"jobId": job_id} | ({} if operator is None else {"provider": operator})
    return EventLog("JobEscrow", name, args, ESCROW, number, block_hash, block_hash, index)


@dataclass
class ScriptedSync:
    """The cursor of one member: at most `portion` blocks at a time; it may be killed before it acknowledges."""

    chain: ScriptedChain
    portion: int
    acknowledged: list[bytes] = field(default_factory=list)

    def confirmed_head(self) -> int:
        return len(self.chain.blocks) - 1

    @property
    def next_block(self) -> int:
        return len(self.acknowledged)

    def poll(self) -> SyncResult:
        start = 0
        while start < min(len(self.acknowledged), len(self.chain.blocks)) and (
            self.acknowledged[start] == self.chain.hash_of(start)
        ):
            start += 1
        rolled_back_to = start - 1 if start < len(self.acknowledged) else None
        end = min(len(self.chain.blocks), start + self.portion) - 1
        hashes = tuple((number, self.chain.hash_of(number)) for number in range(start, end + 1))
        return SyncResult(tuple(self.chain.events(start, end)), start, end, rolled_back_to, hashes)

    def acknowledge(self, result: SyncResult) -> None:
        self.acknowledged[result.from_block :] = [value for _, value in result.hashes]


@dataclass(frozen=True)
class _Escrow:
    address: ChecksumAddress = ESCROW


def records_of(
    monkeypatch: pytest.MonkeyPatch,
    chain: ScriptedChain,
    place: Path | Engine,
    *,
    portion: int = 1_000,
    cursor: ScriptedSync | None = None,
) -> tuple[TrackRecords, ScriptedSync]:
    """The records of a member that reads `chain`, in a new database, or in one that it has already with its cursor."""
    sync = ScriptedSync(chain, portion) if cursor is None else cursor
    monkeypatch.setattr(track_records, "EventSync", lambda *_, **__: sync)
    database = open_database(place) if isinstance(place, Path) else place
    return TrackRecords(None, _Escrow(), database, start_block=0, confirmations=1), sync  # type: ignore[arg-type]
