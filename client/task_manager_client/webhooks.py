"""Verifies what the service calls back with: Standard Webhooks 1.0.0, and no web framework."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from task_manager_client.answers.tasks import TaskFailure
from task_manager_client.core.shape import Shape
from task_manager_client.errors import UnexpectedAnswer, WebhookRejected

#: Seconds that the sender's clock may differ, and that a delivery may be under way.
TOLERANCE = 300.0


class WebhookData(Shape):
    """What has ended: a task, or a batch with its counts."""

    kb_id: str | None = None
    task_id: str | None = None
    task_type: str | None = None
    status: str | None = None
    document_id: str | None = None
    result: dict[str, Any] | None = None
    error: TaskFailure | None = None
    retry_count: int | None = None
    metadata: dict[str, Any] | None = None
    left_out: list[str] | None = None
    batch_id: str | None = None
    total: int | None = None
    completed: int | None = None
    failed: int | None = None
    cancelled: int | None = None


class Webhook(Shape):
    """A webhook that is genuine. `webhook_id` is the same on every delivery: ignore one that you have seen."""

    webhook_id: str
    type: str
    timestamp: datetime
    data: WebhookData


def verify_webhook(
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: bytes | str,
    secret: str | Sequence[str],
    *,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> Webhook:
    """Return a webhook that was signed with one of the secrets.

    Parameters:
      headers: of the request, in any case.
      body: as it came: parsed and written anew it is another one.
      secret: `whsec_…`; several while one replaces another, as a list or separated by spaces or commas.
      tolerance: seconds that its time may be away from now.
      now: seconds since 1970, in place of the clock.

    Raises:
      WebhookRejected: a header is missing, it is too old, no signature fits, or it is no webhook of this service.
      ValueError: a secret is none.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    fields = {name.lower(): value for name, value in pairs}
    try:
        webhook_id, sent_at, signatures = (fields[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise WebhookRejected(f"the header {missing.args[0]} is missing") from None
    raw = body.encode() if isinstance(body, str) else bytes(body)
    if not re.fullmatch(r"\d{1,15}", sent_at, re.ASCII):
        raise WebhookRejected("the header webhook-timestamp is no time")
    if abs((time.time() if now is None else now) - int(sent_at)) > tolerance:
        raise WebhookRejected(f"it was signed more than {tolerance:g} s from now; is the clock right?")
    signed = f"{webhook_id}.{sent_at}.".encode() + raw
    fits = [
        hmac.compare_digest(hmac.new(key, signed, hashlib.sha256).digest(), signature)
        for key in _keys(secret)
        for signature in _signatures(signatures)
    ]
    if not any(fits):
        raise WebhookRejected("no signature fits; it was not sent with this secret, or was changed on its way")
    try:
        return Webhook.read({**json.loads(raw), "webhook_id": webhook_id})
    except (ValueError, TypeError, UnexpectedAnswer) as error:
        raise WebhookRejected(f"it is no webhook of this service: {error}") from None


def _keys(secret: str | Sequence[str]) -> list[bytes]:
    named = re.split(r"[\s,]+", secret.strip()) if isinstance(secret, str) else list(secret)
    try:
        keys = [base64.b64decode(part.removeprefix("whsec_"), validate=True) for part in named if part]
    except (binascii.Error, ValueError):
        raise ValueError("a secret is not of the form whsec_ and base64") from None
    if not keys or not all(keys):
        raise ValueError("there is no secret")
    return keys


def _signatures(header: str) -> list[bytes]:
    signatures = []
    for entry in header.split():
        version, _, signature = entry.partition(",")
        if version == "v1":
            try:
                signatures.append(base64.b64decode(signature, validate=True))
            except (binascii.Error, ValueError):
                continue
    return signatures
