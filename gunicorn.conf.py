"""How gunicorn serves the web process."""

from __future__ import annotations

import asyncio
import ctypes
import os
from email.utils import formatdate
from pathlib import Path

import structlog
from gunicorn.glogging import Logger
from gunicorn.workers import gasgi

import logs
from settings import NO_KEYS, VERSION, service_settings

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


def when_ready(_: object) -> None:
    """Warn of an open port; gunicorn calls this once, when it listens."""
    if _settings.open_to_all:
        structlog.get_logger(__name__).warning("no_keys", listening=bind, hint=NO_KEYS)


def post_worker_init(worker: gasgi.ASGIWorker) -> None:
    """Serve by the application's own kind of connection; gunicorn calls this in the worker process, before it serves.

    gunicorn's own parses in Python, which takes a fifth of what a submission costs this process. What is imported here
    the master process need not hold.
    """
    import uvicorn
    from uvicorn.server import ServerState

    from api.app import HUB
    from api.connection import Connection

    class Counted(Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            worker.nr_conns += 1
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            worker.nr_conns -= 1
            super().connection_lost(exc)

    async def tend() -> None:
        """Keep the Date, and at the end close what would last for all of gunicorn's grace: streams, and idle ones."""
        while worker.alive:
            state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
            await asyncio.sleep(0.25)
        HUB.stop()
        while True:
            for connection in list(state.connections):
                connection.shutdown()
            await asyncio.sleep(0.1)

    state = ServerState()
    config = uvicorn.Config(
        worker.asgi,
        http=Counted,
        ws="none",
        lifespan="off",
        forwarded_allow_ips=forwarded_allow_ips,
        log_config=None,
        log_level="error",  # it would warn of each request that is none
        access_log=False,
        timeout_keep_alive=keepalive,
    )
    gasgi.ASGIProtocol = lambda _: Counted(config, state, {}, worker.loop)
    worker.tending = worker.loop.create_task(tend())
    structlog.get_logger(__name__).info("web_ready", listening=bind, version=VERSION)


bind = f"0.0.0.0:{_settings.port}"
worker_class = "asgi"
workers = _settings.web_concurrency

# Seconds. The application ends its open requests on SIGTERM by itself; this is what a stuck one gets.
graceful_timeout = max(1, int(_settings.shutdown_timeout * 0.75))
# A worker whose event loop stood still this long is replaced.
timeout = 60
# Longer than the idle time of a router in front, so that a kept connection is never closed under a request.
keepalive = 75

# Who may say with X-Forwarded-* where a request came from; docs/settings.md says when it may be "*".
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1,::1"

# No file outside of the repository: a heartbeat in memory, and no control socket in the home folder.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True

logger_class = _Logger
loglevel = _settings.log_level
# Requests are logged by the application, with their ids.
accesslog = None
