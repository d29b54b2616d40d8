"""What a client does, as a sequence of steps. A generator yields each, is sent its result, and knows no socket."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar

from task_manager_client.core.call import Answer, Call, Page
from task_manager_client.core.policy import Policy, Tries, is_uncertain
from task_manager_client.errors import NotFound, TaskManagerError

T = TypeVar("T")


class Send:
    """Send a request and read its answer whole. Gives an `Answer`.

    Parameters:
      read: seconds of silence.
      deadline: of `time.monotonic`, when it must have been read.
    """

    def __init__(self, call: Call[Any], read: float | None, deadline: float | None) -> None:
        self.call = call
        self.read = read
        self.deadline = deadline


class Open:
    """Send a request whose answer is a stream. Gives an `Answer`; its body is empty where it is a stream (200).

    Parameters:
      read: seconds of silence.
    """

    deadline: float | None = None

    def __init__(self, call: Call[Any], read: float | None) -> None:
        self.call = call
        self.read = read


class Chunk:
    """Read on in the open stream. Gives bytes; none of them at its end."""


class Close:
    """Close the open stream. Gives nothing."""


class Pause:
    """Wait. Gives nothing."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Item(Generic[T]):
    """Hand something to whoever iterates. Gives nothing."""

    def __init__(self, value: T) -> None:
        self.value = value


Step = Send | Open | Chunk | Close | Pause
Steps = Generator[Step, Any, T]
Items = Generator[Step | Item[T], Any, None]


def perform(call: Call[T], policy: Policy) -> Steps[T]:
    """Do a call, as often as its policy says.

    Raises:
      TaskManagerError: whatever it ended with at last.
    """
    tries = Tries(call, policy)
    may_be_done = False
    while True:
        try:
            answer: Answer = yield Send(call, policy.timeouts.read, tries.deadline)
            if 200 <= answer.status < 300 or answer.status in call.also:
                return call.read(answer)
            refusal = answer.refusal()
            if may_be_done and call.absent_when_done and isinstance(refusal, NotFound):
                return call.read(answer)
            raise refusal
        except TaskManagerError as error:
            may_be_done = may_be_done or is_uncertain(error)
            pause = tries.pause_after(error)
        yield Pause(pause)


def every(call: Call[Page[T]], policy: Policy) -> Items[T]:
    """Hand over each item of a list, page after page."""
    while True:
        page = yield from perform(call, policy)
        for item in page.items:
            yield Item(item)
        if page.next_cursor is None:
            return
        call = call.with_query(cursor=page.next_cursor)
