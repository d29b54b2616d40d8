"""`tm schedules`"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from task_manager_client.client import TaskManager
from task_manager_client.command.complaints import complain
from task_manager_client.command.main import DONE, UNUSABLE
from task_manager_client.command.output import answered, show_list, show_one
from task_manager_client.command.values import json_object, said
from task_manager_client.command.verbs.tasks import agreed

SCHEDULES = ("schedule_id", "name", "kb_id", "cron", "timezone", "next_due_at", "paused_at", "last_error")


def schedules_(arguments: Namespace) -> int:
    """List schedules, make one, or do something to one."""
    with TaskManager(retries=0) as tm:
        if arguments.action == "list":
            if not show_list(tm.schedules.list(kb_id=arguments.kb_id), SCHEDULES, arguments):
                complain("tm: there is no schedule" + (f" of {arguments.kb_id}" if arguments.kb_id else ""))
            return DONE
        if arguments.action == "create":
            made = tm.schedules.create(**_fields(arguments, "cron", "task"))
            answered(f"{made.schedule_id}: due at {made.raw['next_due_at']}", made, arguments)
            return DONE
        return _one(tm, arguments, arguments.name)


def _one(tm: TaskManager, arguments: Namespace, schedule_id: str) -> int:
    """Do something to one schedule."""
    match arguments.action:
        case "get":
            show_one(tm.schedules.get(schedule_id).raw, arguments)
        case "change":
            state = tm.schedules.change(schedule_id, **_fields(arguments))
            answered(f"{schedule_id}: changed; due at {state.raw['next_due_at']}", state, arguments)
        case "run":
            task = tm.schedules.run(schedule_id)
            answered(f"{schedule_id}: submitted as task {task.task_id}", task.accepted, arguments)
        case "delete":
            schedule = tm.schedules.get(schedule_id)
            if not agreed(arguments, f"delete the schedule {schedule.name or schedule_id}"):
                return UNUSABLE
            tm.schedules.delete(schedule_id)
            answered(f"{schedule_id}: deleted", {"schedule_id": schedule_id, "deleted": True}, arguments)
        case _:
            pausing = arguments.action == "pause"
            state = tm.schedules.pause(schedule_id) if pausing else tm.schedules.resume(schedule_id)
            answered(f"{schedule_id}: {'paused' if state.paused_at else 'goes on'}", state, arguments)
    return DONE


def _fields(arguments: Namespace, *needed: str) -> dict[str, Any]:
    """Return what the options say of a schedule, by the names of REST.

    Raises:
      ValueError: they say nothing, or not what is needed.
    """
    fields = said(arguments, ("cron", "timezone", "catch_up"))
    if arguments.called is not None:
        fields["name"] = arguments.called
    if arguments.task is not None:
        fields["task"] = json_object("--task", arguments.task)
    if missing := [f"--{name}" for name in needed if name not in fields]:
        raise ValueError(f"{arguments.action} needs {' and '.join(missing)}")
    if not fields:
        raise ValueError(
            f"{arguments.action} needs what is to change: --cron, --task, --name, --timezone or --catch-up"
        )
    return fields
