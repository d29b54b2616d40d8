"""Schedules: tasks that are submitted again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from task_manager_client.answers.schedules import Schedule
from task_manager_client.answers.tasks import AcceptedTask
from task_manager_client.core.call import Call, Page, as_json, at, delete, get, get_page, post, shaped, without_none


def create_schedule(
    cron: str,
    task: Mapping[str, object],
    *,
    name: str | None = None,
    timezone: str | None = None,
    catch_up: Literal["one", "all"] | None = None,
) -> Call[Schedule]:
    """Have a task submitted whenever the five fields of `cron` say so.

    Parameters:
      task: as `submit_task` takes it: `task_type`, `kb_id`, `payload`, and what else is said of it.
      timezone: of the IANA database; default: UTC.
      catch_up: what becomes of several due times that passed while the clock was away.
    """
    body = without_none(cron=cron, task=task, name=name, timezone=timezone, catch_up=catch_up)
    return post(at("schedules"), shaped(Schedule), body, once=True)


def list_schedules(
    *, kb_id: str | None = None, page_size: int = 100, cursor: str | None = None
) -> Call[Page[Schedule]]:
    """List schedules, newest first."""
    return get_page(at("schedules"), Schedule, limit=page_size, cursor=cursor, kb_id=kb_id)


def get_schedule(schedule_id: str) -> Call[Schedule]:
    """Read a schedule."""
    return get(at("schedules", schedule_id), Schedule)


def change_schedule(schedule_id: str, **changes: object) -> Call[Schedule]:
    """Change `name`, `cron`, `timezone`, `catch_up` or `task`, which is replaced as a whole."""
    return Call("PATCH", at("schedules", schedule_id), shaped(Schedule), body=as_json(changes))


def delete_schedule(schedule_id: str) -> Call[None]:
    """Delete a schedule; what it has submitted stays."""
    return delete(at("schedules", schedule_id))


def pause_schedule(schedule_id: str) -> Call[Schedule]:
    """Have it submit nothing for now."""
    return post(at("schedules", schedule_id, "pause"), shaped(Schedule), repeatable=True)


def resume_schedule(schedule_id: str) -> Call[Schedule]:
    """Have it go on from its next due time."""
    return post(at("schedules", schedule_id, "resume"), shaped(Schedule), repeatable=True)


def run_schedule(schedule_id: str) -> Call[AcceptedTask]:
    """Have it submit its task now, besides."""
    return post(at("schedules", schedule_id, "run"), shaped(AcceptedTask), once=True)
