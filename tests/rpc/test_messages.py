"""What REST answers becomes the message that protobuf's own reader of JSON makes of it."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import ParseDict

from rpc.generated.taskmanager.v1.task_service_pb2 import GetResponse
from rpc.messages import shown

AT = "2026-11-24T05:21:54.568591Z"
TASK: dict[str, Any] = {
    "task_id": "01a20c00-e385-77bb-a3bd-460960adfaf4",
    "batch_id": None,
    "progress": 100,
    "created_at": AT,
    "started_at": "2026-11-24T05:21:54Z",
    "finished_at": None,
    "queue_wait_seconds": 0.25,
    "payload": {"url": "http://example.com", "deep": {"list": [1, 2.5, None, True, "文", {"empty": []}]}},
    "metadata": {},
    "stages": [
        {"name": "chunking", "started_at": AT, "units": 3, "later": "what no field is for"},
        {"name": "storing"},
    ],
    "attempts": [{"run": 1, "worker": None, "error": {"code": "corrupt", "retryable": False}}],
    "later": {"what": "no field is for"},
}


def test_an_answer_becomes_the_message_that_protobuf_makes_of_it() -> None:
    made = shown(TASK, GetResponse, "task")
    assert made == ParseDict({"task": TASK}, GetResponse(), ignore_unknown_fields=True)
    assert made.task.stages[0].units == 3
    assert shown({}, GetResponse) == GetResponse()
