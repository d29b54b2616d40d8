"""What stands before the application: it is asked before a body is waited for."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

#: Seconds for which the rest of a refused body is thrown away, and of silence before that ends.
LINGERS, SILENT = 20.0, 5.0


class Unread:
    """Lets the application refuse a request before the first byte of its body.

    Falcon waits for that byte before it looks at anything: who has no key, or announces too much, would be heard first,
    and told by `100 Continue` to send it. A connection whose body was not read is closed after the answer, since the
    rest of it would be taken for the next request; but only after a while in which what still comes is thrown away.
    A connection that is closed upon data resets, and who sends its whole body first would never read the answer.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        length = _length(scope) if scope["type"] == "http" else 0
        if length == 0:
            await self._app(scope, receive, send)
            return
        left, first, closes = length, True, False
        # Who waits to be told to go on has sent nothing.
        waits = any(name == b"expect" for name, _ in scope["headers"])

        async def received() -> dict[str, Any]:
            nonlocal first
            if first:
                first = False
                return {"type": "http.request", "body": b"", "more_body": True}
            return await taken()

        async def taken() -> dict[str, Any]:
            nonlocal left
            event = await receive()
            left = left - len(event.get("body", b"")) if event.get("more_body") else 0
            return event

        async def rest() -> None:
            while left > 0:
                await asyncio.wait_for(taken(), SILENT)

        async def sent(event: dict[str, Any]) -> None:
            nonlocal closes
            if event["type"] == "http.response.start" and event["status"] >= 400 and left > 0:
                closes = True
                event = {**event, "headers": [*event["headers"], (b"connection", b"close")]}
            elif closes and not waits and not event.get("more_body"):
                await send({**event, "more_body": True})
                with suppress(TimeoutError):
                    await asyncio.wait_for(rest(), LINGERS)
                event = {"type": "http.response.body", "body": b""}
            await send(event)

        await self._app(scope, received, sent)


def _length(scope: dict[str, Any]) -> float:
    """Bytes of the body that is to come; infinite when it comes in pieces."""
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return math.inf
        if name == b"content-length":
            return int(value)
    return 0
