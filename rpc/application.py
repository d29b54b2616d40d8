"""The application that web serves, asked within this process: no port, and no second way around keys and limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

#: Pieces of an answer that may wait for whoever reads it.
MOST_WAITING = 64


@dataclass(frozen=True, slots=True)
class Request:
    """A request of REST.

    Parameters:
      path: a template, such as `/api/v1/tasks/{task_id}`.
      named: what its names stand for.
      body: comes in pieces; nothing, where there is none.
      client: the address that the call came from.
    """

    method: str
    path: str
    named: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: AsyncIterator[bytes] | bytes = b""
    client: str = ""

    def scope(self) -> dict[str, Any]:
        """Return the request as ASGI says it."""
        # What is named never begins another part of the path.
        raw_path = self.path.format(**{name: quote(value, safe="") for name, value in self.named.items()})
        headers = dict(self.headers)
        if isinstance(self.body, bytes):
            headers["content-length"] = str(len(self.body))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "2",
            "method": self.method,
            "scheme": "http",
            "path": self.path.format(**self.named),
            "raw_path": raw_path.encode(),
            "query_string": urlencode(self.query).encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": (self.client, 0),
            "server": None,
        }


class Answer:
    """The answer to a request, as it comes.

    Parameters:
      headers: names in small letters.
    """

    def __init__(self, status: int, headers: dict[str, str], pieces: asyncio.Queue[bytes | None]) -> None:
        self.status = status
        self.headers = headers
        self._pieces = pieces

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield its body, piece by piece."""
        while (piece := await self._pieces.get()) is not None:
            yield piece

    async def json(self) -> Any:
        """Return its whole body, which is JSON; None where there is none."""
        body = b"".join([piece async for piece in self.pieces()])
        return msgspec.json.decode(body) if body else None


class Application:
    """Asks an ASGI application."""

    def __init__(self, app: Any) -> None:
        self._app = app

    @asynccontextmanager
    async def ask(self, request: Request) -> AsyncIterator[Answer]:
        """Give the answer to a request as soon as it begins; whoever leaves early has gone, as a client would."""
        began: asyncio.Future[tuple[int, dict[str, str]]] = asyncio.get_running_loop().create_future()
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
                began.set_result((message["status"], headers))
            elif message["type"] == "http.response.body":
                if message.get("body"):
                    await pieces.put(message["body"])
                if not message.get("more_body"):
                    await pieces.put(None)

        running = asyncio.create_task(self._app(request.scope(), _receiver(request.body), send))
        try:
            await asyncio.wait({running, began}, return_when=asyncio.FIRST_COMPLETED)
            if not began.done():
                # It has ended without an answer: this raises why.
                running.result()
            status, headers = began.result()
            yield Answer(status, headers, pieces)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def _receiver(body: AsyncIterator[bytes] | bytes) -> Any:
    """Return what the application reads a request's body by."""

    async def whole(data: bytes) -> AsyncIterator[bytes]:
        yield data

    pieces = whole(body) if isinstance(body, bytes) else body
    is_over = False

    async def receive() -> dict[str, Any]:
        nonlocal is_over
        if is_over:
            # Whoever asks again waits for the client to go, which cancels the request as a whole.
            await asyncio.Event().wait()
        piece = await anext(pieces, None)
        is_over = piece is None
        return {"type": "http.request", "body": piece or b"", "more_body": not is_over}

    return receive
