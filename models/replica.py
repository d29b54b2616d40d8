"""A server that follows the primary, for what only reads and takes a while: searches, lists, figures.

No reader gets what is older than its request. It asks the primary how far it is, and reads from the replica once that
has come so far; where that takes too long, or the replica is away, it reads from the primary. So whoever is told that a
task has completed finds its document, whichever process tells and whichever searches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, NoReturn, TypeVar

import structlog
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from logs import Outage
from models import database
from models.hosts import STANDBY, psycopg2_url
from models.statement import prepared
from models.trouble import TOOK_TOO_LONG, code_of, is_unreached

log = structlog.get_logger(__name__)

Result = TypeVar("Result")
State = Literal["up", "behind", "down"]

#: Seconds that a reader waits for what was committed before it asked; and between two looks.
PATIENCE, PAUSE = 0.1, 0.002
#: Seconds between two looks at a replica that is not used.
LOOK_EVERY = 1.0
#: Seconds after which a replica that vanished without a word is given up: the primary can answer meanwhile.
VANISHES = 3
#: PostgreSQL's codes for a statement that stood in the way of what the replica had to take over, and for one that
#: writes: the primary can answer it.
REPEATED = ("40001", "40P01", database.READ_ONLY)

UNUSED = Outage("replica_not_used")


class Position(NamedTuple):
    """How far the primary is."""

    position: str


class Standby(NamedTuple):
    """Whether a server follows another, and whether it has what that had at a position."""

    follows: bool
    has: bool


# A COMMIT is answered, and seen by others, once it is flushed.
_POSITION = prepared("SELECT pg_current_wal_flush_lsn() AS position", Position)
_HAS = prepared(
    """
    SELECT pg_is_in_recovery() AS follows,
      coalesce(pg_last_wal_replay_lsn() >= CAST(:position AS pg_lsn), false) AS has
    """,
    Standby,
)


class NotUsed(Exception):
    """The replica cannot answer this now; the primary can."""


class Replica:
    """Readers of one replica.

    Parameters:
      engine: of its connections.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.state: State = "down"
        self._position: str | None = None
        self._looking = threading.Lock()
        self._closed = threading.Event()

    def read(self, function: Callable[[Session], Result], repeatable: bool) -> Result:
        """Call a function with a session on the replica.

        Raises:
          NotUsed: it must be called with a session on the primary; it may have run here already.
          what the function raises.
        """
        if self.state != "up":
            self.look_again()
            raise NotUsed
        try:
            with self._engine.connect() as opened:
                self._catch_up(opened)
                with Session(opened, expire_on_commit=False) as session, session.begin():
                    if repeatable:
                        session.execute(database.REPEATABLE)
                    return function(session)
        except PoolTimeout as error:
            raise NotUsed from error
        except DBAPIError as error:
            self._leave_if_away(error)
            raise NotUsed from error

    def look_again(self) -> None:
        """Look for a replica that is not used until it can be, while nobody waits for it."""
        if self._looking.acquire(blocking=False):
            threading.Thread(target=self._look, name="replica", daemon=True).start()

    def close(self) -> None:
        """Close its connections, once nobody looks for it any more: a look asks the primary, which is closed next."""
        self._closed.set()
        self._looking.acquire(timeout=PATIENCE + database.PROBE_CONNECTS)
        self._engine.dispose()

    def _catch_up(self, opened: SqlConnection) -> None:
        """Wait until the replica has what was committed before now.

        While the primary is away nothing is committed, and it must have what the primary had when it last answered.

        Raises:
          NotUsed: it takes too long, or the primary is there and does not say how far it is.
        """
        if (position := self._demanded()) is None:
            return
        deadline = time.monotonic() + PATIENCE
        while True:
            # Outside of the transaction, which sees what there was at its first statement.
            (row,) = database.execute(opened, _HAS, {"position": position}, alone=True)
            if not row.follows:
                opened.invalidate()
                self._leave("down", "it is no standby: it was promoted, or the URL names the primary")
            if row.has:
                return
            if time.monotonic() > deadline:
                self._leave("behind", f"it has not caught up within {PATIENCE} s")
            time.sleep(PAUSE)

    def _demanded(self) -> str | None:
        """Return how far the primary is, or was before it went away; None: this process never saw it.

        Raises:
          NotUsed: it is there, such as with no connection left, and may commit.
        """
        try:
            (row,) = database.read(_POSITION)
        except DBAPIError as error:
            if not is_unreached(error):
                raise NotUsed from error
        else:
            self._position = row.position
        return self._position

    def _leave_if_away(self, error: DBAPIError) -> None:
        """Stop using the replica if it is away.

        Raises:
          NotUsed: it is.
          DBAPIError: the function is at fault, and would be on the primary.
        """
        code = code_of(error)
        if code in REPEATED:
            log.warning("read_repeated", reason=database.reason(error))
        elif database.is_away(error) and code != TOOK_TOO_LONG:
            self._leave("down", database.reason(error))
        else:
            raise error

    def _leave(self, state: State, reason: str) -> NoReturn:
        self.state = state
        UNUSED.goes_on(reason=reason)
        self.look_again()
        raise NotUsed

    def _look(self) -> None:
        try:
            while not self._can_be_used() and not self._closed.wait(LOOK_EVERY):
                pass
        finally:
            self._looking.release()

    def _can_be_used(self) -> bool:
        try:
            with self._engine.connect() as opened:
                self._catch_up(opened)
        except (NotUsed, PoolTimeout):
            return False
        except DBAPIError as error:
            self.state = "down"
            UNUSED.goes_on(reason=database.reason(error))
            return False
        self.state = "up"
        UNUSED.is_over()
        return True


_replica: Replica | None = None


def connect(url: str | None, *, pool_size: int, application_name: str, limits: Mapping[str, int] | None = None) -> None:
    """Have this process read from a replica, where there is one. See `database.connect`."""
    global _replica
    disconnect()
    if url is not None:
        address = psycopg2_url(url, STANDBY)
        name = f"{application_name} reads"
        connects = database.PROBE_CONNECTS
        _replica = Replica(database.made(address, pool_size, 0, name, limits or {}, connects, VANISHES))


def disconnect() -> None:
    """Close every connection to the replica."""
    global _replica
    if _replica is not None:
        _replica.close()
    _replica = None


def state() -> State | None:
    """Return whether reads go to the replica, or why not; None: there is none."""
    if _replica is None:
        return None
    if _replica.state != "up":
        _replica.look_again()
    return _replica.state


def read(function: Callable[[Session], Result], *, repeatable: bool = False) -> Result:
    """Call a function that only reads with a session on the replica, or on the primary where that cannot answer.

    Parameters:
      function: may be called twice.
      repeatable: all statements see one snapshot (REPEATABLE READ).
    """
    if _replica is not None:
        try:
            return _replica.read(function, repeatable)
        except NotUsed:
            pass
    with database.transaction(repeatable=repeatable) as session:
        return function(session)
