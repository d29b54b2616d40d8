"""Who did what, over HTTP."""

from __future__ import annotations

from uuid import UUID

from falcon import asgi
from pydantic import BaseModel, ConfigDict, Field

from api import requests
from api.access import callers
from api.description import schemas
from api.description.operation import operation
from models import audit
from models.base import Json
from tasks.input.fields import Moment


class AuditQuery(BaseModel):
    """Which acts are to be listed."""

    model_config = ConfigDict(extra="forbid")

    action: str | None = Field(None, description="As in `task.cancel`; see `docs/access.md`.")
    name: str | None = Field(None, description="Of the API key.")
    kb_id: str | None = None
    since: Moment | None = None
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None


class Audit:
    """`/audit`"""

    @operation(
        "List who did what, newest first, for the last 90 days.",
        {200: "A page; `next_cursor` is null on the last."},
        id="list_audit",
        tag="operations",
        query=AuditQuery,
        response=schemas.AuditPage,
    )
    async def on_get(self, req: asgi.Request, resp: asgi.Response) -> None:
        resp.media = await listed(req, requests.query(req, AuditQuery))


async def listed(req: asgi.Request, query: AuditQuery) -> Json:
    """Return a page of the acts that a request may see, newest first."""
    filters = query.model_dump(exclude={"limit", "cursor", "kb_id"})
    kb_ids = callers.confined(req, query.kb_id)
    before = requests.from_cursor(query.cursor, UUID)
    items = await requests.read_much(audit.page, limit=query.limit + 1, before=before, kb_ids=kb_ids, **filters)
    return requests.page_of(items, query.limit, "audit_id")
