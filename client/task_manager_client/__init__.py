"""The client of the Task Manager Service: `TaskManager` blocks, `AsyncTaskManager` is for asyncio."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from task_manager_client.errors import (
    Conflict,
    ConnectionLost,
    ConnectTimedOut,
    Forbidden,
    InternalError,
    InvalidRequest,
    NotConnected,
    NotFound,
    RateLimited,
    ReadTimedOut,
    Refused,
    TaskManagerError,
    TimedOut,
    TooLarge,
    TotalTimedOut,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    WaitTimedOut,
    WebhookRejected,
)

if TYPE_CHECKING:
    from task_manager_client.answers.documents import Chunk, Document, Found, Hit, Kb
    from task_manager_client.answers.events import Event
    from task_manager_client.answers.tasks import Batch, ProcessedDocument, Task, TaskFailed, TaskFailure, Why
    from task_manager_client.async_client import AsyncTaskManager
    from task_manager_client.async_handles import AsyncBatchHandle, AsyncTaskHandle
    from task_manager_client.client import TaskManager
    from task_manager_client.core.policy import Retry, Timeouts
    from task_manager_client.handles import BatchHandle, TaskHandle
    from task_manager_client.webhooks import Webhook, verify_webhook

__version__ = "0.2.0"
__all__ = [
    "AsyncBatchHandle",
    "AsyncTaskHandle",
    "AsyncTaskManager",
    "Batch",
    "BatchHandle",
    "Chunk",
    "Conflict",
    "ConnectTimedOut",
    "ConnectionLost",
    "Document",
    "Event",
    "Forbidden",
    "Found",
    "Hit",
    "InternalError",
    "InvalidRequest",
    "Kb",
    "NotConnected",
    "NotFound",
    "ProcessedDocument",
    "RateLimited",
    "ReadTimedOut",
    "Refused",
    "Retry",
    "Task",
    "TaskFailed",
    "TaskFailure",
    "TaskHandle",
    "TaskManager",
    "TaskManagerError",
    "TimedOut",
    "Timeouts",
    "TooLarge",
    "TotalTimedOut",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "WaitTimedOut",
    "Webhook",
    "WebhookRejected",
    "Why",
    "verify_webhook",
]

#: Where the other names are, imported when they are asked for: `tm --help` needs none, and who blocks no asyncio.
_HOMES = {
    "answers.documents": (
        "Chunk",
        "Document",
        "Found",
        "Hit",
        "Kb",
    ),
    "answers.events": ("Event",),
    "answers.tasks": (
        "Batch",
        "ProcessedDocument",
        "Task",
        "TaskFailed",
        "TaskFailure",
        "Why",
    ),
    "async_client": ("AsyncTaskManager",),
    "async_handles": (
        "AsyncBatchHandle",
        "AsyncTaskHandle",
    ),
    "client": ("TaskManager",),
    "core.policy": (
        "Retry",
        "Timeouts",
    ),
    "errors": (
        "Conflict",
        "ConnectTimedOut",
        "ConnectionLost",
        "Forbidden",
        "InternalError",
        "InvalidRequest",
        "NotConnected",
        "NotFound",
        "RateLimited",
        "ReadTimedOut",
        "Refused",
        "TaskManagerError",
        "TimedOut",
        "TooLarge",
        "TotalTimedOut",
        "Unauthorized",
        "Unavailable",
        "UnexpectedAnswer",
        "WaitTimedOut",
        "WebhookRejected",
    ),
    "handles": (
        "BatchHandle",
        "TaskHandle",
    ),
    "webhooks": (
        "Webhook",
        "verify_webhook",
    ),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
