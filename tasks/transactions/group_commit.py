"""Many threads and requests share one transaction: whoever waits when the last commit ends goes with the next."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from models import database, trouble
from models.connection import limit_thread
from tasks.transactions.tallies import KEPT, Tallies
from tasks.transactions.unit import Unit, tell_held, unit_of_work
from tasks.transactions.waking import WakeBuffer

log = structlog.get_logger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
#: An operation on many items at once: gives one result for each, in their order. An exception among the
#: results is raised to the one that asked.
Operation = Callable[[Unit, Sequence[Item]], Sequence[Result | Exception]]

#: More would hold up the first for the sake of the last.
MOST_AT_ONCE = 500
#: Seconds between tries while PostgreSQL is away.
PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass
class _Entry(Generic[Item, Result]):
    operation: Operation[Item, Result]
    item: Item
    done: Future[Result] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


#: Entries that wait together are of different operations, each with items and results of its own.
_Entries = list[_Entry[Any, Any]]


class GroupCommit:
    """One thread that commits what others hand in. No timer: an idle system commits at once.

    Parameters:
      name: of the thread.
      patience: seconds to go on trying, or asking what became of a COMMIT, while PostgreSQL is away; after that the
        error reaches whoever waits. What may have been committed is never tried again.
        A worker waits as long as it lives, since what it did must be written down.
      limits: of its transactions, as for `models.connection.limit_thread`.
      wakes_every: seconds between two messages that wake somebody for quick tasks.
    """

    def __init__(
        self, name: str, patience: float, limits: Mapping[str, int] | None = None, *, wakes_every: float = 0.0
    ) -> None:
        self._name = name
        self._patience = patience
        self._limits = limits or {}
        self._tallies = Tallies(KEPT)
        self._wake_ups = WakeBuffer(wakes_every)
        self._counted = Tallies()
        """By transactions of other threads, and not among `_tallies` yet."""
        self._is_to_write = False
        """Whether what was counted is to be written with the next commit."""
        self._waiting: _Entries = []
        self._wanted = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(self, operation: Operation[Item, Result], item: Item) -> Future[Result]:
        """Hand in an item; the future ends with its result when the transaction is committed.

        Raises (in the future): what the operation gave or raised for this item, or sqlalchemy.exc.DBAPIError.
        """
        entry = _Entry(operation, item)
        with self._wanted:
            if self._closed:
                raise RuntimeError(f"{self._name} is closed")
            self._start()
            self._waiting.append(entry)
            self._wanted.notify()
        return entry.done

    def run(self, operation: Operation[Item, Result], item: Item) -> Result:
        """Hand in an item and wait for its result."""
        return self.put(operation, item).result()

    def run_here(self, operation: Operation[Item, Result], item: Item) -> Result:
        """Do it in a transaction of this thread's own: for what writes so much that others should not wait for it.

        What it counts is written with the next shared commit.
        """
        counted = Tallies(math.inf)
        with unit_of_work(patience=self._patience, tallies=counted) as unit:
            (result,) = operation(unit, [item])
        self.add(counted)
        if isinstance(result, Exception):
            raise result
        return result

    def add(self, counted: Tallies) -> None:
        """Have what was counted elsewhere written with a commit that is due anyway, or soon."""
        with self._wanted:
            self._counted = self._counted.plus(counted)
            self._start()
            self._wanted.notify()

    def flush(self, seconds: float) -> None:
        """Wait until what was handed in before, and what was counted, is committed, or `seconds` are over."""
        with self._wanted:
            self._is_to_write = True
        with suppress(TimeoutError):
            self.put(lambda _, items: items, None).result(timeout=seconds)

    def close(self) -> None:
        """Commit what waits, then end the thread."""
        with self._wanted:
            self._closed = True
            self._wanted.notify()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        limit_thread(self._limits)
        while True:
            with self._wanted:
                while not (self._waiting or self._closed or self._counted or self._is_due()):
                    left = (self._tallies.seconds_left(), self._wake_ups.seconds_left())
                    self._wanted.wait(min((seconds for seconds in left if seconds is not None), default=None))
                self._tallies.become(self._tallies.plus(self._counted))
                self._counted = Tallies()
                if self._is_to_write or (self._closed and not self._waiting):
                    self._tallies.hasten()
                self._is_to_write = False
                entries, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            if entries:
                self._commit(entries)
            elif self._tallies.is_due():
                self._write_tallies()
            elif self._wake_ups.seconds_left() is not None:
                self._wake()
            elif self._closed:
                return

    def _is_due(self) -> bool:
        """Whether there is something to do that nobody hands in."""
        return self._tallies.is_due() or self._wake_ups.seconds_left() == 0

    def _wake(self) -> None:
        """Wake somebody for quick tasks of commits that no other followed."""
        if self._closed:
            self._wake_ups.hasten()
        try:
            tell_held(self._wake_ups)
        except Exception:
            # The clock finds them. Whatever the error is, this thread must not end: everybody waits for it.
            log.exception("nobody_woken")

    def _write_tallies(self) -> None:
        """Write what was counted where no commit has taken it along."""
        try:
            with unit_of_work(patience=0, tallies=self._tallies):
                pass
        except Exception as error:
            # It goes with a later commit; a process that ends while PostgreSQL is away leaves it behind. Whatever the
            # error is, this thread must not end: everybody waits for it.
            if not isinstance(error, (DBAPIError, PoolTimeout)):
                log.exception("counts_not_written")
            if self._closed:
                self._tallies.become(Tallies())
            self._tallies.put_off()

    def _commit(self, entries: _Entries) -> None:
        """Commit all in one transaction; where one entry spoils it, each in its own."""
        try:
            results = self._in_one_transaction(entries)
        except Exception as error:
            if len(entries) == 1 or _is_of_all(error):
                for entry in entries:
                    entry.done.set_exception(error)
                return
            # One bad row fails the shared statement: alone, each gets what is its own.
            for entry in entries:
                self._commit([entry])
            return
        for entry, result in zip(entries, results, strict=True):
            if isinstance(result, Exception):
                entry.done.set_exception(result)
            else:
                entry.done.set_result(result)

    def _in_one_transaction(self, entries: _Entries) -> list[object]:
        tries = 0
        while True:
            try:
                return _execute(entries, self._patience, self._tallies, self._wake_ups)
            except (DBAPIError, PoolTimeout) as error:
                waited = time.monotonic() - entries[0].since
                if database.is_answer_lost(error) or not _is_away(error) or waited > self._patience:
                    raise
                time.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
                tries += 1


def _execute(entries: _Entries, patience: float, tallies: Tallies, wake_ups: WakeBuffer) -> list[object]:
    """Run each operation once, on all its items, in the order in which operations first occur."""
    operations: dict[Operation[Any, Any], list[int]] = {}
    for position, entry in enumerate(entries):
        operations.setdefault(entry.operation, []).append(position)
    results: list[object] = [None] * len(entries)
    with unit_of_work(patience=patience, tallies=tallies, wake_ups=wake_ups) as unit:
        for operation, positions in operations.items():
            given_back = operation(unit, [entries[position].item for position in positions])
            for position, result in zip(positions, given_back, strict=True):
                results[position] = result
    return results


def _is_of_all(error: Exception) -> bool:
    """Return whether the server or a lock is at fault, which each alone would meet again, one after the other."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    code = trouble.code_of(error) or ""
    return code == trouble.LOCK_TIMEOUT or (_is_away(error) and not code.startswith("40"))


def _is_away(error: DBAPIError | PoolTimeout) -> bool:
    """Return whether the connection is at fault, or a deadlock that a second try resolves; not the statement.

    So it is where no connection of the pool becomes free, as while a table is locked.
    """
    if isinstance(error, PoolTimeout):
        return True
    return database.is_away(error) or str(getattr(error.orig, "pgcode", None)).startswith("40")
