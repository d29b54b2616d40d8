"""The callbacks owed to the KB service: written with the end of a task, delivered from a table of due times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import ColumnElement, Label, func, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.dml import ReturningUpdate

import metrics
from broker.messages import wake_up
from broker.topology import PRIORITIES
from models import Callback, Kb, Task, database
from models.base import Json, new_id
from settings import settings
from tasks.dispatching import pausing
from tasks.input.bounds import excess_of_metadata
from tasks.transactions.unit import Unit
from tasks.transitions.ending import Ended

#: Seconds to wait after each failed attempt: the schedule of the Standard Webhooks specification, 3 days in all.
SCHEDULE = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
#: Seconds for one attempt's HTTP exchange.
DELIVERY_SECONDS = 15.0
#: Whoever took a callback has this long to say what came of it, before another may try.
TAKEN_FOR = timedelta(seconds=60)
#: A published wake-up that nobody took is sent again after this time.
LOST_AFTER = timedelta(seconds=60)

#: Attempts that the log of a callback shows.
LOGGED = 20

#: Of its actor, and of the actor's queue.
QUEUE = "callback"


#: What the callback of a KB's task is signed with.
_SECRET = (
    select(Kb.callback_secret)
    .where(Kb.kb_id == Callback.body["data"]["kb_id"].astext)
    .correlate(Callback)
    .scalar_subquery()
    .label("secret")
)


_OF_TASK = Task.id == Callback.task_id
_OF_BATCH = Task.batch_id == Callback.batch_id


def _of_request(column: InstrumentedAttribute[str | None], name: str) -> Label[str | None]:
    """Say what the submission of a callback's task, or of any task of its batch, was known by."""
    return func.coalesce(
        *(select(column).where(own).limit(1).correlate(Callback).scalar_subquery() for own in (_OF_TASK, _OF_BATCH))
    ).label(name)


_REQUEST_ID, _TRACEPARENT = _of_request(Task.request_id, "request_id"), _of_request(Task.traceparent, "traceparent")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A callback in the hands of the one who delivers it.

    Parameters:
      secret: of its KB; None: that of the settings.
      request_id, traceparent: of the request that submitted its task, or its batch.
    """

    id: UUID
    url: str
    body: Json
    attempt: int
    secret: SecretStr | None = None
    request_id: str | None = None
    traceparent: str | None = None


def owe_for_tasks(unit: Unit, rows: Sequence[Ended]) -> None:
    """Write the callbacks of tasks that end in this unit, for those that have somewhere to go."""
    owed = [
        _callback(f"task.{row.status}", row.callback_url, _task_data(row)) | {"task_id": row.id, "run": row.run}
        for row in rows
        if row.callback_url or settings().kb_callback_url
    ]
    _write(unit, owed)


def owe_for_batch(unit: Unit, batch_id: UUID, run: int, url: str | None) -> None:
    """Write the callback of a batch that ends in this unit."""
    if not (url or settings().kb_callback_url):
        return
    counts = unit.session.execute(
        select(Task.status, func.count()).where(Task.batch_id == batch_id).group_by(Task.status)
    ).all()
    by_status = {status: int(count) for status, count in counts}
    data = {
        "batch_id": str(batch_id),
        "total": sum(by_status.values()),
        **{status: by_status.get(status, 0) for status in ("completed", "failed", "cancelled")},
    }
    _write(unit, [_callback("batch.completed", url, data) | {"batch_id": batch_id, "run": run}])


def take(unit: Unit, callback_ids: Sequence[UUID]) -> list[Delivery | None]:
    """Take callbacks that are due, to deliver them. None where another has, or where none is due."""
    rows = unit.session.execute(
        update(Callback)
        .where(
            Callback.id.in_(callback_ids),
            Callback.status == "pending",
            Callback.due_at <= func.now(),
            ~pausing.is_paused(QUEUE),
        )
        .values(attempts=Callback.attempts + 1, due_at=func.now() + TAKEN_FOR, published_at=func.now())
        .returning(Callback.id, Callback.url, Callback.body, Callback.attempts, _SECRET, _REQUEST_ID, _TRACEPARENT)
    )
    taken = {delivery.id: delivery for delivery in (_delivery(*row) for row in rows)}
    if missed := [callback_id for callback_id in callback_ids if callback_id not in taken]:
        _note_unpublished(unit, missed)
    return [taken.pop(callback_id, None) for callback_id in callback_ids]


def _delivery(
    callback_id: UUID,
    url: str,
    body: Json,
    attempts: int,
    secret: str | None,
    request_id: str | None,
    traceparent: str | None,
) -> Delivery:
    return Delivery(callback_id, url, body, attempts, SecretStr(secret) if secret else None, request_id, traceparent)


def _note_unpublished(unit: Unit, callback_ids: Sequence[UUID]) -> None:
    """Note that the messages of callbacks are gone which a pause keeps from being delivered: its end publishes anew."""
    unit.session.execute(
        update(Callback)
        .where(
            Callback.id.in_(callback_ids),
            Callback.status == "pending",
            Callback.due_at <= func.now(),
            pausing.is_paused(QUEUE),
        )
        .values(published_at=None)
    )


def delivered(unit: Unit, delivery: Delivery, answer: str) -> None:
    """Note that the KB service has it."""
    unit.count(metrics.CALLBACK, "delivered")
    _record(unit, delivery, answer, status="delivered", delivered_at=func.now())


def refused(unit: Unit, delivery: Delivery, answer: str) -> None:
    """Note that no further attempt would help: the address is forbidden, or the service answered 410."""
    unit.count(metrics.CALLBACK, "refused")
    _record(unit, delivery, answer, status="failed")


def put_off(unit: Unit, delivery: Delivery, answer: str, retry_after: float | None) -> None:
    """Note a failed attempt: the next is due by the schedule, or when the service asked for it; after 3 days none."""
    if delivery.attempt > len(SCHEDULE):
        unit.count(metrics.CALLBACK, "given_up")
        _record(unit, delivery, answer, status="failed")
        return
    unit.count(metrics.CALLBACK, "put_off")
    seconds = max(SCHEDULE[delivery.attempt - 1], min(retry_after or 0, SCHEDULE[-1]))
    _record(unit, delivery, answer, due_at=func.now() + timedelta(seconds=seconds), published_at=None)


def redeliver(unit: Unit, callback_id: UUID, *, task_id: UUID | None = None, batch_id: UUID | None = None) -> bool:
    """Deliver a callback again from the start of the schedule, under the same id.

    Parameters:
      task_id, batch_id: whose it is, one of the two.

    Returns:
      whether there is such.
    """
    own = Callback.task_id == task_id if task_id is not None else Callback.batch_id == batch_id
    again = _again(published_at=func.now()).where(Callback.id == callback_id, own)
    if unit.session.execute(again).first() is None:
        return False
    _publish(unit, [(callback_id, 0)])
    return True


def redeliver_all(unit: Unit, callback_ids: Sequence[UUID]) -> set[UUID]:
    """Deliver callbacks again from the start of the schedule, as the clock comes to them: nobody is flooded.

    Returns:
      the ids of those that there are.
    """
    again = _again(published_at=None).where(Callback.id.in_(callback_ids))
    return {row.id for row in unit.session.execute(again)}


def _again(published_at: ColumnElement[datetime] | None) -> ReturningUpdate[UUID]:
    return (
        update(Callback)
        .values(status="pending", attempts=0, due_at=func.now(), published_at=published_at, delivered_at=None)
        .returning(Callback.id)
    )


def publish_due(unit: Unit, limit: int = 500) -> int:
    """Wake the delivery of callbacks that are due. Returns how many."""
    due = (
        select(Callback.id)
        .where(
            Callback.status == "pending",
            Callback.due_at <= func.now(),
            func.coalesce(Callback.published_at < func.now() - LOST_AFTER, True),
            ~pausing.is_paused(QUEUE),
        )
        .order_by(Callback.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = unit.session.execute(
        update(Callback)
        .where(Callback.id.in_(due))
        .values(published_at=func.now())
        .returning(Callback.id, Callback.attempts)
    ).all()
    _publish(unit, [(row.id, row.attempts) for row in rows])
    return len(rows)


def take_back(unit: Unit) -> None:
    """Make due at once what somebody had taken or published, when nobody can have it any more."""
    unit.session.execute(
        update(Callback)
        .where(Callback.status == "pending", Callback.published_at.is_not(None))
        .values(due_at=func.least(Callback.due_at, func.now()), published_at=None)
    )


def _task_data(row: Ended) -> Json:
    # Metadata of a task that was submitted before they had a limit stay where they are.
    large = excess_of_metadata(row.metadata) is not None
    return {
        "kb_id": row.kb_id,
        "task_id": str(row.id),
        "task_type": row.task_type,
        "status": row.status,
        "document_id": (row.result or {}).get("document_id") or row.document_id,
        "result": row.result,
        "error": row.error,
        "retry_count": row.retries,
        "metadata": {} if large else row.metadata,
        **({"left_out": ["metadata"]} if large else {}),
    }


def _callback(event: str, url: str | None, data: Json) -> Json:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    body = {"type": event, "timestamp": now, "data": data}
    return {"id": new_id(), "url": url or settings().kb_callback_url, "body": body}


def _write(unit: Unit, owed: list[Json]) -> None:
    if not owed:
        return
    unit.session.execute(insert(Callback).values([callback | {"published_at": func.now()} for callback in owed]))
    _publish(unit, [(callback["id"], 0) for callback in owed])


def _publish(unit: Unit, pending: Sequence[tuple[UUID, int]]) -> None:
    ids = [callback_id for callback_id, _ in pending]
    messages = [
        wake_up(
            [str(callback_id)],
            QUEUE,
            QUEUE,
            priority=PRIORITIES["normal"],
            attempt=attempts + 1,
            time_limit=DELIVERY_SECONDS * 4,
        )
        for callback_id, attempts in pending
    ]
    if messages:
        unit.publish(messages, lambda: _give_back(ids))


def _give_back(ids: list[UUID]) -> None:
    try:
        with database.transaction() as session:
            session.execute(update(Callback).where(Callback.id.in_(ids)).values(published_at=None))
    except DBAPIError:
        # The clock finds them by their age.
        return


def _record(unit: Unit, delivery: Delivery, answer: str, **values: object) -> None:
    """Note what the service answered, and what follows from it."""
    entry = func.jsonb_build_object("at", func.now(), "answer", answer[:1000])
    log = func.jsonb_path_query_array(Callback.log, f"$[last - {LOGGED - 2} to last]")
    unit.session.execute(
        update(Callback)
        .where(Callback.id == delivery.id, Callback.attempts == delivery.attempt)
        .values(log=log.op("||")(entry), **values)
    )
