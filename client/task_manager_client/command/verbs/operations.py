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


def queues_(arguments: Namespace) -> int:
    """Show the queues; pause or resume one."""
    with TaskManager(retries=0) as tm:
        if arguments.action == "list":
            show([queue.raw for queue in tm.queues.list().queues], QUEUES, arguments)
            return DONE
        pausing = arguments.action == "pause"
        state = (
            tm.queues.pause(arguments.name, reason=arguments.reason) if pausing else tm.queues.resume(arguments.name)
        )
    answered(f"{state.queue}: {'paused' if state.paused else 'goes on'}", state, arguments)
    return DONE


def callbacks_(arguments: Namespace) -> int:
    """List callbacks, or deliver them again."""
    chosen = said(arguments, FILTERS)
    with TaskManager(retries=0) as tm:
        if arguments.action == "list":
            if not show_list(tm.callbacks.list(**chosen), CALLBACKS, arguments):
                complain("tm: no callback fits")
            return DONE
        if not chosen:
            raise ValueError("name which: --state failed are those that were given up")
        preview = tm.callbacks.preview_redeliver(**chosen)
        count = f"{preview.count}{' or more' if preview.capped else ''} callbacks"
        if arguments.dry_run or not preview.count:
            answered(f"{count} would be delivered again", preview, arguments)
            return DONE
        if not agreed(arguments, f"deliver {count} again"):
            return UNUSABLE
        task = tm.callbacks.redeliver_all(**chosen)
        answered(f"{count} are delivered again by task {task.task_id}", task.accepted, arguments)
    return DONE


def audit_(arguments: Namespace) -> int:
    """Show who did what."""
    with TaskManager(retries=0) as tm:
        entries = tm.audit(action=arguments.action, name=arguments.name, kb_id=arguments.kb_id, since=arguments.since)
        show_list(entries, AUDIT, arguments)
    return DONE


def open_(arguments: Namespace) -> int:
    """Open the dashboard."""
    url = Address(None, None).url + (f"/tasks/{arguments.id}" if arguments.id else "/")
    answered(url, {"url": url}, arguments)
    if not webbrowser.open(url):
        complain("tm: no browser could be started; open the address above")
    return DONE
