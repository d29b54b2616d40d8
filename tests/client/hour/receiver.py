"""A receiver of callbacks, as a KB would have one: it verifies each, and keeps what was told of which task."""

from __future__ import annotations

import threading
from collections.abc import Callable, Set
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from task_manager_client import Webhook, WebhookRejected, verify_webhook


class Receiver:
    """Listens on a port of its own.

    Parameters:
      secret: what callbacks are signed with.
    """

    def __init__(self, secret: str) -> None:
        self.refused = 0
        self._told: dict[str, Webhook] = {}
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                try:
                    status = receiver.take(verify_webhook(self.headers.items(), body, secret))
                except WebhookRejected:
                    receiver.refused += 1
                    status = 401
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Who asks is answered by `hears`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where callbacks go."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def take(self, webhook: Webhook) -> int:
        """Keep what is genuine, and return the status that is answered."""
        with self._changed:
            self._told[str(webhook.data.task_id)] = webhook
            self._changed.notify_all()
        return 204

    def hears(self, task_ids: Set[str], seconds: float) -> bool:
        """Whether the end of all of these tasks was told within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: task_ids <= self._told.keys(), seconds)

    def count(self, kind: str) -> int:
        """How many tasks were told of with an event of this type."""
        return sum(webhook.type == kind for webhook in self._told.values())


def refuses(call: Callable[[], Any], error: type[Exception]) -> bool:
    """Whether a call ends with this error."""
    try:
        call()
    except error:
        return True
    return False
