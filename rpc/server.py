"""What listens on GRPC_PORT: our services, their health, and their description."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from api.app import HUB
from api.requests import LARGEST_BODY
from rpc import calls, methods
from rpc.application import Application, Request
from settings import VERSION, settings

log = structlog.get_logger(__name__)

#: Seconds between two looks at whether the services can be used.
LOOK_EVERY = 2.0
#: The part of SHUTDOWN_TIMEOUT that calls get to end when the process is to stop.
GRACE = 0.5
#: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html; times in milliseconds.
OPTIONS = (
    # Two processes on one port would hide each other.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", LARGEST_BODY),
    # Routers close what is idle for 55 s, and a client that has gone without a word is noticed.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # A client connects anew now and then, and so to a process that was started since. Its open calls go on.
    ("grpc.max_connection_age_ms", 600_000),
)


class PortTaken(Exception):
    """The address cannot be listened on, most often since another process does."""


class Server:
    """Our services, health and reflection."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(options=OPTIONS)
        self._server.add_generic_rpc_handlers(calls.handlers(application))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [service.full_name for service in methods.SERVICES]
        reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)

    async def start(self, address: str) -> None:
        """Listen.

        Parameters:
          address: host and port.

        Raises:
          PortTaken: naming the address.
        """
        _try(address)
        try:
            self._server.add_insecure_port(address)
        except RuntimeError:
            raise PortTaken(f"cannot listen on {address}") from None
        await self._server.start()

    async def tell_health(self) -> None:
        """Say of each service whether it can be used, as `/readyz` does; of the whole, that the process runs."""
        while True:
            async with self._application.ask(Request("GET", "/readyz", {}, {}, {})) as answer:
                serves = answer.status == 200
            status = health_pb2.HealthCheckResponse.SERVING if serves else health_pb2.HealthCheckResponse.NOT_SERVING
            for service in methods.SERVICES:
                await self._health.set(service.full_name, status)
            await asyncio.sleep(LOOK_EVERY)

    async def stop(self) -> None:
        """Take no more calls, end the streams, and give the other calls time to end."""
        await self._health.enter_graceful_shutdown()
        # Streams would last for all of the grace, and gRPC would cancel each with a traceback.
        HUB.stop()
        await self._server.stop(settings().shutdown_timeout * GRACE)


def _try(address: str) -> None:
    """Listen for a moment: gRPC itself would print lines of its own, and keep the reason to itself.

    Raises:
      PortTaken: naming the address.
    """
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), int(port)), family=family).close()
    except OSError as error:
        # Of an address that this machine does not have gRPC finds another, as [::] without IPv6 is 0.0.0.0.
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTaken(f"cannot listen on {address}: {os.strerror(error.errno)}") from None


@asynccontextmanager
async def served(app: object, address: str) -> AsyncIterator[None]:
    """Serve an application by gRPC as long as the block runs.

    Parameters:
      app: what web serves, by ASGI.
      address: host and port.

    Raises:
      PortTaken: naming the address.
      RuntimeError: `rpc/methods.py` and `rpc/proto` disagree.
    """
    methods.check()
    server = Server(Application(app))
    await server.start(address)
    telling = asyncio.create_task(server.tell_health())
    log.info("rpc_ready", listening=address, version=VERSION)
    try:
        yield
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
        await server.stop()
