"""Tasks, batches, schedules, callbacks and events."""

from __future__ import annotations

import json

from api.description.examples.names import (
    ACCEPTED,
    AT,
    BATCH,
    CALLBACK,
    CURSOR,
    DOCUMENT,
    DONE,
    KB,
    OTHER_TASK,
    SCHEDULE,
    SOON,
    TASK,
    WORKER,
)
from models.base import Json
from pipeline import STAGES
from sentences import of_pydantic
from tasks.input.fields import TaskFields

_PAYLOAD = {
    "url": "https://example.com/handbook/leave.md",
    "document_id": DOCUMENT,
    "chunk_size": 1000,
    "chunk_overlap": 200,
    "chunk_unit": "characters",
    "force": False,
}
_RESULT = {
    "document_id": DOCUMENT,
    "version": 1,
    "unchanged": False,
    "chunks": 12,
    "chunks_reused": 0,
    "characters": 9210,
    "pages": None,
    "encoding": "utf-8",
    "coverage": None,
    "warnings": [],
    "tokens_embedded": 0,
    "estimated_cost": 0.0,
    "timings": dict.fromkeys(STAGES, 0.02),
}
_LISTED: Json = {
    # What is said of a task and not shown below is not said of this one.
    **dict.fromkeys(TaskFields.model_fields),
    "task_id": TASK,
    "task_type": "document_processing",
    "kb_id": KB,
    "batch_id": None,
    "payload": _PAYLOAD,
    "metadata": {"lang": "en"},
    "priority": "normal",
    "retry_limit": 3,
    "timeout": 300.0,
    "callback_url": None,
    "run_at": None,
    "expires_at": None,
    "depends_on": [],
    "on_dependency_failure": "fail",
    "status": "completed",
    "stage": STAGES[-1],
    "progress": 100.0,
    "attempt": 1,
    "submitted_by": "kb",
    "request_id": "7c1f0a52-1f0e-4d07-9a43-0f6f6e2a9d11",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "created_at": AT,
    "started_at": SOON,
    "finished_at": DONE,
    "estimated_completion": None,
    "queue_wait_seconds": 2.0,
    "due_at": None,
    "stages": [
        {
            "name": name,
            "status": "completed",
            "started_at": SOON,
            "finished_at": DONE,
            "queue_wait_seconds": 0.0,
            "units": 12,
            "units_done": 12,
            "attempts": 1,
        }
        for name in STAGES
    ],
    "result": _RESULT,
    "error": None,
}
_TASK = _LISTED | {
    "attempts": [
        {
            "run": 1,
            "stage": name,
            "number": 1,
            "worker": WORKER,
            "started_at": SOON,
            "finished_at": DONE,
            "waited_seconds": 0.0,
            "outcome": "completed",
            "error": None,
        }
        for name in STAGES
    ]
}
_BATCH = {
    "batch_id": BATCH,
    "status": "processing",
    "total": 20,
    "counts": {"waiting": 0, "queued": 7, "processing": 2, "completed": 10, "failed": 1, "cancelled": 0},
    "deleted": 0,
    "progress": 58.5,
    "created_at": AT,
    "finished_at": None,
}
_SCHEDULE = {
    "schedule_id": SCHEDULE,
    "name": "handbook, every night",
    "kb_id": KB,
    "cron": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "catch_up": "one",
    "task": {"task_type": "document_processing", "kb_id": KB, "payload": {"url": _PAYLOAD["url"]}},
    "created_by": "kb",
    "created_at": AT,
    "updated_at": AT,
    "paused_at": None,
    "next_due_at": "2026-11-30T01:30:00.000000Z",
    "last_due_at": None,
    "last_task_id": None,
    "last_error": None,
    "last_error_zh": None,
}
_CALLBACK = {
    "callback_id": CALLBACK,
    "task_id": TASK,
    "batch_id": None,
    "kb_id": KB,
    "type": "task.completed",
    "url": "https://kb.example.com/callbacks",
    "state": "owed",
    "status": "pending",
    "attempts": 1,
    "next_attempt_at": DONE,
    "created_at": AT,
    "delivered_at": None,
    "log": [{"at": SOON, "answer": "503 Service Unavailable"}],
}
_EXAMPLE = {
    "task_id": OTHER_TASK,
    "task_type": "document_processing",
    "kb_id": KB,
    "document_id": "contract.pdf",
    "status": "failed",
    "priority": "normal",
    "error_code": "embedder_unavailable",
    "created_at": AT,
}
_ITEM = {"outcome": "changed", "reason": None, "priority_before": None, "priority_after": None}
_MISSING = of_pydantic("missing", {})
_EVENT = {
    "type": "task.processing",
    "task_id": TASK,
    "task_type": "document_processing",
    "kb_id": KB,
    "batch_id": None,
    "status": "processing",
    "stage": "embedding",
    "progress": 55.0,
    "at": AT,
}
_ENDED = {"type": "batch.completed", "batch_id": BATCH, "status": "completed", "at": DONE}


def _stream(*events: Json) -> str:
    """Return events as they are sent."""
    return "".join(f"id: {number}\ndata: {json.dumps(event)}\n\n" for number, event in enumerate(events, 1040))


EXAMPLES: Json = {
    "AcceptedTask": ACCEPTED,
    "Task": _TASK,
    "TaskPage": {"items": [_LISTED], "next_cursor": CURSOR, "total": {"count": 1207, "capped": False}},
    "TasksPreview": {"count": 17, "capped": False, "examples": [_EXAMPLE]},
    "RetryStarted": {**ACCEPTED, "task_type": "bulk"},
    "BulkItemPage": {"items": [{"task_id": OTHER_TASK, **_ITEM}], "next_cursor": None},
    "Why": {
        "reason": "paused",
        "since": AT,
        "detail": "The queue embedding is paused by ops (the provider is being moved).",
        "detail_zh": "队列 embedding 已暂停，操作者 ops，原因：the provider is being moved。",
        "waiting_for": [
            {
                "kind": "queue",
                "queue": "embedding",
                "paused_by": "ops",
                "paused_at": AT,
                "reason": "the provider is being moved",
            }
        ],
    },
    "AcceptedBatch": {
        "batch_id": BATCH,
        "tasks": [
            {"index": 0, "task_id": TASK, "status": "queued"},
            {
                "index": 1,
                "error": {
                    "errors": [
                        {
                            "field": "task_type",
                            "code": _MISSING.code,
                            "message": str(_MISSING),
                            "message_zh": _MISSING.chinese,
                            "type": f"/docs/errors#{_MISSING.code}",
                        }
                    ],
                },
            },
        ],
        "accepted": 1,
        "rejected": 1,
    },
    "Batch": {**_BATCH, "estimated_completion": DONE},
    "BatchPage": {"items": [_BATCH], "next_cursor": None},
    "Schedule": _SCHEDULE,
    "SchedulePage": {"items": [_SCHEDULE], "next_cursor": None},
    "Callbacks": {"items": [_CALLBACK]},
    "CallbackPage": {"items": [_CALLBACK], "next_cursor": CURSOR},
    "CallbacksPreview": {
        "count": 1,
        "capped": False,
        "examples": [
            {
                "callback_id": CALLBACK,
                "task_id": TASK,
                "batch_id": None,
                "url": "https://kb.example.com/callbacks",
                "status": "failed",
                "created_at": AT,
            }
        ],
    },
    "TaskCallback": {
        "type": "task.completed",
        "timestamp": AT,
        "data": {
            "kb_id": KB,
            "task_id": TASK,
            "task_type": "document_processing",
            "status": "completed",
            "document_id": DOCUMENT,
            "result": _RESULT,
            "error": None,
            "retry_count": 0,
            "metadata": {"lang": "en"},
        },
    },
    "BatchCallback": {
        "type": "batch.completed",
        "timestamp": AT,
        "data": {"batch_id": BATCH, "total": 20, "completed": 19, "failed": 1, "cancelled": 0},
    },
}

TEXTS = {
    "follow_events": _stream({"type": "open"}, _EVENT),
    "follow_task": _stream(_EVENT),
    "follow_batch": _stream(_ENDED),
}
