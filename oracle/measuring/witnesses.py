"""Asking the other members what they saw. Up to f of them are hostile: each costs a bounded time and memory, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import httpx
from eth_typing import ChecksumAddress
from pydantic import ValidationError

from oracle.measuring.messages import (
    MAXIMUM_EVIDENCE_BYTES,
    MeasurementEndorsement,
    MeasurementProposal,
    Observations,
    ObservationsWanted,
)
from proofmill.bounded_post import bounded_post
from proofmill.chain.errors import InvalidSignature, InvalidValue
from proofmill.logs import Logger
from proofmill.measuring.messages import from_hex, to_hex
from proofmill.measuring.observations import SignedObservation
from proofmill.store.fetcher import build_client

SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Endorsed:
    """What a member answered to a proposal: a signature, or why there is none."""

    member: ChecksumAddress
    signature: bytes | None
    refusal: str = ""


class OtherMembers:
    """HTTP to the other members, by their operator's address."""

    def __init__(self, urls: Mapping[str, str], log: Logger) -> None:
        self._urls = dict(urls)
        self._log = log
        self._http = build_client()
        self._pool = ThreadPoolExecutor(max(1, 2 * len(self._urls)), thread_name_prefix="witnesses")

    def close(self) -> None:
        """Let go of all connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def observations(self, beacon: bytes) -> list[SignedObservation]:
        """What those that answer say they saw; the signatures are not looked at."""
        body = ObservationsWanted(beacon=to_hex(beacon)).model_dump_json().encode()
        found = self._pool.map(lambda url: self._ask(url, "observations", body), self._urls.values())
        return [signed for answer in found for signed in _observations_in(answer)]

    def propose(self, proposal: MeasurementProposal) -> list[Endorsed]:
        """Ask all members at once; returns when the last has answered or its time is over."""
        body = proposal.model_dump_json().encode()
        members = [ChecksumAddress(member) for member in self._urls]  # type: ignore[arg-type]
        answers = self._pool.map(lambda member: self._ask(self._urls[member], "measurements", body), members)
        return [_endorsed(member, answer) for member, answer in zip(members, answers, strict=True)]

    def _ask(self, url: str, path: str, body: bytes) -> httpx.Response | str:
        answer = bounded_post(
            self._http,
            f"{url}/measuring/{path}",
            body,
            seconds=SECONDS,
            maximum_bytes=MAXIMUM_EVIDENCE_BYTES,
        )
        if isinstance(answer, str):
            self._log.info("member is silent", about=path, why=answer)
        return answer


def _observations_in(answer: httpx.Response | str) -> list[SignedObservation]:
    if isinstance(answer, str) or answer.status_code != 200:
        return []
    try:
        messages = Observations.model_validate_json(answer.content).observations
        return [message.signed() for message in messages]
    except (ValidationError, InvalidValue, InvalidSignature):
        return []  # no honest member says this, and the others say enough


def _endorsed(member: ChecksumAddress, answer: httpx.Response | str) -> Endorsed:
    if isinstance(answer, str):
        return Endorsed(member, None, answer)
    if answer.status_code != 200:
        # The text is the peer's: ascii() keeps control characters out of terminals and logs.
        return Endorsed(member, None, ascii(answer.text[:500])[1:-1])
    try:
        found = MeasurementEndorsement.model_validate_json(answer.content)
    except ValidationError:
        return Endorsed(member, None, "it answered what cannot be read")
    return Endorsed(member, from_hex(found.signature))
