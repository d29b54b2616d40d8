"""The worker process: `dramatiq worker.boot:boot` assembles its broker, its middleware and every actor."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TypeVar

import dramatiq
import structlog
from dramatiq.broker import Broker
from dramatiq.middleware import Middleware

import logs
import tracing
from broker.consumer import Threads
from broker.rabbitmq import RabbitBroker
from documents.files import scratch
from models import database
from settings import service_settings, settings
from tasks import process
from tasks.transactions import unit
from tasks.working import fence
from worker.middleware import InTime, worker_middleware
from worker.stage import LOOP

log = structlog.get_logger(__name__)

Made = TypeVar("Made", bound=RabbitBroker)


def boot() -> None:
    """Set this process up as a worker of service mode: what the `dramatiq` command calls before anything else."""
    logs.configure(service_settings())
    tracing.configure(settings(), "worker")
    scratch.sweep()
    connect()
    assemble(broker_of(RabbitBroker, [InTime(), *worker_middleware()], LOOP))
    process.freeze()


def broker_of(kind: type[Made], middleware: list[Middleware], threads: Threads | None = None) -> Made:
    """Return a broker with the settings of workers. Nothing is connected yet.

    Parameters:
      threads: of the worker that consumes.
    """
    values = settings()
    return kind(values.rabbitmq_urls, values.queue_type, middleware, threads, kind="worker", prefix=values.queue_prefix)


def connect() -> None:
    """Make this worker's pool of database connections: half of what all threads, those of callbacks too, can need."""
    database.connect(
        settings().postgres_url,
        pool_size=settings().worker_pool_size * 3 // 4 + 3,
        application_name=fence.SESSIONS.format(id=process.process_id()),
    )


def assemble(broker: Broker) -> None:
    """Give every actor this broker. A module of `actors` that declares a stage needs no other mention."""
    dramatiq.set_broker(broker)
    unit.use_broker(broker)  # type: ignore[arg-type]
    for module in pkgutil.walk_packages(importlib.import_module("actors").__path__, "actors."):
        importlib.import_module(module.name)
    # Not before: an actor is declared with the broker that is set then.
    from worker.unknown import Actors

    broker.actors = Actors(broker.actors)
