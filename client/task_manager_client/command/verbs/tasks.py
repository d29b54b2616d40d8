"""`tm get, list, watch, why, cancel, retry`"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from task_manager_client.answers.events import Event
from task_manager_client.answers.tasks import Batch, Task
from task_manager_client.calls import tasks as calls
from task_manager_client.client import TaskManager
from task_manager_client.command.complaints import complain, reads_chinese
from task_manager_client.command.main import DONE, FAILED, UNUSABLE
from task_manager_client.command.output import say, show, show_list, show_one
from task_manager_client.errors import NotFound, Refused

FILTER = (
    *("kb_id", "status", "task_type", "batch_id", "document_id", "error_code", "queue", "priority"),
    *("stage", "format"),
    *("created_after", "created_before", "finished_after", "finished_before"),
)
COLUMNS = ("task_id", "task_type", "kb_id", "status", "stage", "progress", "error.code", "created_at")
PAGE = 500


def get_(asked: Namespace) -> int:
    """Show a task or a batch."""
    with TaskManager(retries=0) as tm:
        found = task_or_batch(tm, asked.id)
    show_one(found.raw, asked.output, asked.fields)
    return DONE


def list_(asked: Namespace) -> int:
    """List tasks."""
    with TaskManager(retries=0) as tm:
        found = tm.tasks.list(page_size=min(asked.limit or PAGE, PAGE), **filtered(asked))
        if not show_list(found, COLUMNS, asked):
            complain("tm: no task fits")
    return DONE


def watch_(asked: Namespace) -> int:
    """Show what happens; the exit code says how a task ended."""
    with TaskManager() as tm:
        if asked.id is None:
            _tell(tm.events(), asked)
            return DONE
        found = task_or_batch(tm, asked.id)
        if isinstance(found, Batch):
            batch = tm.batches.handle(asked.id)
            _tell(batch.watch(), asked)
            return DONE if batch.get().counts.completed == batch.get().total else FAILED
        handle = tm.tasks.handle(asked.id)
        _tell(handle.watch(), asked)
        task = handle.get()
    return _verdict(task)


def why_(asked: Namespace) -> int:
    """Say why a task does not run."""
    with TaskManager(retries=0) as tm:
        found = tm.tasks.why(asked.id)
    if asked.output != "table" or asked.fields:
        show_one(found.raw, asked.output, asked.fields)
        return DONE
    since = f" since {found.raw['since']}" if found.since else ""
    say(f"{found.reason}{since}: {found.detail_zh if reads_chinese() else found.detail}")
    for each in found.waiting_for:
        if each.kind == "task":
            say(f"  {each.task_id}: {each.status}, {each.stage}")
    return DONE


def cancel_(asked: Namespace) -> int:
    """Cancel tasks by their ids, or all of a filter."""
    return _change(asked, lambda tm, task_id: tm.tasks.cancel(task_id), "cancel")


def retry_(asked: Namespace) -> int:
    """Retry tasks by their ids, or all of a filter."""
    return _change(asked, lambda tm, task_id: tm.tasks.retry(task_id), "retry")


def task_or_batch(tm: TaskManager, given: str) -> Task | Batch:
    """Return the task of an id, or the batch."""
    try:
        return tm.tasks.get(given)
    except NotFound as error:
        try:
            return tm.batches.get(given)
        except NotFound:
            raise error from None


def filtered(asked: Namespace) -> dict[str, Any]:
    """Return the filter that the options name."""
    return {name: value for name in FILTER if (value := getattr(asked, name)) is not None}


def agreed(asked: Namespace, what: str) -> bool:
    """Ask whoever is at the terminal; elsewhere only --yes agrees."""
    if asked.yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        complain(f"tm: {what}: say --yes; there is no terminal to ask at")
        return False
    complain(f"{what}? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _change(asked: Namespace, one: Callable[[TaskManager, str], Task], action: str) -> int:
    with TaskManager() as tm:
        if not asked.ids:
            return _change_all(asked, tm, action)
        if filtered(asked):
            raise ValueError("name tasks by their ids or by a filter, not by both")
        code = DONE
        for task_id in asked.ids:
            try:
                say(f"{task_id}: {one(tm, task_id).status}")
            except Refused as error:
                complain(f"{task_id}: {error.reasons}")
                code = UNUSABLE
    return code


def _change_all(asked: Namespace, tm: TaskManager, action: str) -> int:
    chosen: Mapping[str, Any] = filtered(asked)
    if not chosen and not asked.all:
        raise ValueError(f"{action} names nothing: say which tasks by their ids or a filter, or --all")
    preview = tm.send((calls.preview_cancel if action == "cancel" else calls.preview_retry)(all=asked.all, **chosen))
    count = f"{preview.count}{' or more' if preview.capped else ''} tasks"
    if asked.dry_run:
        complain(f"{action} is for {count}; among them:")
        rows = [each.raw for each in preview.examples]
        show(rows, ("task_id", "task_type", "kb_id", "status"), asked.output, asked.fields)
        return DONE
    if not preview.count:
        complain("tm: no task fits")
        return DONE
    if not agreed(asked, f"{action} {count}"):
        return UNUSABLE
    bulk = (tm.tasks.cancel_all if action == "cancel" else tm.tasks.retry_all)(all=asked.all, **chosen)
    task = bulk.wait()
    if task.completed:
        result = task.result or {}
        say(f"{bulk.task_id}: {action} changed {result.get('changed')}, refused {result.get('refused')}")
    return _verdict(task)


def _verdict(task: Task) -> int:
    """Say why a task that has ended did not complete; return the exit code."""
    if task.error is not None:
        hint = task.error.hint_zh if reads_chinese() else task.error.hint
        complain(f"{task.error.code} in {task.error.stage}: {task.error.message}\n  {hint}")
    elif not task.completed:
        complain(f"task {task.task_id}: {task.status}")
    return DONE if task.completed else FAILED


def _tell(events: Iterator[Event], asked: Namespace) -> None:
    for event in events:
        if asked.output != "table" or asked.fields:
            show([event.raw], ("type",), "jsonl" if asked.output != "table" else "table", asked.fields)
        else:
            progress = f"{int(event.progress)} %" if event.progress is not None else ""
            parts = (event.raw.get("at"), event.task_id or event.batch_id, event.type, event.stage, progress)
            say("  ".join(str(part) for part in parts if part))
        sys.stdout.flush()
