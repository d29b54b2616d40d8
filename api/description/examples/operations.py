"""Errors, sessions, health, queues, workers and figures."""

from __future__ import annotations

from api.description.examples.names import AT, CURSOR, DONE, KB, OTHER_TASK, SOON, TASK, WORKER
from models.base import Json

_UP = {"status": "up"}
_SERVERS = {"postgresql": _UP, "rabbitmq": _UP}
_SCALED = {
    "waiting": 240,
    "running": 4,
    "oldest_age_seconds": 31.4,
    "seconds_waiting": 96.0,
    "wanted_threads": 2,
}

EXAMPLES: Json = {
    "SessionAnswer": {
        "name": "ops",
        "role": "operate",
        "kbs": None,
        "csrf_token": "pq4eX0mJb1xq7mTtYc2r1w",
        "expires_at": "2026-11-29T21:30:00.000000Z",
    },
    "PausedQueue": {
        "queue": "embedding",
        "paused": True,
        "paused_by": "ops",
        "paused_at": AT,
        "reason": "the provider is being moved",
    },
    "ResumedQueue": {"queue": "embedding", "paused": False},
    "AuditPage": {
        "items": [
            {
                "audit_id": "01936f5e-e5d7-7f68-8a41-3c5d6e7f8091",
                "at": AT,
                "name": "ops",
                "action": "task.cancel",
                "target": {"kind": "task", "id": TASK},
                "kb_id": KB,
                "detail": {},
                "request_id": "7c1f0a52-1f0e-4d07-9a43-0f6f6e2a9d11",
            }
        ],
        "next_cursor": CURSOR,
    },
    "Workers": {
        "as_of": DONE,
        "active": 1,
        "idle": 3,
        "workers": [
            {
                "worker_id": WORKER,
                "name": "worker-6c9f:1",
                "queues": ["chunking", "embedding", "indexing", "preprocessing", "storing"],
                "threads": 4,
                "active": 1,
                "current_tasks": [TASK],
                "prefetched": {"chunking": 2},
                "started_at": AT,
                "heartbeat_at": SOON,
            }
        ],
        "next_cursor": None,
    },
    "Queues": {
        "as_of": DONE,
        "queues": [
            {
                "queue": "embedding",
                "paused": False,
                "paused_by": None,
                "paused_at": None,
                "reason": None,
                "waiting": 12,
                "delayed": 3,
                "running": 4,
                "oldest_age_seconds": 2.5,
                "worker_threads": 8,
                "ready": 1,
                "unacked": 0,
                "dead_lettered": 0,
                "consumers": 2,
            }
        ],
    },
    "Overview": {
        "as_of": DONE,
        "waiting": 12,
        "delayed": 3,
        "oldest_age_seconds": 2.5,
        "running": 4,
        "workers": 2,
        "threads": 8,
        "completed": {"last_minute": 310, "last_hour": 17_240},
        "failed_last_hour": {"count": 3, "capped": False, "by_code": {"encrypted": 2, "corrupt": 1}},
        "callbacks_owed": {"count": 1, "capped": False, "failing": 1, "since": AT},
        "attention": [
            {
                "code": "queue_paused",
                "message": "The queue embedding is paused, and 12 tasks wait in it.",
                "message_zh": "队列 embedding 已暂停，有 12 个任务在等待。",
                "since": AT,
                "about": {"queue": "embedding", "waiting": 12},
            }
        ],
    },
    "History": {
        "as_of": DONE,
        "metric": "completed",
        "help": "Tasks that completed.",
        "unit": "tasks",
        "window": "1h",
        "step_seconds": 10,
        "times": [1_796_289_000, 1_796_289_010, 1_796_289_020],
        "series": [{"name": "document_processing", "values": [51.0, 48.0, None]}],
    },
    "Errors": {
        "as_of": DONE,
        "since": AT,
        "count": 2,
        "capped": False,
        "errors": [
            {
                "code": "encrypted",
                "stage": "preprocessing",
                "format": "pdf",
                "count": 2,
                "kbs": 1,
                "first_at": AT,
                "last_at": SOON,
                "example": {"task_id": OTHER_TASK, "kb_id": KB, "message": "contract.pdf asks for a password"},
                "hint": "Remove the password and submit the file again.",
                "hint_zh": "请先去除文件密码，再重新提交。",
            }
        ],
    },
    "Scale": {
        "as_of": DONE,
        "target_seconds": 60.0,
        "threads_per_worker": 4,
        "workers": 1,
        "waiting": 240,
        "running": 4,
        "oldest_age_seconds": 31.4,
        "wanted": 2,
        "queues": {"embedding": _SCALED},
    },
    "HireFire": [{"name": "worker", "value": 31.4}, {"name": "embedding", "value": 31.4}],
    "Health": {"status": "ok", "checks": {**_SERVERS, "clock": _UP, "workers": _UP}},
    "Alive": {"status": "ok"},
    "Readiness": {"status": "ok", "checks": _SERVERS},
}

TEXTS = {
    "get_metrics": "# HELP task_success_total Stages, and tasks, that completed.\n"
    "# TYPE task_success_total counter\n"
    'task_success_total{task_type="document_processing"} 17240\n',
}
