"""A KB service: a real HTTP server that verifies every signature and writes down what it was told."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks import Webhook

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


@dataclass
class Received:
    """One request: its id, its body, whether its signature was right, and the trace that it belongs to."""

    webhook_id: str
    body: dict[str, Any]
    problem: str | None
    traceparent: str | None = None


@dataclass
class Receiver:
    """Answers with the next of `answers`, then with 204; `(status, headers)` each."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                problem = None
                try:
                    Webhook(SECRET).verify(data, {name.lower(): value for name, value in self.headers.items()})
                except Exception as error:
                    problem = f"{type(error).__name__}: {error}"
                traceparent = self.headers["traceparent"]
                receiver.received.append(Received(self.headers["webhook-id"], json.loads(data), problem, traceparent))
                status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """The test says what matters."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """A worker that is killed hangs up."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where callbacks go."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/callbacks"

    @property
    def environment(self) -> dict[str, str]:
        """What makes a deployment call here."""
        return {
            "KB_CALLBACK_URL": self.url,
            "CALLBACK_SECRET": SECRET,
            "CALLBACK_ALLOWED_HOSTS": "127.0.0.1",
        }

    def ids_by_subject(self) -> dict[str, set[str]]:
        """The distinct `webhook-id`s that were received for each task and each batch."""
        ids: dict[str, set[str]] = defaultdict(set)
        for callback in self.received:
            data = callback.body["data"]
            ids[data["batch_id"] if callback.body["type"] == "batch.completed" else data["task_id"]].add(
                callback.webhook_id
            )
        return dict(ids)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
