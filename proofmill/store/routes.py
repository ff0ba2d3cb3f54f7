"""Serve a blob store over HTTP: GET, HEAD and PUT of ``/blobs/{hexadecimal digits or CID}``.

Anyone who reaches the address may read, and may write if uploads are accepted: a blob needs no permission
because its name proves its bytes, uploads are not pinned, and the store's quota bounds them. This module
knows no job and no chain.
"""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proofmill.errors import ProofmillError
from proofmill.store.content_id import describe, from_cid
from proofmill.store.errors import BlobNotFound, InvalidContentId, StoreError, StoreFull
from proofmill.store.interface import DEFAULT_MAXIMUM_BLOB_BYTES, BlobStore

MAXIMUM_CONCURRENT_UPLOADS = 16
UPLOAD_TIMEOUT_SECONDS = 60.0
_ALL_METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS")


class _Refusal(ProofmillError):
    """A request that is answered with an error status."""

    def __init__(
        self, status: int, message: str, *, remedy: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.headers = headers


def blob_routes(
    store: BlobStore,
    *,
    accept_uploads: bool,
    maximum_blob_bytes: int = DEFAULT_MAXIMUM_BLOB_BYTES,
    upload_timeout_seconds: float = UPLOAD_TIMEOUT_SECONDS,
) -> list[Route]:
    """Return the routes that serve ``store`` in a Starlette application; docs/STORE.md is their reference."""
    service = _BlobService(store, accept_uploads, maximum_blob_bytes, upload_timeout_seconds)
    return [Route("/blobs/{identifier}", service.answer, methods=list(_ALL_METHODS), name="blob")]


class _BlobService:
    def __init__(
        self, store: BlobStore, accept_uploads: bool, maximum_blob_bytes: int, upload_timeout_seconds: float
    ) -> None:
        self._store = store
        self._accept_uploads = accept_uploads
        self._maximum_blob_bytes = maximum_blob_bytes
        self._upload_timeout_seconds = upload_timeout_seconds
        self._uploads_in_progress = 0

    async def answer(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except _Refusal as refusal:
            return _error(refusal.status, refusal, refusal.headers)
        except InvalidContentId as error:
            return _error(400, error)
        except BlobNotFound as error:
            return _error(404, error)
        except StoreFull as error:
            return _error(507, error)
        except StoreError as error:  # damaged bytes, or a directory that the system refuses
            return _error(500, error)

    async def _answer(self, request: Request) -> Response:
        digest = from_cid(request.path_params["identifier"])
        if request.method in ("GET", "HEAD"):
            return await self._read(request, digest)
        if request.method == "PUT" and self._accept_uploads:
            return await self._write(request, digest)
        allowed = "GET, HEAD, PUT" if self._accept_uploads else "GET, HEAD"
        raise _Refusal(
            405,
            f"{request.method} is not offered here",
            remedy=f"Use one of {allowed}.",
            headers={"Allow": allowed},
        )

    async def _read(self, request: Request, digest: bytes) -> Response:
        # HEAD verifies the bytes as GET does, so that a damaged blob is never announced.
        data = await run_in_threadpool(self._store.get, digest)
        etag = f'"{digest.hex()}"'
        headers = {
            "ETag": etag,
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        wanted = [
            tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
        ]
        if etag in wanted or "*" in wanted:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type="application/octet-stream", headers=headers)

    async def _write(self, request: Request, digest: bytes) -> Response:
        if self._uploads_in_progress >= MAXIMUM_CONCURRENT_UPLOADS:
            raise _Refusal(
                503,
                f"{MAXIMUM_CONCURRENT_UPLOADS} uploads are in progress",
                remedy="Try again in a moment.",
                headers={"Retry-After": "1"},
            )
        self._uploads_in_progress += 1  # bounds the memory that bodies can take; one event loop, so no lock
        try:
            data = await self._receive(request)
            found = await run_in_threadpool(self._store.identify, data)
            if found != digest:
                raise _Refusal(
                    422,
                    f"the body is {describe(found, data)}, not {describe(digest)}",
                    remedy="Send the bytes whose identity the address names.",
                )
            known = await run_in_threadpool(self._store.has, digest)
            await run_in_threadpool(lambda: self._store.put(data, pinned=False))
        finally:
            self._uploads_in_progress -= 1
        return JSONResponse(
            {"digest": digest.hex(), "name": describe(digest, data)}, status_code=200 if known else 201
        )

    async def _receive(self, request: Request) -> bytes:
        too_large = _Refusal(
            413,
            f"the body is over {self._maximum_blob_bytes:,} bytes",
            remedy="Split the work into smaller blobs, or use a store with a higher limit.",
        )
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced[:20]) > self._maximum_blob_bytes:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._upload_timeout_seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._maximum_blob_bytes:
                        raise too_large
        except TimeoutError as error:
            raise _Refusal(
                408,
                f"the body took more than {self._upload_timeout_seconds:g} seconds",
                remedy="Use a faster connection or smaller blobs.",
            ) from error
        except ClientDisconnect as error:  # nobody is left to read this answer; it ends the request cleanly
            raise _Refusal(
                400, "the connection closed before the whole body came", remedy="Send it again."
            ) from error
        return bytes(body)


def _error(status: int, error: ProofmillError, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        {"error": str(error), "remedy": error.remedy},
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
