"""What becomes of a message for an actor that this release does not have.

Dramatiq would make it a dead letter. While two releases run beside each other, its task belongs to a worker of the
later one, which the clock wakes again.
"""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from tasks.dispatching import unknown as unknown_tasks
from worker.stage import LOOP


@dramatiq.actor(queue_name="default")
def unknown(task_id: str) -> None:  # noqa: ARG001 - what the message carries
    """Leave the task to a worker that knows its stage, and run what waits."""
    message = CurrentMessage.get_current_message()
    unknown_tasks.say(message.actor_name if message is not None else "unknown")
    LOOP.work_off(message)


class Actors(dict[str, dramatiq.Actor[Any, Any]]):
    """The actors of a broker; for a name that is none of theirs, `unknown`."""

    def __missing__(self, name: str) -> dramatiq.Actor[Any, Any]:
        return unknown
