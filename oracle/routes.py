"""The oracle's HTTP interface: blobs, the committee's conversation, measuring, health."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from oracle.endorsing import Refusal
from oracle.messages import MAXIMUM_MESSAGE_BYTES, AttestedReport, Proposal
from oracle.rounds import Rounds
from proofmill.errors import ProofmillError
from proofmill.health import Health, health_routes
from proofmill.store import BlobStore, blob_routes

MESSAGE_TIMEOUT_SECONDS = 10.0

Message = TypeVar("Message", bound=BaseModel)


def build_application(
    *,
    rounds: Rounds,
    store: BlobStore,
    health: Health,
    accept_uploads: bool,
    measuring: Sequence[Route] = (),
) -> Starlette:
    """Everything that one oracle serves; `measuring` are the routes by which devices are measured, if they are here."""

    async def proposals(request: Request) -> Response:
        return await _answer(request, Proposal, lambda message: rounds.endorse(message).model_dump())

    async def attested(request: Request) -> Response:
        def keep(message: AttestedReport) -> dict[str, object]:
            rounds.accept_attested(message)
            return {"kept": True}

        return await _answer(request, AttestedReport, keep)

    return Starlette(
        routes=[
            *blob_routes(store, accept_uploads=accept_uploads),
            *health_routes(health),
            Route("/proposals", proposals, methods=["POST"]),
            Route("/attested", attested, methods=["POST"]),
            *measuring,
        ]
    )


async def _answer(
    request: Request, kind: type[Message], act: Callable[[Message], dict[str, object]]
) -> Response:
    body = bytearray()
    try:
        async with asyncio.timeout(MESSAGE_TIMEOUT_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAXIMUM_MESSAGE_BYTES:
                    return _refuse(413, "size", f"a message has at most {MAXIMUM_MESSAGE_BYTES} bytes")
    except TimeoutError:
        return _refuse(408, "slow", f"the message took more than {MESSAGE_TIMEOUT_SECONDS:g} seconds")
    except ClientDisconnect:  # nobody is left to read this answer; it ends the request cleanly
        return _refuse(400, "malformed", "the connection closed before the whole message came")
    try:
        message = kind.model_validate_json(bytes(body))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_url=False)[:5]
        )
        return _refuse(422, "malformed", f"not a {kind.__name__}: {problems}")
    try:
        return JSONResponse(await run_in_threadpool(act, message))
    except Refusal as refusal:
        return _refuse(409, refusal.code, str(refusal), refusal.jobs)
    except ProofmillError as error:  # this member's database, for example; the next message may fare better
        return _refuse(503, "unavailable", str(error))


def _refuse(status: int, code: str, why: str, jobs: tuple[int, ...] = ()) -> JSONResponse:
    return JSONResponse({"error": why, "code": code, "jobs": list(jobs)}, status_code=status)
