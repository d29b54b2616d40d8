"""The APScheduler timetable. A tick only wakes work: it repairs what a crash, a lost message or a due time left."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from uuid import UUID

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import logs
import metrics
from broker.rabbitmq import RabbitBroker
from documents.files import originals
from documents.files.storage import storage
from documents.storing import dead_versions, deletions
from documents.storing.vector_index import VectorIndexes
from models import audit, commit, database
from models.base import new_id
from settings import VERSION, service_settings, settings
from tasks import process
from tasks.accepting import idempotency
from tasks.accepting.admission import Backlog
from tasks.accepting.schedules import due
from tasks.dispatching import dispatch, unknown
from tasks.dispatching.unserved import Unserved
from tasks.ending import callbacks, ending, retention, shard_repair
from tasks.transactions import unit
from tasks.transactions.unit import Unit, unit_of_work
from tasks.views import events
from tasks.views.figures import history
from tasks.working import presence

#: An upload outlives the end of its task by so much at least, and one that no task came of is given up.
UPLOADS_KEPT = timedelta(hours=1)
#: Seconds between looks at whether a KB has grown out of its vector indexes.
INDEXES_EVERY = 30
#: Ids that are looked at together.
PAGE = 200

#: Seconds without a tick that succeeded after which this clock does not count as one.
SILENT_AFTER = 30.0
#: By which its heartbeat is known; in embedded mode it shares its process with a worker, which has its own.
IDENTITY = new_id()

log = structlog.get_logger(__name__)

_ticked_at = time.monotonic()


UNSERVED = Unserved()


def find_lost(work: Unit) -> None:
    """Wake a worker for each queue in which tasks wait though RabbitMQ holds no message of it."""
    counts = unit.broker().counts()
    if counts is not None:
        UNSERVED.find(work, counts)
        dispatch.find_lost(work, {queue: counts[queue].ready for queue in dispatch.queues()})


@cache
def _backlog() -> Backlog:
    return Backlog(settings().max_backlog)


def submit_due(work: Unit) -> None:
    """Submit what has fallen due by schedules, unless as many tasks wait as may."""
    due.submit_due(work, _backlog())


def sweep_versions(work: Unit) -> None:
    """Delete some versions that no document points at."""
    dead_versions.sweep(work.session, _first_over(work, partial(dead_versions.makers, work.session)))


def sweep_uploads(work: Unit) -> None:
    """Delete some uploads that no task needs."""
    uploads = storage(settings())
    for upload_id in _first_over(work, partial(uploads.older_than, UPLOADS_KEPT)):
        uploads.delete(upload_id)


def sweep_originals(work: Unit) -> None:
    """Delete some originals that no version holds."""
    unheld = originals.due(work.session, PAGE)
    over = retention.over(work.session, unheld)
    originals.forget(work.session, settings(), over)
    originals.put_off(work.session, [original for original in unheld if original not in over])


def forget_shards(work: Unit) -> None:
    """Delete the shards of some tasks that are over."""
    shard_repair.forget(work.session, _first_over(work, partial(shard_repair.task_ids, work.session)))


def forget_commits(work: Unit) -> None:
    """Delete what connections that are gone have committed last."""
    commit.forget(work.session)


def forget_deletions(work: Unit) -> None:
    """Forget which documents were deleted, once nothing can be retried that was submitted before."""
    deletions.forget(work.session, timedelta(days=settings().retention_failed_days + 1))


def forget_acts(work: Unit) -> None:
    """Forget who did what longer ago than that is kept."""
    audit.forget(work.session)


def _first_over(work: Unit, page: Callable[..., list[UUID]]) -> list[UUID]:
    """Return those of the first page of things kept for tasks on which some are not needed any more."""
    ids = page(limit=PAGE)
    while ids:
        over = retention.over(work.session, ids)
        if over:
            return over
        ids = page(limit=PAGE, after=ids[-1])
    return []


def beat() -> None:
    """Say that this clock ticks; the others do the same beside it. One whose ticks fail says nothing."""
    if time.monotonic() - _ticked_at > SILENT_AFTER:
        return
    try:
        with database.transaction() as session:
            presence.beat(session, "clock", identity=IDENTITY)
    except DBAPIError as error:
        if not database.is_told(error):
            log.warning("no_heartbeat", reason=database.reason(error))


Duty = Callable[[Unit], object]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is done together, every so many seconds. Each duty has a transaction of its own."""

    name: str
    every: float
    duties: tuple[Duty, ...]


#: Make ready what has become due.
WAKE = Entry("wake", 1, (dispatch.wake, shard_repair.offer, ending.expire, callbacks.publish_due, submit_due))
#: Requeue what dead workers held, and wake workers anew where a message was lost.
REPAIR = Entry("repair", 5, (presence.sweep, find_lost))
#: Delete, a few at a time, what no document and no task needs any more; and say what is left to a later release.
TIDY = Entry(
    "tidy",
    30,
    (
        sweep_versions,
        sweep_uploads,
        sweep_originals,
        forget_shards,
        forget_commits,
        forget_deletions,
        forget_acts,
        retention.forget_headers,
        idempotency.forget,
        unknown.look,
    ),
)
#: Delete, a few at a time, the tasks that ended longer ago than they are kept, and the oldest of the events.
PRUNE = Entry("prune", 1, (retention.prune, events.prune))
#: Note what the counters say. Every 10 seconds are met, though no tick is quite in time.
HISTORY = Entry("history", history.STEP / 2, (history.record,))

TIMETABLE = (WAKE, REPAIR, TIDY, PRUNE, HISTORY)

#: Milliseconds of silence after which PostgreSQL ends the transaction of a clock, and with it its lead.
HANGS = {"ms": "10000"}


def tick(entry: Entry) -> None:
    """Do one entry of the timetable. A duty that fails takes nothing from the others, and is due again next time."""
    global _ticked_at
    for duty in entry.duties:
        try:
            _do(entry.name, duty)
            _ticked_at = time.monotonic()
        except DBAPIError as error:
            if not database.is_told(error):
                _note(entry.name, duty, reason=database.reason(error))
        except Exception:
            _note(entry.name, duty, exc_info=True)


def _do(name: str, duty: Duty) -> None:
    """Do a duty in a transaction of its own, unless another clock is at this entry: whoever has its lock leads."""
    with unit_of_work() as work:
        # A clock that hangs, or whose machine is gone, leads no longer than this.
        work.session.execute(text("SELECT set_config('idle_in_transaction_session_timeout', :ms, true)"), HANGS)
        alone = work.session.execute(
            text("SELECT pg_try_advisory_xact_lock(hashtext(:name))"), {"name": f"clock {name}"}
        ).scalar()
        if alone:
            duty(work)


def _note(name: str, duty: Duty, **why: object) -> None:
    """Log that a duty failed, and count it."""
    log.error("duty_failed", tick=name, duty=duty.__name__, **why)
    with suppress(DBAPIError), unit_of_work() as work:
        work.count(metrics.DUTY_FAILURE, duty.__name__)


class Timetable(BackgroundScheduler):
    """The scheduler with every entry; a tick that is late is done once, not once for each time missed."""

    def __init__(self) -> None:
        super().__init__(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None})
        for entry in TIMETABLE:
            self.add_job(tick, "interval", seconds=entry.every, args=[entry], id=entry.name)
        self.add_job(beat, "interval", seconds=presence.beat_seconds(), id="beat")
        self._indexes = VectorIndexes()
        self.add_job(self._tend_indexes, "interval", seconds=INDEXES_EVERY, id="vector_indexes")

    def _tend_indexes(self) -> None:
        # Not a tick: an index is built for minutes, and outside of any transaction.
        try:
            self._indexes.tend()
        except DBAPIError as error:
            if not database.is_told(error):
                log.warning("duty_failed", tick="vector_indexes", reason=database.reason(error))

    def shutdown(self, wait: bool = True) -> None:
        """Stop; what is being done is waited for, but for an index that is being built."""
        self._indexes.stop()
        super().shutdown(wait=wait)


def main() -> None:
    """Run the clock until SIGTERM or Ctrl-C."""
    logs.configure(service_settings())
    database.connect(settings().postgres_url, pool_size=3, application_name="task-manager clock")
    broker = RabbitBroker(settings().rabbitmq_urls, settings().queue_type, kind="clock", prefix=settings().queue_prefix)
    # It publishes seldom, and is to be connected when it does.
    broker.publisher.start()
    unit.use_broker(broker)
    # Blocked here and in every thread to come, so that `sigwait` below is the one to get them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    scheduler = Timetable()
    scheduler.start()
    beat()
    log.info("clock_ready", entries=[entry.name for entry in TIMETABLE], version=VERSION)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    process.end_in_time()
    scheduler.shutdown(wait=True)
    try:
        with unit_of_work() as work:
            presence.leave(work)
            presence.deregister(work, IDENTITY)
    except DBAPIError as error:
        log.warning("left_without_word", reason=database.reason(error))
    broker.close()
    log.info("clock_stopped")


if __name__ == "__main__":
    main()
