"""Asking the other members: proposals out, endorsements back, attested reports handed over.

Up to f members are hostile. Whatever one of them answers, it costs the asker a bounded time and a bounded memory, and never
the process.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass

import httpx
from eth_typing import ChecksumAddress
from pydantic import ValidationError

from oracle.messages import MAXIMUM_MESSAGE_BYTES, AttestedReport, Endorsement, Proposal, RefusalMessage
from proofmill.bounded_post import bounded_post
from proofmill.store.fetcher import build_client

# A hostile member may hold each request for the whole timeout; the others must still find a free thread.
THREADS_PER_PEER = 4
# Honest members take a report in far less; who is slower reads it from the chain.
HAND_OVER_SECONDS = 1.0


@dataclass(frozen=True)
class Reply:
    """What a member answered: a signature, or why there is none."""

    member: ChecksumAddress
    signature: bytes | None
    refusal: str | None = None
    code: str | None = None
    disputed_jobs: tuple[int, ...] = ()


class Peers:
    """HTTP to the other members, by their address. Members without a known URL are silent."""

    def __init__(self, urls: Mapping[str, str], *, timeout: float = 10.0) -> None:
        self._urls = dict(urls)
        self._timeout = timeout
        self._http = build_client()
        self._pool = ThreadPoolExecutor(
            max_workers=max(1, THREADS_PER_PEER * len(self._urls)), thread_name_prefix="peers"
        )

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def propose(self, proposal: Proposal) -> Iterator[Reply]:
        """Ask all members at once; replies come in the order of their arrival. Who has enough may stop listening."""
        body = proposal.model_dump_json().encode()
        futures = [self._pool.submit(self._ask, ChecksumAddress(member), body) for member in self._urls]  # type: ignore[arg-type]
        for future in as_completed(futures):
            yield future.result()

    def hand_over(self, attested: AttestedReport) -> None:
        """Give every member the attested report, so that any of them can relay it. Who is away misses it."""
        body = attested.model_dump_json().encode()
        wait(
            [self._pool.submit(self._post, url, "/attested", body) for url in self._urls.values()],
            timeout=HAND_OVER_SECONDS,
        )

    def _ask(self, member: ChecksumAddress, body: bytes) -> Reply:
        answer = self._post(self._urls[member], "/proposals", body)
        if isinstance(answer, str):
            return Reply(member, None, refusal=answer, code="unreachable")
        try:
            if answer.status_code == httpx.codes.OK:
                return Reply(member, Endorsement.model_validate_json(answer.content).signature.signature())
            refusal = RefusalMessage.model_validate_json(answer.content)
        except ValidationError:
            return Reply(
                member, None, refusal=f"answered with status {answer.status_code} and an unreadable body"
            )
        # The text is the peer's: ascii() keeps control characters out of terminals and logs.
        return Reply(
            member,
            None,
            refusal=ascii(refusal.error[:500])[1:-1],
            code=ascii(refusal.code[:50])[1:-1],
            disputed_jobs=tuple(refusal.jobs),
        )

    def _post(self, url: str, path: str, body: bytes) -> httpx.Response | str:
        """The whole answer, or in words why there is none."""
        return bounded_post(
            self._http, url + path, body, seconds=self._timeout, maximum_bytes=MAXIMUM_MESSAGE_BYTES
        )
