"""The actor that calls the KB service back: takes a callback that is due, signs it, posts it, records the answer."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import dramatiq
import structlog
from dramatiq.middleware import SkipMessage
from sqlalchemy.exc import DBAPIError
from standardwebhooks import Webhook

import logs
import outbound
import tracing
from keys import webhook_secrets
from logs import CallbackAnswered
from models import database
from models.base import Json, trace_id_of
from settings import settings
from tasks.ending import callbacks
from tasks.ending.callbacks import Delivery
from tasks.transactions.unit import unit_of_work

log = structlog.get_logger(__name__)

#: HTTP statuses after which no further attempt is made: the receiver is gone for good.
GONE = 410


@dramatiq.actor(queue_name="callback")
def callback(callback_id: str) -> None:
    """Deliver one callback, if it is due."""
    try:
        with unit_of_work() as unit:
            delivery = callbacks.take(unit, [UUID(callback_id)])[0]
        if delivery is None:
            raise SkipMessage(f"callback {callback_id} is not due")
        deliver(delivery)
    except DBAPIError as error:
        if not database.is_away(error):
            raise
        # The clock wakes it again, under the same id, and who is away is told elsewhere, once.
        raise SkipMessage("PostgreSQL is away") from None


def deliver(delivery: Delivery) -> None:
    """Post a callback and record what came of it. Only a 2xx is success, and no redirect is followed."""
    named, began = _named(delivery), time.monotonic()
    try:
        answer = _posted(delivery)
    except outbound.ForbiddenAddress as error:
        with unit_of_work() as unit:
            callbacks.refused(unit, delivery, str(error))
        log.warning("callback_refused", **named, reason=str(error))
        return
    except outbound.OutboundError as error:
        with unit_of_work() as unit:
            callbacks.put_off(unit, delivery, str(error), None)
        log.warning("callback_put_off", **named, reason=str(error))
        return
    reason = f"HTTP {answer.status}: {answer.text}"
    with unit_of_work() as unit:
        if 200 <= answer.status < 300:
            callbacks.delivered(unit, delivery, reason)
        elif answer.status == GONE:
            callbacks.refused(unit, delivery, reason)
        else:
            callbacks.put_off(unit, delivery, reason, answer.retry_after)
    took = logs.milliseconds(time.monotonic() - began)
    logs.tell([CallbackAnswered(**named, status=answer.status, milliseconds=took)])


def _posted(delivery: Delivery) -> outbound.Answer:
    """Post a callback, within a span of its task's trace.

    Raises:
      outbound.ForbiddenAddress, outbound.OutboundError.
    """
    facts = {"http.request.method": "POST", "server.address": outbound.host_of(delivery.url)}
    span = tracing.begin("POST", "CLIENT", delivery.traceparent, facts | {"callback.attempt": delivery.attempt})
    if span is not None:
        delivery = replace(delivery, traceparent=span.traceparent)
    body = json.dumps(delivery.body, ensure_ascii=False, separators=(",", ":"))
    status = None
    try:
        answer = outbound.post(
            delivery.url,
            body.encode(),
            headers(delivery, body),
            timeout=callbacks.DELIVERY_SECONDS,
            allowed_hosts=settings().callback_allowed_hosts,
        )
        status = answer.status
    finally:
        if span is not None:
            attributes = {} if status is None else {"http.response.status_code": status}
            span.end(attributes, error=None if status and status < 300 else str(status or "no answer"))
    return answer


def _named(delivery: Delivery) -> Json:
    """Return what a line of the log says of a callback. Of its address only the host: the rest may hold a secret."""
    subject = {name: delivery.body["data"].get(name) for name in ("task_id", "batch_id", "kb_id")}
    traced = {"request_id": delivery.request_id, "trace_id": trace_id_of(delivery.traceparent)}
    return {
        "callback_id": delivery.id,
        "host": outbound.host_of(delivery.url),
        "attempt": delivery.attempt,
        **{name: value for name, value in (subject | traced).items() if value},
    }


def headers(delivery: Delivery, body: str) -> dict[str, str]:
    """Return the headers of Standard Webhooks 1.0.0, and the trace; without a secret there is no signature."""
    now = datetime.now(UTC)
    fields = {
        "content-type": "application/json",
        "webhook-id": str(delivery.id),
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if delivery.traceparent is not None:
        fields["traceparent"] = delivery.traceparent
    secrets = webhook_secrets(delivery.secret or settings().current_callback_secret())
    if secrets:
        # One for each, of which a receiver that knows either accepts it.
        fields["webhook-signature"] = " ".join(Webhook(secret).sign(str(delivery.id), now, body) for secret in secrets)
    return fields
