"""One POST to a stranger: bounded in time and bytes, without redirects, and never an exception."""

from __future__ import annotations

from typing import Final

import httpx

from proofmill.store.peer import ConnectionWatchdog

# identity: a compressed body could unfold to more than the limit. close: the watchdog learns of new connections only.
_HEADERS: Final = {"Accept-Encoding": "identity", "Connection": "close"}


def bounded_post(
    client: httpx.Client,
    url: str,
    body: bytes,
    *,
    seconds: float,
    maximum_bytes: int,
    content_type: str = "application/json",
) -> httpx.Response | str:
    """The whole answer, or in words why there is none.

    The timeouts of httpx bound the wait for the next byte; the watchdog bounds the whole, however slowly it trickles.
    """
    with ConnectionWatchdog(seconds) as watchdog:
        try:
            with client.stream(
                "POST",
                url,
                content=body,
                headers={**_HEADERS, "Content-Type": content_type},
                timeout=seconds,
                follow_redirects=False,
                extensions={"trace": watchdog.trace},
            ) as response:
                received = bytearray()
                for chunk in response.iter_raw():
                    received += chunk
                    if len(received) > maximum_bytes:
                        return f"{url} answered with more than {maximum_bytes} bytes"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if not watchdog.has_fired:
                return f"{url} cannot be reached: {str(error) or type(error).__name__}"
    if watchdog.has_fired:
        return f"{url} gave no complete answer in {seconds:g} seconds"
    return httpx.Response(response.status_code, content=bytes(received))
