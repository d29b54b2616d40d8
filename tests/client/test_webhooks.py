"""A webhook is genuine, or it is rejected; held against the library of Standard Webhooks that signs for the service."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Signer

from task_manager_client import WebhookRejected, verify_webhook

SECRET, OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = json.dumps(
    {
        "type": "task.completed",
        "timestamp": "2026-11-30T08:00:00Z",
        "data": {"kb_id": "茶", "task_id": "a", "status": "completed", "metadata": {}, "of_a_later_release": 1},
    },
    ensure_ascii=False,
)


def signed(*secrets: str, at: datetime | None = None, body: str = BODY) -> dict[str, str]:
    """The headers of a delivery, in the letters of HTTP/1.1."""
    at = at or datetime.now(UTC)
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": " ".join(Signer(secret).sign("msg_1", at, body) for secret in secrets),
    }


def test_a_genuine_webhook_is_read() -> None:
    webhook = verify_webhook(signed(SECRET), BODY.encode(), SECRET)
    assert (webhook.webhook_id, webhook.type, webhook.data.kb_id) == ("msg_1", "task.completed", "茶")
    assert webhook.timestamp == datetime(2026, 11, 30, 8, tzinfo=UTC)


@pytest.mark.parametrize("known", [f"{OTHER} {SECRET}", f"{OTHER},{SECRET}", [OTHER, SECRET], SECRET, OTHER])
def test_while_secrets_are_changed_either_side_may_know_two(known: str | list[str]) -> None:
    assert verify_webhook(list(signed(SECRET, OTHER).items()), BODY, known).data.task_id == "a"


@pytest.mark.parametrize("change", ["body", "id", "time", "secret", "signature", "version"])
def test_whatever_was_changed_on_its_way_is_rejected(change: str) -> None:
    headers, body, secret = signed(SECRET), BODY, SECRET
    if change == "body":
        body = body.replace("completed", "failed")
    elif change == "id":
        headers["Webhook-Id"] = "msg_2"
    elif change == "time":
        headers["Webhook-Timestamp"] = str(int(headers["Webhook-Timestamp"]) + 1)
    elif change == "secret":
        secret = OTHER
    elif change == "signature":
        headers["Webhook-Signature"] = "v1,AAAA v1,§"
    else:
        headers["Webhook-Signature"] = headers["Webhook-Signature"].replace("v1,", "v2,")
    with pytest.raises(WebhookRejected, match="no signature fits"):
        verify_webhook(headers, body, secret)


def test_what_is_old_incomplete_or_nonsense_is_rejected() -> None:
    old = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(WebhookRejected, match="clock"):
        verify_webhook(signed(SECRET, at=old), BODY, SECRET)
    assert verify_webhook(signed(SECRET, at=old), BODY, SECRET, now=old.timestamp()).type == "task.completed"
    with pytest.raises(WebhookRejected, match="webhook-signature is missing"):
        verify_webhook({name: value for name, value in signed(SECRET).items() if "Sig" not in name}, BODY, SECRET)
    with pytest.raises(WebhookRejected, match="no webhook of this service"):
        verify_webhook(signed(SECRET, body="[]"), "[]", SECRET)
    with pytest.raises(ValueError, match="whsec_"):
        verify_webhook(signed(SECRET), BODY, "no base64!")
