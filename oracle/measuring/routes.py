"""The HTTP interface of challenges. Whatever arrives is bounded in time and bytes before it is looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oracle.measuring.messages import MeasurementProposal, ObservationsWanted
from oracle.measuring.reports import MeasurementReports
from oracle.measuring.session import Refused
from oracle.measuring.sessions import Sessions
from proofmill.errors import ProofmillError
from proofmill.measuring.messages import MAXIMUM_MESSAGE_BYTES, Begin, Echo, Opening, Roots

MESSAGE_SECONDS: Final = 10.0
OPENING_SECONDS: Final = 60.0
MAXIMUM_ANNOUNCEMENT_BYTES: Final = 4_096
#: Most bytes of any opening; what a size allows is looked up once the announcement is known.
MAXIMUM_OPENING_BYTES: Final = 64 << 20

Message = TypeVar("Message", bound=BaseModel)


class TooLong(Exception):
    """More bytes than the message may have."""


def measuring_routes(
    current: Callable[[], Sessions | None],
    reports: MeasurementReports,
    clock: Callable[[], float] = time.monotonic,
) -> list[Route]:
    """What workers post to /measuring/begin, /echo, /roots and /openings, and members to /observations and /measurements.

    ``current`` is the window that is open, if one is. The body of an opening is its announcement in one line of JSON, and then
    its bytes.
    """

    async def begin(request: Request) -> Response:
        return await _answer(request, Begin, lambda sessions, message, _: sessions.begin(message))

    async def echo(request: Request) -> Response:
        return await _answer(request, Echo, lambda sessions, message, at: sessions.echo(message, at))

    async def roots(request: Request) -> Response:
        return await _answer(request, Roots, lambda sessions, message, at: sessions.take_roots(message, at))

    async def openings(request: Request) -> Response:
        sessions = current()
        if sessions is None:
            return _none_open()
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                announcement, proof = await _announced(request, sessions)
        except (TimeoutError, ClientDisconnect):
            return _refusal(
                408, "slow", f"an opening takes at most {OPENING_SECONDS:g} seconds and comes whole"
            )
        except TooLong as error:
            return _refusal(413, "size", str(error))
        except ValidationError as error:
            return _malformed(Opening, error)
        return await _taken(lambda: sessions.take_opening(announcement, proof))

    async def observations(request: Request) -> Response:
        wanted = await _message(request, ObservationsWanted)
        if isinstance(wanted, Response):
            return wanted
        return await _taken(lambda: reports.observations(wanted))

    async def measurements(request: Request) -> Response:
        proposal = await _message(request, MeasurementProposal)
        if isinstance(proposal, Response):
            return proposal
        return await _taken(lambda: reports.endorse(proposal))

    async def _answer(
        request: Request, kind: type[Message], act: Callable[[Sessions, Message, float], BaseModel]
    ) -> Response:
        sessions = current()
        if sessions is None:
            return _none_open()
        message = await _message(request, kind)
        arrived_at = clock()
        if isinstance(message, Response):
            return message
        return await _taken(lambda: act(sessions, message, arrived_at))

    endpoints = (begin, echo, roots, openings, observations, measurements)
    return [Route(f"/measuring/{endpoint.__name__}", endpoint, methods=["POST"]) for endpoint in endpoints]


async def _message(request: Request, kind: type[Message]) -> Message | Response:
    """The message, or why there is none."""
    try:
        async with asyncio.timeout(MESSAGE_SECONDS):
            body = await _body(request, MAXIMUM_MESSAGE_BYTES)
    except (TimeoutError, ClientDisconnect):
        return _refusal(408, "slow", f"a message takes at most {MESSAGE_SECONDS:g} seconds and comes whole")
    except TooLong as error:
        return _refusal(413, "size", str(error))
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        return _malformed(kind, error)


async def _taken(act: Callable[[], BaseModel]) -> Response:
    try:
        answer = await run_in_threadpool(act)
    except Refused as refused:
        return _refusal(409, refused.code, str(refused))
    except ProofmillError as error:  # this member's database or node; the next message may fare better
        return _refusal(503, "unavailable", str(error))
    return JSONResponse(answer.model_dump(mode="json"))


async def _body(request: Request, most: int) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > most:
            raise TooLong(f"a message has at most {most} bytes")
    return bytes(received)


async def _announced(request: Request, sessions: Sessions) -> tuple[Opening, bytes]:
    """The announcement, and as many bytes after it as the announced device may need."""
    received = bytearray()
    announcement: Opening | None = None
    most = MAXIMUM_ANNOUNCEMENT_BYTES
    async for chunk in request.stream():
        received += chunk
        if announcement is None and (end := received.find(b"\n")) >= 0:
            announcement = Opening.model_validate_json(bytes(received[:end]))
            del received[: end + 1]
            most = min(sessions.largest_opening(announcement), MAXIMUM_OPENING_BYTES)
        if len(received) > most:
            raise TooLong(f"no more than {most} bytes are expected here")
    if announcement is None:
        raise TooLong("an announcement is one line of JSON")
    return announcement, bytes(received)


def _none_open() -> Response:
    return _refusal(409, "closed", "no window is open at this member")


def _malformed(kind: type[BaseModel], error: ValidationError) -> Response:
    problems = "; ".join(
        f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)[:5]
    )
    return _refusal(422, "malformed", f"not a {kind.__name__}: {problems}")


def _refusal(status: int, code: str, why: str) -> Response:
    return JSONResponse({"error": why, "code": code}, status_code=status)
