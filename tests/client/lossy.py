"""An HTTP proxy before the service that does what networks and routers do: loses answers, refuses, cuts streams."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    """A request that came to the proxy."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Lose:
    """Pass the request on, and drop the answer."""


@dataclass(frozen=True)
class Answer:
    """Answer in place of the service, which never sees the request."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """Pass the request on, and break off the answer after so many bytes of its body."""

    after: int


Does = Lose | Answer | Cut | None


class Lossy:
    """A proxy on a port of its own.

    Parameters:
      decide: what is done to a request; None: it is passed on.
    """

    def __init__(self, url: str, decide: Callable[[Asked], Does]) -> None:
        self.asked: list[Asked] = []
        self._target = urlsplit(url)
        self._decide = decide
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                proxy.serve(self)

            def log_message(self, *_: Any) -> None:
                """The test says what matters."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A client that hangs up is none."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Do what is decided about one request."""
        handler.close_connection = True
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        asked = Asked(handler.command, handler.path, headers)
        self.asked.append(asked)
        does = self._decide(asked)
        if isinstance(does, Answer):
            lines = {"content-length": "0", "connection": "close", **does.headers}
            handler.wfile.write(_head(does.status, lines))
            return
        connection = http.client.HTTPConnection(self._target.hostname or "", self._target.port, timeout=60)
        connection.request(asked.method, asked.path, body, {**headers, "connection": "close"})
        answer = connection.getresponse()
        if isinstance(does, Lose):
            answer.read()
            return
        kept = {name.lower(): value for name, value in answer.getheaders()}
        kept.pop("transfer-encoding", None)
        handler.wfile.write(_head(answer.status, {**kept, "connection": "close"}))
        left = does.after if isinstance(does, Cut) else None
        while (left is None or left > 0) and (data := answer.read1(65536 if left is None else left)):
            handler.wfile.write(data)
            left = None if left is None else left - len(data)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Because", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def once(does: Does, *, when: Callable[[Asked], bool]) -> Callable[[Asked], Does]:
    """Do something to the first request of a kind alone."""
    done: list[Asked] = []

    def decide(asked: Asked) -> Does:
        if done or not when(asked):
            return None
        done.append(asked)
        return does

    return decide
