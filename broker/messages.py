"""The messages: wake-ups that carry ids, linked into Dramatiq pipelines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dramatiq import Message
from dramatiq.broker import Broker
from dramatiq.composition import pipeline


@dataclass(frozen=True, slots=True)
class Step:
    """A stage a message wakes: the actor and its queue."""

    actor: str
    queue: str


def wake_up(
    subject: str, steps: list[Step], *, priority: int, attempt: int, time_limit: float, broker: Broker
) -> Message[Any]:
    """The message for the first of `steps`; each carries its successor as its `pipe_target`.

    Parameters:
      subject: the id of the task, or of the callback, that is woken.
      priority: 0 to 10; RabbitMQ delivers the higher first.
      attempt: the number the next claim is expected to get.
      time_limit: seconds after which Dramatiq's `TimeLimit` steps in.
    """
    messages: list[Message[Any]] = [
        Message(
            queue_name=step.queue,
            actor_name=step.actor,
            args=(subject,),
            kwargs={},
            options={
                "pipe_ignore": True,
                "broker_priority": priority,
                "attempt": attempt + position,
                "time_limit": time_limit * 1000,
            },
        )
        for position, step in enumerate(steps)
    ]
    first: Message[Any] = pipeline(messages, broker=broker).messages[0]
    return first


def headers(message: Message[Any]) -> dict[str, Any]:
    """What the management UI shows of a message without decoding its body."""
    return {
        "task_id": message.args[0],
        "stage": message.actor_name,
        "attempt": message.options.get("attempt", 1),
    }
