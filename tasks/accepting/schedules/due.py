"""What has fallen due: the tasks of schedules are submitted, and their next due times written with them."""

from __future__ import annotations

from datetime import datetime

import structlog
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from models import Schedule, database
from models.audit import Actor
from sentences import Bilingual, of_pydantic, say
from tasks.accepting.admission import Backlog
from tasks.accepting.schedules.keeping import task_of
from tasks.accepting.schedules.recurrence import Recurrence
from tasks.accepting.submission import Accepted, Submission, submit
from tasks.transactions.unit import Unit

#: Schedules that are looked at, and tasks after which no further schedule is begun, in one transaction.
AT_ONCE = 500
#: Due times that `catch_up: all` meets together, the latest; what is older is passed over.
MOST_CAUGHT_UP = 100
#: Characters of why a task is refused.
LONGEST_REASON = 1000

log = structlog.get_logger(__name__)


def submit_due(unit: Unit, backlog: Backlog) -> None:
    """Submit what has fallen due, and move each schedule to its next due time. What is left over is done next time.

    While as many tasks wait as may, nothing is submitted, and what has fallen due stays so.

    Whoever carries out a schedule holds its row, and its next due time moves in the transaction that submits: two at
    once cannot submit for the same due time, and one that dies has submitted nothing.
    """
    now = unit.session.execute(select(func.now())).scalar_one()
    late = (
        select(Schedule)
        .where(Schedule.next_due_at <= now)
        # What was refused is tried after all else, and so keeps nobody waiting.
        .order_by(Schedule.last_error.is_not(None), Schedule.next_due_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    schedules = unit.session.scalars(late).all()
    if schedules and backlog.is_due():
        backlog.count(unit.session)
    if backlog.is_full:
        return
    submitted = 0
    for schedule in schedules:
        submitted += _carry_out(unit, schedule, now)
        if submitted >= AT_ONCE:
            break


def _carry_out(unit: Unit, schedule: Schedule, now: datetime) -> int:
    """Submit for one schedule; what PostgreSQL refuses of it is undone alone. Returns how many tasks were submitted."""
    try:
        due_times, submissions, following = _wanted(schedule, now)
        # What was noted of other schedules is not to be undone with this one.
        unit.flush()
        with unit.connection.begin_nested():
            accepted = submit(unit, submissions)[-1]
    except ValueError as error:
        _wait(schedule, _reason(error))
        return 0
    except DBAPIError as error:
        if database.is_away(error):
            raise
        # What PostgreSQL says may quote the task, and is for the log alone.
        _wait(schedule, say("postgresql_refused", error=type(error.orig).__name__), error)
        return 0
    assert isinstance(accepted, Accepted)  # it has no key and depends on nothing
    schedule.last_due_at, schedule.last_task_id = due_times[-1], accepted.task_id
    schedule.next_due_at, schedule.last_error, schedule.last_error_zh = following, None, None
    return len(submissions)


def _wanted(schedule: Schedule, now: datetime) -> tuple[list[datetime], list[Submission], datetime]:
    """Return the due times that are to be met, a submission for each, and when the schedule is due next.

    Raises:
      ValueError: this release does not take what the schedule says.
    """
    assert schedule.next_due_at is not None  # by which it was found
    recurrence = Recurrence(schedule.cron, schedule.timezone)
    due_times = recurrence.latest(schedule.next_due_at, now, 1 if schedule.catch_up == "one" else MOST_CAUGHT_UP)
    submissions = [Submission.model_validate(task_of(schedule)).by(Actor(schedule.created_by)) for _ in due_times]
    return due_times, submissions, recurrence.after(now)


def _wait(schedule: Schedule, reason: Bilingual, error: DBAPIError | None = None) -> None:
    """Leave a schedule due whose task is not taken: by another release, or once it is changed, it will be."""
    if schedule.last_error != reason:
        schedule.last_error, schedule.last_error_zh = str(reason), reason.chinese
        said = {} if error is None else {"reason": database.reason(error)}
        log.error("schedule_refused", schedule_id=str(schedule.id), **said)


def _reason(error: ValueError) -> Bilingual:
    """Return what is wrong, without the values that are."""
    if not isinstance(error, ValidationError):
        reason = next(iter(error.args), "")
        return reason if isinstance(reason, Bilingual) else Bilingual(str(error))
    problems = [
        (".".join(map(str, ("task", *problem["loc"]))), of_pydantic(problem["type"], problem.get("ctx", {})))
        for problem in error.errors(include_url=False, include_input=False)
    ]
    return Bilingual(
        "; ".join(f"{field}: {sentence}" for field, sentence in problems)[:LONGEST_REASON],
        "；".join(f"{field}：{sentence.chinese}" for field, sentence in problems)[:LONGEST_REASON],
    )
