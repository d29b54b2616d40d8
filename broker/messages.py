"""The messages: wake-ups that carry ids, linked into Dramatiq pipelines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dramatiq import Message
from dramatiq.broker import Broker
from dramatiq.composition import pipeline
from dramatiq.errors import DecodeError

from broker.topology import QUEUES

#: Messages that one may carry behind it: more than any task type has stages.
LONGEST_PIPELINE = 20


class NotUnderstood(Exception):
    """A body that none of this service's releases has published: whoever works on it could only fail."""


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


def understood(body: bytes, queue: str) -> Message[Any]:
    """The wake-up that was pulled from a queue.

    Raises:
      NotUnderstood: when it is none, with what is wrong. The body is not quoted.
    """
    try:
        message: Message[Any] = Message.decode(body)
    except DecodeError as error:
        raise NotUnderstood(f"it is no message: {type(error.__cause__ or error).__name__}") from None
    if message.queue_name != queue:
        raise NotUnderstood("it names another queue")
    try:
        UUID(*message.args)
    except (TypeError, ValueError, AttributeError):
        raise NotUnderstood("`args` is not one id") from None
    _check_form(message.asdict(), LONGEST_PIPELINE)
    return message


def _check_form(fields: Any, left: int) -> None:
    """Look through a message and those that it carries for what the worker's threads would stumble over."""
    if not isinstance(fields, dict) or not left:
        raise NotUnderstood("`pipe_target` is no message")
    for name in ("queue_name", "actor_name", "message_id"):
        if not isinstance(fields.get(name), str):
            raise NotUnderstood(f"`{name}` is no text")
    if fields["queue_name"] not in QUEUES:
        raise NotUnderstood("it names a queue that is none of this service's")
    options = fields.get("options")
    if not isinstance(options, dict) or fields.get("kwargs") != {}:
        raise NotUnderstood("`options` is no object, or `kwargs` is not empty")
    if "eta" in options:
        raise NotUnderstood("it is delayed, which no message is")
    limit = options.get("time_limit", 1)
    if isinstance(limit, bool) or not isinstance(limit, int | float) or limit <= 0:
        raise NotUnderstood("`time_limit` is no time")
    if options.get("pipe_target") is not None:
        _check_form(options["pipe_target"], left - 1)
