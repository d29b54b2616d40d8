"""`tm doctor`: looks at everything between this machine and a document that can be searched."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from task_manager_client import __version__
from task_manager_client.answers.operations import Health, Session
from task_manager_client.calls.operations import get_session
from task_manager_client.client import TaskManager
from task_manager_client.command.complaints import reads_chinese, remedy
from task_manager_client.command.main import DONE, FAILED
from task_manager_client.command.output import for_people, say, show
from task_manager_client.errors import Forbidden, NotConnected, TaskManagerError, Unauthorized
from task_manager_client.transport import Address

#: Seconds by which two clocks may differ: the header that tells the service's counts whole ones, and may be old by two.
SKEW = 5.0


class Finding(NamedTuple):
    """Something that was looked at: what is so, and what to do where that is bad."""

    name: str
    said: str
    remedy: str | None = None


def doctor_(arguments: Namespace) -> int:
    """Say of each part how it is; the exit code says whether anything is wrong."""
    rows = []
    for finding in look():
        rows.append({"name": finding.name, "good": finding.remedy is None, **finding._asdict()})
        if for_people(arguments):
            say(f"{'!' if finding.remedy else '✓'} {finding.name:13}  {finding.said}")
            if finding.remedy:
                say(f"{'':17}→ {finding.remedy}")
    if not for_people(arguments):
        show(rows, tuple(rows[0]), arguments)
    return DONE if all(row["good"] for row in rows) else FAILED


def look() -> Iterator[Finding]:
    """Look at one thing after the other, and stop where the next cannot be looked at."""
    address = Address(None, None)
    with TaskManager(retries=0) as tm:
        try:
            ready = tm.ready()
        except TaskManagerError as error:
            what_to_do = "start the service with `make run`, or say in TM_API_URL where it is"
            yield Finding("address", str(error), what_to_do if isinstance(error, NotConnected) else remedy(error))
            return
        yield Finding("address", f"{address.url} answers (this is tm {__version__})")
        yield from _key(tm)
        yield from _database(ready)
        yield from _parts(tm)
        try:
            yield from _queues(tm)
            yield from _callbacks(tm)
        except Unauthorized:
            pass  # told already
        except Forbidden as error:
            yield Finding("queues", f"not shown to this key: {error.detail}")
        except TaskManagerError as error:
            yield Finding("queues", str(error), remedy(error))


def _key(tm: TaskManager) -> Iterator[Finding]:
    before = time.time()
    try:
        answer = tm.send(get_session().unread())
    except TaskManagerError as error:
        yield Finding("key", str(error), remedy(error))
        return
    now = (before + time.time()) / 2
    session = Session.read(answer.json())
    of = f"of {session.name}" if session.name else "none is asked for"
    kbs = f", for {', '.join(session.kbs)} alone" if session.kbs is not None else ""
    yield Finding("key", f"{of}: role {session.role}{kbs}")
    if date := answer.headers.get("date"):
        skew = parsedate_to_datetime(date).timestamp() + 0.5 - now
        good = abs(skew) <= SKEW
        yield Finding(
            "time",
            "the same here and there" if good else f"the service's clock is {skew:+.0f} s from this one",
            None if good else "set both clocks by NTP: run_at, expires_at and signatures of callbacks depend on them",
        )


def _database(ready: Health) -> Iterator[Finding]:
    check = ready.checks.get("postgresql")
    if check is None or check.status == "up":
        yield Finding("database", "PostgreSQL is up, and its migrations are those that the service needs")
    else:
        what_to_do = "`alembic upgrade head`, if a migration is missing; else see why PostgreSQL is away"
        yield Finding("database", f"{check.status}: {check.reason or 'no reason is told'}", what_to_do)


def _parts(tm: TaskManager) -> Iterator[Finding]:
    remedies = {
        "rabbitmq": "start RabbitMQ, or check RABBITMQ_URL; what is submitted meanwhile is kept and not lost",
        "clock": "start one: python -m clock",
        "workers": "start one: sh deploy/worker.sh",
    }
    for name, check in tm.health().checks.items():
        if name != "postgresql" or check.status not in ("up", "down", "behind"):
            up = check.status == "up"
            said = check.status if up else f"{check.status}: {check.reason or ''}"
            yield Finding(name, said, None if up else remedies.get(name, "see the service's log"))


def _queues(tm: TaskManager) -> Iterator[Finding]:
    for queue in tm.queues.list().queues:
        said = f"{queue.worker_threads} threads, {queue.waiting} waiting, {queue.running} running"
        what_to_do = None
        if queue.paused:
            said += f"; paused by {queue.paused_by or 'somebody'}" + (f": {queue.reason}" if queue.reason else "")
            what_to_do = f"tm queues resume {queue.queue}"
        elif not queue.worker_threads:
            what_to_do = f"no worker serves it: sh deploy/worker.sh --queues {queue.queue}"
        yield Finding(queue.queue, said, what_to_do)


def _callbacks(tm: TaskManager) -> Iterator[Finding]:
    overview = tm.stats.overview()
    owed = overview.callbacks_owed
    said = f"{owed.count}{' or more' if owed.capped else ''} owed, {owed.failing} of them failing"
    what_to_do = "tm callbacks --state owed: `log` of each says what its receiver answers" if owed.failing else None
    yield Finding("callbacks", said, what_to_do)
    known = {"queue_paused", "no_worker", "no_clock", "rabbitmq_away", "callbacks_failing"}
    for notice in overview.attention:
        if notice.code not in known:
            yield Finding(
                "attention", notice.message_zh if reads_chinese() else notice.message, "docs/runbook says more"
            )
