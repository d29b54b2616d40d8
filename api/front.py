"""What stands before the application: it is asked before a body is waited for."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import falcon

from sentences import say

#: A scope or an event of ASGI.
Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Event, Receive, Send], Awaitable[None]]

#: Seconds for which a body is waited for, and bytes that give one of them back: who trickles holds its place no longer.
BODY_WITHIN, BYTES_A_SECOND = 30.0, 10_000
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

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        # A body that came together with its head has been waited for by nobody.
        length = 0 if scope["type"] != "http" or "is_whole" in scope else _length(scope)
        if length == 0:
            await self._app(scope, receive, send)
            return
        body, closes = _Body(length, receive), False
        # Who waits to be told to go on has sent nothing.
        waits = any(name == b"expect" for name, _ in scope["headers"])

        async def sent(event: Event) -> None:
            nonlocal closes
            if event["type"] == "http.response.start" and event["status"] >= 400 and body.left > 0:
                closes = True
                event = {**event, "headers": [*event["headers"], (b"connection", b"close")]}
            elif closes and not waits and not event.get("more_body"):
                await send({**event, "more_body": True})
                with suppress(TimeoutError):
                    await asyncio.wait_for(body.throw_away(), LINGERS)
                event = {"type": "http.response.body", "body": b""}
            await send(event)

        await self._app(scope, body.receive, sent)


class _Body:
    """What the application receives of a request.

    Parameters:
      left: bytes that are to come; infinite where that is not known.
    """

    def __init__(self, left: float, receive: Receive) -> None:
        self.left = left
        self._receive = receive
        self._is_first = True
        self._patience = BODY_WITHIN
        """Seconds for which its sender may still be waited for."""

    async def receive(self) -> Event:
        """Return the next event; the first is an empty one.

        Raises:
          falcon.HTTPError: 408, when the body comes too slowly. The time in which nobody asks for it does not count.
        """
        if self._is_first:
            self._is_first = False
            return {"type": "http.request", "body": b"", "more_body": True}
        if self.left <= 0:
            return await self._receive()
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                event = await self._next()
        except TimeoutError:
            raise falcon.HTTPError(
                falcon.HTTP_REQUEST_TIMEOUT,
                description=say("slow_body", rate=BYTES_A_SECOND, seconds=BODY_WITHIN),
            ) from None
        earned = len(event.get("body", b"")) / BYTES_A_SECOND
        self._patience = min(BODY_WITHIN, self._patience + earned - (time.monotonic() - began))
        return event

    async def throw_away(self) -> None:
        """Receive the rest, until the sender is silent for a while."""
        while self.left > 0:
            await asyncio.wait_for(self._next(), SILENT)

    async def _next(self) -> Event:
        event = await self._receive()
        self.left = self.left - len(event.get("body", b"")) if event.get("more_body") else 0
        return event


def _length(scope: Event) -> float:
    """Return the bytes of the body that is to come; infinite when it comes in pieces."""
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return math.inf
        if name == b"content-length":
            return int(value)
    return 0
