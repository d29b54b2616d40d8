"""A connection to RabbitMQ that the consumers of one process share, and the thread that serves it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import pika
from dramatiq.errors import ConnectionClosed

from broker.connecting import AWAY, LOST, named, why

Result = TypeVar("Result")


class User(Protocol):
    """A consumer whose channel is on the connection."""

    def link_lost(self) -> None:
        """Learn that nothing more comes."""


class Link:
    """The connection. pika's may be touched by its own thread only, so whoever wants something of it asks that thread.

    Parameters:
      parameters: of each member of the cluster, in the order in which they are tried.
      name: what RabbitMQ shows of the connection.

    Raises:
      ConnectionClosed: when RabbitMQ cannot be reached.
    """

    def __init__(self, parameters: Sequence[pika.URLParameters], name: str) -> None:
        try:
            self.connection = pika.BlockingConnection(named(parameters, name))
        except LOST as error:
            AWAY.goes_on(reason=why(error))
            raise ConnectionClosed(why(error)) from None
        AWAY.is_over()
        self._lock = threading.Lock()
        self._users: set[User] = set()
        self._asked: set[Future[Any]] = set()
        self._reason: str | None = None
        """Why the connection was lost."""
        threading.Thread(target=self._serve, name="consumers", daemon=True).start()

    @property
    def is_lost(self) -> bool:
        """Whether the connection was lost."""
        return self._reason is not None

    def enter(self, user: User) -> bool:
        """Note a user; False: the connection was lost."""
        with self._lock:
            if self._reason is None:
                self._users.add(user)
            return self._reason is None

    def leave(self, user: User) -> None:
        """Forget a user; with the last one the connection is closed."""
        with self._lock:
            self._users.discard(user)
            if self._users or self._reason is not None:
                return
            self._reason = "nobody used it any more"
        self.soon(self.connection.close)

    def do(self, call: Callable[..., Result], *args: object) -> Result:
        """Run a call in the connection's thread, and return what it does.

        Raises:
          ConnectionClosed: the connection was lost, before or meanwhile.
          what the call raises.
        """
        done: Future[Result] = Future()
        with self._lock:
            if self._reason is not None:
                raise ConnectionClosed(self._reason)
            self._asked.add(done)
        self.soon(_answer, done, call, *args)
        try:
            return done.result()
        finally:
            self._asked.discard(done)

    def soon(self, call: Callable[..., Any], *args: object) -> None:
        """Have a call run in the connection's thread; whatever RabbitMQ says against it is shown by the channel."""

        def run() -> None:
            with suppress(*LOST):
                call(*args)

        with suppress(pika.exceptions.ConnectionWrongStateError):
            self.connection.add_callback_threadsafe(run)

    def _serve(self) -> None:
        reason = "the connection was closed"
        try:
            while self.connection.is_open:
                self.connection.process_data_events(time_limit=None)
        except LOST as error:
            reason = why(error)
        finally:
            self._lose(reason)
            # After any other error it is still open, and RabbitMQ would go on sending to its consumers.
            with suppress(*LOST):
                if self.connection.is_open:
                    self.connection.close()

    def _lose(self, reason: str) -> None:
        with self._lock:
            self._reason = self._reason or reason
            futures, users = [*self._asked], [*self._users]
        for future in futures:
            if not future.done():
                future.set_exception(ConnectionClosed(self._reason))
        for user in users:
            user.link_lost()


def _answer(done: Future[Result], call: Callable[..., Result], *args: object) -> None:
    """Hand on what a call returns or raises to whoever waits for it."""
    try:
        result = call(*args)
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(result)


class SharedLink:
    """The link of a process, made anew when it was lost.

    Parameters:
      make: connects.
    """

    def __init__(self, make: Callable[[], Link]) -> None:
        self._make = make
        self._link: Link | None = None
        self._lock = threading.Lock()
        self._tries = 0
        self._failure: ConnectionClosed | None = None

    def enter(self, user: User) -> Link:
        """Return the link, with one more user. Of several who come while it is down one tries, and all learn of it.

        Raises:
          ConnectionClosed: when RabbitMQ cannot be reached.
        """
        before = self._tries
        with self._lock:
            if self._link is not None and self._link.enter(user):
                return self._link
            if self._tries != before and self._failure is not None:
                raise ConnectionClosed(*self._failure.args)
            self._tries += 1
            self._failure = None
            try:
                self._link = self._make()
            except ConnectionClosed as error:
                self._failure = error
                raise
            self._link.enter(user)
            return self._link
