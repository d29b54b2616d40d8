"""What the service sends to the KB service by itself, as the document's `webhooks`."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from api.description.schemas.callbacks import BatchCallback, TaskCallback
from models.base import Json

#: By the `type` of the body: its model, and when it is sent.
WEBHOOKS: Mapping[str, tuple[type[BaseModel], str]] = {
    "task.completed": (TaskCallback, "A task has completed."),
    "task.failed": (TaskCallback, "A task has failed."),
    "task.cancelled": (TaskCallback, "A task was cancelled."),
    "batch.completed": (BatchCallback, "All tasks of a batch have ended."),
}
SENT = frozenset(model for model, _ in WEBHOOKS.values())
DESCRIPTION = """\
Sent to `callback_url` or KB_CALLBACK_URL, signed by Standard Webhooks 1.0.0. Only 2xx is success; any other answer is \
tried again over 3 days, but 410 ends it, and `Retry-After` is honoured. A redirect is not followed.
"""
_HEADERS = {
    "webhook-id": "One for each ended task or batch, the same on every attempt.",
    "webhook-timestamp": "Seconds since 1970 of this attempt.",
    "webhook-signature": "`v1,` and the signature of id, timestamp and body by CALLBACK_SECRET.",
}


def webhooks(contents: Mapping[type[BaseModel], Json]) -> Json:
    """Return the webhooks of the document.

    Parameters:
      contents: the schema of each model and its example, by reference.
    """
    return {
        name: {
            "post": {
                "operationId": f"on_{name.replace('.', '_')}",
                "tags": ["callbacks"],
                "summary": summary,
                "description": DESCRIPTION,
                "security": [],
                "parameters": [
                    {
                        "name": header,
                        "in": "header",
                        "required": True,
                        "description": text,
                        "schema": {"type": "string"},
                    }
                    for header, text in _HEADERS.items()
                ],
                "requestBody": {"required": True, "content": {"application/json": contents[model]}},
                "responses": {
                    "2XX": {"description": "Received; it is not sent again."},
                    "410": {"description": "Nothing more is to be sent of this."},
                },
            }
        }
        for name, (model, summary) in WEBHOOKS.items()
    }
