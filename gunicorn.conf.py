"""How gunicorn serves the web process."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from pathlib import Path
from weakref import WeakSet

import structlog
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.glogging import Logger
from gunicorn.workers import gasgi

import logs
from settings import HEADERS_WITHIN, NO_KEYS, VERSION, service_settings

_settings = service_settings()

# glibc's mallopt(3): parameters by the numbers of its malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
if hasattr(_libc := ctypes.CDLL(None), "mallopt"):
    # What a large request took goes back when it is answered: by itself glibc would keep up to 32 MB, in each thread.
    _libc.mallopt(_M_MMAP_THRESHOLD, 128 * 1024)
    _libc.mallopt(_M_ARENA_MAX, 2)


class _Logger(Logger):
    """gunicorn's own lines go where the application's go, and look like them."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        logs.configure(_settings)


class _Connection(ASGIProtocol):
    """Known while it is open, so that it can be closed when it is idle and the worker is to stop.

    It is closed as well when the headers of its first request do not come in time; `keepalive` is the time of others.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        _connections.add(self)
        self._deadline = self.worker.loop.call_later(HEADERS_WITHIN, self._close_unless_asked)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def _close_unless_asked(self) -> None:
        if self._awaiting_request and self.req_count == 1:
            self._keepalive_timeout()


async def _close_connections(worker: gasgi.ASGIWorker) -> None:
    """End what would last for all of gunicorn's grace: event streams, and kept connections without a request."""
    while worker.alive:  # noqa: ASYNC110 - nothing tells when gunicorn clears it
        await asyncio.sleep(0.25)
    # The application is loaded by now, and only in this process.
    sys.modules["api.app"].HUB.stop()
    while True:
        for connection in list(_connections):
            if connection._awaiting_request:
                connection._keepalive_timeout()
        await asyncio.sleep(0.1)


def when_ready(_: object) -> None:
    """Warn of an open port; gunicorn calls this once, when it listens."""
    if _settings.open_to_all:
        structlog.get_logger(__name__).warning("no_keys", listening=bind, hint=NO_KEYS)


def post_worker_init(worker: gasgi.ASGIWorker) -> None:
    """Close idle connections from here on; gunicorn calls this in the worker process, before it serves."""
    worker.closing = worker.loop.create_task(_close_connections(worker))
    structlog.get_logger(__name__).info("web_ready", listening=bind, version=VERSION)


_connections: WeakSet[_Connection] = WeakSet()
gasgi.ASGIProtocol = _Connection

bind = f"0.0.0.0:{_settings.port}"
worker_class = "asgi"
workers = _settings.web_concurrency

# A document may be called by 512 characters, each of them nine where it is written in an address.
limit_request_line = 8190

# Seconds. The application ends its open requests on SIGTERM by itself; this is what a stuck one gets.
graceful_timeout = max(1, int(_settings.shutdown_timeout * 0.75))
# A worker whose event loop stood still this long is replaced.
timeout = 60
# Longer than the idle time of a router in front, so that a kept connection is never closed under a request.
keepalive = 75

# Who may say with X-Forwarded-* where a request came from. A PaaS has only its router in front: "*" there.
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1,::1"

# No file outside of the repository: a heartbeat in memory, and no control socket in the home folder.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True

logger_class = _Logger
loglevel = _settings.log_level
# Requests are logged by the application, with their ids.
accesslog = None
