"""A connection of a client: httptools parses what it says, and uvicorn's protocol answers."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from settings import HEADERS_WITHIN

#: Bytes that a request may take up to its body, its address included.
LARGEST_HEAD = 64 * 1024


class Connection(HttpToolsProtocol):
    """Closed when the head of a request does not come in time, or is too large."""

    _deadline: asyncio.TimerHandle | None = None
    """Runs while a head is awaited of which the first byte has come, and for the first request of all."""
    _head = 0
    """Bytes of it that have come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_has_come()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and (self.cycle.more_body or not self.cycle.response_complete):
            if self._deadline is not None:
                self._head_has_come()
        elif not self.transport.is_closing():
            self._await_head(len(data))

    def on_message_complete(self) -> None:
        super().on_message_complete()
        # What came in one piece is whole before the application hears of it; see `api.front`.
        self.scope["is_whole"] = True  # type: ignore[typeddict-unknown-key]

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
