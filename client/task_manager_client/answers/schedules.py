"""Schedules, as they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from task_manager_client.core.shape import Shape


class Schedule(Shape):
    """A task that is submitted again and again; `last_error`, and in Chinese `last_error_zh`, say why it is refused."""

    schedule_id: str
    name: str | None
    kb_id: str | None
    cron: str
    timezone: str
    catch_up: str
    task: dict[str, Any]
    created_by: str | None
    created_at: datetime
    updated_at: datetime
    paused_at: datetime | None
    next_due_at: datetime | None
    last_due_at: datetime | None
    last_task_id: str | None
    last_error: str | None
    last_error_zh: str | None = None
