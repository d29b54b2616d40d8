"""What happens, as it happens: Server-Sent Events of everything, of one task, of one batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import falcon
from falcon import asgi

from api import requests
from api.access import callers
from api.description import schemas
from api.description.operation import operation
from api.problems import Invalid, problem
from api.streams import Hub, Stream
from models.base import Json
from sentences import say
from tasks.views import batches, events

ANSWERS = {
    200: "Events; `Last-Event-ID` resumes behind one.",
    422: "`Last-Event-ID` is not the id of an event.",
    503: "As many streams are open, of this caller or of all, as may be (MAX_STREAMS).",
}
OVER = {204: "It has ended, and the event that `Last-Event-ID` names was its last: do not come again."}
SHARED: Json = {
    "tag": "events",
    "media": "text/event-stream",
    "events": schemas.Event,
    "takes": ("LastEventId",),
}


class _Resource:
    """What the three kinds of streams share.

    Parameters:
      hub: of this process.
      most: streams that may be open in it.
    """

    def __init__(self, hub: Hub, most: int) -> None:
        self._hub = hub
        self._most = most

    @contextmanager
    def place(self, req: asgi.Request) -> Iterator[str]:
        """Keep a place for a stream until it is open; gives the name of the caller, whose share it counts against.

        Raises:
          falcon.HTTPServiceUnavailable: when there is no place for another stream.
        """
        caller = callers.name(req) or req.remote_addr
        self._hub.demand_room(caller, self._most)
        with self._hub.opening(caller):
            yield caller

    async def seen(self, req: asgi.Request) -> int | None:
        """Return the event that the client has seen last; None if none, or if what followed is not known any more.

        Raises:
          Invalid: when it is no event's id.
        """
        last = req.get_header("Last-Event-ID")
        if not last:
            return None
        if not last.isascii() or not last.isdigit() or len(last) > 18:
            raise Invalid([problem("Last-Event-ID", say("event_id"))])
        return int(last) if await requests.read(events.holds, int(last)) else None

    def answer(self, resp: asgi.Response, stream: Stream) -> None:
        """Begin to send."""
        resp.set_header("Cache-Control", "no-cache")
        # What nginx is told by, so that it passes each event on at once.
        resp.set_header("X-Accel-Buffering", "no")
        resp.sse = self._hub.sent(stream)


class Events(_Resource):
    """`/events`"""

    @operation(
        "Follow everything that happens; with a key that is bound to KBs, to their tasks.",
        ANSWERS,
        id="follow_events",
        **SHARED,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        with self.place(req) as caller:
            after = await self.seen(req)
            first = None
            if after is None:
                after = await self._hub.until()
                first = {"id": after, "type": "reset" if req.get_header("Last-Event-ID") else "open"}
            self.answer(resp, Stream(after, caller, first=first, kb_ids=callers.key(req).kbs))


class TaskEvents(_Resource):
    """`/tasks/{task_id}/events`"""

    @operation(
        "Follow a task to its end.",
        {**ANSWERS, **OVER, 404: "There is no such task."},
        id="follow_task",
        **SHARED,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, task_id: str) -> None:
        identifier = requests.identifier(task_id, "task")
        with self.place(req) as caller:
            after = await self.seen(req)
            await self._hub.until()
            stream = Stream(after or 0, caller, task_id=identifier, is_last=events.ends)
            if after is None:
                self._hub.follow(stream)
            state = await self._hub.state(identifier)
            if state is None:
                raise requests.missing("task", task_id)
            if after is None:
                stream.after, stream.first = state["id"], state
                self.answer(resp, stream)
            elif events.ends(state) and not await requests.read(events.page, after=after, task_id=identifier, limit=1):
                resp.status = falcon.HTTP_204
            else:
                self.answer(resp, stream)


class BatchEvents(_Resource):
    """`/batches/{batch_id}/events`"""

    @operation(
        "Follow the tasks of a batch to its end.",
        {**ANSWERS, **OVER, 404: "There is no such batch."},
        id="follow_batch",
        **SHARED,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response, batch_id: str) -> None:
        identifier = requests.identifier(batch_id, "batch")
        with self.place(req) as caller:
            after = await self.seen(req)
            settled = await self._hub.until()
            batch = await requests.read(batches.show, identifier)
            if batch is None:
                raise requests.missing("batch", batch_id)
            ended = batch["finished_at"] is not None
            if after is None:
                first = {"id": settled, "type": f"batch.{batch['status']}", **batch}
                self.answer(resp, Stream(settled, caller, first=first, batch_id=identifier, is_last=_ends_a_batch))
            elif ended and not await requests.read(events.page, after=after, batch_id=identifier, limit=1):
                resp.status = falcon.HTTP_204
            else:
                self.answer(resp, Stream(after, caller, batch_id=identifier, is_last=_ends_a_batch))


def _ends_a_batch(happened: Json) -> bool:
    return bool(happened["type"] == "batch.completed")
