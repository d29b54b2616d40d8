"""What whoever runs the service asks for: callbacks, queues, workers, statistics, acts, health."""

from __future__ import annotations

from typing import Any, Literal, Unpack

from task_manager_client.answers.operations import (
    AuditEntry,
    Callback,
    Callbacks,
    CallbacksPreview,
    Errors,
    Health,
    History,
    Overview,
    Queues,
    QueueState,
    Scale,
    Session,
    Workers,
)
from task_manager_client.answers.tasks import AcceptedTask
from task_manager_client.calls.options import CallbackFilter, RedeliveryFilter, Time, filtered
from task_manager_client.core.call import Answer, Call, Page, at, get, get_page, post, shaped


def list_callbacks(
    *, page_size: int = 100, cursor: str | None = None, **filter: Unpack[CallbackFilter]
) -> Call[Page[Callback]]:
    """List callbacks, newest first."""
    return get_page(at("callbacks"), Callback, limit=page_size, cursor=cursor, **filter)


def list_task_callbacks(task_id: str) -> Call[list[Callback]]:
    """List the callbacks of a task, with each delivery."""
    return Call("GET", at("tasks", task_id, "callbacks"), _callbacks)


def list_batch_callbacks(batch_id: str) -> Call[list[Callback]]:
    """List the callbacks of a batch, with each delivery."""
    return Call("GET", at("batches", batch_id, "callbacks"), _callbacks)


def redeliver_callback(
    callback_id: str, *, task_id: str | None = None, batch_id: str | None = None
) -> Call[list[Callback]]:
    """Deliver a callback of a task or a batch again, under the same `webhook-id`.

    Raises:
      ValueError: neither of them is named, or both.
    """
    if (task_id is None) == (batch_id is None):
        raise ValueError("name the task or the batch that the callback is of")
    owner = ("tasks", task_id) if task_id is not None else ("batches", batch_id)
    return post(at(*owner, "callbacks", callback_id, "redeliver"), _callbacks)


def redeliver_callbacks(**filter: Unpack[RedeliveryFilter]) -> Call[AcceptedTask]:
    """Deliver all callbacks of a filter again; those that were given up unless `state` says otherwise. It is a task."""
    return post(at("callbacks", "redeliver"), shaped(AcceptedTask), _of_callbacks(filter), once=True)


def preview_redeliver(**filter: Unpack[RedeliveryFilter]) -> Call[CallbacksPreview]:
    """Say how many callbacks `redeliver_all` would deliver again, and which are among them."""
    body = _of_callbacks(filter) | {"dry_run": True}
    return post(at("callbacks", "redeliver"), shaped(CallbacksPreview), body, repeatable=True)


def list_queues() -> Call[Queues]:
    """Show the queues, as PostgreSQL and RabbitMQ see them."""
    return get(at("stats", "queues"), Queues)


def pause_queue(name: str, *, reason: str | None = None) -> Call[QueueState]:
    """Hold a queue back in the whole deployment; what runs goes on."""
    return post(at("queues", name, "pause"), shaped(QueueState), {"reason": reason}, repeatable=True)


def resume_queue(name: str) -> Call[QueueState]:
    """Let a queue go on."""
    return post(at("queues", name, "resume"), shaped(QueueState), repeatable=True)


def list_workers() -> Call[Workers]:
    """Show the worker processes that are alive."""
    return get(at("stats", "workers"), Workers)


def get_overview() -> Call[Overview]:
    """Show the whole deployment at one moment."""
    return get(at("stats", "overview"), Overview)


def get_history(metric: str, *, window: Literal["1h", "24h", "90d"] = "1h") -> Call[History]:
    """Show a figure over time."""
    return get(at("stats", "history"), History, metric=metric, window=window)


def get_errors(*, since: Time | None = None, kb_id: str | None = None) -> Call[Errors]:
    """Show what has failed, grouped by code, stage and format."""
    return get(at("stats", "errors"), Errors, since=since, kb_id=kb_id)


def get_scale(*, target_seconds: float | None = None) -> Call[Scale]:
    """Say how many workers are wanted for all that waits to be done within so many seconds."""
    return get(at("stats", "scale"), Scale, target_seconds=target_seconds)


def list_audit(
    *,
    action: str | None = None,
    name: str | None = None,
    kb_id: str | None = None,
    since: Time | None = None,
    page_size: int = 100,
    cursor: str | None = None,
) -> Call[Page[AuditEntry]]:
    """List who did what, newest first."""
    query = {"action": action, "name": name, "kb_id": kb_id, "since": since}
    return get_page(at("audit"), AuditEntry, limit=page_size, cursor=cursor, **query)


def check_health() -> Call[Health]:
    """Show the state of all that the service needs."""
    return get("/health", Health)


def check_ready() -> Call[Health]:
    """Show whether requests can be served; not so without PostgreSQL, or while a migration is missing."""
    return Call("GET", "/readyz", shaped(Health), also=(503,))


def get_session() -> Call[Session]:
    """Say whose key is used, and what it may."""
    return get(at("session"), Session)


def _callbacks(answer: Answer) -> list[Callback]:
    return Callbacks.read(answer.json()).items


def _of_callbacks(filter: Any) -> dict[str, Any]:
    return {"filter": filtered(filter)}
