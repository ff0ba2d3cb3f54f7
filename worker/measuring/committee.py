"""What a worker says to the members of the committee, all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from pydantic import BaseModel, ValidationError

from proofmill.bounded_post import bounded_post
from proofmill.chain.typed_data import sign_digest
from proofmill.logs import Logger
from proofmill.measuring.messages import (
    ECHOES,
    Accepted,
    Begin,
    DeviceClaim,
    DeviceRoots,
    Echo,
    NextEcho,
    Nonce,
    Opening,
    Roots,
    devices_digest,
    message_digest,
    roots_digest,
    to_hex,
)
from proofmill.store.fetcher import build_client

Answer = TypeVar("Answer", bound=BaseModel)

MAXIMUM_ANSWER_BYTES: Final = 16 << 10
SECONDS: Final = 10.0
OPENING_SECONDS: Final = 60.0


class MemberLink:
    """The way to all members: one base URL each. One that does not answer costs its own part only."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        operator: ChecksumAddress,
        account: LocalAccount,
        chain_id: int,
        committee: ChecksumAddress,
        log: Logger,
    ) -> None:
        self._urls = tuple(urls)
        self._operator, self._account = operator, account
        self._chain_id, self._committee = chain_id, committee
        self._log = log
        self._http = build_client()
        self._pool = ThreadPoolExecutor(max(1, 2 * len(self._urls)), thread_name_prefix="members")

    def close(self) -> None:
        """Let go of all connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    @property
    def urls(self) -> tuple[str, ...]:
        """Where the members are."""
        return self._urls

    def begin(
        self, beacon: bytes, rules: bytes, devices: list[DeviceClaim], urls: Sequence[str]
    ) -> dict[str, Nonce]:
        """The nonces of those that gave one, by URL. Whoever is asked again gives the same, and its clock runs on."""
        message = Begin(
            beacon=to_hex(beacon),
            operator=self._operator,
            rules=to_hex(rules),
            devices=devices,
            signature=self._sign("begin", beacon, devices_digest(devices)),
        )
        body = message.model_dump_json().encode()
        return self._ask_all("begin", Nonce, dict.fromkeys(urls, body))

    def echo(self, beacon: bytes, nonces: Mapping[str, Nonce]) -> None:
        """Give every member its round trips; the work goes on meanwhile."""
        for url, nonce in nonces.items():
            self._pool.submit(self._echo, url, beacon, nonce.echo)

    def send_roots(
        self, beacon: bytes, nonces: Mapping[str, Nonce], seed_nonces: list[Nonce], devices: list[DeviceRoots]
    ) -> dict[str, Accepted]:
        """Tell those that take the time what all devices came to."""
        message = Roots(
            beacon=to_hex(beacon),
            operator=self._operator,
            nonces=seed_nonces,
            devices=devices,
            signature=self._sign("roots", beacon, roots_digest(seed_nonces, devices)),
        )
        return self._ask_all("roots", Accepted, dict.fromkeys(nonces, message.model_dump_json().encode()))

    def send_opening(
        self, beacon: bytes, urls: Sequence[str], device_id: bytes, proof: bytes
    ) -> dict[str, Accepted]:
        """Open one device's samples to those that took its roots."""
        digest = keccak(proof)
        message = Opening(
            beacon=to_hex(beacon),
            operator=self._operator,
            device_id=to_hex(device_id),
            proof=to_hex(digest),
            signature=self._sign("openings", beacon, keccak(device_id + digest)),
        )
        body = message.model_dump_json().encode() + b"\n" + proof
        return self._ask_all(
            "openings",
            Accepted,
            dict.fromkeys(urls, body),
            seconds=OPENING_SECONDS,
            content_type="application/octet-stream",
        )

    # ---------------------------------------------------------------- one question
    def _ask_all(
        self,
        path: str,
        kind: type[Answer],
        bodies: Mapping[str, bytes],
        *,
        seconds: float = SECONDS,
        content_type: str = "application/json",
    ) -> dict[str, Answer]:
        asked = {
            url: self._pool.submit(self._ask, url, path, kind, body, seconds, content_type)
            for url, body in bodies.items()
        }
        answers = {url: future.result() for url, future in asked.items()}
        return {url: answer for url, answer in answers.items() if answer is not None}

    def _ask(
        self, url: str, path: str, kind: type[Answer], body: bytes, seconds: float, content_type: str
    ) -> Answer | None:
        reply = bounded_post(
            self._http,
            f"{url}/measuring/{path}",
            body,
            seconds=seconds,
            maximum_bytes=MAXIMUM_ANSWER_BYTES,
            content_type=content_type,
        )
        if isinstance(reply, str):
            self._log.warning("member is silent", about=path, why=reply)
            return None
        if reply.status_code != 200:
            # The text is the member's: ascii() keeps control characters out of terminals and logs.
            why = ascii(reply.text[:500])[1:-1]
            self._log.warning("member refuses", about=path, member=url, why=why)
            return None
        try:
            return kind.model_validate_json(reply.content)
        except ValidationError as error:
            self._log.warning(
                "member answers what cannot be read", about=path, member=url, why=str(error)[:200]
            )
            return None

    def _echo(self, url: str, beacon: bytes, token: str) -> None:
        for _ in range(ECHOES):
            body = (
                Echo(beacon=to_hex(beacon), operator=self._operator, token=token).model_dump_json().encode()
            )
            answer = self._ask(url, "echo", NextEcho, body, SECONDS, "application/json")
            if answer is None:
                return  # a longer round trip is counted against this worker, nothing worse
            token = answer.token

    def _sign(self, kind: str, beacon: bytes, content: bytes) -> str:
        digest = message_digest(
            kind,  # type: ignore[arg-type]
            beacon,
            self._operator,
            content,
            chain_id=self._chain_id,
            committee=self._committee,
        )
        return to_hex(sign_digest(digest, self._account))
