"""A connection of a client: httptools parses what it says, and uvicorn's protocol answers."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from settings import HEADERS_WITHIN

#: Bytes that a request may take up to its body, its address included.
LARGEST_HEAD = 64 * 1024


class _Joining:
    """A transport that sends the head of an answer together with its body, since each write is a call of the system.

    What is written first waits until something follows it, or until the loop comes round.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        elif data:
            self._held = data
            self._loop.call_soon(self._send)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        data, self._held = self._held, b""
        if data and not self.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connection(HttpToolsProtocol):
    """Closed when the head of a request does not come in time, or is too large.

    Another protocol is never changed to, as HTTP allows. Java's client and `curl --http2` offer HTTP/2 with their first
    request, and the parser would take its body for that protocol's: the header `Upgrade` is taken out of the head, and
    the rest is parsed anew.
    """

    _deadline: asyncio.TimerHandle | None = None
    """Runs while a head is awaited of which the first byte has come, and for the first request of all."""
    _head = 0
    """Bytes of it that have come."""
    _parsed = b""
    """What the parser was given last."""
    _anew = b""
    """What it is to be given next."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.transport = _Joining(self.transport, self.loop)  # type: ignore[assignment]
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_has_come()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._anew = data
        while self._anew:
            self._parsed, self._anew = self._anew, b""
            super().data_received(self._parsed)
        self._parsed = b""
        if self.cycle is not None and (self.cycle.more_body or not self.cycle.response_complete):
            if self._deadline is not None:
                self._head_has_come()
        elif not self.transport.is_closing():
            self._await_head(len(data))

    def on_headers_complete(self) -> None:
        if not self._offers():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._offers():
            return
        super().on_message_complete()
        # What came in one piece is whole before the application hears of it; see `api.front`.
        self.scope["is_whole"] = True  # type: ignore[typeddict-unknown-key]

    def _offers(self) -> bool:
        """Whether the request asks for another protocol; CONNECT does so without a header."""
        return self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers)

    def _should_upgrade_to_ws(self) -> bool:
        return False

    def _unsupported_upgrade_warning(self) -> None:
        # uvicorn asks for this where the parser has stopped behind the head.
        stopped = sys.exception()
        if isinstance(stopped, httptools.HttpParserUpgrade) and self._offers():
            headers = [(name, value) for name, value in self.headers if name != b"upgrade"]
            lines = [
                self.parser.get_method() + b" " + self.url + b" HTTP/1.1",
                *(b": ".join(header) for header in headers),
            ]
            self.parser = httptools.HttpRequestParser(self)
            self._anew = b"\r\n".join(lines) + b"\r\n\r\n" + self._parsed[stopped.args[0] :]

    def _await_head(self, size: int = 0) -> None:
        self._head += size
        if self._head > LARGEST_HEAD:
            self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADERS_WITHIN, self.timeout_keep_alive_handler)

    def _head_has_come(self) -> None:
        self._head = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
