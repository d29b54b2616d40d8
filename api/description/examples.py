"""Examples of what is answered and sent, by the model that they are of; a test holds each against it."""

from __future__ import annotations

from typing import Any

_TASK = "01936f5e-7c1b-7d52-9a0e-3f6d1c2b8a47"
_BATCH = "01936f5e-8d02-7e10-8b6c-5a4f3e2d1c0b"
_AT = "2026-11-29T09:30:00.000000Z"

EXAMPLES: dict[str, Any] = {
    "AcceptedTask": {
        "task_id": _TASK,
        "status": "queued",
        "task_type": "document_processing",
        "kb_id": "handbook",
        "created_at": _AT,
    },
    "AcceptedBatch": {
        "batch_id": _BATCH,
        "tasks": [
            {"index": 0, "task_id": _TASK, "status": "queued"},
            {
                "index": 1,
                "error": {
                    "errors": [{"field": "task_type", "code": "missing", "message": "Field required"}],
                },
            },
        ],
        "accepted": 1,
        "rejected": 1,
    },
    "Problem": {
        "type": "/docs/errors#invalid_request",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "one field does not fit; see `errors`",
        "instance": "/api/v1/tasks",
        "request_id": "7c1f0a52-1f0e-4d07-9a43-0f6f6e2a9d11",
        "code": "invalid_request",
        "hint": "Mend the fields that `errors` names; all of them are listed at once.",
        "hint_zh": "请修正 `errors` 中列出的字段；所有不合要求的字段已一次列全。",
        "param": "payload.chunk_size",
        "errors": [
            {
                "field": "payload.chunk_size",
                "code": "out_of_range",
                "message": "Input should be greater than or equal to 50",
            }
        ],
    },
    "ProcessedDocument": {
        "document_id": "leave.md",
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
        "timings": {"preprocessing": 0.02, "chunking": 0.01, "embedding": 0.03, "storing": 0.01, "indexing": 0.0},
    },
    "TaskEvent": {
        "type": "task.processing",
        "task_id": _TASK,
        "task_type": "document_processing",
        "kb_id": "handbook",
        "batch_id": None,
        "status": "processing",
        "stage": "embedding",
        "progress": 55.0,
        "at": _AT,
    },
    "TaskCallback": {
        "type": "task.completed",
        "timestamp": _AT,
        "data": {
            "kb_id": "handbook",
            "task_id": _TASK,
            "task_type": "document_deletion",
            "status": "completed",
            "document_id": "leave.md",
            "result": {"document_id": "leave.md", "superseded": 0},
            "error": None,
            "retry_count": 0,
            "metadata": {},
        },
    },
    "BatchCallback": {
        "type": "batch.completed",
        "timestamp": _AT,
        "data": {"batch_id": _BATCH, "total": 20, "completed": 19, "failed": 1, "cancelled": 0},
    },
    "SearchAnswer": {
        "hits": [
            {
                "kb_id": "handbook",
                "document_id": "leave.md",
                "chunk_id": f"{_TASK}:3",
                "chunk_ids": [f"{_TASK}:3"],
                "text": "Everybody has 30 days of leave a year.",
                "page": None,
                "heading_path": ["Leave"],
                "context": None,
                "start": 120,
                "end": 158,
                "score": 0.81,
                "scores": {"words": 0.76, "vector": 0.84, "rerank": None},
                "highlights": [{"start": 17, "end": 21}, {"start": 25, "end": 30}],
                "before": [],
                "after": [],
            }
        ],
        "confidence": 0.93,
        "degraded": None,
        "took_ms": 7.4,
    },
}
