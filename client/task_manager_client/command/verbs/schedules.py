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


def schedules_(asked: Namespace) -> int:
    """List schedules, make one, or do something to one."""
    with TaskManager(retries=0) as tm:
        if asked.action == "list":
            if not show_list(tm.schedules.list(kb_id=asked.kb_id), SCHEDULES, asked):
                complain("tm: there is no schedule" + (f" of {asked.kb_id}" if asked.kb_id else ""))
            return DONE
        if asked.action == "create":
            made = tm.schedules.create(**_fields(asked, "cron", "task"))
            answered(f"{made.schedule_id}: due at {made.raw['next_due_at']}", made, asked)
            return DONE
        return _one(tm, asked, asked.name)


def _one(tm: TaskManager, asked: Namespace, schedule_id: str) -> int:
    """Do something to one schedule."""
    match asked.action:
        case "get":
            show_one(tm.schedules.get(schedule_id).raw, asked)
        case "change":
            state = tm.schedules.change(schedule_id, **_fields(asked))
            answered(f"{schedule_id}: changed; due at {state.raw['next_due_at']}", state, asked)
        case "run":
            task = tm.schedules.run(schedule_id)
            answered(f"{schedule_id}: submitted as task {task.task_id}", task.accepted, asked)
        case "delete":
            schedule = tm.schedules.get(schedule_id)
            if not agreed(asked, f"delete the schedule {schedule.name or schedule_id}"):
                return UNUSABLE
            tm.schedules.delete(schedule_id)
            answered(f"{schedule_id}: deleted", {"schedule_id": schedule_id, "deleted": True}, asked)
        case _:
            pausing = asked.action == "pause"
            state = tm.schedules.pause(schedule_id) if pausing else tm.schedules.resume(schedule_id)
            answered(f"{schedule_id}: {'paused' if state.paused_at else 'goes on'}", state, asked)
    return DONE


def _fields(asked: Namespace, *needed: str) -> dict[str, Any]:
    """Return what the options say of a schedule, by the names of REST.

    Raises:
      ValueError: they say nothing, or not what is needed.
    """
    fields = said(asked, ("cron", "timezone", "catch_up"))
    if asked.called is not None:
        fields["name"] = asked.called
    if asked.task is not None:
        fields["task"] = json_object("--task", asked.task)
    if missing := [f"--{name}" for name in needed if name not in fields]:
        raise ValueError(f"{asked.action} needs {' and '.join(missing)}")
    if not fields:
        raise ValueError(f"{asked.action} needs what is to change: --cron, --task, --name, --timezone or --catch-up")
    return fields
