"""KBs over HTTP: what there is, and what each holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api import requests
from api.access import callers
from api.bulkheads.pools import SEARCHING
from api.description import schemas
from api.description.operation import operation
from documents.embedding.prices import cost
from documents.storing import kbs as stored
from documents.storing.kbs import Sums
from models.base import rfc3339
from models.kb import AMONG, NAMED
from settings import settings
from tasks.views import kbs as worked_on

#: Documents of a KB that are added up: of one that is looked at alone, and of each in a list.
MOST_OF_ONE, MOST_OF_EACH = 100_000, 10_000
#: Tasks of each status that are counted.
MOST_TASKS = 10_000


class KbQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = None


class Kbs:
    """`/kbs`"""

    @operation(
        "List the KBs in the order of their ids.",
        {200: "A page. A sum that is named in `at_least` may be larger."},
        id="list_kbs",
        tag="kbs",
        description="A page may hold fewer than `limit`; the last has no `next_cursor`.",
        query=KbQuery,
        response=schemas.KbPage,
    )
    async def on_get(self, req: Any, resp: Any) -> None:
        asked = requests.query(req, KbQuery)
        after = requests.from_cursor(asked.cursor, str)
        resp.media = await requests.read(page, callers.key(req).kbs, after, asked.limit, pool=SEARCHING)


class Kb:
    """`/kbs/{kb_id}`"""

    @operation(
        "Show a KB: what it holds, how its vectors are searched, and its tasks that are open or have failed.",
        {
            200: "A sum that is named in `at_least` may be larger.",
            404: "It has no document, and no task of it is open or has failed.",
        },
        id="get_kb",
        tag="kbs",
        response=schemas.Kb,
    )
    async def on_get(self, req: Any, resp: Any, kb_id: str) -> None:
        found = await requests.read(look, [kb_id], MOST_OF_ONE, pool=SEARCHING)
        if not found:
            raise requests.missing("KB", kb_id)
        resp.media = found[0]


def page(session: Session, bound: Iterable[str] | None, after: str | None, limit: int) -> dict[str, Any]:
    """Return those of the next ids that are KBs still: ended tasks name KBs that have gone.

    Parameters:
      bound: the KBs that a key is bound to; None: all.
    """
    wanted: dict[str, Any] = {"after": after or "", "limit": limit + 1}
    found = session.execute(NAMED, wanted) if bound is None else session.execute(AMONG, wanted | {"kb_ids": [*bound]})
    named = list(found.scalars())
    items = look(session, named[:limit], MOST_OF_EACH)
    return {"items": items, "next_cursor": requests.cursor(named[limit - 1]) if len(named) > limit else None}


def look(session: Session, kb_ids: list[str], most: int) -> list[dict[str, Any]]:
    """Return those of these KBs that there are, in the same order."""
    sums = stored.sums(session, kb_ids, most)
    tasks = worked_on.counts(session, kb_ids, MOST_TASKS)
    return [
        _shown(kb_id, sums.get(kb_id), tasks[kb_id], most)
        for kb_id in kb_ids
        if kb_id in sums or any(tasks[kb_id].values())
    ]


def _shown(kb_id: str, sums: Sums | None, tasks: dict[str, int], most: int) -> dict[str, Any]:
    at_least = [f"tasks.{status}" for status, count in tasks.items() if count == MOST_TASKS]
    if sums is not None and sums.documents == most:
        at_least = ["documents", "chunks", "bytes", "tokens_embedded", "estimated_cost", *at_least]
    return {
        "kb_id": kb_id,
        "documents": sums.documents if sums else 0,
        "chunks": sums.chunks if sums else 0,
        "bytes": sums.bytes if sums else 0,
        "embedder": sums.embedder if sums else None,
        "tokens_embedded": sums.tokens_embedded if sums else 0,
        "estimated_cost": cost(sums.embedder, sums.tokens_embedded, settings()) if sums else 0.0,
        "index": {"state": sums.index if sums else "exact", "chunks": sums.indexed if sums else 0},
        "tasks": tasks,
        "at_least": at_least,
        "created_at": rfc3339(sums.created_at) if sums else None,
        "updated_at": rfc3339(sums.updated_at) if sums else None,
    }
