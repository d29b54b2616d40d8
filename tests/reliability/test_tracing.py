"""Traces, as a collector of OpenTelemetry receives them, and that nothing of it is loaded where none are asked for."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from pipeline import STAGES
from tests.processes import ROOT
from tests.receiver import Receiver
from tests.reliability.conftest import House
from tests.servers import eventually

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"


class Collector:
    """Receives OTLP over HTTP as a collector does."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.paths: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                collector.paths.add(self.path)
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """The test says what matters."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keep what was sent."""
        for resource in request.resource_spans:
            self.services.add(facts(resource.resource)["service.name"])
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def named(self, name: str, **wanted: Any) -> list[Span]:
        """The spans of a name, in the order in which they began."""
        spans = [span for span in self.spans if span.name == name and wanted.items() <= facts(span).items()]
        return sorted(spans, key=lambda span: span.start_time_unix_nano)

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


def facts(holder: Any) -> dict[str, Any]:
    """The attributes of a span or a resource."""
    values = {attribute.key: attribute.value for attribute in holder.attributes}
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def test_a_trace_goes_from_the_request_through_each_attempt_to_the_callback(
    house: House, receiver: Receiver, collector: Collector
) -> None:
    # Sent soon, so that the test need not wait.
    house.deployment.environment.update(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="200")
    house.open("web", "worker", "clock")
    http = house.deployment.http
    traceparent = f"00-{TRACE_ID}-{PARENT_ID}-01"
    payload = {"content": "# Tea\n\nGreen and black.", "document_id": "d"}
    document = {"task_type": "document_processing", "kb_id": "kb", "payload": payload}
    answer = http.post("/api/v1/tasks", json=document, headers={"traceparent": traceparent})
    document_id = answer.json()["task_id"]
    failing = house.submit(task_type="benchmark", payload={"seconds": 9}, timeout=0.1, retry_limit=1)
    house.called_back_once(document_id, failing)
    eventually(lambda: len(collector.named("POST")) == 2, seconds=20, reason="the callbacks' spans come")

    (request,) = [span for span in collector.named("POST /api/v1/tasks") if span.trace_id.hex() == TRACE_ID]
    assert request.parent_span_id.hex() == PARENT_ID
    assert request.kind == Span.SPAN_KIND_SERVER
    assert facts(request)["http.response.status_code"] == 202
    (sent,) = collector.named("send preprocessing")
    assert (sent.parent_span_id, sent.kind) == (request.span_id, Span.SPAN_KIND_PRODUCER)
    (processed,) = collector.named("process preprocessing")
    assert (processed.parent_span_id, processed.kind) == (sent.span_id, Span.SPAN_KIND_CONSUMER)
    assert facts(processed) | {"task.attempt": 1, "messaging.system": "rabbitmq"} == facts(processed)
    assert facts(processed)["messaging.message.id"] == document_id
    inner = [
        span.name
        for span in sorted(collector.spans, key=lambda span: span.start_time_unix_nano)
        if span.parent_span_id == processed.span_id
    ]
    assert inner == list(STAGES[:-1])
    (called,) = [span for span in collector.named("POST") if span.trace_id.hex() == TRACE_ID]
    assert (called.parent_span_id, called.kind) == (sent.span_id, Span.SPAN_KIND_CLIENT)
    (received,) = [callback for callback in receiver.received if callback.body["data"]["task_id"] == document_id]
    assert received.traceparent == f"00-{TRACE_ID}-{called.span_id.hex()}-01"

    first, second = collector.named("process default", **{"messaging.message.id": failing})
    assert [facts(span)["error.type"] for span in (first, second)] == ["timeout"] * 2
    assert {span.status.code for span in (first, second)} == {Status.STATUS_CODE_ERROR}
    assert [link.span_id for link in second.links] == [first.span_id]
    assert not first.links
    shown = house.show(failing)
    assert shown["trace_id"] == first.trace_id.hex() == shown["request_id"].replace("-", "")
    assert collector.services == {"task-manager-web", "task-manager-worker"}
    assert collector.paths == {"/v1/traces"}
    assert not [span for span in collector.spans if "livez" in span.name or "metrics" in span.name]


@pytest.mark.parametrize("is_on", [False, True])
def test_opentelemetry_is_loaded_where_traces_are_asked_for_and_else_not(is_on: bool) -> None:
    statement = f"""
import sys, tracing
from api.app import create_app; from dashboard.routes import pages; import worker.boot
from settings import Settings
settings = Settings(otel_exporter_otlp_endpoint={"http://127.0.0.1:1" if is_on else None!r})
tracing.configure(settings, "test")
create_app(settings, pages())
span = tracing.begin("name", "SERVER", None, {{}})
assert (span is not None) == tracing.is_on() == {is_on}
loaded = {{name for name in sys.modules if name.partition(".")[0] == "opentelemetry"}}
assert bool(loaded) == {is_on}, loaded
import os; os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", statement], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
