"""`tm get, list, watch, why, cancel, retry, undo`"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from task_manager_client.answers.events import Event
from task_manager_client.answers.tasks import Batch, Task
from task_manager_client.client import Batches, TaskManager, Tasks
from task_manager_client.command.complaints import complain, reads_chinese
from task_manager_client.command.main import DONE, FAILED, UNUSABLE
from task_manager_client.command.output import answered, for_people, most, say, show, show_list, show_one
from task_manager_client.errors import NotFound, Refused

FILTER = (
    *("kb_id", "status", "task_type", "batch_id", "document_id", "error_code", "queue", "priority"),
    *("stage", "format"),
    *("created_after", "created_before", "finished_after", "finished_before"),
)
COLUMNS = ("task_id", "task_type", "kb_id", "status", "stage", "progress", "error.code", "created_at")
PAGE = 500
EXAMPLE = ("task_id", "task_type", "kb_id", "status")


class Scope(NamedTuple):
    """What a bulk would be for: how many things, and some of them."""

    action: str
    things: str
    number: int
    preview: Mapping[str, Any]
    examples: Sequence[Mapping[str, Any]]
    columns: Sequence[str]
    capped: bool


def get_(arguments: Namespace) -> int:
    """Show a task or a batch."""
    with TaskManager(retries=0) as tm:
        handle = task_or_batch(tm, arguments.id)
    show_one(handle.raw, arguments)
    return DONE


def list_(arguments: Namespace) -> int:
    """List tasks."""
    with TaskManager(retries=0) as tm:
        tasks = tm.tasks.list(page_size=min(most(arguments) or PAGE, PAGE), **filtered(arguments))
        if not show_list(tasks, COLUMNS, arguments):
            complain("tm: no task fits")
    return DONE


def watch_(arguments: Namespace) -> int:
    """Show what happens; the exit code says how a task ended."""
    with TaskManager() as tm:
        if arguments.id is None:
            _tell(tm.events(), arguments)
            return DONE
        if isinstance(task_or_batch(tm, arguments.id), Batch):
            batch = tm.batches.handle(arguments.id)
            _tell(batch.watch(), arguments)
            return DONE if batch.get().counts.completed == batch.get().total else FAILED
        handle = tm.tasks.handle(arguments.id)
        _tell(handle.watch(), arguments)
        task = handle.get()
    return _verdict(task)


def why_(arguments: Namespace) -> int:
    """Say why a task does not run."""
    with TaskManager(retries=0) as tm:
        why = tm.tasks.why(arguments.id)
    if not for_people(arguments):
        show_one(why.raw, arguments)
        return DONE
    since = f" since {why.raw['since']}" if why.since else ""
    say(f"{why.reason}{since}: {why.detail_zh if reads_chinese() else why.detail}")
    for cause in why.waiting_for:
        if cause.kind == "task":
            say(f"  {cause.task_id}: {cause.status}, {cause.stage}")
    return DONE


def cancel_(arguments: Namespace) -> int:
    """Cancel tasks by their ids, or all of a filter."""
    return _change(arguments, lambda tm, task_id: tm.tasks.cancel(task_id), "cancel")


def retry_(arguments: Namespace) -> int:
    """Retry tasks by their ids, or all of a filter."""
    return _change(arguments, lambda tm, task_id: tm.tasks.retry(task_id), "retry")


def undo_(arguments: Namespace) -> int:
    """Undo a bulk."""
    with TaskManager() as tm:
        task = tm.tasks.undo(arguments.id).wait()
    return bulk_ended(arguments, task, "undo")


def task_or_batch(tm: TaskManager, identifier: str) -> Task | Batch:
    """Return the task of an id, or the batch."""
    try:
        return tm.tasks.get(identifier)
    except NotFound as error:
        try:
            return tm.batches.get(identifier)
        except NotFound:
            raise error from None


def filtered(arguments: Namespace) -> dict[str, Any]:
    """Return the filter that the options name."""
    return {name: value for name in FILTER if (value := getattr(arguments, name)) is not None}


def agreed(arguments: Namespace, what: str) -> bool:
    """Ask whoever is at the terminal; elsewhere only --yes agrees."""
    if arguments.yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        complain(f"tm: {what}: say --yes; there is no terminal to ask at")
        return False
    complain(f"{what}? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _change(arguments: Namespace, one: Callable[[TaskManager, str], Task], action: str) -> int:
    with TaskManager() as tm:
        if not arguments.ids:
            return change_all(arguments, tm.tasks, action, filtered(arguments))
        if filtered(arguments) or arguments.all or arguments.dry_run:
            raise ValueError(
                "name tasks by their ids or by a filter, not by both; --all and --dry-run go with a filter"
            )
        rows, code = [], DONE
        for task_id in arguments.ids:
            try:
                task = one(tm, task_id)
            except Refused as error:
                complain(f"{task_id}: {error.reasons}")
                code = UNUSABLE
            else:
                rows.append(task.raw)
                if for_people(arguments) or arguments.output == "jsonl":
                    answered(f"{task_id}: {task.status}", task, arguments)
    if not for_people(arguments) and arguments.output != "jsonl":
        # Of one id it is that task, as `get` shows it; of several a list.
        show(rows, COLUMNS, arguments) if arguments.ids[1:] or not rows else show_one(rows[0], arguments)
    return code


def change_all(arguments: Namespace, room: Tasks | Batches, action: str, chosen: Mapping[str, Any]) -> int:
    """Cancel or retry all tasks, or those of all batches, of a filter."""
    if not chosen and not arguments.all:
        raise ValueError(f"{action} names nothing: say which by their ids or a filter, or --all")
    cancels = action == "cancel"
    preview = (room.preview_cancel if cancels else room.preview_retry)(all=arguments.all, **chosen)
    rows = [example.raw for example in preview.examples]
    scope = Scope(action, "task", preview.count, preview.raw, rows, EXAMPLE, capped=preview.capped)
    if (code := stops(arguments, scope)) is not None:
        return code
    task = (room.cancel_all if cancels else room.retry_all)(all=arguments.all, **chosen).wait()
    return bulk_ended(arguments, task, action)


def bulk_ended(arguments: Namespace, task: Task, action: str) -> int:
    """Say how many tasks a bulk has changed; return the exit code."""
    result = task.result or {}
    return ended(arguments, task, f"{action} changed {result.get('changed')}, refused {result.get('refused')}")


def stops(arguments: Namespace, scope: Scope) -> int | None:
    """Show what a bulk is for, where nothing more is wanted or is there, or nobody agrees; return the code then."""
    count = f"{scope.number}{' or more' if scope.capped else ''} {scope.things}s"
    if arguments.dry_run:
        complain(f"{scope.action} is for {count}; among them:")
        show(scope.examples, scope.columns, arguments)
        return DONE
    if not scope.number:
        complain(f"tm: no {scope.things} fits")
        if not for_people(arguments):
            show_one(scope.preview, arguments)
        return DONE
    return None if agreed(arguments, f"{scope.action} {count}") else UNUSABLE


def ended(arguments: Namespace, task: Task, said: str) -> int:
    """Say what a bulk has done; return the exit code."""
    if task.completed or not for_people(arguments):
        answered(f"{task.task_id}: {said}", task, arguments)
    return _verdict(task)


def _verdict(task: Task) -> int:
    """Say why a task that has ended did not complete; return the exit code."""
    if task.error is not None:
        hint = task.error.hint_zh if reads_chinese() else task.error.hint
        complain(f"{task.error.code} in {task.error.stage}: {task.error.message}\n  {hint}")
    elif not task.completed:
        complain(f"task {task.task_id}: {task.status}")
    return DONE if task.completed else FAILED


def _tell(events: Iterator[Event], arguments: Namespace) -> None:
    # An event at a time: as one array the JSON would end only with what is watched.
    lines = Namespace(output="table" if arguments.output == "table" else "jsonl", fields=arguments.fields)
    for event in events:
        if not for_people(arguments):
            show([event.raw], ("type",), lines)
        else:
            progress = f"{int(event.progress)} %" if event.progress is not None else ""
            parts = (event.raw.get("at"), event.task_id or event.batch_id, event.type, event.stage, progress)
            say("  ".join(str(part) for part in parts if part))
        sys.stdout.flush()
