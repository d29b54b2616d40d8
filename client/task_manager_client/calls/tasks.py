"""Tasks: submitted, shown, cancelled, retried; one by one, as a batch, or all that a filter names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from task_manager_client.answers.tasks import (
    AcceptedBatch,
    AcceptedTask,
    Batch,
    BulkItem,
    Priority,
    Task,
    TasksPreview,
    Why,
)
from task_manager_client.calls.options import BatchFilter, BulkFilter, NewTask, TaskFilter, TaskOptions, filtered
from task_manager_client.core.call import Call, Page, at, get, get_page, post, shaped, without_none


def submit_task(
    task_type: str,
    kb_id: str | None = None,
    payload: Mapping[str, object] | None = None,
    **options: Unpack[TaskOptions],
) -> Call[AcceptedTask]:
    """Submit a task of any type."""
    body = without_none(task_type=task_type, kb_id=kb_id, payload=payload, **options)
    return post(at("tasks"), shaped(AcceptedTask), body, once=True)


def submit_batch(
    tasks: Sequence[NewTask], *, callback_url: str | None = None, atomic: bool = False
) -> Call[AcceptedBatch]:
    """Submit up to 1,000 tasks as a batch; a bad one rejects the others only where it is `atomic`."""
    body = without_none(tasks=list(tasks), callback_url=callback_url, atomic=atomic)
    return post(at("tasks", "batch"), shaped(AcceptedBatch), body, once=True)


def get_task(task_id: str, *, wait: float | None = None) -> Call[Task]:
    """Read a task; `wait`: when it has ended, after so many seconds at the latest (25)."""
    return get(at("tasks", task_id), Task, wait=wait)


def list_tasks(*, page_size: int = 100, cursor: str | None = None, **filter: Unpack[TaskFilter]) -> Call[Page[Task]]:
    """List tasks, newest first."""
    return get_page(at("tasks"), Task, limit=page_size, cursor=cursor, **filter)


def cancel_task(task_id: str) -> Call[Task]:
    """Cancel a task: at once if it waits, within seconds if it runs.

    Raises:
      Conflict: it has ended.
    """
    return Call("DELETE", at("tasks", task_id), shaped(Task))


def retry_task(task_id: str) -> Call[Task]:
    """Run a task again that has failed or was cancelled, from the stage that failed.

    Raises:
      Conflict: it has not.
    """
    return post(at("tasks", task_id, "retry"), shaped(Task))


def explain_task(task_id: str) -> Call[Why]:
    """Say why a task does not run, what it waits for, and since when."""
    return get(at("tasks", task_id, "why"), Why)


def cancel_tasks(*, all: bool = False, **filter: Unpack[BulkFilter]) -> Call[AcceptedTask]:
    """Cancel all tasks of a filter. It is a task itself, which can be followed and undone."""
    return post(at("tasks", "cancel"), shaped(AcceptedTask), _named(filter, all=all), once=True)


def retry_tasks(
    *, all: bool = False, include_permanent: bool = False, **filter: Unpack[BulkFilter]
) -> Call[AcceptedTask]:
    """Retry all tasks of a filter, but for what no retry can mend unless `include_permanent`. It is a task itself."""
    body = _named(filter, all=all) | {"include_permanent": include_permanent}
    return post(at("tasks", "retry"), shaped(AcceptedTask), body, once=True)


def prioritise_tasks(to: Priority, *, all: bool = False, **filter: Unpack[BulkFilter]) -> Call[AcceptedTask]:
    """Give all waiting tasks of a filter the priority `to`. It is a task itself."""
    body = _named(filter, all=all) | {"priority": to}
    return post(at("tasks", "prioritise"), shaped(AcceptedTask), body, once=True)


def reingest_documents(*, all: bool = False, **filter: Unpack[BulkFilter]) -> Call[AcceptedTask]:
    """Take in again the documents of all tasks of a filter, from where they came. It is a task itself."""
    return post(at("tasks", "reingest"), shaped(AcceptedTask), _named(filter, all=all), once=True)


def preview_cancel(*, all: bool = False, **filter: Unpack[BulkFilter]) -> Call[TasksPreview]:
    """Say how many tasks `cancel_all` would cancel, and which are among them."""
    return _preview(at("tasks", "cancel"), _named(filter, all=all))


def preview_retry(
    *, all: bool = False, include_permanent: bool = False, **filter: Unpack[BulkFilter]
) -> Call[TasksPreview]:
    """Say how many tasks `retry_all` would retry, and which are among them."""
    return _preview(at("tasks", "retry"), _named(filter, all=all) | {"include_permanent": include_permanent})


def preview_prioritise(to: Priority, *, all: bool = False, **filter: Unpack[BulkFilter]) -> Call[TasksPreview]:
    """Say how many tasks `prioritise_all` would change, and which are among them."""
    return _preview(at("tasks", "prioritise"), _named(filter, all=all) | {"priority": to})


def preview_reingest(*, all: bool = False, **filter: Unpack[BulkFilter]) -> Call[TasksPreview]:
    """Say how many documents `reingest_all` would take in again, by their tasks, and which are among them."""
    return _preview(at("tasks", "reingest"), _named(filter, all=all))


def undo_bulk(task_id: str) -> Call[AcceptedTask]:
    """Take a bulk back, but for what was changed since. It is a task itself."""
    return post(at("tasks", task_id, "undo"), shaped(AcceptedTask), {}, once=True)


def list_bulk_items(task_id: str, *, page_size: int = 100, cursor: str | None = None) -> Call[Page[BulkItem]]:
    """List what a bulk is for, and what became of each."""
    return get_page(at("tasks", task_id, "items"), BulkItem, limit=page_size, cursor=cursor)


def get_batch(batch_id: str) -> Call[Batch]:
    """Read a batch."""
    return get(at("batches", batch_id), Batch)


def list_batches(
    *, page_size: int = 100, cursor: str | None = None, **filter: Unpack[BatchFilter]
) -> Call[Page[Batch]]:
    """List batches, newest first."""
    return get_page(at("batches"), Batch, limit=page_size, cursor=cursor, **filter)


def cancel_batch(batch_id: str) -> Call[Batch]:
    """Cancel what of a batch has not ended."""
    return Call("DELETE", at("batches", batch_id), shaped(Batch))


def cancel_batches(*, all: bool = False, **filter: Unpack[BatchFilter]) -> Call[AcceptedTask]:
    """Cancel what has not ended of all batches of a filter. It is a task itself, which can be followed and undone."""
    return post(at("batches", "cancel"), shaped(AcceptedTask), _of_batches(filter, all=all), once=True)


def retry_batches(
    *, all: bool = False, include_permanent: bool = False, **filter: Unpack[BatchFilter]
) -> Call[AcceptedTask]:
    """Retry what failed of all batches of a filter, but for what no retry can mend unless `include_permanent`."""
    body = _of_batches(filter, all=all) | {"include_permanent": include_permanent}
    return post(at("batches", "retry"), shaped(AcceptedTask), body, once=True)


def preview_cancel_batches(*, all: bool = False, **filter: Unpack[BatchFilter]) -> Call[TasksPreview]:
    """Say how many tasks `cancel_all` would cancel, and which are among them."""
    return _preview(at("batches", "cancel"), _of_batches(filter, all=all))


def preview_retry_batches(
    *, all: bool = False, include_permanent: bool = False, **filter: Unpack[BatchFilter]
) -> Call[TasksPreview]:
    """Say how many tasks `retry_all` would retry, and which are among them."""
    body = _of_batches(filter, all=all) | {"include_permanent": include_permanent}
    return _preview(at("batches", "retry"), body)


def _named(filter: Mapping[str, object], *, all: bool) -> dict[str, Any]:
    return {"filter": filtered(filter), "all": all}


def _of_batches(filter: Mapping[str, object], *, all: bool) -> dict[str, object]:
    return {"filter": without_none(**filter), "all": all}


def _preview(path: str, body: dict[str, Any]) -> Call[TasksPreview]:
    return post(path, shaped(TasksPreview), body | {"dry_run": True}, repeatable=True)
