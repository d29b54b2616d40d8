"""`tm queues, callbacks, audit, open`"""

from __future__ import annotations

import webbrowser
from argparse import Namespace

from task_manager_client.client import TaskManager
from task_manager_client.command.arguments import CALLBACKS as FILTERS
from task_manager_client.command.complaints import complain
from task_manager_client.command.main import DONE, UNUSABLE
from task_manager_client.command.output import answered, show, show_list
from task_manager_client.command.values import said
from task_manager_client.command.verbs.tasks import agreed
from task_manager_client.transport import Address

QUEUES = (
    *("queue", "waiting", "delayed", "running", "oldest_age_seconds", "worker_threads"),
    *("paused", "paused_by", "reason"),
)
CALLBACKS = ("callback_id", "type", "state", "attempts", "task_id", "batch_id", "url", "next_attempt_at")
AUDIT = ("at", "name", "action", "target.kind", "target.id", "kb_id")


def queues_(asked: Namespace) -> int:
    """Show the queues; pause or resume one."""
    with TaskManager(retries=0) as tm:
        if asked.action == "list":
            show([queue.raw for queue in tm.queues.list().queues], QUEUES, asked)
            return DONE
        pausing = asked.action == "pause"
        state = tm.queues.pause(asked.name, reason=asked.reason) if pausing else tm.queues.resume(asked.name)
    answered(f"{state.queue}: {'paused' if state.paused else 'goes on'}", state, asked)
    return DONE


def callbacks_(asked: Namespace) -> int:
    """List callbacks, or deliver them again."""
    chosen = said(asked, FILTERS)
    with TaskManager(retries=0) as tm:
        if asked.action == "list":
            if not show_list(tm.callbacks.list(**chosen), CALLBACKS, asked):
                complain("tm: no callback fits")
            return DONE
        if not chosen:
            raise ValueError("name which: --state failed are those that were given up")
        preview = tm.callbacks.preview_redeliver(**chosen)
        count = f"{preview.count}{' or more' if preview.capped else ''} callbacks"
        if asked.dry_run or not preview.count:
            answered(f"{count} would be delivered again", preview, asked)
            return DONE
        if not agreed(asked, f"deliver {count} again"):
            return UNUSABLE
        task = tm.callbacks.redeliver_all(**chosen)
        answered(f"{count} are delivered again by task {task.task_id}", task.accepted, asked)
    return DONE


def audit_(asked: Namespace) -> int:
    """Show who did what."""
    with TaskManager(retries=0) as tm:
        entries = tm.audit(action=asked.action, name=asked.name, kb_id=asked.kb_id, since=asked.since)
        show_list(entries, AUDIT, asked)
    return DONE


def open_(asked: Namespace) -> int:
    """Open the dashboard."""
    url = Address(None, None).url + (f"/tasks/{asked.id}" if asked.id else "/")
    answered(url, {"url": url}, asked)
    if not webbrowser.open(url):
        complain("tm: no browser could be started; open the address above")
    return DONE
