"""Whoever sent a request, as resources ask for it: its name, and the KBs that it may touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from falcon import asgi

from api import requests
from api.access.session import Session
from api.problems import Denied
from keys import Key
from models.audit import Actor
from sentences import say
from tasks.ending.dependencies import Unknown
from tasks.views import ownership

#: The key of whoever comes while none is asked for.
ANYBODY = Key("", b"")


def key(req: asgi.Request) -> Key:
    """Return the key that the request came with."""
    caller: Key = req.context.key
    return caller


def name(req: asgi.Request) -> str | None:
    """Return the name of its key; None where no keys are asked for."""
    return key(req).name or None


def session(req: asgi.Request) -> Session | None:
    """Return the browser's session that the request came with; None for a key, or where none is asked for."""
    sign_in: Session | None = getattr(req.context, "session", None)
    return sign_in


def actor(req: asgi.Request) -> Actor:
    """Return who asks, as the log of acts names it."""
    return Actor(name(req), req.context.request_id, req.context.traceparent)


def demand(req: asgi.Request, kb_id: str | None) -> None:
    """Let a request touch a KB, or with None what belongs to none.

    Raises:
      Denied: its key is bound to other KBs.
    """
    if not key(req).touches(kb_id):
        name = key(req).name
        reason = say("no_kb", name=name) if kb_id is None else say("other_kb", name=name, kb_id=kb_id[:200])
        raise Denied("forbidden_kb", reason)


def kbs(req: asgi.Request, kb: str | None) -> Sequence[str | None]:
    """Return the KBs that a filter stands for: the one that was asked for, or all of the key; [None] is all there are.

    Raises:
      Denied: what was asked for is none of them.
    """
    if kb is not None:
        demand(req, kb)
        return [kb]
    bound = key(req).kbs
    return [None] if bound is None else sorted(bound)


def confined(req: asgi.Request, kb: str | None) -> list[str] | None:
    """Return the same for what takes several KBs at once; None is all there are.

    Raises:
      Denied: what was asked for is none of them.
    """
    chosen = [kb_id for kb_id in kbs(req, kb) if kb_id is not None]
    return None if kb is None and key(req).kbs is None else chosen


async def demand_dependencies(req: asgi.Request, task_ids: Iterable[UUID]) -> None:
    """Let a request depend on tasks.

    Raises:
      Unknown: as for tasks that do not exist, naming those of KBs that its key may not touch.
    """
    bound, ids = key(req).kbs, list(task_ids)
    if bound is not None and ids and (foreign := await requests.read(ownership.foreign, ids, bound)):
        raise Unknown(foreign)


async def demand_task(req: asgi.Request, task_id: str) -> None:
    """Let a request touch a task.

    Raises:
      falcon.HTTPNotFound: there is none of that id, or it is of a KB that its key may not touch.
    """
    bound, identifier = key(req).kbs, requests.identifier(task_id, "task")
    if bound is not None and not await requests.read(ownership.holds_task, identifier, bound):
        raise requests.missing("task", task_id)


async def demand_batch(req: asgi.Request, batch_id: str) -> None:
    """Let a request touch a batch.

    Raises:
      falcon.HTTPNotFound: there is none of that id, or a task in it is of a KB that its key may not touch.
    """
    bound, identifier = key(req).kbs, requests.identifier(batch_id, "batch")
    if bound is not None and not await requests.read(ownership.holds_batch, identifier, bound):
        raise requests.missing("batch", batch_id)
