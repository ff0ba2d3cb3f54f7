"""Asking the other members: proposals out, endorsements back, attested reports handed over."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import httpx
from eth_typing import ChecksumAddress
from pydantic import ValidationError

from oracle.messages import MAXIMUM_MESSAGE_BYTES, AttestedReport, Endorsement, Proposal
from proofmill.chain.types import CompactSignature


@dataclass(frozen=True)
class Reply:
    """What a member answered: a signature, or why there is none."""

    member: ChecksumAddress
    signature: CompactSignature | None
    refusal: str | None = None
    code: str | None = None
    disputed_jobs: tuple[int, ...] = ()


class Peers:
    """HTTP to the other members, by their address. Members without a known URL are silent."""

    def __init__(self, urls: Mapping[str, str], *, timeout: float = 10.0) -> None:
        self._urls = dict(urls)
        self._http = httpx.Client(timeout=timeout, follow_redirects=False)
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(self._urls)), thread_name_prefix="peers")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def propose(self, proposal: Proposal) -> Iterator[Reply]:
        """Ask all members at once; replies come in the order of their arrival."""
        body = proposal.model_dump_json().encode()
        futures = [self._pool.submit(self._ask, ChecksumAddress(member), body) for member in self._urls]  # type: ignore[arg-type]
        for future in as_completed(futures):
            yield future.result()

    def hand_over(self, attested: AttestedReport) -> None:
        """Give every member the attested report, so that any of them can relay it. Who is away misses it."""
        body = attested.model_dump_json().encode()
        for future in [self._pool.submit(self._post, url, "/attested", body) for url in self._urls.values()]:
            future.result()

    def _ask(self, member: ChecksumAddress, body: bytes) -> Reply:
        answer = self._post(self._urls[member], "/proposals", body)
        if isinstance(answer, str):
            return Reply(member, None, refusal=answer, code="unreachable")
        try:
            if answer.status_code == httpx.codes.OK:
                return Reply(member, Endorsement.model_validate_json(answer.content).signature.signature())
            refusal = answer.json()
            return Reply(
                member,
                None,
                refusal=str(refusal["error"])[:500],
                code=str(refusal.get("code", "")),
                disputed_jobs=tuple(int(job) for job in refusal.get("jobs", ())),
            )
        except (ValidationError, ValueError, KeyError, TypeError, AttributeError):
            return Reply(
                member, None, refusal=f"answered with status {answer.status_code} and an unreadable body"
            )

    def _post(self, url: str, path: str, body: bytes) -> httpx.Response | str:
        try:
            with self._http.stream(
                "POST", url + path, content=body, headers={"content-type": "application/json"}
            ) as response:
                received = b""
                for chunk in response.iter_bytes():
                    received += chunk
                    if len(received) > MAXIMUM_MESSAGE_BYTES:
                        return f"{url} answered with more than {MAXIMUM_MESSAGE_BYTES} bytes"
                return httpx.Response(response.status_code, content=received)
        except httpx.HTTPError as error:
            return f"{url} cannot be reached: {error or type(error).__name__}"
