"""What becomes of a message for an actor that this release does not have: its task goes back to the dispatch.

Dramatiq would make it a dead letter. While two releases run beside each other, it belongs to a worker of the later one.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import dramatiq
from dramatiq.middleware import SkipMessage

from actors import claiming
from tasks import unknown as unknown_tasks
from tasks.unit import unit_of_work


@dramatiq.actor(queue_name="default")
def unknown(task_id: str) -> None:
    """Give the task back, for a worker that knows its stage."""
    delivery = claiming.delivery()
    stage = delivery.actor_name if delivery is not None else "unknown"
    unknown_tasks.say(stage)
    with unit_of_work() as unit:
        unknown_tasks.give_back(unit, [UUID(task_id)])
    raise SkipMessage(f"{stage} of {task_id} is left to another release")


class Actors(dict[str, dramatiq.Actor[Any, Any]]):
    """The actors of a broker; for a name that is none of theirs, `unknown`."""

    def __missing__(self, name: str) -> dramatiq.Actor[Any, Any]:
        return unknown
