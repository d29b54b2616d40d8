"""The messages. They carry ids: what is to be done stands in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import dramatiq
from dramatiq.errors import DecodeError

from broker import topology

#: A message, whatever its actor would return: nobody reads that.
Message = dramatiq.Message[Any]

#: What of a message says which request and which trace its first task belongs to.
TRACED = ("request_id", "traceparent")


class NotUnderstood(Exception):
    """A body that none of this service's releases has published: whoever works on it could only fail."""


def wake_up(
    subjects: Sequence[str],
    actor: str,
    queue: str,
    *,
    priority: int,
    attempt: int,
    time_limit: float,
    request_id: str | None = None,
    traceparent: str | None = None,
) -> Message:
    """Return the message that wakes an actor.

    Parameters:
      subjects: the ids of the tasks, or of the callback, that it is published for; the first is its argument.
      priority: 0 to 10; RabbitMQ delivers the higher first.
      attempt: the number that the next claim of the first is expected to get.
      time_limit: seconds after which Dramatiq's `TimeLimit` steps in.
      request_id, traceparent: of the first task; they are headers, for people and for tools that follow traces.
    """
    options: dict[str, Any] = {"broker_priority": priority, "attempt": attempt, "time_limit": time_limit * 1000}
    named = {"request_id": request_id, "traceparent": traceparent}
    options |= {name: value for name, value in named.items() if value is not None}
    if len(subjects) > 1:
        options["tasks"] = list(subjects)
    return Message(queue_name=queue, actor_name=actor, args=(subjects[0],), kwargs={}, options=options)


def dead_letter(subject: str, actor: str, queue: str, attempt: int, facts: dict[str, str | None]) -> Message:
    """Return the message that is kept for people, in the dead-letter queue of `queue`, when a task has failed."""
    options = {"attempt": attempt, "dead_letter": {name: value for name, value in facts.items() if value is not None}}
    return Message(queue_name=queue, actor_name=actor, args=(subject,), kwargs={}, options=options)


def is_dead_letter(message: Message) -> bool:
    """Return whether a message wakes nobody."""
    return "dead_letter" in message.options


def headers(message: Message) -> dict[str, Any]:
    """Return what the management UI shows of a message without decoding its body."""
    return {
        "task_id": message.args[0],
        "stage": message.actor_name,
        "attempt": message.options.get("attempt", 1),
        "tasks": len(message.options.get("tasks", message.args)),
        **{name: message.options[name] for name in TRACED if name in message.options},
        **message.options.get("dead_letter", {}),
    }


def understood(body: bytes, queue: str) -> Message:
    """Read the wake-up that was pulled from a queue.

    Raises:
      NotUnderstood: when it is none, with what is wrong. The body is not quoted.
    """
    try:
        message = Message.decode(body)
    except DecodeError as error:
        raise NotUnderstood(f"it is no message: {type(error.__cause__ or error).__name__}") from None
    if message.queue_name != queue:
        raise NotUnderstood("it names another queue")
    try:
        UUID(*message.args)
    except (TypeError, ValueError, AttributeError):
        raise NotUnderstood("`args` is not one id") from None
    _check_form(message.asdict())
    return message


def _check_form(fields: dict[str, Any]) -> None:
    """Look through a message for what the worker's threads would stumble over."""
    for name in ("queue_name", "actor_name", "message_id"):
        if not isinstance(fields.get(name), str):
            raise NotUnderstood(f"`{name}` is no text")
    if fields["queue_name"] not in topology.QUEUES:
        raise NotUnderstood("it names a queue that is none of this service's")
    options = fields.get("options")
    if not isinstance(options, dict) or fields.get("kwargs") != {}:
        raise NotUnderstood("`options` is no object, or `kwargs` is not empty")
    if "eta" in options:
        raise NotUnderstood("it is delayed, which no message is")
    limit = options.get("time_limit", 1)
    if isinstance(limit, bool) or not isinstance(limit, int | float) or limit <= 0:
        raise NotUnderstood("`time_limit` is no time")
