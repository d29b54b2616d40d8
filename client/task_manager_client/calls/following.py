"""Following a task or a batch: its events, and its end by whichever of three ways the network lets through."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from task_manager_client.answers.events import Event
from task_manager_client.core.call import Answer, Call
from task_manager_client.core.events import Decoder
from task_manager_client.core.policy import Policy
from task_manager_client.core.steps import Chunk, Close, Item, Items, Open, Pause, Steps, perform
from task_manager_client.errors import (
    ConnectionLost,
    NotConnected,
    RateLimited,
    Refused,
    TaskManagerError,
    Unavailable,
    UnexpectedAnswer,
    WaitTimedOut,
)

T = TypeVar("T")

#: Seconds of silence after which a stream is taken for dead, or for one that a proxy keeps back; the service says
#: something at once, and then every 15 s.
SILENCE = 20.0
#: Seconds that `?wait` is asked to take, and the least that says that it did wait.
WAIT, WAITED = 20.0, 5.0
#: Seconds between two looks by ETag: the first, which grows, and the longest.
FIRST_LOOK, LONGEST_LOOK = 0.5, 5.0
#: Seconds for which the service may be away while somebody waits, as for a restart.
PATIENCE = 60.0
#: Seconds between two attempts to reach it meanwhile.
AGAIN = 1.0


@dataclass(frozen=True, eq=False)
class Followed(Generic[T]):
    """What is followed.

    Parameters:
      name: as messages call it.
      look: reads it.
      events: opens its stream of events.
      is_last: whether no event follows one.
      has_ended: whether nothing more becomes of it.
      can_wait: whether `look` understands `?wait` and ETags.
    """

    name: str
    look: Call[T]
    events: Call[Any]
    is_last: Callable[[Event], bool]
    has_ended: Callable[[T], bool]
    can_wait: bool


class _NoStream(Exception):
    """Events do not come through; there are other ways."""


def watch(call: Call[Any], is_last: Callable[[Event], bool]) -> Items[Event]:
    """Hand over each event, once and in order; a stream that breaks is resumed behind the last one.

    Parameters:
      call: opens the stream.
      is_last: whether no event follows one.

    Raises:
      TaskManagerError: it cannot be opened, or the service is away for longer than PATIENCE.
    """
    last_id: str | None = None
    away_since: float | None = None
    while True:
        decoder = Decoder()
        opened = call if last_id is None else call.with_headers(Last_Event_ID=last_id)
        try:
            answer: Answer = yield Open(opened, SILENCE)
            if answer.status == 204:
                return
            if answer.status != 200:
                raise answer.refusal()
            while chunk := (yield Chunk()):
                away_since = None
                for sent in decoder.feed(chunk):
                    last_id = sent.id or last_id
                    event = Event.read(json.loads(sent.data))
                    yield Item(event)
                    if is_last(event):
                        yield Close()
                        return
            pause = decoder.retry or AGAIN
        except RateLimited as error:
            pause, away_since = error.retry_after or AGAIN, None
        except (ConnectionLost, NotConnected, Unavailable) as error:
            # Counted from the first failure: what the caller does between two events takes its own time.
            away_since = time.monotonic() if away_since is None else away_since
            if time.monotonic() - away_since > PATIENCE:
                raise
            pause = (error.retry_after if isinstance(error, Refused) else None) or AGAIN
        except ValueError as error:
            raise UnexpectedAnswer(f"the stream holds no event: {error}") from None
        yield Close()
        yield Pause(pause)


def wait(followed: Followed[T], policy: Policy, timeout: float | None) -> Steps[T]:
    """Wait until something has ended, and return it: by its events, else by `?wait`, else by looks with an ETag.

    Parameters:
      timeout: seconds; None: as long as it takes.

    Raises:
      WaitTimedOut: it has not ended in time.
      TaskManagerError: it cannot be looked at, or the service is away for longer than PATIENCE.
    """
    waiting = _Waiting(followed, policy, timeout)
    with suppress(_NoStream):
        yield from waiting.by_events()
    return (yield from waiting.by_looking())


class _Waiting(Generic[T]):
    """One wait."""

    def __init__(self, followed: Followed[T], policy: Policy, timeout: float | None) -> None:
        self._followed = followed
        self._policy = replace(policy, retries=0)
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._last: T | None = None

    def by_events(self) -> Steps[None]:
        """Return when the last event has come. The last seconds are for `?wait`, which keeps to them exactly.

        Raises:
          _NoStream: events do not come, for whatever reason; looking tells whether it is one to give up for.
        """
        if self._within(SILENCE) < SILENCE:
            raise _NoStream
        decoder = Decoder()
        try:
            answer: Answer = yield Open(self._followed.events, SILENCE)
            if answer.status == 204:
                return
            if answer.status != 200:
                raise _NoStream
            while chunk := (yield Chunk()):
                if any(self._followed.is_last(Event.read(json.loads(sent.data))) for sent in decoder.feed(chunk)):
                    yield Close()
                    return
                if self._within(SILENCE) < SILENCE:
                    break
        except (TaskManagerError, ValueError):
            pass
        yield Close()
        raise _NoStream

    def by_looking(self) -> Steps[T]:
        """Return it when it has ended."""
        wait, pause, etag = self._followed.can_wait, FIRST_LOOK, None
        away_since: float | None = None
        while True:
            wait_seconds = self._within(WAIT) if wait else 0.0
            began = time.monotonic()
            retry_after: float | None = None
            try:
                answer = yield from self._look(wait_seconds, etag)
                away_since = None
            except RateLimited as error:
                # The service is there, and says when to come again.
                answer, away_since, retry_after = None, None, error.retry_after
            except (NotConnected, ConnectionLost, Unavailable) as error:
                # It may be a router that cuts off what takes long: from now on nothing does.
                wait = wait and isinstance(error, NotConnected)
                away_since = began if away_since is None else away_since
                if began - away_since > PATIENCE:
                    raise
                answer = None
            if answer is not None and answer.status == 200:
                self._last, etag = self._followed.look.read(answer), answer.headers.get("etag")
                if self._followed.has_ended(self._last):
                    return self._last
                wait = wait and time.monotonic() - began >= min(WAITED, wait_seconds / 2)
            if self._left() == 0:
                raise WaitTimedOut(f"{self._followed.name} has not ended within {self._timeout:g} s", self._last)
            if answer is None or not wait:
                yield Pause(self._within(retry_after or pause))
                pause = min(pause * 1.5, LONGEST_LOOK)

    def _look(self, wait_seconds: float, etag: str | None) -> Steps[Answer]:
        call = self._followed.look.unread()
        if wait_seconds:
            call = call.with_query(wait=wait_seconds)
        elif etag is not None:
            call = replace(call.with_headers(If_None_Match=etag), also=(304,))
        return (yield from perform(call, self._policy))

    def _left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _within(self, seconds: float) -> float:
        left = self._left()
        return seconds if left is None else min(seconds, left)
