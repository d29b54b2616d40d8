"""The rpc process: gRPC on GRPC_PORT."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import structlog
import uvloop

import logs
import tracing
from api.app import create_app
from api.bulkheads.pools import CONNECTIONS, LIMITS, REPLICA_CONNECTIONS
from broker.rabbitmq import RabbitBroker
from dashboard.routes import pages
from models import database, replica
from rpc.server import PortTaken, served
from settings import NO_KEYS, service_settings, settings
from tasks import process
from tasks.transactions import unit

log = structlog.get_logger(__name__)


async def serve() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    address = f"[::]:{settings().grpc_port}"
    if settings().open_to_all:
        log.warning("no_keys", listening=address, hint=NO_KEYS)
    async with served(create_app(settings().with_grpc(), pages()), address):
        process.freeze()
        await stopping.wait()
        process.end_in_time()


def main() -> None:
    """Run the process."""
    logs.configure(service_settings())
    if not settings().grpc_port:
        sys.exit("task-manager: GRPC_PORT: is 0, and the rpc process needs a port. Example: GRPC_PORT=8085")
    tracing.configure(settings(), "rpc")
    # Half of the connections are kept, the others opened for a moment.
    database.connect(
        settings().postgres_url, pool_size=-(-CONNECTIONS // 2), application_name="task-manager rpc", limits=LIMITS
    )
    replica.connect(
        settings().postgres_read_url, pool_size=REPLICA_CONNECTIONS, application_name="task-manager rpc", limits=LIMITS
    )
    broker: Any = RabbitBroker(
        settings().rabbitmq_urls, settings().queue_type, kind="rpc", prefix=settings().queue_prefix
    )
    broker.publisher.start()
    unit.use_broker(broker)
    try:
        # A call costs less CPU than on asyncio's own loop: it is little but steps of the loop.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())
    except PortTaken as error:
        sys.exit(f"task-manager: GRPC_PORT: {error}")
    broker.close()
    log.info("rpc_stopped")


if __name__ == "__main__":
    main()
