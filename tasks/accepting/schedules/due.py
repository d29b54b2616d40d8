"""What has fallen due: the tasks of schedules are submitted, and their next due times written with them."""

from __future__ import annotations

from datetime import datetime

import structlog
from pydantic import ValidationError
from sqlalchemy import func, select

from models import Schedule
from models.audit import Actor
from tasks.accepting.idempotency import Key
from tasks.accepting.schedules.recurrence import Recurrence
from tasks.accepting.submission import Accepted, Submission, submit
from tasks.transactions.unit import Unit

#: Schedules that are carried out in one transaction.
AT_ONCE = 500
#: Due times that `catch_up: all` meets together, the latest; what is older is passed over.
MOST_CAUGHT_UP = 100
#: Characters of why a task is refused.
LONGEST_REASON = 1000

log = structlog.get_logger(__name__)


def submit_due(unit: Unit) -> None:
    """Submit what has fallen due, and move each schedule to its next due time.

    Whoever carries out a schedule holds its row: two at once cannot submit for the same due time, and one that dies
    has submitted nothing.
    """
    now = unit.session.execute(select(func.now())).scalar_one()
    late = (
        select(Schedule)
        .where(Schedule.next_due_at <= now)
        .order_by(Schedule.next_due_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    for schedule in unit.session.scalars(late).all():
        try:
            due_times, submissions, following = _wanted(schedule, now)
        except ValueError as error:
            _wait(schedule, _reason(error))
            continue
        for due, accepted in zip(due_times, submit(unit, submissions), strict=True):
            if isinstance(accepted, Accepted):
                schedule.last_due_at, schedule.last_task_id = due, accepted.task_id
            else:
                # It was submitted for this time before, with another task: that one stays.
                log.error("schedule_submitted_before", schedule_id=str(schedule.id), due_at=due.isoformat())
        schedule.next_due_at, schedule.last_error = following, None


def _wanted(schedule: Schedule, now: datetime) -> tuple[list[datetime], list[Submission], datetime]:
    """Return the due times that are to be met, a submission for each, and when the schedule is due next.

    Raises:
      ValueError: this release does not take what the schedule says.
    """
    assert schedule.next_due_at is not None  # by which it was found
    recurrence = Recurrence(schedule.cron, schedule.timezone)
    due_times = recurrence.latest(schedule.next_due_at, now, 1 if schedule.catch_up == "one" else MOST_CAUGHT_UP)
    submissions = [
        Submission.model_validate(schedule.task).by(Actor(schedule.created_by)).under(_key(schedule, due))
        for due in due_times
    ]
    return due_times, submissions, recurrence.after(now)


def _key(schedule: Schedule, due: datetime) -> Key:
    """Return what a due time is known by. No API key has a colon in its name."""
    return Key.of(f"schedule:{schedule.id}", due.isoformat())


def _wait(schedule: Schedule, reason: str) -> None:
    """Leave a schedule due whose task is not taken: by another release, or once it is changed, it will be."""
    if schedule.last_error != reason:
        schedule.last_error = reason
        log.error("schedule_refused", schedule_id=str(schedule.id))


def _reason(error: ValueError) -> str:
    """Return what is wrong, without the values that are."""
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"task.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)[:LONGEST_REASON]
