"""The figures for operators, of which each process keeps one snapshot: everything that shows them reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.bulkheads.latest import Latest
from api.bulkheads.pools import WATCHING, Busy
from broker.topology import Counts
from models import PausedQueue, database, replica
from models.trouble import DISK_FULL, code_of
from tasks.dispatching import pausing
from tasks.transactions.unit import broker
from tasks.views.figures import statistics

#: Seconds for which a snapshot is kept: at least, and at most when it is dear to take, as with a million tasks.
FRESH, OLDEST = 1.0, 30.0
#: Seconds for which one that was dear to take is still shown while the next is taken, so that nobody waits for it.
MEANWHILE = 60.0
#: Seconds that whoever asks waits for a new one.
PATIENCE = 12.0


def _tables() -> statistics.Snapshot:
    return replica.read(statistics.look, repeatable=True)


def _server() -> statistics.Server:
    with database.transaction() as session:
        return statistics.server(session)


def _messages() -> dict[str, Counts]:
    return broker().counts() or {}


def _pauses() -> Mapping[str, PausedQueue]:
    with database.transaction() as session:
        return pausing.pauses(session)


def _is_full() -> bool:
    """Return whether PostgreSQL's disk is full: it still answers whoever reads, and refuses what needs another page."""
    try:
        with database.transaction() as session:
            # More than the memory that a statement may have here, so that some megabyte is written, into no table.
            session.execute(text("SET LOCAL work_mem = '64kB'; SET LOCAL temp_tablespaces = ''"))
            session.execute(text("SELECT count(*) FROM generate_series(1, 100000)"))
    except DBAPIError as error:
        return code_of(error) == DISK_FULL
    return False


#: What PostgreSQL says. Its age is in it, and is shown. What shows pauses asks for `tables`.
TABLES = Latest(_tables, WATCHING, fresh=FRESH, oldest=OLDEST, patience=PATIENCE, meanwhile=MEANWHILE)
#: The pauses, which many ask for at once.
_PAUSES = Latest(_pauses, WATCHING, fresh=0.0, oldest=0.0, patience=0.5)
#: How PostgreSQL itself is: the primary, whoever is read from.
SERVER = Latest(_server, WATCHING, fresh=FRESH, oldest=OLDEST, patience=PATIENCE, meanwhile=MEANWHILE)
#: What RabbitMQ says, apart: it may be away.
_MESSAGES = Latest(_messages, WATCHING, fresh=FRESH, oldest=OLDEST, patience=3.0, meanwhile=10.0)
#: Whether PostgreSQL's disk is full.
FULL = Latest(_is_full, WATCHING, fresh=10.0, oldest=30.0, patience=PATIENCE)


async def tables() -> statistics.Snapshot:
    """Return what PostgreSQL says, with the pauses of this moment: who has paused a queue is told so at once.

    Where the pauses cannot be asked for soon, they are those of the snapshot.
    """
    snapshot = await TABLES.get()
    try:
        return replace(snapshot, pauses=await _PAUSES.get())
    except (Busy, DBAPIError, PoolTimeout):
        return snapshot


async def messages() -> dict[str, Counts]:
    """Return what RabbitMQ says of its queues; nothing while it does not answer."""
    try:
        return await _MESSAGES.get()
    except Busy:
        return {}
