"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT says where they go; else nothing of it is imported.

A trace begins with the request. Each task has a span for its submission (`send QUEUE`), which is the parent of one for
each attempt at each stage (`process QUEUE`) and of one for each attempt to call back. Names and attributes are those of
the semantic conventions for HTTP and messaging, version 1.44; the latter are not stable yet.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from settings import VERSION, Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as SdkSpan
    from opentelemetry.trace import SpanContext

#: Attributes by the names of the semantic conventions.
Facts = Mapping[str, str | int | float | bool]
Kind = Literal["SERVER", "CLIENT", "PRODUCER", "CONSUMER", "INTERNAL"]

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
#: Milliseconds that the spans of a process that ends may take to be sent.
FLUSHES = 2000

_provider: TracerProvider | None = None
#: The ids that the next span of this thread is to have, and its trace where it begins one.
_next = threading.local()


class Span:
    """A span that has begun.

    Parameters:
      traceparent: by which others are made its children, as W3C Trace Context writes it.
    """

    def __init__(self, span: SdkSpan) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def end(
        self, facts: Facts | None = None, *, name: str | None = None, error: str | None = None, at: int | None = None
    ) -> None:
        """End it, and have it sent.

        Parameters:
          facts: more of its attributes.
          name: where it was not known when it began.
          error: what it failed with: an error code, a status, or the name of an exception.
          at: when it ended, in nanoseconds of Unix time; now unless given.
        """
        from opentelemetry.trace import StatusCode

        if name is not None:
            self._span.update_name(name)
        self._span.set_attributes(facts or {})
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end(at)


def configure(settings: Settings, process: str) -> None:
    """Have this process send traces, if that is asked for.

    Parameters:
      process: what it is called, as in `task-manager-web`; OTEL_SERVICE_NAME is another name.

    Raises:
      SystemExit: OpenTelemetry is not installed.
    """
    global _provider
    if settings.otel_exporter_otlp_endpoint is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ModuleNotFoundError as missing:
        sys.exit(
            f"task-manager: OTEL_EXPORTER_OTLP_ENDPOINT: is set, and {missing.name} is not installed; "
            "install requirements/otel.txt, or leave the variable out"
        )

    class Ids(RandomIdGenerator):
        """Gives a span, and a trace, the id that `begin` was told."""

        def generate_span_id(self) -> int:
            return _next.span_id or super().generate_span_id()

        def generate_trace_id(self) -> int:
            return _next.trace_id or super().generate_trace_id()

    own = Resource.create({"service.name": f"task-manager-{process}", "service.version": VERSION})
    _provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), id_generator=Ids())
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))


def is_on() -> bool:
    """Return whether traces are sent."""
    return _provider is not None


def flush() -> None:
    """Send what has ended: this process is to end."""
    if _provider is not None:
        _provider.force_flush(FLUSHES)


def begin(
    name: str,
    kind: Kind,
    parent: str | None,
    facts: Facts,
    *,
    trace_id: int | None = None,
    span_id: int | None = None,
    follows: int | None = None,
    at: int | None = None,
) -> Span | None:
    """Begin a span; None where traces are not sent.

    Parameters:
      parent: a `traceparent`.
      facts: its attributes.
      trace_id: of the trace that begins with it, where it has no parent; made unless given.
      span_id: by which others know it; made unless given.
      follows: the id of the span of the same trace that it is linked to.
      at: when it began, in nanoseconds of Unix time; now unless given.
    """
    if _provider is None:
        return None
    from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, set_span_in_context

    above = None if parent is None else _context(parent)
    _next.trace_id, _next.span_id = trace_id, span_id
    span = _provider.get_tracer("task-manager", VERSION, SCHEMA).start_span(
        name,
        None if above is None else set_span_in_context(NonRecordingSpan(above)),
        SpanKind[kind],
        dict(facts),
        [] if follows is None or parent is None else [Link(_context(parent, follows))],
        at,
    )
    return Span(span)


def id_of(*parts: object) -> int:
    """Derive a span's id from what identifies it, so that whoever knows the parts can link to the span."""
    return int.from_bytes(hashlib.sha256(" ".join(map(str, parts)).encode()).digest()[:8], "big") or 1


def unix_time(monotonic: float) -> int:
    """Return a moment of `time.monotonic` in nanoseconds of Unix time."""
    return time.time_ns() - int((time.monotonic() - monotonic) * 1e9)


def _context(traceparent: str, span_id: int | None = None) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    _, trace_id, parent_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), span_id or int(parent_id, 16), True, TraceFlags(int(flags, 16)))
