"""A server that speaks the wire format of Cohere's v2/embed, and can be told to fail as Cohere does."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zlib import crc32

KEY = "key-that-must-not-leak"
DIMENSION = 1024


@dataclass(frozen=True)
class Failure:
    """How one request is answered wrongly.

    missing: vectors too few; replaced: the first vector's first value; dimension: of the vectors.
    delay: seconds before the answer; text: the body, instead of JSON that suits the status.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0
    replaced: float | None = None
    dimension: int | None = None
    delay: float = 0.0
    text: str | None = None


@dataclass(frozen=True)
class Request:
    """A request as it came, and when (monotonic seconds)."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float


class CohereServer:
    """`url` is for COHERE_BASE_URL. `fail(…)` sets how the next requests are answered; then they succeed again.

    `key`: what is asked for; None when nothing must be sent.
    `poison`: how every request is answered that holds a text with such a word in it.
    """

    texts_are_in = "texts"

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.key: str | None = KEY
        self.poison: dict[str, Failure] = {}
        self._failures: deque[Failure] = deque()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.requests.append(Request(self.path, headers, body, time.monotonic()))
                status, extra, text = server.answer(headers, body)
                data = text.encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **extra}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def texts(self) -> list[str]:
        """Every text that was sent, in the order of the requests."""
        return [text for request in self.requests for text in request.body[self.texts_are_in]]

    def fail(self, *failures: Failure) -> None:
        """The next requests are answered so, one each."""
        self._failures.extend(failures)

    def succeed(self) -> None:
        """The next requests are answered well, whatever was said of them."""
        self._failures.clear()

    def answer(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> tuple[int, Mapping[str, str], str]:
        """Status, headers and body of the answer to a request."""
        failure = self._failures.popleft() if self._failures else Failure()
        texts = body[self.texts_are_in]
        for word, poisoned in self.poison.items():
            if any(word in text for text in texts):
                failure = poisoned
        time.sleep(failure.delay)
        status = failure.status
        if status == 200 and headers.get("authorization") != (f"Bearer {self.key}" if self.key else None):
            status = 401
        if failure.text is not None:
            return status, failure.headers, failure.text
        if status != 200:
            message = f"status {status}, said to the holder of {headers.get('authorization')}"
            return status, failure.headers, json.dumps(self.refusal(message))
        vectors = [vector(text, failure.dimension or body.get("output_dimension") or DIMENSION) for text in texts]
        if failure.replaced is not None:
            vectors[0][0] = failure.replaced
        return 200, failure.headers, json.dumps(self.embedded(body, vectors[: len(vectors) - failure.missing]))

    def refusal(self, message: str) -> dict[str, Any]:
        """The body of an error."""
        return {"id": "x", "message": message}

    def embedded(self, body: Mapping[str, Any], vectors: list[list[float]]) -> dict[str, Any]:
        """The body of an answer to a request."""
        return {
            "id": "b5f3a7e0-0000-4000-8000-000000000000",
            "embeddings": {"float": vectors},
            "texts": body["texts"],
            "meta": {
                "api_version": {"version": "2"},
                "billed_units": {"input_tokens": sum(len(text.split()) for text in body["texts"])},
            },
            "response_type": "embeddings_by_type",
        }

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def cohere_server() -> Iterator[CohereServer]:
    """A server of one's own, that is stopped at the end."""
    server = CohereServer()
    try:
        yield server
    finally:
        server.close()


def vector(text: str, dimension: int) -> list[float]:
    """A vector that tells texts apart; its length is not 1."""
    seed = crc32(text.encode())
    return [((seed * (position + 1)) % 1009 - 504) / 100 for position in range(dimension)]
